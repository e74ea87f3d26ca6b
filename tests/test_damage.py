"""Every file that Slipway writes and believes later: where it is cut, empty or garbled it heals, or is named."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from slipway.infra.home import ROOT
from slipway.infra.local_key import key_file, local_key
from slipway.infra.platforms.local.release import copied_code, service_key
from slipway.infra.runtime import ONNX
from slipway.service.artifact import seal
from slipway.service.telemetry.feedback import _Seen

from slipway.ops.models.virtualenvs import environment
from slipway.ops.predict.output_file import Output
from slipway.pipeline.bucket import Bucket
from slipway.pipeline.errors import BadInput
from slipway.pipeline.store import Store
from tests.artifacts import own_home

sys.path.insert(0, str(ROOT / "tools"))
import engine_cache

KEY, NOTE = "k" * 64, {"message": "too bad", "report": {}}
PLAN = {"files": ["a.csv"]}


@dataclass(frozen=True)
class Believed:
    """`make` writes the file and returns it; `use` reads it as the product does, and returns what has to be the same.
    `named`: damage is told with the file's name, and nothing is done."""

    name: str
    make: Callable[[Path], Path]
    use: Callable[[Path], object]
    named: bool = False


def kept(folder: Path, inside: str) -> Path:
    store = Store(folder / "artifacts")
    use_artifact(folder)
    store.put_note("refused", KEY, NOTE)
    digest = store.find(KEY)
    assert digest
    return store.root / inside.format(artifact=digest.replace(":", "-"))


def use_artifact(folder: Path) -> str | None:
    store = Store(folder / "artifacts")
    if store.find(KEY) is None:
        with store.claim(KEY, lambda: None), store.staging(KEY) as work:
            (work / "artifact").mkdir()
            (work / "artifact" / "model.onnx").write_text("weights")
            seal(work / "artifact")
            store.commit(KEY, work / "artifact")
    return store.find(KEY)


def use_note(folder: Path) -> object:
    store = Store(folder / "artifacts")
    if store.note("refused", KEY, ("message", "report")) is None:
        store.put_note("refused", KEY, NOTE)  # judged again
    return store.note("refused", KEY, ("message", "report"))


def shared(folder: Path, inside: str) -> Path:
    use_shared(folder)
    digest = Bucket((folder / "shared").as_uri()).find(KEY)
    assert digest
    return folder / "shared" / inside.format(artifact=digest.replace(":", "-"))


def use_shared(folder: Path) -> object:
    (folder / "shared").mkdir(exist_ok=True)
    bucket, digest = Bucket((folder / "shared").as_uri()), use_artifact(folder)
    assert digest
    bucket.push(KEY, Store(folder / "artifacts").path(digest))
    (filled := folder / f"filled{time.time_ns()}").mkdir()
    return bucket.find(KEY), bucket.fetch(digest, filled)


def lock(folder: Path) -> Path:
    (folder / "empty.txt").write_text("# nothing\n")
    return folder / "empty.txt"


def use_environment(folder: Path) -> object:
    python = environment([lock(folder)], folder / "own")
    inside = python.parent.parent
    return (inside / "pyvenv.cfg").read_text().splitlines()[0], (inside / "bin" / "activate").read_bytes()


def in_environment(folder: Path, inside: str) -> Path:
    return environment([lock(folder)], folder / "own").parent.parent / inside


def use_code(folder: Path) -> object:
    code = copied_code(ONNX, service_key(ONNX))
    return hashlib.sha256((code / "service" / "settings.py").read_bytes()).hexdigest(), sorted(
        hashlib.sha256(each.read_bytes()[16:]).hexdigest() for each in code.rglob("settings.*.pyc")
    )


def use_key(folder: Path) -> object:
    local_key()
    return len(local_key()), key_file().read_text() == f"authorization: Bearer {local_key()}\n"


def job(folder: Path, suffix: str) -> Path:
    with Output(folder / "out.jsonl", PLAN, restart=True) as output:
        output.append(b'{"row": 0}\n', 1)
    return folder / f"out.jsonl{suffix}"


def use_job(folder: Path) -> object:
    with Output(folder / "out.jsonl", PLAN, restart=False) as output:
        return output.rows


def seen(folder: Path) -> Path:
    assert _Seen(folder / "seen.db").add(b"before", int(time.time()) - 10, 1e6)
    return folder / "seen.db"


