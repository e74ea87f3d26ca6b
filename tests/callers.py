"""Somebody who may ask: a key, the header that carries it, and an access file that knows it."""

import hashlib
import json

KEY = "a-test-s-own-key-0123456789-0123456789"
HEADERS = {"authorization": f"Bearer {KEY}"}


def entry(name: str = "test", key: str = KEY, **more: object) -> dict[str, object]:
    """A key as an access file holds it."""
    return {"name": name, "sha256": hashlib.sha256(key.encode()).hexdigest(), **more}


def access(**more: object) -> str:
    """An access file's text."""
    return json.dumps({"keys": [entry()], "signing": "5" * 64, **more})
