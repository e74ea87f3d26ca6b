"""Runs the whole program under Pulumi mocks and answers plain questions about what it declared."""

from __future__ import annotations

import json
import runpy
from collections import Counter
from typing import Any

import pulumi
from pulumi.runtime import mocks

from infra.config import ROOT

OUTPUTS: dict[str, dict[str, Any]] = {
    "pulumi-python:dynamic/slipway:ModelArtifact": {
        "digest": "sha256:" + "d" * 64,
        "artifactUri": "file:///store@sha256:" + "d" * 64,
        "variant": "fp32",
        "metric": {"name": "accuracy", "value": 0.97},
    },
    "pulumi-python:dynamic/slipway:LocalService": {"url": "http://127.0.0.1:3000"},
}


class Recorder(mocks.Mocks):
    """A double for the engine and every provider: it declares nothing and remembers all."""

    def __init__(self) -> None:
        self.declared: list[mocks.MockResourceArgs] = []
        self.outputs: dict[str, Any] = {}

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.declared.append(args)
        return f"{args.name}-id", {**args.inputs, **OUTPUTS[args.typ]}

    def call(self, args: mocks.MockCallArgs) -> dict[str, Any]:
        raise AssertionError(f"the program calls {args.token}")

    def counts(self) -> dict[str, int]:
        return dict(Counter(args.typ.split(":")[-1] for args in self.declared))

    def inputs_of(self, name: str, kind: str) -> dict[str, Any]:
        (found,) = (a.inputs for a in self.declared if a.name == name and a.typ.endswith(f":{kind}"))
        return {key: value for key, value in found.items() if key != "__provider"}


def run_program(stack: str = "test", **config: Any) -> Recorder:
    """Runs `__main__.py` to its end with the given configuration. Raises what it raises."""
    recorder = Recorder()
    values = {f"slipway:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}

    @pulumi.runtime.test
    def program() -> pulumi.Output[Any]:
        pulumi.runtime.set_all_config(values)
        declared = runpy.run_path(str(ROOT / "__main__.py"))["services"]
        return pulumi.Output.from_input(declared).apply(lambda known: recorder.outputs.update(services=known))

    pulumi.runtime.set_mocks(recorder, project="slipway", stack=stack, preview=False)
    program()
    return recorder
