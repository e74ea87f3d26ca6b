"""The pod: one server process, closed in as far as `restricted` pod security goes and further."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pulumi
from slipway.infra.runtime import HTTP_PORT, METRICS_PORT, PAGE_PORT
from slipway.infra.workload.cluster import Placement
from slipway.infra.workload.names import PART, Manifest, labels, selector
from slipway.infra.workload.placement import scheduling

if TYPE_CHECKING:
    from slipway.infra.resources.stored_model import StoredModel
    from slipway.infra.workload.workload import WorkloadArgs

USER = 10001  # above the host's own users, whatever the image says
OWN_USER = {"runAsUser": USER, "runAsGroup": USER, "fsGroup": USER, "fsGroupChangePolicy": "OnRootMismatch"}
ACCESS, MODELS = "/access", "/models"
# Load balancers keep idle connections for up to 600 s (Google's); the server has to keep them longer.
KEEP_ALIVE, DRAIN, SHUTDOWN = 620, 3, 30
# By accelerator. CUDA maps gigabytes of libraries and compiles for the device it finds; of GPUs nothing was measured.
LEAST_START = {"none": 60, "nvidia": 300}
LEAST_MEMORY = {"none": 512 << 20, "nvidia": 4 << 30}
START_MARGIN = 10  # the model was measured on a machine that may be faster, and had more than a pod's CPU
CLOSED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
_STEP = 128 << 20


def template(service: str, args: WorkloadArgs, placements: Sequence[Placement], part: str) -> Manifest:
    """The pod template of one Deployment of the service."""
    config = args.service
    spec: dict[str, Any] = {
        "serviceAccountName": service,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,  # its variables begin with the service's name: SLIPWAY_* are settings
        "securityContext": {
            "runAsNonRoot": True,
            **(OWN_USER if args.cluster.fixed_user else {}),
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **({"imagePullSecrets": [{"name": args.cluster.pull_secret}]} if args.cluster.pull_secret else {}),
        "terminationGracePeriodSeconds": max(args.cluster.grace, config.rollout.drainSeconds + DRAIN + SHUTDOWN + 5),
        **({"initContainers": [_fetching(args, args.stored)]} if args.stored else {}),
        "containers": [_container(service, args, placements)],
        "volumes": _volumes(service, args),
        **scheduling(placements, selector(service), args.arch),
    }
    if config.priority:
        spec["priorityClassName"] = config.priority
    return {"metadata": {"labels": {**labels(service), PART: part}}, "spec": spec}


def start_budget(seconds: float | None, accelerator: str = "none") -> int:
    """Seconds within which a pod has to be ready, by what its start was measured to take."""
    return max(LEAST_START[accelerator], 30 * math.ceil((seconds or 0) * START_MARGIN / 30))


def memory(measured: float | None, accelerator: str = "none") -> str:
    """What a pod gets where the configuration does not say: four times the model's own peak, for batches beside it."""
    least = LEAST_MEMORY[accelerator]
    wanted = max(least, least // 2 + 4 * int(measured or 0))
    return quantity(_STEP * math.ceil(wanted / _STEP) >> 20)


def quantity(mebibytes: int) -> str:
    """As the API server writes it: in another spelling it would differ at every update from what the server has."""
    return f"{mebibytes}Mi" if mebibytes % 1024 else f"{mebibytes >> 10}Gi"


def _container(service: str, args: WorkloadArgs, placements: Sequence[Placement]) -> Manifest:
    measured, runtime = pulumi.Output.from_input(args.artifact.measured), args.artifact.runtime
    found: dict[str, Any] = {
        "name": "service",
        "image": args.image,
        "imagePullPolicy": _pulled(args),
        "ports": [
            {"name": "http", "containerPort": HTTP_PORT, "protocol": "TCP"},
            {"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"},
        ],
        "env": [{"name": key, "value": value} for key, value in sorted(_environment(service, args).items())],
        "resources": _resources(args, placements),
        "securityContext": CLOSED,
        "startupProbe": {
            **_probe(runtime.ready, 1),
            "failureThreshold": measured.apply(
                lambda known: start_budget((known or {}).get("startSeconds"), args.service.accelerator)
            ),
        },
        "readinessProbe": {**_probe(runtime.ready, 5), "failureThreshold": 2},
        "livenessProbe": {**_probe(runtime.live, 10), "failureThreshold": 6},
        # Serves on meanwhile: what routes to it learns of its end first.
        "lifecycle": {"preStop": {"sleep": {"seconds": args.service.rollout.drainSeconds}}},
        "volumeMounts": [
            {"name": "access", "mountPath": ACCESS, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a volume of the pod's own
        ],
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    if not args.service.rollout.drainSeconds:
        del found["lifecycle"]
    if args.service.modelFrom == "volume":
        found["volumeMounts"].append({"name": "models", "mountPath": MODELS, "readOnly": True})
    return found


def _fetching(args: WorkloadArgs, stored: StoredModel) -> Manifest:
    """Brings the model from the bucket with the pod's own identity, and checks it, before the server starts."""
    return {
        "name": "model",
        "image": args.image,
        "imagePullPolicy": _pulled(args),
        "command": ["python3", "-m", args.artifact.runtime.fetch],
        "args": [stored.uri, _folder(args)],
        "env": [{"name": key, "value": value} for key, value in sorted({"HOME": "/tmp", **args.environment}.items())],  # noqa: S108
        "resources": _resources(args, ()),
        "securityContext": CLOSED,
        "volumeMounts": [{"name": "models", "mountPath": MODELS}, {"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _pulled(args: WorkloadArgs) -> str:
    """A digest never means another image; one that was brought to the nodes is in no registry."""
    return "Never" if args.cluster.loaded and not args.service.image else "IfNotPresent"


def _folder(args: WorkloadArgs) -> pulumi.Output[str]:
    return args.artifact.digest.apply(lambda digest: f"{MODELS}/{digest.replace(':', '-')}")


def _environment(service: str, args: WorkloadArgs) -> dict[str, pulumi.Input[str]]:
    runtime = args.artifact.runtime
    fixed: dict[str, pulumi.Input[str]] = {
        "SLIPWAY_NAME": service,
        "SLIPWAY_HOST": "0.0.0.0",  # noqa: S104 - the pod's own address
        "SLIPWAY_PORT": str(HTTP_PORT),
        "SLIPWAY_METRICS_PORT": str(METRICS_PORT),
        "SLIPWAY_PAGE_PORT": str(PAGE_PORT),
        "SLIPWAY_ACCESS": f"{ACCESS}/access.json",
        "SLIPWAY_THREADS": str(max(1, int(args.service.resources.cores))),
        "SLIPWAY_PROVIDER": runtime.providers[args.service.accelerator],
        "SLIPWAY_KEEP_ALIVE_SECONDS": str(KEEP_ALIVE),
        "SLIPWAY_DRAIN_SECONDS": str(DRAIN),
        "SLIPWAY_SHUTDOWN_SECONDS": str(SHUTDOWN),
        "HOME": "/tmp",  # noqa: S108
        "BENTOML_HOME": "/tmp/bentoml",  # noqa: S108
    }
    if args.service.modelFrom == "volume":
        fixed["SLIPWAY_ARTIFACT"] = _folder(args)
    return {**fixed, **args.environment}


def _resources(args: WorkloadArgs, placements: Sequence[Placement]) -> Manifest:
    asked, measured = args.service.resources, pulumi.Output.from_input(args.artifact.measured)
    space: Any = asked.memory or measured.apply(
        lambda known: memory((known or {}).get("memoryBytes"), args.service.accelerator)
    )
    requests: dict[str, Any] = {"cpu": asked.cpu, "memory": space, "ephemeral-storage": _disk(args, 64)}
    # A CPU limit would stop the process in the middle of requests while the node's cores idle.
    limits: dict[str, Any] = {"memory": space, "ephemeral-storage": _disk(args, 1024)}
    resource = placements[0].resource if placements else None
    if args.service.gpus and resource:
        requests[resource] = limits[resource] = str(args.service.gpus)
    return {"requests": requests, "limits": limits}


def _disk(args: WorkloadArgs, own: int) -> pulumi.Input[str]:
    """Of a pod's node: `own` MiB, and what is fetched."""
    stored = args.stored
    return stored.size.apply(lambda size: quantity(own + math.ceil(size / 2**20))) if stored else quantity(own)


def _volumes(service: str, args: WorkloadArgs) -> Manifest:
    found: list[Mapping[str, Any]] = [
        {"name": "access", "secret": {"secretName": f"{service}-access", "defaultMode": 0o440}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "512Mi"}},
    ]
    if args.stored:
        found.append({"name": "models", "emptyDir": {"sizeLimit": _disk(args, 16)}})
    elif args.service.modelFrom == "volume":
        assert args.cluster.models is not None, "the configuration was checked for it"
        found.append({"name": "models", **args.cluster.models})
    return found


def _probe(path: str, period: int) -> Manifest:
    # A busy process answers late, and must not lose its clients for that.
    return {"httpGet": {"path": path, "port": "http"}, "periodSeconds": period, "timeoutSeconds": 5}
