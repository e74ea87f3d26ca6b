"""What our dynamic providers share."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, ClassVar, ParamSpec, TypeVar

from pulumi.dynamic import DiffResult, ResourceProvider
from slipway.infra.resources.command import SlipwayError

P = ParamSpec("P")
T = TypeVar("T")


def plain_errors(method: Callable[P, T]) -> Callable[P, T]:
    """Lets a refusal reach the user as its message: the engine would print our frames above it."""

    @functools.wraps(method)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            result = method(*args, **kwargs)
        except SlipwayError:
            # The plugin formats the exception after we have left; this is its only handle on that.
            sys.tracebacklimit = 0
            raise
        vars(sys).pop("tracebacklimit", None)
        return result

    return wrapper


def changed(olds: dict[str, Any], news: dict[str, Any], keys: tuple[str, ...]) -> list[str]:
    """The keys whose values differ. What is not in `keys` never makes a diff."""
    return [key for key in keys if olds.get(key) != news.get(key)]


class KeyedProvider(ResourceProvider):
    """Diffs on the inputs that `keys` names, and on nothing else. Stateless, so it serializes by name alone."""

    serialize_as_secret_always = False
    keys: ClassVar[tuple[str, ...]]

    @plain_errors
    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        return DiffResult(changes=bool(changed(olds, news, self.keys)))
