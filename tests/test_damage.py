"""Every file that Slipway writes and believes later: where it is cut, empty or garbled it heals, or is named.

`python -m tests.test_damage` writes the table of docs/recovery.md.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from slipway.infra.home import ROOT
from slipway.infra.local_key import key_file, local_key
from slipway.infra.platforms.local import monitoring
from slipway.infra.platforms.local.release import copied_code, service_key
from slipway.infra.runtime import ONNX
from slipway.service.artifact import seal, verify
from slipway.service.inference.fetch import fetch
from slipway.service.telemetry.feedback import _Seen

from slipway.ops.models.virtualenvs import environment
from slipway.ops.predict.output_file import Output
from slipway.pipeline.bucket import Bucket
from slipway.pipeline.errors import BadInput
from slipway.pipeline.store import Store
from tests.artifacts import own_home, sealed
from tests.damage import ANEW, DAMAGE, HEALS, NAMED, RUN, on_page, table, write

sys.path.insert(0, str(ROOT / "tools"))
import engine as engine_tool
import engine_cache
import plugins

KEY, NOTE = "k" * 64, {"message": "too bad", "report": {}}
PLAN = {"files": ["a.csv"]}


@dataclass(frozen=True)
class Believed:
    """`make` writes the file and returns it; `use` reads it as the product does, and returns what has to be the same.
    `then`: what happens, for the reader. `ends`: where it does not heal."""

    name: str
    then: str
    make: Callable[[Path], Path]
    use: Callable[[Path], object]
    ends: dict[str, str] = field(default_factory=dict)

    def end(self, how: str) -> str:
        return self.ends.get(how, HEALS)


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


def use_engine(_folder: Path) -> object:
    if engine_cache.cached() is None:  # as tools/engine.py does, with an engine of nothing
        with engine_cache.locked(), engine_cache.staged() as staging:
            for name in engine_cache.NAMES:
                command(staging / name)
    found = engine_cache.cached()
    return found and (found / "pulumi").read_text()


def engine(folder: Path) -> Path:
    use_engine(folder)
    return engine_cache.engine_home() / engine_cache.VERSION / "pulumi"


def use_placed(folder: Path) -> object:
    use_engine(folder)
    found = engine_cache.cached()
    assert found
    engine_tool.place(found, folder / "bin", folder)
    return (folder / "bin" / "pulumi").read_text()


def use_plugin(_folder: Path) -> object:
    if plugins.found() is None:  # as its build does, with a plugin of nothing
        with engine_cache.locked(plugins._home()), engine_cache.staged(plugins._home(), plugins._key()) as staging:
            command(staging / plugins.NAME)
    found = plugins.found()
    return found and found.read_text()


def plugin(folder: Path) -> Path:
    use_plugin(folder)
    found = plugins.found()
    assert found
    return found


def command(file: Path) -> None:
    file.write_text("#!/bin/sh\nexit 0\n")
    file.chmod(0o755)


def watched(_folder: Path) -> dict[str, object]:
    props: dict[str, object] = {"stack": "slipway/dev", "namespace": "slipway-dev", "targets": ["127.0.0.1:9001"]}
    return props | {"contentKey": monitoring._key(monitoring._files(props))}


def use_prometheus(folder: Path) -> object:
    """As `make up`: the engine reads what there is, and makes what is gone."""
    provider, props = monitoring.PrometheusFilesProvider(), watched(folder)
    if provider.read("slipway-dev", props).id != "slipway-dev":
        provider.create(props)
    return {each.name: each.read_bytes() for each in monitoring.folder("slipway-dev").iterdir()}


def prometheus(folder: Path, name: str) -> Path:
    use_prometheus(folder)
    return monitoring.folder("slipway-dev") / name


def use_pod(folder: Path) -> object:
    """As a pod's first container does each time that it starts."""
    store, pod = folder / "bucket", folder / "pod"
    if not store.exists():
        digest = sealed(store / "made")
        (store / "made").rename(store / digest.replace(":", "-"))
    (held,) = store.iterdir()
    fetch(f"{store.as_uri()}@{held.name.replace('-', ':')}", pod)
    return verify(pod)


def pod(folder: Path, name: str) -> Path:
    use_pod(folder)
    return folder / "pod" / name


