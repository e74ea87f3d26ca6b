"""Asks a cloud what carries a stack's tag or label, through the same plugin and credentials as the stack itself."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from cli.engine import pulumi
from cli.importids import NAME_LABEL, NAME_TAG, STACK_LABEL, STACK_TAG

# Programs that declare nothing: they write [[name in the cloud, logical name], ...].
AWS = f"""
import json, os
import pulumi_aws as aws

filters = [{{"key": "{STACK_TAG}", "values": [os.environ["SLIPWAY_STACK"]]}}]
found = aws.resourcegroupstaggingapi.get_resources(tag_filters=filters).resource_tag_mapping_lists
with open(os.environ["SLIPWAY_ANSWER"], "w") as answer:
    json.dump([[each.resource_arn, each.tags.get("{NAME_TAG}", "")] for each in found], answer)
"""
# What Google makes up names for is Cloud Monitoring's, and the plugin has no function that lists it. The variable is
# the plugin's own, for who reaches Google by another name.
GCP = f"""
import json, os
from urllib.parse import urlencode
from urllib.request import Request, urlopen
import pulumi_gcp as gcp

base = os.environ.get("GOOGLE_MONITORING_CUSTOM_ENDPOINT", "https://monitoring.googleapis.com/").rstrip("/")
client, found = gcp.organizations.get_client_config(), []
for version, kind in (("v3", "alertPolicies"), ("v3", "notificationChannels"), ("v3", "uptimeCheckConfigs"),
                      ("v1", "dashboards")):
    page = {{}}
    while page is not None:
        url = f"{{base}}/{{version}}/projects/{{client.project}}/{{kind}}?{{urlencode(page)}}"
        asked = Request(url, headers={{"Authorization": f"Bearer {{client.access_token}}"}})
        with urlopen(asked, timeout=60) as response:
            answer = json.load(response)
        for each in answer.get(kind, []):
            labels = each.get("labels" if kind == "dashboards" else "userLabels", {{}})
            if labels.get("{STACK_LABEL}") == os.environ["SLIPWAY_STACK"].replace("/", "-").lower():
                found.append([each["name"], labels.get("{NAME_LABEL}", "")])
        page = {{"pageToken": answer["nextPageToken"]}} if answer.get("nextPageToken") else None
with open(os.environ["SLIPWAY_ANSWER"], "w") as answer:
    json.dump(found, answer)
"""
PROGRAMS = {"aws": AWS, "gcp": GCP}


def tagged_resources(stack: str, provider: dict[str, Any], package: str = "aws") -> list[tuple[str, str]]:
    """(ARN or Google's name, logical name) of all that is marked as `project/stack`'s, asked with the provider's own
    settings; of Google's only what has no name of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "state").mkdir()
        (folder / "__main__.py").write_text(PROGRAMS[package])
        runtime = {"name": "python", "options": {"virtualenv": sys.prefix}}
        (folder / "Pulumi.yaml").write_text(yaml.safe_dump({"name": "slipway-lookup", "runtime": runtime}))
        settings = {
            f"{package}:{key}": value for key, value in provider.items() if isinstance(value, str) and key != "version"
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
