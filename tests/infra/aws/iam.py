"""Asks Cloudsplaining, in an environment of its own, what is wrong with IAM policies."""

import json
import subprocess
import sys

from slipway.infra.home import ROOT

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


# Reads [action] on standard input, answers those that AWS does not have.
KNOWN = """
import json, sys
from policy_sentry.querying.actions import get_action_data

def has(action):
    service, _, name = action.partition(":")
    return bool(get_action_data(service, name))

print(json.dumps([each for each in json.load(sys.stdin) if not has(each)]))
"""


# Reads [action], answers {action: [{arn, keys}]}: the resources and condition keys by which AWS decides.
DECIDES = """
import json, sys
from policy_sentry.querying.actions import get_action_data

def decides(action):
    service, _, name = action.partition(":")
    rows = (get_action_data(service, name) or {}).get(service, [])
    return [{"arn": each["resource_arn_format"], "keys": each["condition_keys"]} for each in rows]

print(json.dumps({each: decides(each) for each in json.load(sys.stdin)}))
"""


# Reads [name of AWS's own policy] on standard input, answers the actions that they allow, with wildcards.
MANAGED = """
import json, sys
from moto.iam.aws_managed_policies import aws_managed_policies_data

known, found = json.loads(aws_managed_policies_data), []
for name in json.load(sys.stdin):
    for statement in known[name]["Document"]["Statement"]:
        assert statement["Effect"] == "Allow"
        found += statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
print(json.dumps(found))
"""


def findings(policies):
    """What is wrong, by the name of the policy."""
    return _ask(ASK, policies)


def unknown_actions(actions):
    """Those that are not in AWS's own list."""
    return _ask(KNOWN, actions)


def known_actions(actions):
    """{action: [{arn, keys}]}: by which resources and condition keys AWS decides; empty for one that it lacks."""
    return _ask(DECIDES, actions)


def managed(names):
    """The actions that AWS's own policies of these names allow, as moto has them."""
    return _ask(MANAGED, names, ROOT / "tests" / "cli" / "clouds.txt")


def _ask(program, question, lock=ROOT / "tools" / "iam.txt"):
    command = [sys.executable, "-m", "slipway.cli", "venv", str(lock)]
    python = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    done = subprocess.run(
        [python, "-W", "ignore", "-c", program], input=json.dumps(question), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
