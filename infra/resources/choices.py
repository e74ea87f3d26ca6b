"""What a cloud answered once and resources follow from: it stays until the configuration that asked changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult
from slipway.infra.recorded import recorded_resources

TYPE = "pulumi-python:dynamic/slipway:Choices"


class ChoicesProvider(ResourceProvider):
    """Keeps what it is given. Stateless, so it serializes by name alone."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult("chosen", {"made": props["made"]})

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        return DiffResult(changes=olds.get("made") != news.get("made"))

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        return UpdateResult({"made": news["made"]})


class Choices:
    """The choices of a stack, kept in its state: {name: {asked, value}}, both of JSON.

    A cloud's answers change by themselves: a zone more has a GPU, a version is newer. A stack whose
    configuration is the same must not change with them.
    """

    def __init__(self) -> None:
        found = [each["outputs"] for each in recorded_resources() if each["type"] == TYPE]
        self._before: dict[str, Any] = json.loads(found[0]["made"]) if found else {}
        self._made: dict[str, Any] = {}

    def once(self, name: str, asked: Any, choose: Callable[[], Any]) -> Any:
        """What was chosen the last time, where the same was `asked`; else what `choose` returns."""
        asked = json.loads(json.dumps(asked))
        before = self._before.get(name)
        value = before["value"] if before and before["asked"] == asked else json.loads(json.dumps(choose()))
        self._made[name] = {"asked": asked, "value": value}
        return value

    def keep(self) -> pulumi.Resource:
        """Declares the resource that remembers; after the last choice, before what follows from one."""
        return _Choices("choices", json.dumps(self._made, sort_keys=True))


class _Choices(Resource, module="slipway", name="Choices"):
    made: pulumi.Output[str]

    def __init__(self, name: str, made: str) -> None:
        super().__init__(ChoicesProvider(), name, {"made": made})
