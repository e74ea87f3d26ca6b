"""Kinds of service, as data: what runs one, how it is probed, called, scaled and packed.

An artifact's manifest names its kind. To add one: a row here, its room in `service/`, its source and judge in
`slipway/pipeline/`; platforms and workload read the row and need no change.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from slipway.infra.content import files_of
from slipway.infra.home import ROOT

if TYPE_CHECKING:
    from slipway.infra.config.stack import ServiceConfig


# Of a pod or container of every kind, as the same front answers in all of them; the page's is on its loopback alone.
HTTP_PORT, METRICS_PORT, PAGE_PORT = 3000, 9000, 3001
FEEDBACK_DAYS = 30  # for which a service takes feedback by itself


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """One kind of service.

    `module`: what Python runs, in an image and on this machine. `fetch`: the module that brings an artifact out of a
    bucket, as `python -m <fetch> URI FOLDER`. `code`: patterns of its files below the root. `locks`: its requirements,
    by accelerator, for NVIDIA's by the major of CUDA too. `recipe`: patterns of the files that say how its image is
    made, besides the lock. `environment`: variables that follow from a service's configuration. `live`, `ready`: paths
    of its probes; `health`: the script that asks for the first of them inside a container. `api_paths`: what an edge
    lets through; the page, documentation, metrics and health are not for everyone. `in_flight`: the metric that counts
    requests in work, and `counted`: the values of its label `slipway_endpoint` that are predictions. `providers`: what
    runs the model, by accelerator. `devices`: GPUs that a pod of it can use at once.
    """

    kind: str
    module: str
    fetch: str
    code: tuple[str, ...]
    locks: Mapping[str, str]
    recipe: tuple[str, ...]
    environment: Callable[[ServiceConfig], dict[str, str]]
    live: str
    ready: str
    health: str
    api_paths: tuple[str, ...]
    in_flight: str
    counted: tuple[str, ...]
    providers: Mapping[str, str]
    devices: int = 1

    def serving_code(self) -> list[Path]:
        """The files that every platform runs, and nothing that only builds models."""
        return files_of(*self.code)

    def lock(self, accelerator: str, cuda: str = "13") -> Path:
        """What is installed beside the code."""
        return ROOT / self.locks[f"nvidia-{cuda}" if accelerator == "nvidia" else accelerator]

    def image_recipe(self, accelerator: str, cuda: str = "13") -> list[Path]:
        """The files that say how an image is made."""
        return [self.lock(accelerator, cuda), *files_of(*self.recipe)]

    def requests_in_flight(self, namespace: str, service: str) -> str:
        """A Prometheus query: predictions that a service works on, waiting and running."""
        labels = f'namespace="{namespace}",service_name="{service}",slipway_endpoint=~"{"|".join(self.counted)}"'
        return f"sum({self.in_flight}{{{labels}}})"


def _environment(service: ServiceConfig) -> dict[str, str]:
    """What is not set is left out. No secrets: platforms show it."""
    logs, days = service.logs, service.retentionDays
    told = {
        "SLIPWAY_LOG_REQUESTS": f"{logs.requests:g}" if logs.requests else "",
        "SLIPWAY_LOG_INPUTS": f"{logs.inputs:g}" if logs.inputs else "",
        "SLIPWAY_MASK_FIELDS": json.dumps(logs.maskFields) if logs.maskFields else "",
        "SLIPWAY_MASK_PATTERNS": json.dumps(logs.maskPatterns) if logs.maskPatterns else "",
        "SLIPWAY_FEEDBACK_DAYS": f"{days}" if days and days < FEEDBACK_DAYS else "",
        "OTEL_EXPORTER_OTLP_ENDPOINT": service.traces or "",
    }
    return {name: value for name, value in told.items() if value}


ONNX = Runtime(
    kind="onnx",
    module="slipway.service",
    fetch="slipway.service.inference.fetch",
    code=(
        "slipway/__init__.py",
        "service/*.py",
        *(f"service/{room}/*.py" for room in ("http", "api", "samples", "inference", "access", "telemetry", "explain")),
        "service/page/*",
    ),
    locks={
        "none": "service/requirements.txt",
        "nvidia-13": "service/requirements-gpu.txt",
        "nvidia-12": "service/requirements-gpu-12.txt",
    },
    recipe=("service/Dockerfile", "service/image/*.py"),
    environment=_environment,
    live="/livez",
    ready="/readyz",
    health="/bento/src/service/http/health.py",
    api_paths=("/predict", "/explain", "/feedback", "/v2"),
    in_flight="bentoml_service_request_in_progress",
    counted=("/predict", "/v2/infer"),
    providers={"none": "cpu", "nvidia": "cuda"},
)
# By the kind that an artifact's manifest names; those of before there were kinds are the first.
RUNTIMES: Mapping[str, Runtime] = {runtime.kind: runtime for runtime in (ONNX,)}
