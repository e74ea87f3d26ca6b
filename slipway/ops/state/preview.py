"""Runs `pulumi preview` under the policy pack, and reads what it says: steps, violations, errors."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slipway.infra.home import ROOT
from slipway.infra.protection import PRODUCTION, RELEASED
from slipway.ops.state.pulumi import short
from slipway.pipeline.errors import PipelineError

POLICY = ROOT / "policy"
SAME = ("same", "read", "refresh")
STACK = "pulumi:pulumi:Stack"
REPLACED = ("replace", "create-replacement", "delete-replaced")


@dataclass(frozen=True)
class Violation:
    """A policy that a resource breaks. `level`: mandatory or advisory."""

    policy: str
    resource: str
    level: str
    message: str


@dataclass(frozen=True)
class Preview:
    """What a preview would do. `config`: as the engine knows it; `errors`: why it failed, empty where it did not;
    `warnings`: what to look at."""

    steps: Sequence[Mapping[str, Any]] = ()
    violations: Sequence[Violation] = ()
    errors: Sequence[str] = ()
    warnings: Sequence[str] = ()
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def changes(self) -> list[Mapping[str, Any]]:
        return [each for each in self.steps if each["op"] not in SAME]

    @property
    def blocking(self) -> list[Violation]:
        return [each for each in self.violations if each.level == "mandatory"]


def policy_flags(stack: str) -> list[str]:
    """`--policy-pack` and its configuration: config.<stack>.json where there is one, else config.json."""
    own = POLICY / f"config.{stack}.json"
    return ["--policy-pack", str(POLICY), "--policy-pack-config", str(own if own.exists() else POLICY / "config.json")]


def run_preview(stack: str, *, reading: bool = True) -> Preview:
    """Previews the stack of the current folder. `reading`: what the clouds have, first; without it the state counts,
    and no right to read is needed (docs/adr/0035).

    Raises:
        PipelineError: the engine says nothing that can be read.
    """
    with tempfile.TemporaryDirectory() as folder:
        events = Path(folder, "events")
        command = ["pulumi", "--non-interactive", "preview", "--stack", stack, "--json", "--show-sames"]
        command += [] if reading else ["--refresh=false"]
        done = subprocess.run(
            [*command, "--event-log", str(events), *policy_flags(stack)],
            # Without it the engine does not know --event-log, and its JSON does not tell of policies.
            env={**os.environ, "PULUMI_DEBUG_COMMANDS": "true"},
            capture_output=True, text=True,
        )  # fmt: skip
        told = [json.loads(line) for line in events.read_text().splitlines() if line] if events.exists() else []
    return read_preview(done.stdout, told, done.stderr)


def read_preview(digest: str, events: Sequence[Mapping[str, Any]], said: str = "") -> Preview:
    """From the digest of `pulumi preview --json`, the engine's events, and what else it said."""
    start = digest.find("{")
    try:
        content = json.loads(digest[start:]) if start >= 0 else {}
    except ValueError:
        content = {}
    if not content:
        raise PipelineError(f"pulumi preview: {(said or digest).strip()[-2000:] or 'it said nothing'}")
    errors, warnings = (_said(content, severity) for severity in ("error", "warning"))
    # Of what went wrong these only say that something did.
    if telling := [each for each in errors if not each.startswith(("preview failed", "an unhandled error occurred"))]:
        errors = telling
    elif any("policyEvent" in each for each in events):
        errors = []
    steps = content.get("steps") or []
    broken = [_violation(each["policyEvent"]) for each in events if "policyEvent" in each]
    return Preview(
        steps=steps,
        violations=[*broken, *lost(steps)],
        errors=errors,
        warnings=warnings,
        config=content.get("config") or {},
    )


def lost(steps: Sequence[Mapping[str, Any]]) -> list[Violation]:
    """What the program protects from now on and would replace in the same update.

    The engine refuses to replace what is protected in the state as well; of a stack that becomes production only this
    update records it. What is production and not protected was released for it. A policy sees no state and no steps,
    so it can't tell.
    """
    if any(_environment(each.get("oldState")) in (PRODUCTION, RELEASED) for each in steps):
        return []
    replaced = [each for each in steps if each["op"] in REPLACED]
    named = {short(each["urn"]) for each in replaced if (each.get("newState") or {}).get("protect")}
    said = "belongs to production and would be replaced: change nothing else in the update that first protects it"
    return [Violation("protected", name, "mandatory", said) for name in sorted(named)]


def _environment(stack: Mapping[str, Any] | None) -> Any:
    """As the last update exported it; None of what is no stack."""
    return (stack.get("outputs") or {}).get("environment") if stack and stack["type"] == STACK else None


def _violation(event: Mapping[str, Any]) -> Violation:
    urn = str(event["resourceUrn"])
    message = str(event["message"]).strip().splitlines()[-1].removeprefix(f"{urn.rsplit('::', 1)[-1]}: ")
    return Violation(event["policyName"], short(urn), event["enforcementLevel"], message)


def _said(content: Mapping[str, Any], severity: str) -> list[str]:
    found = [each["message"].strip() for each in content.get("diagnostics") or () if each.get("severity") == severity]
    return [each.removeprefix(f"{severity}: ") for each in found]
