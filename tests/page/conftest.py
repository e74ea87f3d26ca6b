"""The page in a real browser, before servers with the models that come with the project: `make test-page`."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from slipway.infra.home import home

from slipway.ops.models.virtualenvs import environment
from tests.service.conftest import ROOT, Worker, access_file, listener, start

__all__ = ["access_file", "listener", "start"]

NEEDED = "SLIPWAY_NEEDS_BROWSER"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SIZES = {"wide": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """They need a driver that the other tests do without, so they are collected only when asked for by path."""
    return None if any("tests/page" in argument for argument in config.args) else True


@pytest.fixture(scope="session")
def browser():
    """Chromium without a window. Skips aloud where there is none, or fails where it is needed."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        reason = f"no {BROWSERS[0]} on PATH (Debian: apt install chromium)"
        pytest.fail(reason, pytrace=False) if NEEDED in os.environ else pytest.skip(reason)
    # Root's Chromium has no sandbox of its own; what it opens here is this project's page alone.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=path, args=options)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def models() -> dict[str, Path]:
    """Artifacts of three of the project's models; built where the user's store lacks them."""
    command = [sys.executable, "-m", "slipway.cli", "model", "build", "--json"]
    command += ["models/digits", "models/tumours", "models/language"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {each["name"]: Path(each["path"]) for each in map(json.loads, done.stdout.splitlines())}


@pytest.fixture
def page(browser):
    """Opens pages; each must go without an error, on the console or off it, unless it is told which."""
    contexts, errors = [], []

    def opened(worker: Worker, size: str = "wide", scheme: str = "light", **more):
        context = browser.new_context(viewport=SIZES[size], color_scheme=scheme, has_touch=size == "phone")
        contexts.append(context)
        found = context.new_page()
        found.on("pageerror", lambda error: errors.append(str(error)))
        found.on("console", lambda said: errors.append(said.text) if said.type in ("error", "warning") else None)
        found.goto(f"{worker.url}/ui")
        return found

    opened.errors = errors
    yield opened
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture(scope="session")
def held_out(tmp_path_factory) -> tuple[np.ndarray, np.ndarray]:
    """The digits that training never sees, and what they are."""
    file = tmp_path_factory.mktemp("digits") / "digits.npz"
    python = environment([ROOT / "models" / "digits" / "requirements.txt"], home() / "envs")
    code = "import sys, numpy, model; x, y = model.evaluation_data(); numpy.savez(sys.argv[1], x=x['image'], y=y)"
    subprocess.run([python, "-c", code, file], cwd=ROOT / "models" / "digits", check=True, capture_output=True)
    with np.load(file) as stored:
        return stored["x"], stored["y"]
