"""A service on this machine as a resource."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

from infra.platforms.local import runtime
from infra.platforms.local.release import prepare, service_key
from infra.providers import changed, plain_errors
from infra.slipway import SlipwayError

INPUTS = ("service", "stack", "port", "workers", "artifactUri", "serviceKey")


@dataclass(frozen=True, kw_only=True)
class LocalServiceArgs:
    """`port`: on 127.0.0.1. `workers`: server processes on that port; None: one per core of this machine."""

    artifact_uri: pulumi.Input[str]
    port: int
    workers: int | None


class LocalServiceProvider(ResourceProvider):
    """Drives the supervisor of a port. Stateless, so it serializes by name alone."""

    serialize_as_secret_always = False

    @plain_errors
    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        moved = changed(olds, news, ("port",))
        return DiffResult(changes=bool(changed(olds, news, INPUTS)), replaces=moved)

    @plain_errors
    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult(f"127.0.0.1:{props['port']}", _roll(props))

    @plain_errors
    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        return UpdateResult(_roll(news))

    @plain_errors
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """A service that does not run, or another stack's on its port, is a deleted resource."""
        found = runtime.serving(int(props["port"]))
        return ReadResult(id_ if found and found["owner"] == _owner(props) else "", props)

    @plain_errors
    def delete(self, _id: str, props: dict[str, Any]) -> None:
        runtime.stop(int(props["port"]), _owner(props))


class LocalService(Resource, module="slipway", name="LocalService"):
    """The processes that serve one artifact on 127.0.0.1.

    Owns its supervisor, its port and its run folder, all gone after `delete`; leaves the artifact, the copied
    serving code and the environment in the cache. An update starts the new version beside the running one, which
    stops only when the new one is ready. Output: `url`.
    """

    url: pulumi.Output[str]

    def __init__(self, name: str, args: LocalServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props = {
            "service": name,
            "stack": f"{pulumi.get_project()}/{pulumi.get_stack()}",
            "port": args.port,
            "workers": args.workers,
            "artifactUri": args.artifact_uri,
            "serviceKey": service_key(),
            "url": None,
        }
        super().__init__(LocalServiceProvider(), name, props, opts)


def _roll(props: dict[str, Any]) -> dict[str, Any]:
    # The engine hands numbers over as floats.
    port, workers = int(props["port"]), int(props.get("workers") or os.cpu_count() or 1)
    python, code, artifact = prepare(props["serviceKey"], props["artifactUri"])
    release = runtime.Release(python=python, code=code, artifact=artifact, workers=workers, environment={})
    try:
        runtime.roll(port, _owner(props), release)
    except SlipwayError as error:
        raise SlipwayError(f"{props['service']}: {error}") from None
    return {**{key: props.get(key) for key in INPUTS}, "url": f"http://127.0.0.1:{port}"}


def _owner(props: dict[str, Any]) -> runtime.Owner:
    return runtime.Owner(props["service"], stack_label(props["stack"]))


def stack_label(stack: str) -> str:
    """Tells a stack from one of the same name in another backend."""
    backend = os.environ.get("PULUMI_BACKEND_URL", "the backend that pulumi is logged in to")
    return f"stack {stack} in {backend}"
