"""Asks Cloudsplaining, in an environment of its own, what is wrong with IAM policies."""

import json
import subprocess
import sys

from infra.config import ROOT

# Reads {name: policy} on standard input, answers {name: {finding: [actions]}} for those with findings.
ASK = """
import json, sys
from cloudsplaining.scan.policy_document import PolicyDocument

found = {}
for name, policy in json.load(sys.stdin).items():
    document = PolicyDocument(policy)
    kinds = {
        "privilege escalation": document.allows_privilege_escalation,
        "grants without a resource": document.permissions_management_without_constraints,
        "writes without a resource": document.write_actions_without_constraints,
        "reads data without a resource": document.allows_data_exfiltration_actions,
        "whole services": document.service_wildcard,
        "credentials": document.credentials_exposure,
    }
    if any(kinds.values()):
        found[name] = {kind: actions for kind, actions in kinds.items() if actions}
print(json.dumps(found))
"""


def findings(policies):
    """What is wrong, by the name of the policy."""
    lock = str(ROOT / "tools" / "iam.txt")
    command = [sys.executable, "-m", "cli", "env", lock]
    python = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    done = subprocess.run(
        [python, "-W", "ignore", "-c", ASK], input=json.dumps(policies), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
