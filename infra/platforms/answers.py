"""What a platform finds out about itself before an update, and what it leaves behind after a destroy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from slipway.infra.platforms.quota import Machine, Quota

# What is no failure yet, and will be.
WARNED: Final = "warned"
# Whether a check passed, None if it got no answer; and the message.
Said = tuple[bool | Literal["warned"] | None, str]
# What a sweep looked at, and what it found and could not or may not remove.
Swept = tuple[list[str], list[str]]
# Asks a cloud what carries a stack's tag: (`project/stack`, the provider's settings) -> [(name in the cloud, logical
# name, identity or empty)]. Raises Unanswered.
Tagged = Callable[[str, Mapping[str, Any]], list[tuple[str, str, str]]]


def whose(identity: str) -> str:
    """The owner of something that a sweep found under the stack's name."""
    return f"of {identity}" if identity else "without an identity: created by an earlier version or by hand"


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What preflight learned from this machine. None: no answer.

    `lock`: who holds the stack. `account`: whose the credentials are; where there is none, `refusal` says why, and
    `refused` that it was the credentials' fault. `who`: that is asked about in `lacking`, the permissions it has not.
    `machines`: the machine types that the pools may take. `quotas`: with what is given. `versions`: of Kubernetes.
    `said`: by the name of a check, what it found itself.
    """

    lock: str = ""
    account: str | None = None
    refusal: str = "nobody was asked"
    refused: bool = False
    who: str = ""
    lacking: Sequence[str] | None = None
    machines: Mapping[str, Machine] | None = None
    quotas: Sequence[Quota] = ()
    versions: Sequence[str] | None = None
    said: Mapping[str, Sequence[Said]] = field(default_factory=dict)
