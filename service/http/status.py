"""/status: what a service knows of itself, for `slipway doctor`. It tells no input, no key and no path."""

import math
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from slipway.service.artifact import ArtifactError
from slipway.service.telemetry.feedback import accuracy, recalls

if TYPE_CHECKING:
    from slipway.service.http.app import App

_LIBRARIES = ("bentoml", "onnxruntime", "onnxruntime-gpu", "numpy", "uvicorn")


def status(app: "App") -> dict[str, Any]:
    """All workers' figures; failures and the access rules are those of the process that answers."""
    model, settings = app.model, app.settings
    counts = app.monitor.feedback.counts()
    drift = sorted(app.monitor.drift(), key=lambda each: each.psi / each.limit, reverse=True)
    return {
        "name": app.name,
        "artifact": {"digest": model.artifact.digest, "task": model.signature.task, **_choice(app)},
        "runtime": {
            "python": platform.python_version(),
            "libraries": _versions(),
            "provider": settings.provider,
            "threads": settings.threads,
            "batch": model.batch,
            "modelSeconds": model.seconds,
        },
        "process": {**app.machine.processes(), "upSeconds": round(app.machine.seconds())},
        "gpus": app.machine.gpus(),
        "queue": {**app.metrics.now(), "most": settings.max_queue},
        "answers": app.metrics.answers(),
        "stages": app.monitor.stages.means(),
        "drift": {
            "samples": drift[0].samples if drift else 0,
            "watched": len(drift),
            "drifted": sum(each.drifted for each in drift),
            "most": [
                {
                    "input": each.input,
                    "feature": each.name,
                    "psi": each.psi,
                    "limit": each.limit,
                    "ks": each.ks,
                    "other": each.other,
                }
                for each in drift[:5]
                if each.samples
            ],
        },
        "feedback": {
            "outcomes": counts["outcomes"],
            "accuracy": accuracy(counts),
            "recall": dict(recalls(counts)),
            "meanError": counts["error"] / counts["count"] if counts.get("count") else None,
        },
        "access": {
            "open": app.access.open,
            "keys": [{"name": key.name, "expires": _time(key.expires)} for key in app.access.rules.keys],
            "jwt": app.access.rules.jwt.issuer if app.access.rules.jwt else None,
            "ages": app.access.ages(),
        },
        "failures": [{**vars(each), "at": _time(each.at)} for each in reversed(app.log.failures)],
    }


def _choice(app: "App") -> dict[str, Any]:
    try:
        return {"variant": app.model.artifact.read("report")["choice"]["variant"]}
    except (ArtifactError, KeyError, TypeError):
        return {}


def _versions() -> dict[str, str]:
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except ModuleNotFoundError:
            continue
    return found


def _time(seconds: float) -> str | None:
    return None if math.isinf(seconds) else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
