"""Virtualenvs: made once for each content, whole or not at all."""

import shutil

from slipway.infra.home import home

from slipway.ops.models.refs import PIPELINE_LOCK
from slipway.ops.models.virtualenvs import STAMP, environment


def test_the_same_lock_elsewhere_finds_the_same_environment(tmp_path, toy_home):
    copy = shutil.copy(PIPELINE_LOCK, tmp_path / "copy.txt")
    assert environment([copy], toy_home / "envs") == environment([PIPELINE_LOCK], toy_home / "envs")


def test_env_prints_the_python_and_nothing_else(slipway):
    ended = slipway("venv", PIPELINE_LOCK)
    assert ended.code == 0
    assert ended.out.endswith("/bin/python\n")
    assert ended.out.count("\n") == 1


def test_a_broken_off_environment_is_made_again(tmp_path):
    lock = tmp_path / "empty.txt"
    lock.write_text("# nothing\n")
    python = environment([lock], tmp_path / "envs")
    folder = python.parent.parent
    (folder / STAMP).unlink()
    (folder / "half-made").touch()
    assert environment([lock], tmp_path / "envs") == python
    assert (folder / STAMP).exists()
    assert not (folder / "half-made").exists()


def test_a_file_that_can_not_be_read_is_told(slipway, tmp_path):
    ended = slipway("venv", tmp_path / "gone.txt")
    assert ended.code == 2
    assert "gone.txt can't be read" in ended.err


def test_home_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("SLIPWAY_HOME", raising=False)
    assert home() == tmp_path / "slipway"
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "own"))
    assert home() == tmp_path / "own"
