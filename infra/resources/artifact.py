"""The optimized model as a resource that changes only when what goes into it does."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pulumi
from pulumi.dynamic import CreateResult, ReadResult, Resource, UpdateResult
from slipway.infra.resources.command import SlipwayError, slipway_json
from slipway.infra.resources.provider import KeyedProvider, plain_errors
from slipway.infra.runtime import ONNX, RUNTIMES


@dataclass(frozen=True, kw_only=True)
class ModelArtifactArgs:
    """`model`: a model folder or `<store uri>@sha256:<digest>`; `inputs_key`: what `known_model` says of it.
    `variant`: pins one, else the fastest in budget. `accept_worse`: than what the stack serves now. `kind`: of service,
    as `known_model` says."""

    model: str
    inputs_key: str
    kind: str = ONNX.kind
    variant: str | None = None
    accept_worse: bool = False


class ModelArtifactProvider(KeyedProvider):
    """Builds through the `slipway` command and the artifact store."""

    keys = ("inputsKey",)

    @plain_errors
    def create(self, props: dict[str, Any]) -> CreateResult:
        outs = _build(props, serving=None)
        return CreateResult(outs["digest"], outs)

    @plain_errors
    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        return UpdateResult(_build(news, serving=olds["artifactUri"]))

    @plain_errors
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """A missing or damaged artifact is a deleted resource: the next update builds it again."""
        known = slipway_json("model", "describe", props["artifactUri"])
        return ReadResult(id_ if known["path"] else "", props)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Leaves the artifact in its store, where other stacks may use it."""


class ModelArtifact(Resource, module="slipway", name="ModelArtifact"):
    """A judged artifact in the store.

    Owns nothing but the wish that it is there: `delete` leaves it, as the store is shared. Diffs on
    `inputsKey` alone. Outputs: `digest`, `artifactUri` (names it for promotion), `variant`, `metric`,
    `measured` ({startSeconds, memoryBytes}, None where an older version of this program built it).
    """

    digest: pulumi.Output[str]
    artifactUri: pulumi.Output[str]
    variant: pulumi.Output[str]
    metric: pulumi.Output[dict[str, Any]]
    measured: pulumi.Output[dict[str, float] | None]

    def __init__(self, name: str, args: ModelArtifactArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props = {
            "model": args.model,
            "variantPin": args.variant,
            "acceptWorse": args.accept_worse,
            "inputsKey": args.inputs_key,
            **dict.fromkeys(("digest", "artifactUri", "variant", "metric", "measured")),
        }
        # Known before anything is built.
        self.inputs_key, self.runtime = args.inputs_key, RUNTIMES[args.kind]
        super().__init__(ModelArtifactProvider(), name, props, opts)


class KnownModel(NamedTuple):
    """`inputs_key`: names all that goes into the model's artifact, by content; a pinned variant is part of it.
    `kind`: of service that it is for. `folder`: of the artifact, None where it is not built yet. `target`: the hardware
    that it is optimized for, None where nobody knows."""

    inputs_key: str
    kind: str
    folder: Path | None
    target: str | None = None

    def misplaced(self, model: str, accelerator: str) -> str | None:
        """Why a service with this accelerator should have another artifact of the model; None where it fits."""
        runs_on = {"none": "cpu"}.get(accelerator, accelerator)
        if self.target in (None, runs_on):
            return None
        return (
            f"it runs on {runs_on} (accelerator: {accelerator}), but its model was optimized and judged for "
            f"{self.target}. Write target: {runs_on} in model.yaml, or name the digest of what "
            f"`slipway model build {model} --target {runs_on}` builds"
        )


def known_model(model: str, variant: str | None) -> KnownModel:
    """What is known of a model before it is built.

    Raises:
        SlipwayError: `model` is no model folder and no artifact in a store.
    """
    found = slipway_json("model", "describe", model, *_pin(variant))
    return KnownModel(
        found["inputsKey"],
        _known_kind(model, found["kind"]),
        Path(found["path"]) if found["path"] else None,
        found["target"],
    )


def _known_kind(model: str, kind: str) -> str:
    if kind not in RUNTIMES:
        raise SlipwayError(f"{model}: an artifact of kind {kind}; this version serves {', '.join(RUNTIMES)}")
    return kind


def _build(props: dict[str, Any], serving: str | None) -> dict[str, Any]:
    options = ["--in-stack", *_pin(props.get("variantPin"))]
    if serving and slipway_json("model", "describe", serving)["path"]:
        options += ["--serving", serving]
    elif serving:  # refusing would keep what is gone from coming back: it can't be started again either
        print(f"not compared with what serves now, which its store lacks: {serving}", file=sys.stderr)
    if props.get("acceptWorse"):
        options += ["--accept-worse"]
    built = slipway_json("model", "build", props["model"], *options, progress=True)
    return {
        **{key: props.get(key) for key in ("model", "variantPin", "acceptWorse", "inputsKey")},
        "digest": built["digest"],
        "artifactUri": (uri := f"{built['uri']}@{built['digest']}"),
        "variant": built["variant"],
        "metric": built["metric"],
        "measured": slipway_json("model", "measure", uri),
    }


def _pin(variant: str | None) -> tuple[str, ...]:
    return ("--variant", variant) if variant else ()