def use_seen(folder: Path) -> object:
    """Other tokens go on being counted, each once. Of those of before it may be that nothing is known any more."""
    scored, number = _Seen(folder / "seen.db"), time.time_ns().to_bytes(8, "big")
    return scored.add(number, int(time.time()) + 5, 1e6), scored.add(number, int(time.time()) + 5, 1e6)


def engine(folder: Path) -> Path:
    use_engine(folder)
    return engine_cache.engine_home() / engine_cache.VERSION / "pulumi"


def use_engine(_folder: Path) -> object:
    if engine_cache.cached() is None:  # as tools/engine.py does, with an engine of nothing
        with engine_cache.locked(), engine_cache.staged() as staging:
            for name in engine_cache.NAMES:
                (staging / name).write_text("#!/bin/sh\nexit 0\n")
                (staging / name).chmod(0o755)
    found = engine_cache.cached()
    return found and (found / "pulumi").read_text()


FILES = [
    Believed("key.header", lambda folder: use_key(folder) and key_file(), use_key),
    Believed("artifacts/keys/*.json", lambda folder: kept(folder, f"keys/{KEY}.json"), use_artifact),
    Believed("artifacts/sha256-*/manifest.json", lambda folder: kept(folder, "{artifact}/manifest.json"), use_artifact),
    Believed("artifacts/sha256-*/model.onnx", lambda folder: kept(folder, "{artifact}/model.onnx"), use_artifact),
    Believed("artifacts/refused/*.json", lambda folder: kept(folder, f"refused/{KEY}.json"), use_note),
    Believed("SLIPWAY_STORE: keys/*.json", lambda folder: shared(folder, f"keys/{KEY}.json"), use_shared),
    Believed("SLIPWAY_STORE: manifest.json", lambda folder: shared(folder, "{artifact}/manifest.json"), use_shared),
    Believed("SLIPWAY_STORE: model.onnx", lambda folder: shared(folder, "{artifact}/model.onnx"), use_shared),
    Believed("envs/*/.complete", lambda folder: in_environment(folder, ".complete"), use_environment),
    Believed("envs/*: any file", lambda folder: in_environment(folder, "bin/activate"), use_environment),
    Believed(
        "services/*: any file",
        lambda folder: copied_code(ONNX, service_key(ONNX)) / "service" / "settings.py",
        use_code,
    ),
    Believed(
        "services/*: byte code",
        lambda folder: next(copied_code(ONNX, service_key(ONNX)).rglob("service/__pycache__/settings.*.pyc")),
        use_code,
    ),
    Believed("engine/*: any file", engine, use_engine),
    Believed("run/*/seen.db", seen, use_seen),
    Believed("OUT.part", lambda folder: job(folder, ".part"), use_job, named=True),
    Believed("OUT.state", lambda folder: job(folder, ".state"), use_job, named=True),
]
DAMAGE = {
    "cut": lambda content: content[: len(content) // 2],
    "emptied": lambda content: b"",
    "garbled": lambda content: bytes(byte ^ 0x5A for byte in content),
}


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_damage_heals_or_is_named(file, how, tmp_path, monkeypatch):
    home = own_home(tmp_path / "home")
    monkeypatch.setenv("SLIPWAY_HOME", str(home))
    place = file.make(home)
    before = file.use(home)
    place.write_bytes(DAMAGE[how](place.read_bytes()))
    os.utime(place, (time.time() + 5,) * 2)  # later than it was made, as damage is
    if file.named and not (file.name == "OUT.part" and how == "emptied"):
        with pytest.raises(BadInput, match=place.name.replace(".", r"\.")):
            file.use(home)
    elif file.named:  # nothing is left of it: it begins anew
        assert file.use(home) == 0
    else:
        assert file.use(home) == before


def test_every_such_file_is_in_the_page():
    page = (ROOT / "docs" / "recovery.md").read_text()
    assert [each.name for each in FILES if f"`{each.name}`" not in page] == []


def test_a_note_of_another_form_is_no_note(tmp_path):
    store = Store(tmp_path)
    for content in ({}, {"message": "x"}, []):
        store.put_note("refused", KEY, content)
        assert json.loads((tmp_path / "refused" / f"{KEY}.json").read_text()) == content
        assert store.note("refused", KEY, ("message", "report")) is None
