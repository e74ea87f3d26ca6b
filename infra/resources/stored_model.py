"""The artifact in the stack's own bucket, where pods and other stacks find it by its digest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, ReadResult, Resource, UpdateResult
from slipway.infra.resources.artifact import ModelArtifact
from slipway.infra.resources.command import slipway_json
from slipway.infra.resources.provider import KeyedProvider, plain_errors

INPUTS = ("digest", "folder")


@dataclass(frozen=True, kw_only=True)
class StoredModelArgs:
    """`folder`: of the service's artifacts in the bucket, as `s3://bucket/models/digits`."""

    artifact: ModelArtifact
    folder: pulumi.Input[str]


class StoredModelProvider(KeyedProvider):
    """Copies through the `slipway` command."""

    keys = INPUTS

    @plain_errors
    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult(props["folder"], _copied(props))

    @plain_errors
    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        return UpdateResult(_copied(news))

    @plain_errors
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """A copy that is gone is a deleted resource. Where the bucket can't be asked it is taken to be there."""
        found = slipway_json("model", "find", props["uri"])["found"]
        return ReadResult("" if found is False else id_, props)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Leaves the copy, which other stacks may name; the bucket's own rules, or its end, remove it."""


class StoredModel(Resource, module="slipway", name="StoredModel"):
    """A copy of one artifact in a bucket, under `<folder>/sha256-<hex>/`: a name that never means anything else.

    Owns nothing but the wish that it is there: a new model adds a copy, `delete` leaves it. Diffs on digest and folder
    alone. Credentials are those that the cloud's own provider finds. Outputs: `uri` (names it for promotion),
    `size` (bytes).
    """

    uri: pulumi.Output[str]
    size: pulumi.Output[int]

    def __init__(self, name: str, args: StoredModelArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props = {
            "artifact": args.artifact.artifactUri,
            "digest": args.artifact.digest,
            "folder": args.folder,
            **dict.fromkeys(("uri", "size")),
        }
        super().__init__(StoredModelProvider(), name, props, opts)


def _copied(props: dict[str, Any]) -> dict[str, Any]:
    return {**props, **slipway_json("model", "copy", props["artifact"], "--to", props["folder"])}
