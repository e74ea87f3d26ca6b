"""What a stand-in cloud is like: account, zones, quotas, answers of functions, faults. Read from a YAML file."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from typing import Any

import yaml

from slipway.simulator.faults import CloudError, Fault

DEFAULT = Path(__file__).with_name("scenario.yaml")
TOKEN = re.compile(r"{(\w+)}")


class Scenario:
    """A scenario file. SLIPWAY_FAULT=kind@k adds a fault to it, SLIPWAY_DEPLOYS=stack names who deploys."""

    def __init__(self, file: Path | None = None) -> None:
        self.values: dict[str, Any] = yaml.safe_load((file or DEFAULT).read_text())
        self.faults = [Fault.load(row) for row in self.values["faults"]]
        if wanted := os.environ.get("SLIPWAY_FAULT"):
            self.faults.append(Fault.parse(wanted))
        if stack := os.environ.get("SLIPWAY_DEPLOYS"):
            self.values["deploys"] = stack

    def place(self, package: str) -> dict[str, Any]:
        """Account, project and region of a package's cloud."""
        region = self.values["region"].get(package, "")
        plain = {key: value for key, value in self.values.items() if isinstance(value, str)}
        return {**plain, "region": region, "location": region}

    def answer(self, token: str, args: dict[str, Any]) -> dict[str, Any]:
        """What a function returns. Raises CloudError for one that the scenario does not answer."""
        if token not in self.values["functions"]:
            raise CloudError(f"{token}: the scenario has no answer; add one under `functions`")
        filled: dict[str, Any] = fill(self.values["functions"][token], {**self.place(token.split(":")[0]), **args})
        return {**args, **filled}


def fill(template: Any, values: dict[str, Any]) -> Any:
    """Puts values, or random digits for {hexN}, {digitsN} and {octet}, into every text of a nested template."""
    if isinstance(template, dict):
        return {key: fill(each, values) for key, each in template.items()}
    if isinstance(template, list):
        return [fill(each, values) for each in template]
    if not isinstance(template, str):
        return template
    return TOKEN.sub(lambda found: _value(found[1], values), template)


def _value(name: str, values: dict[str, Any]) -> str:
    if values.get(name) is not None:
        value = values[name]
        return str(int(value) if isinstance(value, float) and value.is_integer() else value)
    kind, length = re.fullmatch(r"(\D+)(\d*)", name).groups()  # type: ignore[union-attr]
    if kind == "hex":
        return secrets.token_hex(16)[: int(length)]
    if kind == "digits":
        return "".join(secrets.choice("0123456789") for _ in range(int(length)))
    if kind == "octet":
        return str(1 + secrets.randbelow(254))
    return ""
