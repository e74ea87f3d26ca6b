"""Takes resources that are there into a stack's state, and asks the cloud's tagging API what is there."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cli.engine import export_state, pulumi
from cli.importids import NAME_TAG, STACK_TAG

# Asked through the same plugin and credentials as the stack itself: by a program that declares nothing.
ASK = f"""
import json, os
import pulumi_aws as aws

filters = [{{"key": "{STACK_TAG}", "values": [os.environ["SLIPWAY_STACK"]]}}]
found = aws.resourcegroupstaggingapi.get_resources(tag_filters=filters).resource_tag_mapping_lists
with open(os.environ["SLIPWAY_ANSWER"], "w") as answer:
    json.dump([[each.resource_arn, each.tags.get("{NAME_TAG}", "")] for each in found], answer)
"""

KEPT = (
    "urn", "custom", "type", "inputs", "parent", "provider", "dependencies", "propertyDependencies", "protect",
    "additionalSecretOutputs", "customTimeouts", "retainOnDelete", "deletedWith", "aliases", "ignoreChanges",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Found:
    """A resource as the state would have it, and the id under which it is looked for."""

    record: dict[str, Any]
    id: str


def adopt(stack: str, exported: dict[str, Any], found: list[Found], others: list[str]) -> list[str]:
    """Writes the state without pending creates and with the found resources, then reads these and `others` anew.

    Reading drops what is not there after all. The URNs of `found` that stayed.
    """
    deployment = exported["deployment"]
    have = {each["urn"] for each in deployment.get("resources") or []}
    fresh = [each for each in found if each.record["urn"] not in have]
    for each in fresh:
        record = {key: value for key, value in each.record.items() if key in KEPT}
        record["dependencies"] = [urn for urn in record.get("dependencies") or [] if urn in have]
        record["propertyDependencies"] = {
            key: [urn for urn in urns or [] if urn in have]
            for key, urns in (record.get("propertyDependencies") or {}).items()
        }
        deployment["resources"].append({**record, "id": each.id, "outputs": {}})
        have.add(each.record["urn"])
    pending = deployment.get("pending_operations") or []
    deployment["pending_operations"] = [each for each in pending if each["type"] != "creating"]
    pulumi("stack", "import", "--stack", stack, stdin=json.dumps(exported))
    targets = [*(each.record["urn"] for each in fresh), *(urn for urn in others if urn in have)]
    if targets:
        named = [argument for urn in targets for argument in ("--target", urn)]
        pulumi("refresh", "--stack", stack, "--yes", "--skip-preview", "--clear-pending-creates", *named)
    exported = export_state(stack)
    left = {each["urn"] for each in exported["deployment"].get("resources") or []}
    return [each.record["urn"] for each in found if each.record["urn"] in left]


def tagged_resources(stack: str, provider: dict[str, Any]) -> list[tuple[str, str]]:
    """(ARN, logical name) of all that carries the tag of `project/stack`, asked with the provider's own settings."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "state").mkdir()
        (folder / "__main__.py").write_text(ASK)
        runtime = {"name": "python", "options": {"virtualenv": sys.prefix}}
        (folder / "Pulumi.yaml").write_text(yaml.safe_dump({"name": "slipway-lookup", "runtime": runtime}))
        settings = {
            f"aws:{key}": value for key, value in provider.items() if isinstance(value, str) and key != "version"
        }
        (folder / "Pulumi.lookup.yaml").write_text(yaml.safe_dump({"config": settings}))
        answer = folder / "answer.json"
        environment = {
            **os.environ,
            "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "lookup",
            "SLIPWAY_STACK": stack,
            "SLIPWAY_ANSWER": str(answer),
        }
        pulumi("stack", "init", "lookup", cwd=folder, env=environment)
        pulumi("preview", "--stack", "lookup", cwd=folder, env=environment)
        return [(arn, tag) for arn, tag in json.loads(answer.read_text())]
