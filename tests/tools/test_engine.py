"""Which engine is taken, what ends up in the folder for it, and what the user is told when there is none."""

import os
import subprocess

import engine
import engine_cache
import pytest
from engine_doubles import TOOLS, double


def official(folder, version="v3.265.0"):
    double(folder, "pulumi-language-python", "exit 0")
    return double(folder, "pulumi", f"echo {version}")


def cached_engine(home):
    folder = home / "engine" / engine_cache.VERSION
    for name in engine_cache.NAMES:
        double(folder, name, f"echo v{engine_cache.VERSION}")
    return folder


def run(machine, *more):
    return engine.main(["--bin", str(machine / ".slipway/bin"), "--project", str(machine), *more])


@pytest.mark.parametrize(
    ("printed", "version"),
    [("v3.259.0\n", (3, 259, 0)), ("3.260.0-alpha.1+abc", (3, 260, 0)), ("", None), ("dev", None)],
)
def test_the_version_is_read_from_what_the_command_prints(printed, version):
    assert engine.version_of(printed) == version


def test_an_official_engine_on_path_is_used_and_ours_is_taken_away(machine, slipway_home, capsys):
    cached_engine(slipway_home)
    assert run(machine) == 0
    other = double(machine / ".slipway/bin", "uv", "exit 0")
    command = official(machine / "path")
    assert run(machine) == 0
    assert [path.name for path in (machine / ".slipway/bin").iterdir()] == [other.name]
    assert f"Pulumi 3.265.0: {command}" in capsys.readouterr().out


def test_our_own_engine_on_path_is_not_taken_for_an_official_one(machine, slipway_home, monkeypatch):
    cached_engine(slipway_home)
    another_checkout = official(machine / "other/.slipway/bin").parent
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, (machine / ".slipway/bin", another_checkout, "/bin"))))
    assert run(machine) == 0
    assert run(machine) == 0
    assert (machine / ".slipway/bin/pulumi").exists()


def test_an_old_official_engine_is_refused_with_both_versions(machine, capsys):
    official(machine / "path", "v3.199.0")
    assert run(machine) == 1
    error = capsys.readouterr().err
    assert "v3.199.0" in error
    assert "3.200.0" in error
    assert not (machine / ".slipway").exists()


def test_an_official_engine_without_its_language_host_is_not_used(machine, slipway_home, capsys):
    cached_engine(slipway_home)
    double(machine / "path", "pulumi", "echo v3.265.0")
    assert run(machine) == 0
    assert "no pulumi-language-python" in capsys.readouterr().out
    assert (machine / ".slipway/bin/pulumi").exists()


def test_a_second_run_changes_nothing_and_says_nothing(machine, slipway_home, capsys):
    cached_engine(slipway_home)
    assert run(machine, "--quiet") == 0
    assert capsys.readouterr().out != ""
    before = {path: path.stat().st_mtime_ns for path in (machine / ".slipway/bin").iterdir()}
    assert run(machine, "--quiet") == 0
    assert capsys.readouterr().out == ""
    assert {path: path.stat().st_mtime_ns for path in (machine / ".slipway/bin").iterdir()} == before


def test_the_engine_is_a_file_beside_its_language_host_and_no_link_into_the_cache(machine, slipway_home):
    cached_engine(slipway_home)
    assert run(machine) == 0
    placed = {path.name for path in (machine / ".slipway/bin").iterdir()}
    assert placed == {*engine_cache.NAMES, "pulumi-language-python"}
    assert not any(path.is_symlink() for path in (machine / ".slipway/bin").iterdir())


def test_the_engine_is_copied_where_it_can_not_be_linked(machine, slipway_home, monkeypatch):
    cached_engine(slipway_home)

    def refuse(*_):
        raise OSError("another file system")

    monkeypatch.setattr(os, "link", refuse)
    assert run(machine) == 0
    copied = (machine / ".slipway/bin/pulumi").stat()
    assert run(machine) == 0
    assert (machine / ".slipway/bin/pulumi").stat().st_ino == copied.st_ino


def test_without_a_virtualenv_the_language_host_says_what_is_missing(machine, slipway_home):
    cached_engine(slipway_home)
    assert run(machine) == 0
    host = subprocess.run(
        [machine / ".slipway/bin/pulumi-language-python", "127.0.0.1:1"], capture_output=True, text=True
    )
    assert host.returncode == 1
    assert f"{machine}/.venv/bin/python is missing" in host.stderr


def test_an_unsupported_machine_is_refused(machine, monkeypatch, capsys):
    monkeypatch.setattr(engine_cache.platform, "system", lambda: "Windows")
    assert run(machine) == 1
    assert "WSL" in capsys.readouterr().err


def test_the_committed_files_name_no_machine_and_no_registry():
    go_mod = (TOOLS / "engine/go.mod").read_text()
    assert f"github.com/pulumi/pulumi/pkg/v3 v{engine_cache.VERSION}\n" in go_mod
    assert "=> /" not in go_mod
    assert "=> ." not in go_mod
