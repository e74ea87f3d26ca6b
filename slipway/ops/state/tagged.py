"""Asks a cloud what there is, through the same plugin and credentials as the stack itself."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import yaml

from slipway.ops.state.pulumi import program, pulumi

if TYPE_CHECKING:
    from slipway.infra.platforms.row import Cloud


def tagged_resources(stack: str, provider: Mapping[str, Any], cloud: Cloud) -> list[tuple[str, str, str]]:
    """(ARN or Google's name, logical name, identity or empty) of all that is marked as `project/stack`'s, asked with
    the provider's own settings.

    Raises:
        PipelineError: the cloud can't be asked.
    """
    found = ask_cloud(cloud.recovery.tagged, cloud.package, provider, {"SLIPWAY_STACK": stack})
    return [(arn, name, identity) for arn, name, identity in found]


def ask_cloud(text: str, package: str, provider: Mapping[str, Any], asked: Mapping[str, str]) -> Any:
    """What a Pulumi program of this text, which declares nothing, writes into $SLIPWAY_ANSWER, as JSON. `provider`:
    settings of the package's. `asked`: what it finds in its environment.

    Raises:
        PipelineError: the cloud can't be asked.
    """
    with program("slipway-lookup", text) as folder:
        (folder / "state").mkdir()
        settings = {
            f"{package}:{key}": value for key, value in provider.items() if isinstance(value, str) and key != "version"
        }
        (folder / "Pulumi.lookup.yaml").write_text(yaml.safe_dump({"config": settings}))
        answer = folder / "answer.json"
        environment = {
            **os.environ,
            "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "lookup",
            "SLIPWAY_ANSWER": str(answer),
            **asked,
        }
        pulumi("stack", "init", "lookup", cwd=folder, env=environment)
        pulumi("preview", "--stack", "lookup", cwd=folder, env=environment)
        return json.loads(answer.read_text())
