"""What outlives a mistake: one place decides by the stack's environment what is protected and what is retained."""

from __future__ import annotations

from typing import TypedDict


class Keeping(TypedDict, total=False):
    """Resource options."""

    protect: bool
    retain_on_delete: bool


def stateful(production: bool) -> Keeping:
    """Options of what holds data (bucket, key, registry): in production protected, and retained by a destroy."""
    return {"protect": True, "retain_on_delete": True} if production else {}


def billed(production: bool) -> Keeping:
    """Options of what costs money while it is there (cluster): in production protected, never retained."""
    return {"protect": True} if production else {}
