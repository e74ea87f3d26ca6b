"""States of versions before this one still find what they name."""

import subprocess
import sys
from types import SimpleNamespace

import pulumi
import pytest
from slipway.infra import recorded
from slipway.infra.home import ROOT
from slipway.infra.recorded import recorded_outputs

# As `__provider` in a state has them, pickled by name.
RECORDED = [
    ("infra.artifact", "ModelArtifactProvider"),
    ("infra.image", "ServiceImageProvider"),
    ("infra.platforms.local.service", "LocalServiceProvider"),
    ("infra.secret", "RandomSecretProvider"),
    ("infra.stored", "StoredModelProvider"),
]


def test_every_provider_that_a_state_names_is_loaded_where_the_engine_starts_its_plugin():
    code = "import pickle, sys\n" + "".join(
        f"assert pickle.loads(b'c{module}\\n{name}\\n.').__name__ == '{name}'\n" for module, name in RECORDED
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize("name", ["infra", "service"])
def test_nothing_of_ours_is_imported_by_a_name_at_the_top(name):
    loaded = "slipway.infra.platforms.table, slipway.cli.main, slipway.service.artifact"
    code = f"import {loaded}, sys\nassert {name!r} not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.fixture
def engine(monkeypatch):
    """A double of the engine that raises what is in the list, one by one, and then answers."""
    refusals = []

    def invoke(function, arguments):
        if refusals:
            raise Exception(refusals.pop(0))
        return SimpleNamespace(value={"outputs": {"environment": "dev"}})

    monkeypatch.setattr(pulumi, "get_stack", lambda: "example")
    monkeypatch.setattr(pulumi, "get_organization", lambda: "organization")
    monkeypatch.setattr(pulumi.runtime, "invoke", invoke)
    return refusals


def test_a_state_that_is_being_written_is_read_once_it_is_whole(engine):
    engine += ["invocation returned an error: failed to load checkpoint: EOF"] * 3
    assert recorded_outputs() == {"environment": "dev"}


def test_a_state_that_can_never_be_read_is_told_as_the_engine_tells_it(engine, monkeypatch):
    monkeypatch.setattr(recorded, "_SECONDS", 0.2)
    engine += ["failed to load checkpoint: EOF"] * 100
    with pytest.raises(Exception, match="failed to load checkpoint: EOF"):
        recorded_outputs()
    engine[:] = ["no stack named example"]
    with pytest.raises(Exception, match="no stack named"):
        recorded_outputs()
