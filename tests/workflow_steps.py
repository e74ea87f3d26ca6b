"""The steps of the workflows' jobs that change nothing: which ones a machine without GitHub runs, what stands in for
others, and which it does not run, and why."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from slipway.infra.home import ROOT

GITHUB = ROOT / ".github"
JOBS = (("check", "check"), ("preview", "preview"), ("preview", "comment"), ("drift", "drift"))
# By action: what a container has in its place.
STANDS_IN = {
    "actions/checkout": "a copy of the tracked files",
    "actions/setup-python": "Debian's Python, 3.11, as runners' 3.12 is not to be had",
    "pulumi/actions": "the engine of this machine, which `make setup` links",
}
# By action, or by what a step runs.
NOT_RUN = {
    "aws-actions/configure-aws-credentials": "logs in to AWS with a token of GitHub's",
    "google-github-actions/auth": "logs in to Google with a token of GitHub's",
    "google-github-actions/setup-gcloud": "Google's SDK, for who is logged in",
    "aws ecr get-login-password": "needs the login to AWS",
    "aws eks update-kubeconfig": "needs the login to AWS",
    "gcloud auth configure-docker": "needs the login to Google",
    "actions/upload-artifact": "GitHub keeps it",
    "actions/download-artifact": "GitHub keeps it",
    "gh pr comment": "writes to GitHub",
    "make test": "runs what runs this",
}


@dataclass(frozen=True, kw_only=True)
class Step:
    """`job`: `workflow.job`. `what`: the action, or the first line of the script. `script`, `shell`, `environment`: of
    one that is run. `instead`: what stands in for it; `why`: it is not run."""

    job: str
    what: str
    script: str = ""
    shell: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    instead: str = ""
    why: str = ""


def steps(workflow: str, job: str, values: Mapping[str, str]) -> Iterator[Step]:
    """Of a job, those of our own action among them. `values`: of GitHub's expressions. Raises KeyError for a step that
    nobody has said anything about, and for an expression without a value."""
    found = yaml.safe_load((GITHUB / "workflows" / f"{workflow}.yml").read_text())["jobs"][job]
    yield from _steps(f"{workflow}.{job}", found["steps"], found.get("env", {}), values)


def _steps(
    job: str, listed: list[dict[str, Any]], environment: Mapping[str, str], values: Mapping[str, str]
) -> Iterator[Step]:
    for each in listed:
        action = str(each.get("uses", "")).partition("@")[0]
        if action.startswith("./"):
            own = yaml.safe_load((ROOT / action / "action.yml").read_text())
            given = {f"inputs.{name}": about["default"] for name, about in own["inputs"].items()}
            yield from _steps(job, own["runs"]["steps"], environment, {**values, **given})
        elif action in STANDS_IN:
            yield Step(job=job, what=action, instead=STANDS_IN[action])
        elif action:
            yield Step(job=job, what=action, why=NOT_RUN[action])
        else:
            script = str(each["run"])
            what = script.strip().splitlines()[0]
            if why := next((why for told, why in NOT_RUN.items() if told in script), ""):
                yield Step(job=job, what=what, why=why)
                continue
            told = {key: _filled(str(value), values) for key, value in {**environment, **each.get("env", {})}.items()}
            # As GitHub starts them: docs.github.com, "defaults.run.shell".
            shell = ("bash", "--noprofile", "--norc", "-eo", "pipefail") if each.get("shell") else ("bash", "-e")
            yield Step(job=job, what=what, script=script, shell=shell, environment=told)


def _filled(text: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\$\{\{ *([\w.-]+) *\}\}", lambda match: values[match[1]], text)
