"""Runs checkov, in an environment of its own, over the resources of a stack."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import yaml

from slipway.infra.home import ROOT
from slipway.simulator.tfplan import address, plan

ACCEPTED = Path(__file__).with_name("accepted.yaml")
# Of the other kinds checkov counts only those that it has something to say of.
WORKLOADS = ("Pod", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")


@dataclass(kw_only=True)
class Findings:
    """`failed`: (check, resource, what it demands). `uncounted`: resources that checkov did not look at."""

    passed: int = 0
    failed: list[tuple[str, str, str]] = field(default_factory=list)
    uncounted: list[str] = field(default_factory=list)

    @property
    def ids(self) -> set[str]:
        return {check for check, _, _ in self.failed}

    def accepted(self) -> dict[tuple[str, str], str]:
        """The reasons for which failed checks are taken as they are, by check and resource."""
        reasons: dict[str, dict[str, str]] = yaml.safe_load(ACCEPTED.read_text())
        return {
            (check, resource): reason
            for check, resource, _ in self.failed
            for pattern, reason in reasons.get(check, {}).items()
            if fnmatch(resource, pattern)
        }


def check(resources: list[dict[str, Any]]) -> Findings:
    """Checks what a state holds: cloud resources as a Terraform plan, Kubernetes objects as manifests."""
    findings = Findings()
    clouds = [each for each in resources if each["type"].startswith(("aws:", "gcp:"))]
    objects = [each["inputs"] for each in resources if each["type"].startswith("kubernetes:")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if clouds:
            (folder / "plan.json").write_text(json.dumps(plan(clouds)))
            report = _run(folder / "plan.json", "terraform_plan", findings)
            if report["summary"]["resource_count"] != len(clouds):
                seen = {each["resource"] for kind in report["results"].values() for each in kind if "resource" in each}
                findings.uncounted += sorted({address(each) for each in clouds} - seen)
        if objects:
            (folder / "objects.yaml").write_text(yaml.safe_dump_all(objects))
            report = _run(folder / "objects.yaml", "kubernetes", findings)
            workloads = sum(each["kind"] in WORKLOADS for each in objects)
            if (count := report["summary"]["resource_count"]) < workloads:
                findings.uncounted.append(f"{workloads - count} Kubernetes workloads")
    return findings


def _run(file: Path, framework: str, findings: Findings) -> dict[str, Any]:
    command = [_python(), "-m", "checkov.main", "--file", str(file), "--framework", framework]
    done = subprocess.run(
        [*command, "--skip-download", "--quiet", "--compact", "--output", "json"], capture_output=True, text=True
    )
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise RuntimeError(f"checkov gave no report: {(done.stderr or done.stdout)[-2000:]}") from None
    if "summary" not in report:  # nothing in it that checkov has a check for
        return {"summary": report, "results": {}}
    results = report["results"]
    if report["summary"]["parsing_errors"]:
        raise RuntimeError(f"checkov can't read {file.name}: {results['parsing_errors']}")
    findings.passed += report["summary"]["passed"]
    findings.failed += [(each["check_id"], each["resource"], each["check_name"]) for each in results["failed_checks"]]
    return report


def _python() -> str:
    command = [sys.executable, "-m", "slipway.cli", "venv", str(ROOT / "tools" / "checkov.txt")]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
