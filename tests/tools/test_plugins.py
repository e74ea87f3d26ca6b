"""The Kubernetes plugin: an official one is used as it is, ours is built once."""

import json
import os

import engine_cache
import plugins
import pytest
from engine_doubles import double

# A double of Go: it notes the overlay that it was given, and builds a command.
WORKING = """
if [ "$1" = env ]; then echo go1.99.0; echo local; exit; fi
if [ "$1" = list ]; then echo "{module}"; exit; fi
echo build >> {module}/calls
while [ "$1" != -o ]; do [ "$1" = -overlay ] && cp "$2" {module}/overlay.json; shift; done
for file in $(grep -o '[^"]*/.scratch/schema.json' {module}/overlay.json); do cp "$file" {module}/embedded.json; done
printf '#!/bin/sh\\n' > "$2"; chmod +x "$2"
"""


@pytest.fixture
def here(machine, monkeypatch):
    """The machine, with no plugin installed and a Go that builds one."""
    monkeypatch.setenv("PULUMI_HOME", str(machine / "pulumi"))
    command = machine / "module" / "cmd" / plugins.NAME
    command.mkdir(parents=True)
    (command / "schema.json").write_text('{"name": "kubernetes"}')
    double(machine / "path", "go", WORKING.format(module=machine / "module"))
    return machine


def builds(machine):
    calls = machine / "module" / "calls"
    return calls.read_text().count("build") if calls.exists() else 0


def test_it_is_built_once_with_the_sdks_version_and_nothing_beside_it_is_left(here, slipway_home, capsys):
    assert plugins.found() is None
    assert plugins.main() == plugins.main() == 0
    assert builds(here) == 1
    assert str(plugins.found()) in capsys.readouterr().out
    (folder,) = (slipway_home / "plugins" / "kubernetes").glob("[!.]*")
    assert sorted(each.name for each in folder.iterdir()) == [engine_cache.LIST, plugins.NAME]
    assert json.loads((here / "module" / "embedded.json").read_text())["version"] == plugins.version()


def test_another_pin_is_another_plugin(here, monkeypatch, tmp_path):
    plugins.build()
    (tmp_path / "pins").mkdir()
    (tmp_path / "pins" / "go.mod").write_text("module other\n\ngo 1.24.7\n")
    monkeypatch.setattr(plugins, "MODULE", tmp_path / "pins")
    assert plugins.found() is None


def test_an_official_one_comes_first_and_nothing_is_built(here, slipway_home):
    on_path = double(here / "path", plugins.NAME, "exit 0")
    assert plugins.found() == on_path
    installed = double(here / "pulumi/plugins" / f"resource-kubernetes-v{plugins.version()}", plugins.NAME, "exit 0")
    assert plugins.found() == installed
    assert plugins.main() == 0
    assert builds(here) == 0


def test_without_go_both_ways_out_are_named(here, capsys, monkeypatch):
    monkeypatch.setenv("PATH", os.devnull)
    assert plugins.main() == 1
    error = capsys.readouterr().err
    assert f"pulumi plugin install resource kubernetes v{plugins.version()}" in error
    assert "https://go.dev/dl/" in error


def test_a_build_that_failed_says_why_and_leaves_nothing(here, slipway_home, capsys):
    (here / "module" / "cmd" / plugins.NAME / "schema.json").unlink()
    assert plugins.main() == 1
    assert "schema.json" in capsys.readouterr().err
    assert [each.name for each in (slipway_home / "plugins" / "kubernetes").iterdir()] == [".lock"]


def test_the_module_is_pinned_by_checksums_and_the_command_embeds_what_is_supplied():
    assert plugins.SOURCE in (plugins.MODULE / "go.mod").read_text()
    assert f"{plugins.SOURCE} v4.0.0" in (plugins.MODULE / "go.sum").read_text()
    main = (plugins.MODULE / "main.go").read_text()
    assert "//go:embed schema.json\n" in main
    assert "//go:embed terraform-mapping.json\n" in main
