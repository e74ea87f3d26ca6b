"""A service's image as a resource that is built only where no machine has built it before."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Literal

import pulumi
from pulumi.dynamic import CreateResult, ReadResult, Resource, UpdateResult
from slipway.infra.config.image import ImageConfig
from slipway.infra.content import content_key
from slipway.infra.home import ROOT
from slipway.infra.resources.artifact import ModelArtifact
from slipway.infra.resources.command import slipway_json
from slipway.infra.resources.provider import KeyedProvider, plain_errors
from slipway.infra.runtime import Runtime

INPUTS = ("key", "name", "host", "importer")
# Tags have 128 characters at most; half of a SHA-256 is enough to tell keys apart.
TAG_CHARACTERS = 32
# What names of images start with that are in no registry. Of a name without one, nodes would ask Docker Hub.
ON_NODES = "slipway.local"


@dataclass(frozen=True, kw_only=True)
class Registry:
    """Where images go. `repository`: what their names start with, as `registry.example.org/team`; a service's image is
    `<repository>/<service>`. `cache`: the same for build caches, where the registry keeps them apart.

    Credentials are never in here: they are the docker credential store's or the cloud SDK's at build time."""

    repository: pulumi.Input[str]
    cache: pulumi.Input[str] | None = None


@dataclass(frozen=True, kw_only=True)
class Nodes:
    """Nodes without a registry. `importer`: the command that brings an image to all of them (`kubernetes.load`)."""

    importer: str


@dataclass(frozen=True, kw_only=True)
class ServiceImageArgs:
    """`registry`: where the image goes; None leaves it with the Docker daemon at `host` (None: docker's current one),
    which then runs it; Nodes leave it there and bring it to them. `settings`: the stack's `slipway:image`.
    `with_model`: or without, where it is mounted."""

    service: str
    artifact: ModelArtifact
    accelerator: Literal["none", "nvidia"] = "none"
    registry: Registry | Nodes | None
    settings: ImageConfig
    host: str | None = None
    with_model: bool = True


class ServiceImageProvider(KeyedProvider):
    """Builds through the `slipway` command."""

    keys = INPUTS

    @plain_errors
    def create(self, props: dict[str, Any]) -> CreateResult:
        outs = _build(props, before=None)
        return CreateResult(outs["key"], outs)

    @plain_errors
    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        return UpdateResult(_build(news, before=olds["ref"]))

    @plain_errors
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """An image that is gone is a deleted resource. Where nobody can be asked it is taken to be there: who only
        previews needs no Docker."""
        found = slipway_json("image", "describe", props["ref"], *_daemon(props))
        return ReadResult("" if found["found"] is False else id_, props)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Leaves the image, which other stacks and clusters may use; the registry's life-cycle rules remove it."""


class ServiceImage(Resource, module="slipway", name="ServiceImage"):
    """The image that serves one artifact, in the registry.

    Owns nothing but the wish that it is there: `delete` leaves it. Diffs on a key of all that goes in, which is also
    its tag: an image that the registry has under it is used as it is, whoever built it. Credentials are docker's own.
    Output: `ref`, `<repository>/<service>@sha256:...`, the image's id where a daemon keeps it, or its name and tag
    where nodes do."""

    ref: pulumi.Output[str]

    def __init__(self, name: str, args: ServiceImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        local = ON_NODES if isinstance(args.registry, Nodes) else "slipway"
        where = pulumi.Output.from_input(args.registry.repository if isinstance(args.registry, Registry) else local)
        model = args.artifact.digest if args.with_model else pulumi.Output.from_input("")
        props = {
            "key": model.apply(
                lambda digest: image_key(digest, args.artifact.runtime, args.accelerator, args.settings)
            ),
            "name": where.apply(lambda repository: f"{repository}/{args.service}"),
            "load": not isinstance(args.registry, Registry),
            "importer": args.registry.importer if isinstance(args.registry, Nodes) else None,
            "host": args.host,
            "artifact": args.artifact.artifactUri if args.with_model else "",
            "accelerator": args.accelerator,
            "kind": args.artifact.runtime.kind,
            **args.settings.model_dump(),
            "ref": None,
        }
        super().__init__(ServiceImageProvider(), name, props, opts)


def image_key(digest: str, runtime: Runtime, accelerator: str, settings: ImageConfig) -> str:
    """Names all that goes into an image, by content: the artifact (none: empty), the serving code, its locked
    requirements, how it is put together and on what. Where packages are fetched makes no difference to what they are.
    """
    made_of = {
        "artifact": digest,
        "code": content_key(ROOT, [*runtime.serving_code(), *runtime.image_recipe(accelerator, settings.cuda)]),
        "accelerator": accelerator,
        **settings.model_dump(exclude={"packages", "cuda"}),  # which lock it is tells of CUDA
    }
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:TAG_CHARACTERS]


def _build(props: dict[str, Any], before: str | None) -> dict[str, Any]:
    named = [
        f"--{key}={props[key]}"
        for key in ("name", "key", "kind", "accelerator", "base", "python", "arch", "cuda", "packages")
    ]
    cache = [f"--cache-from={before}"] if before and not props.get("load") else []
    model = [f"--artifact={props['artifact']}"] if props["artifact"] else []
    nodes = [f"--importer={props['importer']}"] if props.get("importer") else []
    built = slipway_json("image", "build", *model, *named, *cache, *_daemon(props), *nodes, progress=True)
    return {**props, "ref": built["ref"]}


def _daemon(props: dict[str, Any]) -> list[str]:
    if not props.get("load"):
        return []
    return ["--load", *([f"--host={props['host']}"] if props.get("host") else [])]
