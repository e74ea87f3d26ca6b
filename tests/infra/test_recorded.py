"""States of versions before this one still find what they name."""

import subprocess
import sys

import pytest
from slipway.infra.home import ROOT

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
