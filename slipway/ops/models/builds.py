"""Builds what the store lacks, each in a process and environment of its own."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from slipway.infra.runtime import RUNTIMES
from slipway.ops.models import gpu, stores
from slipway.ops.models.data import fingerprints
from slipway.ops.models.process import run_pipeline
from slipway.ops.models.refs import NAME, Promoted, lock_of, parse_ref
from slipway.ops.models.timing import keep, service_command
from slipway.ops.models.virtualenvs import environment
from slipway.ops.progress import report
from slipway.pipeline.errors import BadInput, Refused, shown
from slipway.pipeline.keys import inputs_key
from slipway.pipeline.settings import read_settings
from slipway.pipeline.store import Store
from slipway.service.foreign import json_object
from slipway.service.manifest import ONNX, ArtifactError, Manifest

REFUSED = "refused"
RETRAINED = "retrained.txt"


@dataclass(frozen=True)
class Model:
    """A model as the store knows it; `digest` is None where it was not built yet, `folder` where it is promoted.
    `kind`: of service that it is for; `target`: the hardware that it is optimized for, None where nobody knows."""

    name: str
    ref: str
    inputs_key: str
    store: Store
    uri: str
    digest: str | None
    folder: Path | None
    built: bool = False
    kind: str = ONNX
    target: str | None = None

    @property
    def path(self) -> Path | None:
        return self.store.path(self.digest) if self.digest else None

    def report(self) -> dict[str, Any]:
        assert self.path is not None
        try:
            return json_object((self.path / "report.json").read_bytes())
        except (OSError, ValueError) as error:
            raise BadInput(f"{self.path / 'report.json'} is no report: {error}") from error


def described(ref: str, home: Path, variant: str | None = None, hardware: str | None = None) -> Model:
    """What a REF names now, without building. `hardware`: in place of the target of its settings.

    Raises BadInput where the reference or settings are not right.
    """
    target = parse_ref(ref)
    if isinstance(target, Promoted):
        store, digest = stores.promoted(target, home)
        name = _name(store.path(digest)) if digest else ""
        kind = Manifest.read(store.path(digest)).kind if digest else ONNX
        found = Model(name, ref, target.digest, store, target.uri, digest, None, kind=kind)
        return replace(found, target=_judged_for(found)) if digest else found
    settings = read_settings(target)
    hardware = hardware or settings.target
    key, store, bucket = _key(target, variant, hardware), stores.local(home), stores.shared()
    uri = bucket.uri if bucket else store.uri
    return Model(target.name, ref, key, store, uri, store.find(key), target, kind=settings.kind, target=hardware)


def _judged_for(promoted: Model) -> str | None:
    """The hardware that its report names; None where it has none, as one that was built before targets were noted."""
    assert promoted.path is not None
    if not (promoted.path / "report.json").exists():
        return None
    hardware: dict[str, str] = promoted.report().get("hardware", {})
    return hardware.get("target")


def build(
    ref: str,
    home: Path,
    variant: str | None = None,
    verbose: bool = False,
    again: bool = False,
    hardware: str | None = None,
) -> Model:
    """The model, built if the store lacks it, and in the shared store where one is named.

    Raises PipelineError: what is wrong, why it is refused, or why it is not in the shared store.

    A refusal is remembered: the same inputs are not trained again to be refused again, unless `again` is wanted.
    """
    model = described(ref, home, variant, hardware)
    if model.folder is None:
        return _checked_promoted(model, variant, hardware)
    if model.digest:
        digest, built = model.digest, False
    else:
        digest, built = _made(model, home, variant, verbose, again, hardware)
    if bucket := stores.shared():
        digest = stores.agreed(bucket, model.inputs_key, digest, model.store)
    return replace(model, digest=digest, built=built)


def _made(
    model: Model, home: Path, variant: str | None, verbose: bool, again: bool, hardware: str | None
) -> tuple[str, bool]:
    """The digest of what the local store lacked, and whether it had to be built. Raises PipelineError."""
    assert model.folder is not None
    store, key = model.store, model.inputs_key
    if not again and (noted := store.note(REFUSED, key, ("message", "report"))):
        raise Refused(
            f"{noted['message']} (judged before; to judge anew: {_again(model.ref, variant, hardware)})",
            noted["report"],
        )
    python = environment([lock_of(model.folder)], home / "envs")
    with store.claim(key, lambda: report(f"{model.name}: waiting for another slipway that builds it")):
        if (digest := store.find(key) or _fetched(model)) is not None:
            return digest, False
        with store.staging(key) as work:
            try:
                options = ["--service", json.dumps(service_command(RUNTIMES[model.kind], home))]
                options += ["--variant", variant] if variant else []
                options += ["--target", hardware] if hardware else []
                if model.target == "nvidia" and gpu.is_here():
                    options += ["--timer", str(environment([gpu.lock()], home / "envs")), gpu.__name__]
                run_pipeline(python, model.folder, work, home, *options, verbose=verbose)
            except Refused as error:
                if error.report:
                    store.put_note(REFUSED, key, {"message": str(error), "report": error.report})
                raise
            if described(model.ref, home, variant, hardware).inputs_key != key:
                raise BadInput(f"{model.ref} was changed while it was built; run the build again")
            digest = store.commit(key, work / "artifact", work / "logs")
    keep(store, digest, replace(model, digest=digest).report()["served"]["startSeconds"])
    return digest, True


def retrained(ref: str, home: Path, variant: str | None, verbose: bool, hardware: str | None) -> Model:
    """The model trained again although nothing changed that its key knows. A file in its folder says when, so that the
    model has another key on every machine that has the file. What is refused or fails leaves the file as it was.

    Raises PipelineError as `build` does, and BadInput for an artifact.
    """
    folder = parse_ref(ref)
    if isinstance(folder, Promoted):
        raise BadInput(f"{ref} is an artifact; name the model's folder to train it again")
    file = folder / RETRAINED
    before = file.read_bytes() if file.exists() else None
    file.write_text(f"{datetime.now(UTC).isoformat(timespec='seconds')}\n", encoding="utf-8")
    try:
        model = build(ref, home, variant, verbose, hardware=hardware)
    except BaseException:
        file.unlink() if before is None else file.write_bytes(before)
        raise
    report(f"{model.name}: commit {shown(file)}, by which other machines know the model that was trained again")
    return model


def _again(ref: str, variant: str | None, hardware: str | None) -> str:
    options = [f" --{name} {value}" for name, value in (("variant", variant), ("target", hardware)) if value]
    return f"slipway model build {ref}{''.join(options)} --again"


def _key(folder: Path, variant: str | None, hardware: str) -> str:
    data = fingerprints(folder, read_settings(folder).data)
    try:
        return inputs_key(folder, target=hardware, variant=variant, data=data)
    except ArtifactError as error:
        raise BadInput(str(error)) from error


def _fetched(model: Model) -> str | None:
    bucket = stores.shared()
    digest = bucket.find(model.inputs_key) if bucket else None
    return stores.fetch(bucket, digest, model.store, model.inputs_key) if bucket and digest else None


def _name(artifact: Path) -> str:
    """Of the model in an artifact that others made. Raises BadInput."""
    try:
        name = str(json_object((artifact / "signature.json").read_bytes())["name"])
    except (OSError, KeyError, ValueError) as error:
        raise BadInput(f"{artifact / 'signature.json'} is no signature: {error!r}") from error
    if not NAME.fullmatch(name):
        raise BadInput(f"{artifact / 'signature.json'}: {name[:40]!r} can't name a model")
    return name


def _checked_promoted(model: Model, variant: str | None, hardware: str | None) -> Model:
    if model.digest is None:
        raise BadInput(f"{model.ref}: the store holds no such artifact, or a damaged one; build it where it came from")
    if variant is not None and (held := model.report()["choice"]["variant"]) != variant:
        raise BadInput(f"{model.ref} holds the variant {held}, not {variant}")
    if hardware is not None and model.target != hardware:
        raise BadInput(f"{model.ref} is for {model.target}, not {hardware}; build its folder with --target {hardware}")
    return model
