"""Stacks on a cluster that between them use all that the workload can do, and the manifests that they come to."""

from __future__ import annotations

from functools import cache
from typing import Any

from slipway.simulator.kube.values import plain
from tests.recorder import Recorder, run_program

DIGEST = "@sha256:" + "a" * 64
MODEL = {"model": "models/digits", "image": f"registry.example/digits{DIGEST}"}
JWT = {"jwt": {"jwks": "https://issuer.example/keys", "audience": "a", "issuer": "i"}}
GPU = "nvidia.com/gpu"
TAINT = {"key": GPU, "operator": "Exists", "effect": "NoSchedule"}
SPOT = {"key": "spot", "operator": "Exists", "effect": "NoSchedule"}
POOLS = [
    {"selector": {"gpu": "l4"}, "tolerations": [TAINT], "resource": GPU, "gpus": 4},
    {
        "selector": {"gpu": "t4", "capacity": "spot"},
        "tolerations": [TAINT, SPOT],
        "resource": GPU,
        "spot": True,
        "gpus": 4,
    },
]
PROMETHEUS = {"monitoring": "prometheus", "prometheus": "http://prometheus.monitoring:9090"}
STACKS: dict[str, dict[str, Any]] = {
    "small": {"services": {"digits": MODEL}},
    "two": {"services": {"digits": {**MODEL, "scale": {"min": 2, "max": 6}}, "linear": {**MODEL, "priority": "batch"}}},
    "public": {
        "services": {"digits": {**MODEL, "scale": {"min": 2}, "host": "digits.example.org", "traces": "http://c:4318"}},
        "kubernetes": {"gateway": {"name": "edge", "namespace": "edge"}, **PROMETHEUS, "clients": ["10.0.0.0/8"]},
    },
    "inflight": {
        "services": {
            "digits": {**MODEL, "scale": {"min": 2, "max": 8, "on": "inflight"}},
            "asleep": {**MODEL, "scale": {"min": 0, "max": 2, "on": "inflight", "wake": "sum(rate(edge_total[1m]))"}},
        },
        "kubernetes": PROMETHEUS,
    },
    "gpu": {
        "services": {
            "digits": {**MODEL, "accelerator": "nvidia", "scale": {"min": 3, "max": 5, "onDemand": 1}},
            "big": {**MODEL, "accelerator": "nvidia", "modelFrom": "volume", "rollout": {"surge": 0, "unavailable": 1}},
        },
        "kubernetes": {"placements": {"nvidia": POOLS}, "models": "artifacts"},
    },
}


@cache
def program(name: str) -> Recorder:
    """The whole program on one of the stacks."""
    return run_program(platform="kubernetes", access=JWT, **STACKS[name])


def manifests(name: str) -> list[dict[str, Any]]:
    """What the API server would be given."""
    return manifests_of(program(name))


def manifests_of(ran: Recorder) -> list[dict[str, Any]]:
    """The same of any program that ran."""
    found = [each for each in ran.declared if each.typ.startswith("kubernetes:")]
    assert found
    return [_whole(plain({key: value for key, value in each.inputs.items() if key != "__provider"})) for each in found]


def one(name: str, kind: str, called: str) -> dict[str, Any]:
    """The object of a kind and name."""
    (found,) = (each for each in manifests(name) if each["kind"] == kind and each["metadata"]["name"] == called)
    return found


def _whole(value: Any) -> Any:
    """The engine's wire knows only floats."""
    if isinstance(value, dict):
        return {key: _whole(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_whole(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
