"""What our own code explains in other words builds no model again; what it does in another way does."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from slipway.infra.home import ROOT

from tests.pipeline.test_keys import commented

NAMES = ("one", "two", "three", "four", "five")
CODE = ("infra", "service", "slipway")


@pytest.fixture
def checkout(tmp_path):
    """The code that builds models, to be edited, in a copy."""
    for part in CODE:
        shutil.copytree(ROOT / part, tmp_path / "checkout" / part, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "checkout"


@pytest.fixture
def models(toy):
    return [toy(("default_rng(0)", f"default_rng({number})"), name=name) for number, name in enumerate(NAMES)]


def told(checkout, home, *arguments):
    """What a `slipway model` command of the copy answers, a line for each model."""
    command = [sys.executable, "-m", "slipway.cli", "model", *map(str, arguments), "--json"]
    environment = {**os.environ, "SLIPWAY_HOME": str(home), "PYTHONPATH": str(checkout)}
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_five_models_are_built_again_by_what_code_does_and_not_by_its_comments(checkout, models, toy_home):
    first = told(checkout, toy_home, "build", *models, "--variant", "fp32")
    assert [each["built"] for each in first] == [True] * len(NAMES)
    sources = [file for room in ("slipway/pipeline", "service") for file in (checkout / room).rglob("*.py")]
    for file in sources:
        file.write_text(commented(file.read_text()))
    again = told(checkout, toy_home, "build", *models, "--variant", "fp32")
    assert [each["built"] for each in again] == [False] * len(NAMES)
    assert [each["digest"] for each in again] == [each["digest"] for each in first]
    judge = checkout / "slipway" / "pipeline" / "judge.py"
    judge.write_text(f"{judge.read_text()}\nSTRICTER = True\n")
    assert [told(checkout, toy_home, "describe", each, "--variant", "fp32")[0]["digest"] for each in models] == [
        None
    ] * 5
    (rebuilt,) = told(checkout, toy_home, "build", models[0], "--variant", "fp32")
    assert rebuilt["built"] and rebuilt["inputsKey"] != first[0]["inputsKey"]
