"""Evaluates CEL, in an environment of its own."""

import json
import subprocess

from slipway.infra.home import ROOT, home

from slipway.ops.models.virtualenvs import environment

# Reads [[expression], context], answers what each is; null for one that fails.
ASK = """
import json, sys
import cel

def value(expression, context):
    try:
        return cel.evaluate(expression, context)
    except Exception:
        return None

expressions, context = json.load(sys.stdin)
print(json.dumps([value(each, context) for each in expressions]))
"""


def evaluated(expressions, context):
    """What the expressions are; None for one that fails, as of a claim that is not there."""
    python = environment([ROOT / "tools" / "kubernetes-validate.txt"], home() / "envs")
    done = subprocess.run(
        [python, "-c", ASK], input=json.dumps([expressions, context]), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)
