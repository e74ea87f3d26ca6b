"""The comment on a pull request, rendered from the real engine's previews. What they look like is kept in docs/preview.

SLIPWAY_WRITE_DOCS=1 writes those files anew.
"""

import os
import re
import subprocess
import sys

import pytest
from slipway.infra.home import ROOT, home

from slipway.ops.models.refs import PIPELINE_LOCK
from slipway.ops.models.virtualenvs import environment
from slipway.simulator.throwaway import SECONDS, Throwaway
from tests.cli.conftest import MODEL, SETTINGS
from tests.cli.test_gate import LOOSE, WORSE

pytestmark = pytest.mark.engine

DOCS = ROOT / "docs" / "preview"
BLOCKED = 3


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Models, and a store and caches of their own; environments are shared, as they are costly."""
    place = tmp_path_factory.mktemp("comment")
    environment([PIPELINE_LOCK], home() / "envs")
    (place / "home").mkdir()
    (place / "home" / "envs").symlink_to(home() / "envs")
    for name, change, settings in (("serving", ("", ""), SETTINGS), ("better", ("(1, 400)", "(7, 600)"), SETTINGS),
                                   ("worse", WORSE, LOOSE)):  # fmt: skip
        folder = place / "models" / name / "toy"
        folder.mkdir(parents=True)
        (folder / "model.py").write_text(MODEL.replace(*change) if change[0] else MODEL)
        (folder / "model.yaml").write_text(settings)
    return place


@pytest.fixture(scope="module")
def stack(place):
    """The example, up with its first model."""
    with Throwaway(place / "stack", ROOT / "tests" / "comment" / "program") as stack:
        stack.environment |= {"SLIPWAY_HOME": str(place / "home")}
        build(stack, place / "models" / "serving" / "toy")
        configure(stack, model=place / "models" / "serving" / "toy")
        stack.up()
        yield stack


def slipway(stack, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "slipway.cli", *map(str, arguments)],
        cwd=stack.program, env=stack.environment, capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip


def build(stack, folder, *options):
    done = slipway(stack, "model", "build", folder, *options)
    assert done.returncode == 0, done.stderr
    return done


def configure(stack, **values):
    for key, value in values.items():
        stack.pulumi("config", "set", f"slipway:{key}", str(value), "--stack", stack.stack)


def comment(stack, name, *options, code=0):
    """What `slipway comment` writes, with this machine's paths and this run's figures left out of the kept copy."""
    done = slipway(stack, "comment", "--stack", stack.stack, *options)
    assert done.returncode == code, done.stdout + done.stderr
    if os.environ.get("SLIPWAY_WRITE_DOCS"):
        DOCS.mkdir(exist_ok=True)
        (DOCS / f"{name}.md").write_text(done.stdout)
    kept = (DOCS / f"{name}.md").read_text()
    assert shape(kept) == shape(done.stdout)
    return done.stdout


def shape(text):
    """A comment without what a machine measures."""
    return re.sub(r"^\| (\*\*)?(fp32|int8|pruned).*|[-+]?\d[\d.,]*|(?i:measured on) .*", "#", text, flags=re.M)


def test_no_change_is_said_in_one_line_with_the_price_that_stays(stack):
    said = comment(stack, "no-change")
    assert said.startswith("## `example`: no change\n")
    assert "| most | 1,252.32 | 1,252.32 | +0.00 |" in said


def test_a_new_model_shows_its_variants_and_what_predictions_cost(stack, place):
    build(stack, place / "models" / "better" / "toy")
    configure(stack, model=place / "models" / "better" / "toy")
    said = comment(stack, "new-model")
    assert said.startswith("## `example`: ~1\n")
    assert "| ~ | ModelArtifact | digits |" in said
    assert "1,000 predictions of digits: unmeasured (measured on " in said
    assert "| **" in said
    assert "chosen" in said


def test_the_plots_lie_beside_a_comment_that_is_written_to_a_file_and_links_to_them(stack, tmp_path):
    options = ["--out", tmp_path / "comment.md", "--plots", "https://ci.example.org/runs/1#artifacts"]
    assert slipway(stack, "comment", "--stack", stack.stack, *options).returncode == 0
    assert (tmp_path / "digits.png").read_bytes().startswith(b"\x89PNG")
    assert "[Plot of the variants](https://ci.example.org/runs/1#artifacts)" in (tmp_path / "comment.md").read_text()


def test_a_worse_model_is_blocked_with_its_figures(stack, place):
    serving = next(each for each in stack.resources() if each["type"].endswith("ModelArtifact"))["outputs"]
    options = ["--in-stack", "--serving", serving["artifactUri"]]  # as slipway stack build does
    refused = slipway(stack, "model", "build", place / "models" / "worse" / "toy", *options)
    assert refused.returncode == BLOCKED
    (place / "refused").write_text(refused.stderr)
    options = ["--refused", place / "refused", "--model", place / "models" / "worse" / "toy"]
    said = comment(stack, "worse-model", *options, code=BLOCKED)
    assert said.startswith("## `example`: blocked\n")
    assert "> toy: its accuracy 0." in said
    assert "beyond the budget of 0.02" in said
    assert "acceptWorse: true for its service in the stack's file" in said and "--accept-worse" not in said


def test_a_bigger_pool_over_budget_is_blocked_with_the_difference(stack, place):
    configure(stack, model=place / "models" / "serving" / "toy", gpus=8)
    said = comment(stack, "over-budget", code=BLOCKED)
    assert said.startswith("## `example`: blocked\n")
    assert "> slipway:maxMonthlyUsd: the stack can cost 4,787 US dollars a month, more than 2,000" in said
    assert "| most | 1,252.32 | 4,786.95 | +3,534.62 |" in said


def test_a_broken_policy_is_blocked_by_name(stack):
    configure(stack, gpus=2, exposed="true")
    said = comment(stack, "policy-break", code=BLOCKED)
    assert said.startswith("## `example`: blocked by no-public-bucket, bucket-blocked\n")
    assert "| no-public-bucket | BucketPolicy models | **refused**: its policy allows everyone" in said
    assert "| - | BucketPublicAccessBlock | models |" in said
