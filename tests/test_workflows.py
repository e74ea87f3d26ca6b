"""The workflows of pull requests, merges and schedules: pinned, no wider than they need, and right to two checkers."""

import re
import subprocess

import pytest
import yaml
from slipway.infra.home import ROOT, home

from slipway.ops.models.virtualenvs import environment
from tests.cluster.build import commands
from tests.cluster.cache import Unfit
from tests.workflow_steps import JOBS, STANDS_IN, steps

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
READY = GITHUB / "actions" / "ready" / "action.yml"
OURS = "./.github/actions/ready"
# Wrong to zizmor; and to actionlint, which knows no such event, and no such context there.
BAD = """
on: pull_request_target
jobs:
  a:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@v4
      - run: echo ${{ github.event.pull_request.title }}
"""
ODD = """
on: pull_requests
jobs:
  a:
    runs-on: ubuntu-24.04
    steps:
      - run: echo ${{ vers.STACK }}
"""


def pinned(text):
    """What a file uses, each at a commit with its version beside it."""
    used = [each for each in re.findall(r"uses: (\S+)(.*)", text) if each[0] != OURS]
    return used and all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action) and " # v" in after for action, after in used)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_pins_its_actions_and_asks_for_no_more_than_it_says_why(workflow):
    text = workflow.read_text()
    assert pinned(text)
    assert "pull_request_target" not in text
    content = yaml.safe_load(text)
    assert content["permissions"] in ({}, {"contents": "read"})
    for job in content["jobs"].values():
        assert job.get("timeout-minutes")
        writes = {key for key, value in job.get("permissions", {}).items() if value == "write"}
        # What may write to the repository runs no code of it.
        assert writes <= {"id-token"} or not any("checkout" in str(step.get("uses")) for step in job["steps"])


def test_what_the_workflows_share_pins_its_actions_and_is_given_inputs_that_it_has():
    assert pinned(READY.read_text())
    known = set(yaml.safe_load(READY.read_text())["inputs"])
    for workflow in WORKFLOWS:
        for job in yaml.safe_load(workflow.read_text())["jobs"].values():
            for step in (each for each in job["steps"] if each.get("uses") == OURS):
                assert step["with"].keys() <= known


def test_what_reaches_a_google_cluster_comes_from_googles_own_action_and_from_no_source_that_runners_lack():
    steps = yaml.safe_load(READY.read_text())["runs"]["steps"]
    (gcloud,) = [each for each in steps if "setup-gcloud@" in str(each.get("uses"))]
    assert gcloud["with"] == {"install_components": "gke-gcloud-auth-plugin"}
    login = next(at for at, each in enumerate(steps) if "google-github-actions/auth@" in str(each.get("uses")))
    used = next(at for at, each in enumerate(steps) if "gcloud container" in str(each.get("run")))
    assert login < steps.index(gcloud) < used
    assert not any("apt" in str(each.get("run")) for each in steps)


def test_a_job_with_a_token_for_the_clouds_runs_no_code_of_a_fork():
    for workflow in WORKFLOWS:
        content = yaml.safe_load(workflow.read_text())
        for name, job in content["jobs"].items():
            if "pull_request" in content[True] and "id-token" in job.get("permissions", {}):
                own = "head.repo.full_name == github.repository" in job["if"]
                assert own or job["if"] == "github.event_name == 'schedule'", f"{workflow.name} {name}"


def test_each_step_of_the_jobs_that_look_is_run_on_a_double_or_has_a_reason_not_to_be():
    """tests/cluster/test_runner.py runs them."""
    values = dict.fromkeys(
        ("vars.SLIPWAY_STACK", "vars.PULUMI_BACKEND_URL", "vars.SLIPWAY_STORE", "secrets.PULUMI_CONFIG_PASSPHRASE",
         "github.server_url", "github.repository", "github.run_id"), "x",
    )  # fmt: skip
    found = [step for workflow, job in JOBS for step in steps(workflow, job, values)]
    assert {each.what for each in found if each.instead} == STANDS_IN.keys()
    logins = {
        "aws-actions/configure-aws-credentials", "google-github-actions/auth", "google-github-actions/setup-gcloud",
        'account="$(aws sts get-caller-identity --query Account --output text)"',
        'aws eks update-kubeconfig --name "$CLUSTER"',
        'if [ "$PUSH" = true ]; then gcloud auth configure-docker --quiet "$REGION-docker.pkg.dev"; fi',
    }  # fmt: skip
    comment = 'gh pr comment "$NUMBER" --repo "$REPOSITORY" --body-file comment.md --edit-last --create-if-none'
    others = {"actions/upload-artifact", "actions/download-artifact", comment, "make test"}
    assert {each.what for each in found if each.why} == logins | others
    assert [f"{each.job}: {each.what}" for each in found if each.script] == [
        "check.check: make check",
        'preview.preview: make setup STACK="$STACK"',
        'preview.preview: export PATH="$PWD/.slipway/bin:$PWD/.venv/bin:$PATH" PYTHONPATH="$PWD"',
        'drift.drift: make setup STACK="$STACK"',
        'drift.drift: .venv/bin/slipway drift --stack "$STACK"',
    ]


def test_zizmor_finds_nothing_in_the_workflows_and_something_in_a_bad_one(tmp_path):
    zizmor = environment([ROOT / "tools" / "workflows.txt"], home() / "envs").parent / "zizmor"

    def check(path):
        return subprocess.run([zizmor, "--offline", "--no-progress", path], capture_output=True, text=True, timeout=60)

    clean = check(GITHUB)
    assert clean.returncode == 0, clean.stdout + clean.stderr
    (tmp_path / "bad.yml").write_text(BAD)
    found = check(tmp_path / "bad.yml")
    assert found.returncode != 0
    assert {"dangerous-triggers", "template-injection", "unpinned-uses"} <= set(
        re.findall(r"\[([a-z-]+)\]", found.stdout)
    )


def test_actionlint_finds_nothing_in_the_workflows_and_something_in_an_odd_one(tmp_path):
    """Built from its Go module, once for this machine. With shellcheck on PATH it reads the scripts as well."""
    try:
        actionlint = commands("actionlint") / "actionlint"
    except (Unfit, FileNotFoundError) as error:
        pytest.skip(f"no actionlint: {error}")
    clean = subprocess.run([actionlint, "-no-color", *WORKFLOWS], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert clean.returncode == 0, clean.stdout + clean.stderr
    (tmp_path / "odd.yml").write_text(ODD)
    odd = subprocess.run([actionlint, "-no-color", tmp_path / "odd.yml"], capture_output=True, text=True, timeout=60)
    assert odd.returncode == 1
    assert "unknown Webhook event" in odd.stdout and 'undefined variable "vers"' in odd.stdout
