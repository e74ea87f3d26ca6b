"""A choice against the artifact that serves now: worse beyond the budget or slower beyond noise is refused."""

import json
import re
from pathlib import Path
from typing import Any

from slipway.ops.models import stores
from slipway.ops.models.builds import Model
from slipway.ops.models.process import run_pipeline
from slipway.ops.models.refs import Promoted, lock_of, parse_ref
from slipway.ops.models.virtualenvs import environment
from slipway.ops.progress import report
from slipway.pipeline.errors import BadInput, PipelineError, Refused

# What takes a worse model all the same, where a command was typed and where a stack is brought up.
BY_HAND, IN_STACK = "--accept-worse", "acceptWorse: true for its service in the stack's file"


def gate(
    model: Model, serving: str, home: Path, accept_worse: bool, verbose: bool = False, remedy: str = BY_HAND
) -> dict[str, Any] | None:
    """The comparison, None where there is nothing to compare. Raises Refused naming figure, limit and distance."""
    digest = serving.rpartition("@")[2]
    if digest == model.digest:
        return None
    try:
        path = _path(serving, home)
    except PipelineError as error:
        return _told(model, {"problem": f"what serves now can't be compared: {error}"}, accept_worse, remedy)
    result = _by_report(model, path) if model.folder is None else compare(model, path, home, verbose)
    return _told(model, result, accept_worse, remedy) if result.get("problem") else result


def compare(model: Model, other: Path, home: Path, verbose: bool = False) -> dict[str, Any]:
    """Two artifacts side by side on the evaluation data of the first one's folder; found out once for each pair."""
    assert model.folder is not None and model.path is not None and model.digest is not None
    pair = f"{model.inputs_key}-{model.digest[-32:]}-{other.name[-32:]}"
    if noted := model.store.note("compared", pair, ("comparable", "problem")):
        return noted
    python = environment([lock_of(model.folder)], home / "envs")
    key, store = model.inputs_key, model.store
    with store.claim(key, lambda: None), store.staging(key) as work:
        options = ["--compare", str(model.path), str(other)]
        result: dict[str, Any] = run_pipeline(python, model.folder, work, home, *options, verbose=verbose)["comparison"]
        store.put_note("compared", pair, result)
    return result


def _told(model: Model, result: dict[str, Any], accept_worse: bool, remedy: str) -> dict[str, Any]:
    message = f"{model.name}: {result['problem']}"
    if not accept_worse:
        raise Refused(f"{message}; the artifact that serves now stays; {remedy} deploys this one all the same")
    report(f"{message}; accepted, as {remedy} says")
    return result


def _path(serving: str, home: Path) -> Path:
    """The folder of the serving artifact. Raises BadInput where it is damaged or not there."""
    if re.fullmatch(r"sha256:[0-9a-f]{64}", serving):
        store, digest = stores.local(home), serving
        found = digest if store.whole(digest) else None
    else:
        target = parse_ref(serving)
        if not isinstance(target, Promoted):
            raise BadInput(f"--serving takes sha256:<64 hex digits> or <store uri>@sha256:..., not {serving}")
        digest = target.digest
        store, found = stores.promoted(target, home)
    if found is None:
        raise BadInput(f"{digest} is damaged or not in its store")
    return store.path(found)


def _by_report(model: Model, other: Path) -> dict[str, Any]:
    """Promoted artifacts bring no data along: their reports are compared, where they tell of the same data."""
    ours, theirs = model.report(), json.loads((other / "report.json").read_bytes())
    same = ours["provenance"]["evaluationDataSha256"] == theirs.get("provenance", {}).get("evaluationDataSha256")
    if not same or ours["metric"]["name"] != theirs["metric"]["name"]:
        report(f"{model.name}: not compared with what serves now: judged on other data")
        return {"problem": None}
    new, old = (_served(report)["metric"] for report in (ours, theirs))
    drop = old - new if ours["metric"]["direction"] == "higher" else new - old
    budget = ours["metric"]["budget"]
    problem = f"its {ours['metric']['name']} {new:.4f} is worse than {old:.4f} by {drop:.4f}"
    return {"problem": f"{problem}, {drop - budget:.4f} beyond the budget of {budget:g}" if drop > budget else None}


def _served(report: dict[str, Any]) -> dict[str, Any]:
    return next(each for each in report["variants"] if each["name"] == report["choice"]["variant"])
