"""Runs the whole program under Pulumi mocks and answers plain questions about what it declared."""

from __future__ import annotations

import asyncio
import atexit
import json
import runpy
import warnings
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

import pulumi
from pulumi.runtime import mocks
from pulumi.runtime.settings import set_root_resource
from slipway.infra.home import ROOT

from slipway.simulator.books import Books
from slipway.simulator.checks import input_problems
from slipway.simulator.cloud import TABLES
from slipway.simulator.kube.values import plain
from slipway.simulator.provider import cloud_for
from slipway.simulator.scenario import Scenario
from slipway.simulator.sdk import resource_type

OUTPUTS: dict[str, dict[str, Any]] = {
    "pulumi-python:dynamic/slipway:ModelArtifact": {
        "digest": "sha256:" + "d" * 64,
        "artifactUri": "file:///store@sha256:" + "d" * 64,
        "variant": "fp32",
        "metric": {"name": "accuracy", "value": 0.97},
        "measured": {"startSeconds": 1.5, "memoryBytes": 50e6},
    },
    "pulumi-python:dynamic/slipway:ServiceImage": {"ref": "registry.example.org/team/digits@sha256:" + "1" * 64},
    "pulumi-python:dynamic/slipway:StoredModel": {"uri": "s3://b/models/d@sha256:" + "d" * 64, "size": 3 * 2**20 + 1},
    "pulumi-python:dynamic/slipway:Choices": {},
    "pulumi-python:dynamic/slipway:ClusterAccess": {},
    "pulumi-python:dynamic/slipway:RandomSecret": {"value": "a" * 64},
    "pulumi-python:dynamic/slipway:StackIdentity": {"value": "team-a-0123abcd"},
    "pulumi-python:dynamic/slipway:GrantsSettled": {},
    "pulumi-python:dynamic/slipway:NetworkLeftovers": {},
    "pulumi-python:dynamic/slipway:LocalService": {"url": "http://127.0.0.1:3000"},
    "pulumi-python:dynamic/slipway:PrometheusFiles": {},
}
# What Pulumi's mocks run on: left to themselves they make one and never close it.
LOOP = asyncio.new_event_loop()
atexit.register(LOOP.close)
CLOUDS = {file.stem for file in TABLES.glob("*.yaml")}


class Monitor(mocks.MockMonitor):
    """Keeps what resources are registered with: dependencies, protection, providers."""

    def RegisterResource(self, request: Any) -> Any:
        answer = super().RegisterResource(request)
        self.mocks.requests[answer.urn] = request  # type: ignore[attr-defined]
        return answer


class Recorder(mocks.Mocks):
    """A double for the engine and every provider: it declares nothing and remembers all.

    Clouds answer as the stand-ins do: inputs are checked against the SDK, outputs and functions come from their tables.
    """

    before: ClassVar[dict[str, Any]] = {}  # what the last update exported
    recorded: ClassVar[dict[str, Any]] = {}  # and its resources: {urn: {type, outputs}}

    def __init__(self) -> None:
        self.declared: list[mocks.MockResourceArgs] = []
        self.outputs: dict[str, Any] = {}
        self.scenario = Scenario()
        self.requests: dict[str, Any] = {}

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.declared.append(args)
        package = args.typ.split(":")[0]
        if package in CLOUDS:
            return self._in_cloud(package, args)
        if not args.custom or args.typ.startswith("pulumi:providers:"):
            return f"{args.name}-id", args.inputs
        return f"{args.name}-id", {**args.inputs, **OUTPUTS[args.typ]}

    def call(self, args: mocks.MockCallArgs) -> dict[str, Any]:
        if args.token == "pulumi:pulumi:readStackOutputs":
            return {"outputs": self.before}
        if args.token == "pulumi:pulumi:readStackResourceOutputs":
            return {"outputs": self.recorded}
        return self.scenario.answer(args.token, args.args)

    def of_type(self, kind: str) -> list[mocks.MockResourceArgs]:
        """All that was declared of a type, by the last part of its token (`Bucket`) or the whole of it."""
        return [args for args in self.declared if kind in (args.typ, args.typ.split(":")[-1])]

    def counts(self) -> dict[str, int]:
        return dict(Counter(args.typ.split(":")[-1] for args in self.declared))

    def inputs_of(self, name: str, kind: str) -> dict[str, Any]:
        (found,) = (a.inputs for a in self.of_type(kind) if a.name == name)
        return {key: value for key, value in found.items() if key != "__provider"}

    def request(self, kind: str, name: str) -> Any:
        """The registration of one resource: protect, retainOnDelete, ignoreChanges, ..."""
        (found,) = (each for each in self.requests.values() if each.name == name and each.type.split(":")[-1] == kind)
        return found

    def waits_for(self, kind: str, name: str) -> set[str]:
        """All that has to be there before a resource, near and far, as `Kind name`."""
        found: set[str] = set()
        waiting = list(self.request(kind, name).dependencies)
        while waiting:
            urn = waiting.pop()
            each = self.requests.get(urn)
            if each is None or (label := f"{each.type.split(':')[-1]} {each.name}") in found:
                continue
            found.add(label)
            waiting += [*each.dependencies, each.provider.rpartition("::")[0]]
        return found

    def _in_cloud(self, package: str, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        cloud = cloud_for(package, Books(Path("no-books")), self.scenario)
        assert cloud.row(args.typ) is not None, f"{args.typ} is not in tables/{package}.yaml"
        known = resource_type(args.typ)
        inputs = plain(args.inputs)
        found = [*(input_problems(inputs, known) if known else ()), *cloud.problems(args.typ, inputs)]
        problems = [f"{args.typ} {args.name}: {path} {why}" for path, why in found]
        assert not problems, "\n".join(problems)
        entry = cloud.entry(args.typ, cloud.with_name(args.typ, args.inputs, {}, args.name), args.name)
        return entry["id"], entry["outputs"]


def run_program(
    stack: str = "test",
    program: Path = ROOT / "__main__.py",
    settings: dict[str, str] | None = None,
    project: str = "slipway",
    **config: Any,
) -> Recorder:
    """Runs a program, ours by default, to its end. Raises what it raises.

    `config` is the project's own; `settings` those of providers, as {"aws:region": ...}.
    """
    recorder = Recorder()
    values = {f"slipway:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}

    @pulumi.runtime.test
    def ran() -> pulumi.Output[Any]:
        pulumi.runtime.set_all_config({**values, **(settings or {})})
        declared = runpy.run_path(str(program)).get("services", {})
        return pulumi.Output.from_input(declared).apply(lambda known: recorder.outputs.update(services=known))

    set_root_resource(None)  # type: ignore[arg-type]  # that of the run before has its transformations
    asyncio.set_event_loop(LOOP)  # a test before may have run a loop of its own, and left none
    pulumi.runtime.set_mocks(recorder, project=project, stack=stack, preview=False, monitor=Monitor(recorder))
    with warnings.catch_warnings():
        # The SDKs warn of their own deprecated modules when they load them; of deprecated arguments the checks tell.
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"pulumi_\w+")
        ran()
    return recorder
