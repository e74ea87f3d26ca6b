"""The inputsKey names content, and nothing else."""

import ast
import os
import shutil
from pathlib import Path

import fsspec
import pytest

from slipway.ops.models.data import fingerprints
from slipway.ops.models.versions import mark, version
from slipway.pipeline.errors import BadInput
from slipway.pipeline.keys import BESIDE, PIPELINE, inputs_key


@pytest.fixture
def service(tmp_path):
    """A copy of the code that goes into a key."""
    copy = tmp_path / "slipway"
    shutil.copytree(PIPELINE, copy / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    for file in BESIDE:
        shutil.copy(file, copy / file.name)
    return copy


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "models" / "toy"
    (folder / "data").mkdir(parents=True)
    (folder / "model.py").write_text("def train(log_dir): ...\n")
    (folder / "model.yaml").write_text("task: classification\n")
    (folder / "requirements.txt").write_text("numpy==1 --hash=sha256:0\n")
    (folder / "data" / "points.csv").write_text("1,2\n")
    return folder


def key(folder: Path, service: Path, target: str = "cpu", variant: str | None = None) -> str:
    beside = tuple(service / file.name for file in BESIDE)
    return inputs_key(folder, target=target, variant=variant, pipeline=service / "pipeline", beside=beside)


def test_the_key_is_the_same_from_another_path_umask_and_time_stamp(folder, service, tmp_path):
    before = key(folder, service)
    previous = os.umask(0o077)
    try:
        other = tmp_path / "elsewhere" / "toy"
        shutil.copytree(folder, other, copy_function=shutil.copyfile)
        (other / "model.py").chmod(0o700)
        os.utime(other / "model.py", (1, 1))
    finally:
        os.umask(previous)
    assert key(other, service) == before


def test_declared_data_is_part_of_the_key_by_its_content_and_nothing_else(folder, tmp_path):
    (shared := tmp_path / "shared").mkdir()
    (points := shared / "points.csv").write_text("1,2\n")
    declared = ["../../shared", str(points)]
    before = fingerprints(folder, declared)
    os.utime(points, (1, 1))
    assert fingerprints(folder, declared) == before
    points.write_text("1,3\n")
    after = fingerprints(folder, declared)
    assert all(after[name] != before[name] for name in declared)
    keys = [inputs_key(folder, target="cpu", data=each) for each in ({}, before, after)]
    assert len(set(keys)) == 3 and inputs_key(folder, target="cpu") == keys[0]
    with pytest.raises(BadInput, match=r"model\.yaml: data: gone\.csv is not there"):
        fingerprints(folder, ["gone.csv"])


def test_a_uri_counts_by_what_its_store_says_of_it():
    memory = fsspec.filesystem("memory")
    memory.pipe("/points/a.csv", b"1,2")
    before = version("memory://points")
    assert version("memory://points") == before
    memory.pipe("/points/b.csv", b"1,2")
    assert version("memory://points") != before
    with pytest.raises(FileNotFoundError):
        version("memory://gone")
    assert mark("s3://a", {"ETag": "1", "LastModified": "today"}) == mark(
        "s3://a", {"ETag": "1", "LastModified": "now"}
    )
    assert mark("sftp://a", {"mtime": 1, "size": 2}) != mark("sftp://a", {"mtime": 1, "size": 3})
    with pytest.raises(ValueError, match="neither version nor time"):
        mark("odd://a", {"size": 3})


def test_a_link_counts_as_what_it_leads_to(folder, service, tmp_path):
    before = key(folder, service)
    shutil.move(folder / "data", tmp_path / "moved")
    (folder / "data").symlink_to(tmp_path / "moved")
    assert key(folder, service) == before


def test_a_link_back_to_its_own_folder_ends(folder, service):
    (folder / "data" / "again").symlink_to(folder)
    assert key(folder, service)


@pytest.mark.parametrize("name", [".hidden", "__pycache__/model.cpython-311.pyc", "stray.pyc", ".git/config"])
def test_what_tools_leave_behind_does_not_count(folder, service, name):
    before = key(folder, service)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("anything")
    assert key(folder, service) == before


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("models/toy/model.py", "# more\n"),
        ("models/toy/model.yaml", "# more\n"),
        ("models/toy/requirements.txt", "# more\n"),
        ("models/toy/data/points.csv", "3,4\n"),
        ("models/toy/new.py", ""),
        ("slipway/pipeline/judge.py", "MORE = 1\n"),
        ("slipway/pipeline/new.py", ""),
        ("slipway/pipeline/requirements.txt", "# more\n"),
        ("slipway/artifact.py", "MORE = 1\n"),
        ("slipway/features.py", "MORE = 1\n"),
    ],
)
def test_whatever_changes_what_is_built_changes_the_key(folder, service, tmp_path, name, more):
    before = key(folder, service)
    with (tmp_path / name).open("a") as file:
        file.write(more)
    assert key(folder, service) != before


@pytest.mark.parametrize("name", ["pipeline/judge.py", "pipeline/sources/base.py", "artifact.py", "features.py"])
def test_comments_docstrings_and_layout_of_our_own_code_train_no_model_again(folder, service, name):
    before = key(folder, service)
    file = service / name
    file.write_text(commented(file.read_text()))
    assert key(folder, service) == before


def test_what_nobody_builds_with_does_not_count(folder, service):
    before = key(folder, service)
    (service / "pipeline" / "requirements.in").write_text("numpy\n")
    (service / "pipeline" / "notes.md").write_text("notes\n")
    assert key(folder, service) == before


def commented(code: str) -> str:
    """The same code with other docstrings, comments, line breaks and blank lines."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node):
            node.body[0] = ast.Expr(ast.Constant("Explained in other words.\n\nAt length."))
    return "# A comment.\n\n\n" + ast.unparse(tree) + "\n# And another.\n"


def test_a_renamed_file_changes_the_key(folder, service):
    before = key(folder, service)
    (folder / "data" / "points.csv").rename(folder / "data" / "dots.csv")
    assert key(folder, service) != before


def test_target_variant_and_name_change_the_key(folder, service, tmp_path):
    renamed = shutil.copytree(folder, tmp_path / "other")
    keys = [
        key(folder, service),
        key(folder, service, target="nvidia"),
        key(folder, service, variant="fp32"),
        key(renamed, service),
    ]
    assert len(set(keys)) == 4
