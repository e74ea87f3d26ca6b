"""A store that others may write to harms nobody who reads it or writes to it, whatever lies there."""

import ast
import hashlib
import json
import os
import subprocess
import sys
from contextlib import suppress

import pytest
from fsspec.core import url_to_fs
from slipway.infra.home import ROOT
from slipway.service.artifact import ArtifactError, seal, verify
from slipway.service.inference.fetch import fetch

from slipway.cli.model import show
from slipway.ops.models import stores
from slipway.ops.models.builds import described
from slipway.ops.models.restore import restore
from slipway.ops.predict.output_file import Output
from slipway.ops.predict.samples import batches
from slipway.pipeline.bucket import Bucket
from slipway.pipeline.errors import BadInput
from tests.artifacts import promoted, sealed

KEY = "k" * 64
WEIGHTS = b"weights"
SHA = hashlib.sha256(WEIGHTS).hexdigest()


def manifest(files, **more):
    return json.dumps({"format": 1, "files": files, **more}).encode()


HOSTILE = {
    "absolute": manifest({"{victim}/file": SHA}),
    "above": manifest({"../../victim/file": SHA}),
    "above in the middle": manifest({"deep/../../../victim/file": SHA}),
    "backslashes": manifest({"..\\..\\victim\\file": SHA}),
    "nul": manifest({"model.onnx\0": SHA}),
    "a line of its own": manifest({"model\n.onnx": SHA}),
    "empty": manifest({"": SHA}),
    "empty part": manifest({"deep//model.onnx": SHA}),
    "hidden": manifest({".bashrc": SHA}),
    "too long": manifest({"m" * 300: SHA}),
    "cases": manifest({"model.onnx": SHA, "Model.onnx": SHA}),
    "a file that is a folder": manifest({"model": SHA, "model/onnx": SHA}),
    "the manifest itself": manifest({"manifest.json": SHA}),
    "too many": manifest({f"file{number}": SHA for number in range(1001)}),
    "no hash": manifest({"model.onnx": "../../victim"}),
    "names that are none": manifest([["model.onnx"]]),
    "sizes of others": manifest({"model.onnx": SHA}, sizes={"other": 7}),
    "sizes that are none": manifest({"model.onnx": SHA}, sizes={"model.onnx": -7}),
    "more than a disk": manifest({"model.onnx": SHA}, sizes={"model.onnx": 1 << 50}),
    "nested": b'{"format": 1, "files": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "huge": manifest({"model.onnx": SHA}) + b" " * (1 << 20),
}


@pytest.fixture
def victim(tmp_path):
    """A folder of the reader, beside the one that is filled; it has to stay as it is."""
    folder = tmp_path / "victim"
    folder.mkdir()
    (folder / "file").write_text("mine")
    yield folder
    assert [(each.name, each.read_text()) for each in folder.iterdir()] == [("file", "mine")]


@pytest.fixture
def shared(tmp_path):
    (tmp_path / "shared").mkdir()
    return tmp_path / "shared"


@pytest.mark.parametrize("reader", ["bucket", "folder", "pod", "verify"])
@pytest.mark.parametrize("attack", HOSTILE)
def test_a_manifest_is_refused_before_a_byte_is_written_even_where_it_is_pinned(
    attack, reader, tmp_path, shared, victim
):
    content = HOSTILE[attack].replace(b"{victim}", str(victim).encode())
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    uri = f"memory://{tmp_path.name}/artifacts" if reader == "bucket" else shared.as_uri()
    files, root = url_to_fs(f"{uri}/{digest.replace(':', '-')}")
    files.makedirs(root, exist_ok=True)
    files.pipe_file(f"{root}/manifest.json", content)
    for name in names_in(content):  # a store that plays along has each of them
        with suppress(OSError, ValueError):
            files.makedirs(f"{root}/{name}".rpartition("/")[0], exist_ok=True)
            files.pipe_file(f"{root}/{name}", WEIGHTS)
    (victim / "file").write_text("mine")
    filled = tmp_path / "work" / "filled"
    filled.mkdir(parents=True)
    if reader == "verify":
        with pytest.raises(ArtifactError):
            verify(shared / digest.replace(":", "-"))
    elif reader == "pod":
        with pytest.raises(ArtifactError):
            fetch(f"{uri}@{digest}", filled)
    else:
        assert Bucket(uri).fetch(digest, filled) is False
    assert list(filled.iterdir()) == []


def names_in(content):
    with suppress(RecursionError, ValueError):
        return [name for name in json.loads(content)["files"] if isinstance(name, str) and name != "manifest.json"]
    return []