ABSENT = "counts as absent: fetched or built again"
ELSEWHERE = "not taken; put back by the machine that has it (`slipway model restore`)"
BY_TIME = "by size and time; made again"
NEVER_TWICE = "tokens from before are not taken again"
RESTART = "`--restart` begins anew"
FILES = [
    Believed(
        "key.header",
        "a new key is made, and the stacks here get it with their next `make up`",
        lambda folder: use_key(folder) and key_file(),
        use_key,
    ),
    Believed("artifacts/keys/*.json", ABSENT, lambda folder: kept(folder, f"keys/{KEY}.json"), use_artifact),
    *(
        Believed(
            f"artifacts/sha256-*/{name}", ABSENT, lambda at, name=name: kept(at, f"{{artifact}}/{name}"), use_artifact
        )
        for name in ("manifest.json", "model.onnx")
    ),
    Believed(
        "artifacts/refused/*.json, artifacts/started/*.json",
        "found out again",
        lambda folder: kept(folder, f"refused/{KEY}.json"),
        use_note,
    ),
    Believed("SLIPWAY_STORE: keys/*.json", ELSEWHERE, lambda folder: shared(folder, f"keys/{KEY}.json"), use_shared),
    *(
        Believed(
            f"SLIPWAY_STORE: {name}", ELSEWHERE, lambda at, name=name: shared(at, f"{{artifact}}/{name}"), use_shared
        )
        for name in ("manifest.json", "model.onnx")
    ),
    *(
        Believed(
            f"a pod's {name}",
            "fetched again when the pod's containers start",
            lambda at, name=name: pod(at, name),
            use_pod,
        )
        for name in ("manifest.json", "model.onnx")
    ),
    Believed("envs/*/.complete", BY_TIME, lambda folder: in_environment(folder, ".complete"), use_environment),
    Believed("envs/*: any file", BY_TIME, lambda folder: in_environment(folder, "bin/activate"), use_environment),
    Believed(
        "services/*: any file",
        "copied again when a service rolls",
        lambda folder: copied_code(ONNX, service_key(ONNX)) / "service" / "settings.py",
        use_code,
    ),
    Believed(
        "services/*: byte code",
        "compiled again when a service rolls",
        lambda folder: next(copied_code(ONNX, service_key(ONNX)).rglob("service/__pycache__/settings.*.pyc")),
        use_code,
    ),
    Believed("engine/*: any file", "by size and time; fetched or built again", engine, use_engine),
    Believed(
        ".slipway/bin/*", "placed again by `make setup`", lambda at: use_placed(at) and at / "bin/pulumi", use_placed
    ),
    Believed("plugins/kubernetes/*: any file", "by size and time; built again", plugin, use_plugin),
    *(
        Believed(
            f"prometheus/*/{name}",
            "written again by `make up`",
            lambda at, name=name: prometheus(at, name),
            use_prometheus,
        )
        for name in ("owner", "scrape.yaml", "rules.yaml")
    ),
    Believed("run/*/seen.db", NEVER_TWICE, seen, use_seen, dict.fromkeys(DAMAGE, ANEW)),
    Believed(
        "OUT.part",
        f"of `slipway predict`: {RESTART}",
        lambda folder: job(folder, ".part"),
        use_job,
        {"cut": NAMED, "emptied": ANEW, "garbled": NAMED},
    ),
    Believed(
        "OUT.state",
        f"of `slipway predict`: {RESTART}",
        lambda folder: job(folder, ".state"),
        use_job,
        dict.fromkeys(DAMAGE, NAMED),
    ),
]
# In the cache of this user, and read by libraries alone.
OTHERS = {"keras", "matplotlib"}


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_damage_heals_or_is_named(file, how, tmp_path, monkeypatch):
    home = own_home(tmp_path / "home")
    monkeypatch.setenv("SLIPWAY_HOME", str(home))
    monkeypatch.setattr(plugins, "NAME", "a-plugin")  # nobody has it installed
    place = file.make(home)
    before = file.use(home)
    place.write_bytes(DAMAGE[how](place.read_bytes()))
    os.utime(place, (time.time() + 5,) * 2)  # later than it was made, as damage is
    if file.end(how) == NAMED:
        with pytest.raises(BadInput, match=place.name.replace(".", r"\.")):
            file.use(home)
    elif file.name == "OUT.part":
        assert file.use(home) == 0
    else:
        assert file.use(home) == before


def rows() -> str:
    listed = [(file.name, {how: file.end(how) for how in DAMAGE}, file.then) for file in FILES]
    return table([*listed, *((f"run/*/{name}", dict.fromkeys(DAMAGE, HEALS), then) for name, then in RUN.items())])


def test_the_table_on_the_page_is_what_these_tests_hold():
    assert on_page() == rows(), "python -m tests.test_damage writes it"


def test_whatever_is_kept_in_the_cache_is_in_the_table():
    """By its first folder, as the source names it: a new one needs a row."""
    places = [ROOT / room for room in ("infra", "service", "slipway", "tools")]
    files = [file for place in places for file in place.rglob("*.py")]
    kept_there = re.compile(r"""home(?:\(\))?(?:\.parent)? / "([^."][^"]*)\"""")
    found = {name for file in files for name in kept_there.findall(file.read_text())}
    assert {"key.header", "artifacts", "plugins", "run"} <= found
    named = [file.name for file in FILES] + [f"run/*/{name}" for name in RUN]
    assert {name for name in found - OTHERS if not any(each.startswith(name) for each in named)} == set()


def test_a_note_of_another_form_is_no_note(tmp_path):
    store = Store(tmp_path)
    for content in ({}, {"message": "x"}, []):
        store.put_note("refused", KEY, content)
        assert json.loads((tmp_path / "refused" / f"{KEY}.json").read_text()) == content
        assert store.note("refused", KEY, ("message", "report")) is None


if __name__ == "__main__":
    write(rows())
