"""What a stack has exported, and what an update must not replace."""

from __future__ import annotations

import json
from typing import Any

from slipway.ops.state.preview import lost
from slipway.ops.state.pulumi import NoStack, pulumi, steps
from slipway.pipeline.errors import BadInput, PipelineError


def outputs(stack: str, missing_ok: bool = False) -> dict[str, Any]:
    """The stack's outputs. Raises PipelineError where there is no such stack, unless `missing_ok`."""
    try:
        outputs: dict[str, Any] = json.loads(pulumi("stack", "output", "--json", "--stack", stack))
    except PipelineError as error:
        if missing_ok:
            return {}
        if isinstance(error, NoStack):
            raise PipelineError(
                f"stack {stack} is not up: make up STACK={stack}, or name another with --stack"
            ) from None
        raise
    return outputs


def keep_data(stack: str) -> None:
    """Refuses an update that makes the stack production and replaces its data; later ones the engine refuses."""
    if found := lost(steps("preview", "--stack", stack, "--refresh=false")):
        raise BadInput("\n".join(f"{each.resource}: {each.message}" for each in found))
