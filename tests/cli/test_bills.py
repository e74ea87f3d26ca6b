"""Bills of materials: they list what is really installed, are CycloneDX by its library, and stay as they are."""

import json
import re
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest
import uv
from slipway.infra.home import ROOT, home
from slipway.infra.runtime import ONNX
from slipway.service.image import settle

from slipway.ops.models.bills import LOCK, bill, put_bill
from slipway.ops.models.builds import described
from slipway.ops.models.refs import lock_of
from slipway.ops.models.virtualenvs import environment
from slipway.pipeline.errors import BadInput

VALID = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
version = {"1.5": SchemaVersion.V1_5, "1.6": SchemaVersion.V1_6}[sys.argv[1]]
print(JsonStrictValidator(version).validate_str(sys.stdin.read()) or "")
"""
LINEAR = "models/linear"


@pytest.fixture(scope="module")
def linear():
    command = [sys.executable, "-m", "slipway.cli", "model", "build", LINEAR, "--json"]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    return described(str(ROOT / LINEAR), home())


def installed(python):
    """What uv finds in an environment, by the normal form of its name."""
    command = [uv.find_uv_bin(), "pip", "list", "--quiet", "--format=json", f"--python={python}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {(plain(each["name"]), each["version"]) for each in json.loads(done.stdout)}


def listed(content, use=None):
    return {(plain(each["name"]), each["version"]) for each in content["components"] if each["type"] == "library"
            and each["purl"].startswith("pkg:pypi/")
            and (use is None or use in [one["value"] for one in each["properties"]])}  # fmt: skip


def plain(name):
    return re.sub("[-_.]+", "-", name).lower()


def problems(content):
    """What the library has against a bill."""
    command = [environment([LOCK], home() / "envs"), "-c", VALID, content["specVersion"]]
    done = subprocess.run(command, input=json.dumps(content), capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_an_artifacts_bill_lists_what_is_installed_where_it_was_made_and_judged(linear):
    content = bill(linear, home())
    assert listed(content, "made") == installed(environment([lock_of(linear.folder)], home() / "envs"))
    assert listed(content, "judged") == installed(environment([ONNX.lock("none")], home() / "envs"))
    model = content["metadata"]["component"]
    assert (model["name"], model["version"]) == ("linear", linear.digest)
    assert "model.onnx" in {each["name"] for each in model["components"]}
    assert problems(content) == ""


def test_a_bill_is_the_same_whenever_it_is_written_and_no_part_of_the_artifact(linear):
    before = {file: file.stat().st_mtime_ns for file in linear.path.rglob("*")}
    first = put_bill(linear, home()).read_text()
    assert put_bill(linear, home()).read_text() == first
    assert "timestamp" not in first
    assert {file: file.stat().st_mtime_ns for file in linear.path.rglob("*")} == before
    assert described(str(ROOT / LINEAR), home()).digest == linear.digest


def test_an_artifact_whose_making_is_not_known_here_has_no_bill(linear):
    promoted = described(f"{linear.uri}@{linear.digest}", home())
    with pytest.raises(BadInput, match="is named by its digest: ask for its bill by its folder"):
        bill(promoted, home())


def test_an_images_bill_lists_what_is_installed_in_its_packages():
    """Written inside of the build by the standard library alone, from what lies in the folder."""
    python = environment([ONNX.lock("none")], home() / "envs")
    (packages,) = Path(python).parent.parent.glob("lib/python*/site-packages")
    content = settle._bill(sorted(distributions(path=[str(packages)]), key=lambda each: each.name.lower()), [])
    assert listed(content) == installed(python)
    assert problems(content) == ""
