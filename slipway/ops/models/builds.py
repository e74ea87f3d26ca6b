"""Builds what the store lacks, each in a process and environment of its own."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from slipway.infra.runtime import RUNTIMES
from slipway.ops.models import stores
from slipway.ops.models.process import run_pipeline
from slipway.ops.models.refs import Promoted, lock_of, parse_ref
from slipway.ops.models.timing import keep, service_command
from slipway.ops.models.virtualenvs import environment
from slipway.ops.progress import report
from slipway.pipeline.errors import BadInput, Refused
from slipway.pipeline.keys import inputs_key
from slipway.pipeline.settings import read_settings
from slipway.pipeline.store import Store
from slipway.service.artifact import ONNX, ArtifactError, kind_of, verify

REFUSED = "refused"


@dataclass(frozen=True)
class Model:
    """A model as the store knows it; `digest` is None where it was not built yet, `folder` where it is promoted.
    `kind`: of service that it is for."""

    name: str
    ref: str
    inputs_key: str
    store: Store
    uri: str
    digest: str | None
    folder: Path | None
    built: bool = False
    kind: str = ONNX

    @property
    def path(self) -> Path | None:
        return self.store.path(self.digest) if self.digest else None

    def report(self) -> dict[str, Any]:
        assert self.path is not None
        report: dict[str, Any] = json.loads((self.path / "report.json").read_bytes())
        return report


def described(ref: str, home: Path, variant: str | None = None) -> Model:
    """What a REF names now, without building. Raises BadInput where the reference or settings are not right."""
    target = parse_ref(ref)
    if isinstance(target, Promoted):
        store, digest = stores.promoted(target, home)
        name = json.loads((store.path(digest) / "signature.json").read_bytes())["name"] if digest else ""
        kind = kind_of(store.path(digest)) if digest else ONNX
        return Model(name, ref, target.digest, store, target.uri, digest, None, kind=kind)
    key, store, bucket = _key(target, variant), stores.local(home), stores.shared()
    uri = bucket.uri if bucket else store.uri
    return Model(target.name, ref, key, store, uri, store.find(key), target, kind=read_settings(target).kind)


def build(ref: str, home: Path, variant: str | None = None, verbose: bool = False, again: bool = False) -> Model:
    """The model, built if the store lacks it. Raises PipelineError: what is wrong, or why it is refused.

    A refusal is remembered: the same inputs are not trained again to be refused again, unless `again` is wanted.
    """
    model = described(ref, home, variant)
    if model.folder is None:
        return _checked_promoted(model, variant)
    if model.digest:
        return model
    store, key = model.store, model.inputs_key
    if not again and (noted := store.note(REFUSED, key)):
        raise Refused(f"{noted['message']} (judged before; to judge anew: {_again(ref, variant)})", noted["report"])
    python = environment([lock_of(model.folder)], home / "envs")
    with store.claim(key, lambda: report(f"{model.name}: waiting for another slipway that builds it")):
        digest = store.find(key) or _fetched(model)
        if digest is not None:
            return replace(model, digest=digest)
        with store.staging(key) as work:
            try:
                options = ["--service", json.dumps(service_command(RUNTIMES[model.kind], home))]
                options += ["--variant", variant] if variant else []
                run_pipeline(python, model.folder, work, home, *options, verbose=verbose)
            except Refused as error:
                if error.report:
                    store.put_note(REFUSED, key, {"message": str(error), "report": error.report})
                raise
            if _key(model.folder, variant) != key:
                raise BadInput(f"{ref} was changed while it was built; run the build again")
            digest = _kept(model, work)
    built = replace(model, digest=digest, built=True)
    keep(store, digest, built.report()["served"]["startSeconds"])
    return built


def _again(ref: str, variant: str | None) -> str:
    return f"slipway model build {ref}{f' --variant {variant}' if variant else ''} --again"


def _key(folder: Path, variant: str | None) -> str:
    try:
        return inputs_key(folder, target=read_settings(folder).target, variant=variant)
    except ArtifactError as error:
        raise BadInput(str(error)) from error


def _fetched(model: Model) -> str | None:
    bucket = stores.shared()
    digest = bucket.find(model.inputs_key) if bucket else None
    return stores.fetch(bucket, digest, model.store, model.inputs_key) if bucket and digest else None


def _kept(model: Model, work: Path) -> str:
    """Commits a build: to the shared store first, as its first writer wins for all machines."""
    bucket, folder = stores.shared(), work / "artifact"
    if bucket and (winner := bucket.push(model.inputs_key, folder)) != verify(folder):
        if fetched := stores.fetch(bucket, winner, model.store, model.inputs_key):
            return fetched
        raise BadInput(f"{bucket.uri} holds {winner} under this model's key, but damaged; remove it and build again")
    return model.store.commit(model.inputs_key, folder, work / "logs")


def _checked_promoted(model: Model, variant: str | None) -> Model:
    if model.digest is None:
        raise BadInput(f"{model.ref}: the store holds no such artifact, or a damaged one; build it where it came from")
    if variant is not None and (held := model.report()["choice"]["variant"]) != variant:
        raise BadInput(f"{model.ref} holds the variant {held}, not {variant}")
    return model
