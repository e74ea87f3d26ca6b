"""A service on this machine as a resource."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult
from slipway.infra.platforms.local import runtime
from slipway.infra.platforms.local.release import prepare, service_key
from slipway.infra.resources.command import SlipwayError
from slipway.infra.resources.provider import changed, plain_errors
from slipway.infra.runtime import ONNX, RUNTIMES, Runtime

ROLLING = ("service", "stack", "port", "metricsPort", "workers", "environment", "artifactUri", "serviceKey")
# The access file's text is a secret and stays out of the outputs; its hash tells whether it has changed.
INPUTS = (*ROLLING, "accessKey")


@dataclass(frozen=True, kw_only=True)
class LocalServiceArgs:
    """`runtime`: the kind of service. `access`: the access file's text. `port` and `metrics_port` (None: no /metrics):
    on 127.0.0.1. `workers`: server processes on that port; None: one per core of this machine."""

    artifact_uri: pulumi.Input[str]
    runtime: Runtime
    access: pulumi.Input[str]
    port: int
    metrics_port: int | None
    workers: int | None
    environment: dict[str, str]


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
    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        if changed(olds, news, ROLLING):
            return UpdateResult(_roll(news))
        runtime.grant(int(news["port"]), news["access"])
        return UpdateResult(_outputs(news))

    @plain_errors
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """A service that does not run, another stack's on its port, and one whose access file is damaged, is a deleted
        resource: made again, it rolls."""
        found = runtime.serving(int(props["port"]))
        ours = found and found["owner"] == _owner(props)
        whole = props.get("accessKey") in (None, _hash(runtime.access_of(int(props["port"]))))
        return ReadResult(id_ if ours and whole else "", props)

    @plain_errors
    def delete(self, _id: str, props: dict[str, Any]) -> None:
        runtime.stop(int(props["port"]), _owner(props))


class LocalService(Resource, module="slipway", name="LocalService"):
    """The processes that serve one artifact on 127.0.0.1.

    Owns its supervisor, its port and its run folder, all gone after `delete`; leaves the artifact, the copied
    serving code and the environment in the cache. An update starts the new version beside the running one, which
    stops only when the new one is ready; new keys alone are taken by the running one. Output: `url`.
    """

    url: pulumi.Output[str]

    def __init__(self, name: str, args: LocalServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        access = pulumi.Output.secret(args.access)
        props = {
            "service": name,
            "stack": f"{pulumi.get_project()}/{pulumi.get_stack()}",
            "port": args.port,
            "metricsPort": args.metrics_port,
            "environment": args.environment,
            "access": access,
            "accessKey": pulumi.Output.unsecret(access.apply(_hash)),
            "workers": args.workers,
            "artifactUri": args.artifact_uri,
            "kind": args.runtime.kind,
            "serviceKey": service_key(args.runtime),
            "url": None,
        }
        super().__init__(LocalServiceProvider(), name, props, opts)


def _roll(props: dict[str, Any]) -> dict[str, Any]:
    # The engine hands numbers over as floats.
    port, workers = int(props["port"]), int(props.get("workers") or os.cpu_count() or 1)
    kind = RUNTIMES[props.get("kind") or ONNX.kind]
    python, code, artifact = prepare(kind, props["serviceKey"], props["artifactUri"])
    metrics_port = None if props.get("metricsPort") is None else int(props["metricsPort"])
    release = runtime.Release(
        python=python,
        module=kind.module,
        code=code,
        artifact=artifact,
        workers=workers,
        metrics_port=metrics_port,
        environment=props.get("environment") or {},
    )
    try:
        runtime.roll(port, _owner(props), release, props["access"])
    except SlipwayError as error:
        raise SlipwayError(f"{props['service']}: {error}") from None
    return _outputs(props)


def _outputs(props: dict[str, Any]) -> dict[str, Any]:
    return {**{key: props.get(key) for key in INPUTS}, "url": f"http://127.0.0.1:{int(props['port'])}"}


def _hash(access: str) -> str:
    return hashlib.sha256(access.encode()).hexdigest()


def _owner(props: dict[str, Any]) -> runtime.Owner:
    return runtime.Owner(props["service"], stack_label(props["stack"]))


def stack_label(stack: str) -> str:
    """Tells a stack from one of the same name in another backend."""
    backend = os.environ.get("PULUMI_BACKEND_URL", "the backend that pulumi is logged in to")
    return f"stack {stack} in {backend}"