@pytest.mark.parametrize("where", ["memory", "file"])
def test_a_file_that_never_ends_is_left_once_it_is_longer_than_listed(where, tmp_path, shared):
    uri = f"memory://{tmp_path.name}/artifacts" if where == "memory" else shared.as_uri()
    digest = sealed(tmp_path / "made")
    Bucket(uri).push(KEY, tmp_path / "made")
    files, root = url_to_fs(uri)
    files.pipe_file(f"{root}/{digest.replace(':', '-')}/model.onnx", b"0" * (40 << 20))
    (tmp_path / "filled").mkdir()
    assert not Bucket(uri).fetch(digest, tmp_path / "filled")
    assert sum(each.stat().st_size for each in (tmp_path / "filled").iterdir()) <= len(WEIGHTS)


@pytest.mark.parametrize("named", ["../../victim", "sha256:../../victim", "/etc", 7, None, "sha256:" + "0" * 63])
def test_a_key_leads_to_a_digest_or_nowhere(named, shared):
    (shared / "keys").mkdir()
    (shared / "keys" / f"{KEY}.json").write_text(json.dumps({"digest": named}))
    assert Bucket(shared.as_uri()).find(KEY) is None


def test_a_link_in_the_store_is_not_read_whatever_it_leads_to(tmp_path, shared):
    digest = sealed(tmp_path / "made")
    (tmp_path / "made").rename(shared / digest.replace(":", "-"))
    model = shared / digest.replace(":", "-") / "model.onnx"
    model.rename(tmp_path / "secret")
    model.symlink_to(tmp_path / "secret")
    (tmp_path / "filled").mkdir()
    with pytest.raises(BadInput, match=r"it is a link, or lies behind one: .*model\.onnx"):
        Bucket(shared.as_uri()).fetch(digest, tmp_path / "filled")
    with pytest.raises(ArtifactError, match=r"model\.onnx can't be read: it is a link"):
        verify(model.parent)


def test_a_pipe_in_the_store_keeps_nobody_waiting(tmp_path, shared):
    digest = sealed(tmp_path / "made")
    (tmp_path / "made" / "model.onnx").unlink()
    os.mkfifo(tmp_path / "made" / "model.onnx")
    (tmp_path / "made").rename(shared / digest.replace(":", "-"))
    command = [sys.executable, "-m", "slipway.cli", "model", "describe", f"{shared.as_uri()}@{digest}", "--json"]
    variables = {**os.environ, "SLIPWAY_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=20)
    assert done.returncode == 2 and "it is no regular file" in done.stderr


@pytest.mark.parametrize("link", ["keys", "{artifact}", "keys/{key}.json"])
def test_a_writer_follows_no_link_that_another_has_put_there(link, tmp_path, shared, victim):
    digest = sealed(tmp_path / "made")
    place = shared / link.format(artifact=digest.replace(":", "-"), key=KEY)
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(victim / "file" if place.suffix else victim)
    with pytest.raises(BadInput, match="can't be used"):
        Bucket(shared.as_uri()).push(KEY, tmp_path / "made")


def test_a_link_in_the_place_of_a_file_is_replaced(tmp_path, shared, victim):
    digest = sealed(tmp_path / "made")
    place = shared / digest.replace(":", "-") / "model.onnx"
    place.parent.mkdir()
    place.symlink_to(victim / "file")
    Bucket(shared.as_uri()).push(KEY, tmp_path / "made")
    assert not place.is_symlink() and verify(place.parent) == digest


@pytest.mark.parametrize("folder", ["staging", "locks", "keys", "started"])
def test_what_is_worked_on_is_never_in_a_store_of_others(folder, tmp_path, shared, victim):
    ref = promoted(shared)
    (shared / folder).symlink_to(victim)
    home = tmp_path / "home"
    restore(ref, home)
    found = described(ref, home)
    found.store.put_note("started", found.inputs_key, {"seconds": 1.0})
    assert found.path and found.path.is_relative_to(home)


def test_a_note_in_a_store_of_others_is_not_believed(tmp_path, shared):
    ref = promoted(shared)
    (shared / "started").mkdir()
    (shared / "started" / f"{ref.rpartition('@')[2]}.json").write_text('{"seconds": 0.01}')
    found = described(ref, tmp_path / "home")
    assert found.store.note("started", found.inputs_key, ("seconds",)) is None


def test_what_a_store_holds_beside_an_artifact_is_left_there(tmp_path, shared):
    ref = promoted(shared)
    (tmp_path / "secret").write_text("mine")
    (shared / ref.rpartition("@")[2].replace(":", "-") / "leak.txt").symlink_to(tmp_path / "secret")
    found = described(ref, tmp_path / "home")
    assert found.path
    assert sorted(each.name for each in found.path.iterdir()) == [
        "manifest.json",
        "model.onnx",
        "report.json",
        "signature.json",
    ]


def test_what_nobody_listed_makes_an_artifact_damaged_but_what_file_systems_leave_does_not(tmp_path):
    digest = sealed(tmp_path / "made")
    (tmp_path / "made" / ".DS_Store").touch()
    assert verify(tmp_path / "made") == digest
    (tmp_path / "made" / "more.bin").touch()
    with pytest.raises(ArtifactError, match=r"more\.bin is not listed"):
        verify(tmp_path / "made")


def test_a_model_s_name_out_of_a_store_names_no_place(tmp_path, shared):
    with pytest.raises(BadInput, match="can't name a model"):
        described(promoted(shared, name="../../victim"), tmp_path / "home")


def test_a_card_out_of_a_store_tells_the_terminal_nothing(tmp_path, shared, monkeypatch, capsys):
    made = promoted(shared)
    artifact = shared / made.rpartition("@")[2].replace(":", "-")
    (artifact / "card.md").write_text("# A card\x1b]0;owned\x07 \x1b[2J")
    digest = seal(artifact)
    artifact.rename(shared / digest.replace(":", "-"))
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "home"))
    show.main([f"{shared.as_uri()}@{digest}"], standalone_mode=False)
    said = capsys.readouterr().out
    assert "A card" in said and "\x1b]" not in said and "\x1b[2J" not in said and "\x07" not in said


