"""What outlives a mistake: one place decides by the stack's environment what is protected and what is retained."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypedDict

import pulumi
from slipway.infra.config.base import ConfigError
from slipway.infra.recorded import recorded_outputs

# What the stack's output `environment` says; RELEASED in its place where `slipway release` has been there since.
PRODUCTION, RELEASED = "production", "released"
# Names a stack that `slipway release` is at work on: its clouds' own deletion protection goes, and nothing else.
RELEASING = "SLIPWAY_RELEASING"
LOCK = "slipway:ProtectedUntil"
# What has to roll with an update, and why; a lock holds it, so that nothing else takes it away.
ROLLING = {"docker:index/container:Container": "a new version of a service is a new container"}


class Keeping(TypedDict, total=False):
    """Resource options."""

    retain_on_delete: bool


def retained(production: bool) -> Keeping:
    """Options of what holds data (bucket, key, registry) and of what guards it: in production a destroy leaves both."""
    return {"retain_on_delete": True} if production else {}


def guarded_by_cloud(production: bool) -> bool:
    """Whether the cloud itself, too, refuses to delete a resource."""
    return production and os.environ.get(RELEASING) != pulumi.get_stack()


class Protection:
    """Protects every resource that a production stack declares from here on: its state itself then refuses a destroy.

    To be made before the first resource. What rolls can't be protected, so locks hold it: an engine that may not delete
    a protected resource deletes nothing that it depends on either. Each service has a lock, and the stack has one that
    depends on all of it, so a `pulumi destroy` fails at that one. Their names say what to do.

    Raises:
        ConfigError: the last update was production's, nothing was released since, and now it is to be another's.
    """

    def __init__(self, environment: str) -> None:
        self._declared: list[pulumi.Resource] = []
        self._production = environment == PRODUCTION
        if not self._production:
            _refuse_unreleased(environment)
            return
        self._until = f"slipway release {pulumi.get_stack()}"
        pulumi.runtime.register_stack_transformation(self._protect)
        pulumi.log.info(f"production: what an update would delete or replace stays until `{self._until} --update`")

    @contextmanager
    def service(self, name: str) -> Iterator[None]:
        """Locks what is declared inside: a service that leaves the configuration stays until it is released."""
        before = len(self._declared)
        yield
        if self._production:
            _Lock(f"{self._until} --update: {name}", self._declared[before:])

    def lock(self) -> None:
        """Locks all that was declared. To be called after the last resource."""
        if self._production:
            _Lock(self._until, [*self._declared])

    def _protect(self, args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult:
        opts = copy.copy(args.opts)
        opts.protect = args.type_ not in ROLLING  # False is said too: else it is the parent's
        self._declared.append(args.resource)
        return pulumi.ResourceTransformationResult(args.props, opts)


class _Lock(pulumi.ComponentResource):
    """Owns nothing: while it is protected, nothing of `held` can be deleted before it."""

    def __init__(self, name: str, held: list[pulumi.Resource]) -> None:
        super().__init__(LOCK, name, None, pulumi.ResourceOptions(depends_on=held))
        self.register_outputs({})


def _refuse_unreleased(environment: str) -> None:
    """The update would take the protection off first, and a destroy after it would find none."""
    stack = pulumi.get_stack()
    if os.environ.get(RELEASING) == stack:
        return
    if recorded_outputs().get("environment") == PRODUCTION:
        raise ConfigError(
            f"slipway:environment: {stack} is production, and {environment!r} would take its protection off. Nothing "
            f"was touched. Set it back to production, or run `slipway release {stack}` first"
        )
