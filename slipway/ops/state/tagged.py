"""Asks a cloud what carries a stack's tag or label, through the same plugin and credentials as the stack itself."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from slipway.ops.state.pulumi import pulumi

if TYPE_CHECKING:
    from slipway.infra.platforms.row import Cloud


def tagged_resources(stack: str, provider: Mapping[str, Any], cloud: Cloud) -> list[tuple[str, str]]:
    """(ARN or Google's name, logical name) of all that is marked as `project/stack`'s, asked with the provider's own
    settings.

    Raises:
        PipelineError: the cloud can't be asked.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "state").mkdir()
        (folder / "__main__.py").write_text(cloud.recovery.tagged)
        runtime = {"name": "python", "options": {"virtualenv": sys.prefix}}
        (folder / "Pulumi.yaml").write_text(yaml.safe_dump({"name": "slipway-lookup", "runtime": runtime}))
        settings = {
            f"{cloud.package}:{key}": value
            for key, value in provider.items()
            if isinstance(value, str) and key != "version"
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