@pytest.mark.parametrize(
    "uri",
    [
        "/mnt/models",
        "file://mnt/models",
        "zip://inside::file:///tmp/a.zip",
        "simplecache::s3://b/c",
        "tar://a.tar",
        "local://mnt",
    ],
)
def test_what_can_be_no_store_is_refused_by_name(uri, monkeypatch):
    monkeypatch.setenv("SLIPWAY_STORE", uri)
    with pytest.raises(BadInput, match=uri.replace(".", r"\.")):
        stores.shared()


def test_a_folder_that_is_not_mounted_is_not_made(tmp_path, monkeypatch):
    monkeypatch.setenv("SLIPWAY_STORE", (tmp_path / "missing").as_uri())
    with pytest.raises(BadInput, match="mount it, or make it"):
        stores.shared()
    sealed(tmp_path / "made")
    with pytest.raises(BadInput, match="mount it, or make the folder"):
        Bucket((tmp_path / "missing").as_uri()).push(KEY, tmp_path / "made")
    assert not (tmp_path / "missing").exists()


def test_folders_and_files_of_a_shared_folder_have_its_rights(tmp_path, shared):
    shared.chmod(0o2775)
    digest = sealed(tmp_path / "made")
    Bucket(shared.as_uri()).push(KEY, tmp_path / "made")
    modes = {each.relative_to(shared).as_posix(): oct(each.stat().st_mode & 0o7777) for each in shared.rglob("*")}
    artifact = digest.replace(":", "-")
    assert modes == {
        artifact: "0o2775",
        f"{artifact}/model.onnx": "0o664",
        f"{artifact}/manifest.json": "0o664",
        "keys": "0o2775",
        f"keys/{KEY}.json": "0o664",
    }


@pytest.mark.parametrize("suffix", [".part", ".state", ".state.new"])
def test_a_job_in_a_folder_of_others_follows_no_link(suffix, tmp_path, victim):
    (tmp_path / f"out.jsonl{suffix}").symlink_to(victim / "file")
    plan = {"files": []}
    with suppress(BadInput), Output(tmp_path / "out.jsonl", plan, restart=False) as output:
        output.append(b"a row", 1)


@pytest.mark.parametrize(
    "state",
    [
        b"[]",
        b"[" * 100_000,
        b'{"plan": {}, "rows": -1, "bytes": -1, "sha256": ""}',
        b'{"plan": [], "rows": 0, "bytes": "x", "sha256": 7}',
        b'{"plan": {}, "rows": 1, "bytes": 99, "sha256": ""}',
    ],
)
def test_a_job_s_state_of_any_other_form_is_named(state, tmp_path):
    (tmp_path / "out.jsonl.part").write_text("rows")
    (tmp_path / "out.jsonl.state").write_bytes(state)
    with pytest.raises(BadInput, match="--restart begins anew"):
        Output(tmp_path / "out.jsonl", {}, restart=False)


def test_samples_that_are_nested_without_end_are_named(tmp_path):
    (tmp_path / "deep.json").write_bytes(b"[" * 100_000)
    with pytest.raises(BadInput, match=r"deep\.json is not JSON"):
        next(batches([tmp_path / "deep.json"], [{"name": "x", "dtype": "float32", "shape": [None, 4]}], (), 1))


UNPICKLING = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}


@pytest.mark.parametrize("room", ["infra", "policy", "service", "slipway", "tools"])
def test_nothing_of_ours_unpickles(room):
    for file in (ROOT / room).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                named = {each.name.partition(".")[0] for each in node.names} | {(getattr(node, "module", "") or "")}
                assert not named & UNPICKLING, f"{file}:{node.lineno}"
            if isinstance(node, ast.Call):
                allowed = [each.value for each in node.keywords if each.arg == "allow_pickle"]
                assert all(isinstance(each, ast.Constant) and each.value is False for each in allowed), file
