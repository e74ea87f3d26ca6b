"""Looks for what a stack may have left in its Google Cloud project, by its label. It removes nothing."""

from __future__ import annotations

import json
import subprocess

from slipway.infra.config.base import PROJECT
from slipway.infra.config.stack import StackConfig
from slipway.infra.names import IDENTITY_LABEL
from slipway.infra.platforms.answers import Swept, whose
from slipway.infra.platforms.gcp.config import GcpConfig
from slipway.infra.workload.names import STACK, stack_label

# What production retains, and the key that Google deletes in no environment, by a part of their types.
RETAINED = ("storage.googleapis.com/Bucket", "artifactregistry.googleapis.com/Repository")
KEYS = "cloudkms.googleapis.com/"


def sweep(stack: str, identity: str, config: StackConfig) -> Swept:
    """(What was looked at, what is there and should not be) after a destroy; asked of Cloud Asset Inventory, which may
    be some minutes behind. What takes no labels is not in its answer. What has another identity is left alone. If the
    stack's own is not known, everything found is reported."""
    label = stack_label(PROJECT, stack).lower().replace(".", "_")
    where = f"project {config.of(GcpConfig).project}, label {STACK}={label}"
    command = ["gcloud", "asset", "search-all-resources", f"--scope=projects/{config.of(GcpConfig).project}"]
    try:
        done = subprocess.run(
            [*command, f"--query=labels.{STACK}={label}", "--format=json"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        why = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1]
        return [], [f"{where} can't be looked at: {why}"]
    found = json.loads(done.stdout or "[]")
    looked, left = [f"{where}: {len(found) or 'nothing'} found"], []
    for each in sorted(found, key=lambda one: str(one["name"])):
        carried = str((each.get("labels") or {}).get(IDENTITY_LABEL, ""))
        if identity and carried != identity:
            looked.append(f"left alone, {whose(carried)}: {each['name']}")
        elif KEYS in each["assetType"]:
            looked.append(f"stays, as Google deletes none: {each['name']}")
        elif config.environment == "production" and each["assetType"] in RETAINED:
            looked.append(f"retained, as production does: {each['name']}")
        else:
            left.append(each["name"] if identity else f"{each['name']}, {whose(carried)}")
    return looked, left
