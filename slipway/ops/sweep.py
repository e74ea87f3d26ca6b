"""Looks for what a stack may have left: processes, ports, files, objects in a cluster or a cloud, state."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

from slipway.infra.config.stack import StackConfig
from slipway.infra.errors import Unanswered
from slipway.infra.home import ROOT, home
from slipway.infra.platforms.answers import Swept
from slipway.infra.platforms.table import row_of
from slipway.ops.state.recover import backend_folder
from slipway.ops.state.settings import backend
from slipway.ops.state.tagged import tagged_resources
from slipway.pipeline.errors import PipelineError


def sweep_stack(stack: str, identity: str, config: StackConfig) -> Swept:
    """Removes what is left of a stack after its destroy: (what was looked at, what could not be removed). `identity`:
    what its state had; empty where that is not known.

    Another stack's services and state are left alone, and so are the caches, which any stack may use.
    """
    row = row_of(config)

    def tagged(label: str, provider: Mapping[str, Any]) -> list[tuple[str, str, str]]:
        assert row.cloud, "only clouds have tags"
        try:
            return tagged_resources(label, provider, row.cloud)
        except PipelineError as error:
            raise Unanswered(str(error)) from error

    looked, left = row.sweep(stack, identity, config, tagged)
    looked.append(_sweep_state(left))
    looked.append(f"caches kept in {home()}: environments, artifacts, engine, serving code, this machine's key")
    return looked, left


def _sweep_state(left: list[str]) -> str:
    """Removes the project's own backend folder once no stack is in it."""
    folder = backend_folder(backend())
    if folder is None:
        return "state: the backend is not on this machine, ask it with `pulumi stack ls`"
    stacks = sorted(path.stem for path in (folder / ".pulumi" / "stacks").glob("*/*.json"))
    if stacks:
        return f"state in {folder}: other stacks are in it, kept ({', '.join(stacks)})"
    if folder == ROOT / ".slipway" / "state":
        shutil.rmtree(folder, ignore_errors=True)
        left += [str(folder)] if folder.exists() else []
        return f"state in {folder}: no stack left, removed"
    return f"state in {folder}: no stack left"
