"""The store shows whole artifacts only, whatever happens to those who write."""

import json
import multiprocessing
import os
import shutil
import signal
import stat
from pathlib import Path

import pytest
from slipway.service.artifact import ArtifactError, seal, verify

from slipway.pipeline.store import Store

KEY = "k" * 64


def staged(folder: Path, content: str = "weights") -> Path:
    """A sealed artifact in a staging folder."""
    artifact = folder / "artifact"
    artifact.mkdir()
    (artifact / "model.onnx").write_text(content)
    seal(artifact)
    return artifact


def put(store: Store, content: str = "weights", key: str = KEY) -> str:
    with store.claim(key, lambda: None), store.staging(key) as work:
        return store.commit(key, staged(work, content))


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "artifacts")


def test_what_was_committed_is_found_under_its_key(store):
    digest = put(store)
    assert store.find(KEY) == digest
    assert verify(store.path(digest)) == digest
    assert store.find("other") is None


def test_the_first_writer_of_a_key_wins(store):
    first = put(store, "first")
    assert put(store, "second") == first
    assert store.find(KEY) == first


def test_a_writer_that_looked_too_early_still_gets_the_winner(store, monkeypatch):
    winner = put(store, "first", key="other")
    keys = store.root / "keys"
    find = store.find

    def find_then_be_overtaken(key):
        found = find(key)
        shutil.copy(keys / "other.json", keys / f"{KEY}.json")
        return found

    monkeypatch.setattr(store, "find", find_then_be_overtaken)
    assert put(store, "late") == winner


def test_logs_lie_beside_the_artifact_and_do_not_change_its_digest(store):
    with store.claim(KEY, lambda: None), store.staging(KEY) as work:
        (work / "logs").mkdir()
        (work / "logs" / "events").write_text("curve")
        digest = store.commit(KEY, staged(work), work / "logs")
    assert (store.logs(digest) / "events").read_text() == "curve"
    assert verify(store.path(digest)) == digest


@pytest.mark.parametrize("damage", ["model.onnx", "manifest.json"])
@pytest.mark.parametrize("how", ["changed", "truncated", "gone"])
def test_a_damaged_artifact_counts_as_absent_and_is_replaced(store, damage, how):
    digest = put(store)
    file = store.path(digest) / damage
    if how == "gone":
        file.unlink()
    else:
        file.write_bytes(b"" if how == "truncated" else file.read_bytes() + b" ")
    assert store.find(KEY) is None
    assert put(store) == digest
    assert store.find(KEY) == digest


@pytest.mark.parametrize("content", ["", "{", "[]", '{"digest": 7}', '{"digest": "sha256:none"}'])
def test_a_damaged_key_counts_as_absent_and_is_replaced(store, content):
    digest = put(store)
    (store.root / "keys" / f"{KEY}.json").write_text(content)
    assert store.find(KEY) is None
    assert put(store) == digest
    assert store.find(KEY) == digest


def test_a_second_process_waits_and_takes_the_result(store):
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [context.Process(target=_build, args=(store.root, str(number), results)) for number in range(2)]
    for worker in workers:
        worker.start()
    outcomes = [results.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    assert sorted(built for built, _ in outcomes) == [False, True]
    assert len({digest for _, digest in outcomes}) == 1


def _build(root, content, results):
    store = Store(root)
    with store.claim(KEY, lambda: None):
        found = store.find(KEY)
        if found is None:
            with store.staging(KEY) as work:
                artifact = staged(work, content)
                results.put((True, store.commit(KEY, artifact)))
        else:
            results.put((False, found))


@pytest.mark.parametrize("step", ["fsync", "rename", "link"])
def test_a_writer_killed_at_any_step_leaves_nothing_that_matters(store, step):
    context = multiprocessing.get_context("spawn")
    worker = context.Process(target=_die_at, args=(store.root, step))
    worker.start()
    worker.join(30)
    assert worker.exitcode == -signal.SIGKILL
    assert store.find(KEY) is None
    digest = put(store)
    assert store.find(KEY) == digest
    assert list((store.root / "staging").iterdir()) == []


def _die_at(root, step):
    setattr(os, step, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    put(Store(root), "dying")


def test_what_killed_builds_of_other_keys_left_is_swept(store):
    (store.root / "staging" / "abandoned.x1").mkdir(parents=True)
    put(store)
    assert list((store.root / "staging").iterdir()) == []


def test_a_build_under_way_is_not_swept(store):
    with store.claim("busy", lambda: None), store.staging("busy") as work:
        put(store)
        assert work.is_dir()


def test_files_are_readable_whatever_the_umask(store):
    previous = os.umask(0o077)
    try:
        digest = put(store)
    finally:
        os.umask(previous)
    assert stat.S_IMODE((store.path(digest) / "model.onnx").stat().st_mode) == 0o644
    assert stat.S_IMODE(store.path(digest).stat().st_mode) == 0o755


@pytest.mark.parametrize("how", ["changed", "gone"])
def test_damage_is_told_with_the_name_of_the_file(store, how):
    file = store.path(put(store)) / "model.onnx"
    file.unlink()
    if how == "changed":
        file.write_text("other")
    with pytest.raises(ArtifactError, match=r"model\.onnx is (missing|damaged)"):
        verify(file.parent)


def test_a_manifest_can_not_point_outside_the_artifact(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps({"format": 1, "files": {"../../etc/passwd": "0"}}))
    with pytest.raises(ArtifactError, match="outside"):
        verify(tmp_path)
