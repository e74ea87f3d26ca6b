"""Builds what the store lacks, each in a process and environment of its own."""

import json
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from cli.env import environment
from cli.models import ROOT, Promoted, lock_of, parse_ref
from service.artifact import ArtifactError
from service.pipeline.errors import BadInput, PipelineError, from_kind
from service.pipeline.keys import inputs_key
from service.pipeline.settings import read_settings
from service.pipeline.store import Store


@dataclass(frozen=True)
class Model:
    """A model as the store knows it; `digest` is None where it was not built yet."""

    name: str
    ref: str
    inputs_key: str
    store: Store
    digest: str | None
    built: bool = False

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
        return _described_promoted(ref, target)
    key = _key(target, variant)
    store = Store(home / "artifacts")
    return Model(target.name, ref, key, store, store.find(key))


def build(ref: str, home: Path, variant: str | None = None, verbose: bool = False) -> Model:
    """The model, built if the store lacks it. Raises PipelineError: what is wrong, or why it is refused."""
    model = described(ref, home, variant)
    target = parse_ref(ref)
    if isinstance(target, Promoted):
        return _checked_promoted(model, variant)
    if model.digest:
        return model
    store, key = model.store, model.inputs_key
    lock = lock_of(target)
    python = environment([lock], home / "envs")
    with store.claim(key, lambda: click.echo(f"{model.name}: waiting for another slipway that builds it", err=True)):
        digest = store.find(key)
        if digest is not None:
            return Model(model.name, ref, key, store, digest)
        with store.staging(key) as work:
            _run(python, target, work, home, variant, verbose)
            if _key(target, variant) != key:
                raise BadInput(f"{ref} was changed while it was built; run the build again")
            digest = store.commit(key, work / "artifact", work / "logs")
    return Model(model.name, ref, key, store, digest, built=True)


def _key(folder: Path, variant: str | None) -> str:
    try:
        return inputs_key(folder, target=read_settings(folder).target, variant=variant)
    except ArtifactError as error:
        raise BadInput(str(error)) from error


def _described_promoted(ref: str, target: Promoted) -> Model:
    store = Store(target.store)
    whole = store.whole(target.digest)
    name = json.loads((store.path(target.digest) / "signature.json").read_bytes())["name"] if whole else ""
    return Model(name, ref, target.digest, store, target.digest if whole else None)


def _checked_promoted(model: Model, variant: str | None) -> Model:
    if model.digest is None:
        raise BadInput(f"{model.ref}: the store holds no such artifact, or a damaged one; build it where it came from")
    if variant is not None and (held := model.report()["choice"]["variant"]) != variant:
        raise BadInput(f"{model.ref} holds the variant {held}, not {variant}")
    return model


def _run(python: Path, folder: Path, work: Path, home: Path, variant: str | None, verbose: bool) -> None:
    """Runs the build process to its end, or ends it with everything it started."""
    ours, theirs = os.pipe()
    command = [python, "-m", "service.pipeline", folder, "--work", work, "--parent", ours]
    command += ["--variant", variant] if variant else []
    command += ["--verbose"] if verbose else []
    process = subprocess.Popen(
        [str(each) for each in command],
        cwd=ROOT,
        env=_environment(home, verbose),
        stdin=subprocess.DEVNULL,
        stdout=2,
        pass_fds=(ours,),
        start_new_session=True,
    )
    os.close(ours)
    try:
        code = process.wait()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        os.close(theirs)
    _raise_for(code, work)


def _environment(home: Path, verbose: bool) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {
        "PYTHONPATH": str(ROOT),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "TF_CPP_MIN_LOG_LEVEL": "0" if verbose else "3",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": str(home / "matplotlib"),
        "KERAS_HOME": str(home / "keras"),
    }
    return environment if verbose else environment | {"PYTHONWARNINGS": "ignore"}


def _raise_for(code: int, work: Path) -> None:
    try:
        outcome = json.loads((work / "outcome.json").read_bytes())
    except (OSError, ValueError):
        log = work / "native.log"
        last = log.read_text(errors="replace").splitlines()[-20:] if log.exists() else []
        how = f"signal {-code}" if code < 0 else f"code {code}"
        raise PipelineError("\n  ".join([f"the build process ended with {how}", *last])) from None
    if "message" in outcome:
        raise from_kind(outcome["kind"], outcome["message"])
