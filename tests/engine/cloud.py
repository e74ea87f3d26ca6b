"""A cloud's worked example on the real engine, with stand-ins for the clouds."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import yaml
from slipway.infra.home import ROOT

from slipway.simulator.throwaway import Throwaway


class CloudStack(Throwaway):
    """The stack of Pulumi.<name>.yaml in a throw-away checkout, or of `config`. With `image` its services have that
    one, and none is built."""

    def __init__(self, folder: Path, name: str, image: str, config: dict[str, Any] | None = None) -> None:
        super().__init__(folder, ROOT, name)
        self._image = image
        if config:
            self.file.write_text(yaml.safe_dump({"config": config}))

    def __enter__(self) -> Self:
        super().__enter__()
        if self._image:
            self.edit(lambda config: [each.update(image=self._image.format(name)) for name, each in services(config)])
        return self

    def edit(self, change: Callable[[dict[str, Any]], object]) -> str:
        """Changes the stack's configuration; returns its text as it was."""
        before = self.file.read_text()
        content = yaml.safe_load(before)
        change(content["config"])
        self.file.write_text(yaml.safe_dump(content))
        return before

    @property
    def file(self) -> Path:
        return self.program / f"Pulumi.{self.stack}.yaml"

    def planned(self, change: Callable[[dict[str, Any]], object]) -> dict[str, str]:
        """{`Kind name`: operation} that a change of the configuration would do, but for what stays; takes it back."""
        before = self.edit(change)
        said = self.pulumi("preview", "--stack", self.stack, "--json")
        self.file.write_text(before)
        steps = json.loads(said[said.index("{") :])["steps"]
        return {
            f"{each['urn'].split('::')[-2].split(':')[-1]} {each['urn'].split('::')[-1]}": each["op"]
            for each in steps
            if each["op"] not in ("same", "read", "refresh")
        }

    def drifted(self, kind: str, values: dict[str, Any]) -> str:
        """What `slipway drift` says when somebody has changed the one resource of that type by hand; mends it."""
        (held,) = [each for each in self.books.all() if each["type"] == kind]
        self.books.put({**held, "inputs": {**held["inputs"], **values}, "outputs": {**held["outputs"], **values}})
        said = self.slipway("drift", fails=True)
        self.books.put(held)
        return said

    def destroyed(self) -> dict[str, int]:
        """Takes the stack down; {`Kind name`: its place in the order}."""
        lines = self.destroy().splitlines()
        gone = [line.split() for line in lines if " deleted" in line and line.lstrip().startswith("-")]
        return {f"{words[1].rsplit(':', 1)[-1]} {words[2]}": at for at, words in enumerate(gone) if len(words) > 3}


def services(config: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return list(config["slipway:services"].items())
