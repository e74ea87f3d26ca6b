"""What a stack needs of a cluster that is there: asked of its API server before anything is made."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

from slipway.infra.config.base import PROJECT
from slipway.infra.platforms.answers import WARNED, Answers, Said
from slipway.infra.platforms.connectivity import address, reason
from slipway.infra.platforms.kubernetes.client import client
from slipway.infra.platforms.kubernetes.config import KubernetesConfig
from slipway.infra.workload.names import namespace_of

if TYPE_CHECKING:
    from slipway.infra.config.stack import StackConfig

# The first that has `preStop: sleep` without a feature gate, which rollouts lean on.
LOWEST = (1, 30)
VERBS = ("get", "list", "watch", "create", "patch", "delete")
# (version, kind) of what every stack has, and of what a setting brings.
PLAIN = (
    ("v1", "Secret"), ("v1", "Service"), ("v1", "ServiceAccount"), ("apps/v1", "Deployment"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
)  # fmt: skip
ROUTE = ("gateway.networking.k8s.io/v1", "HTTPRoute")
BUDGET = ("policy/v1", "PodDisruptionBudget")
GATEWAY = ("gateway.networking.k8s.io/v1", "Gateway")
SCALER = ("keda.sh/v1alpha1", "ScaledObject")
HPA = ("autoscaling/v2", "HorizontalPodAutoscaler")
STORAGE = ("storage.k8s.io/v1", "StorageClass")
METRICS = ("metrics.k8s.io/v1beta1", "PodMetrics")
WATCHED = (
    ("monitoring.coreos.com/v1", "PodMonitor"), ("monitoring.coreos.com/v1", "PrometheusRule"), ("v1", "ConfigMap"),
)  # fmt: skip
UNREAD = object()
BRINGS = {
    "HTTPRoute": "install the Gateway API's definitions, or take `host` from the services",
    "ScaledObject": "install KEDA, or set scale.on: cpu",
    "PodMonitor": "install the Prometheus operator, or take kubernetes.monitoring away",
    "PrometheusRule": "install the Prometheus operator, or take kubernetes.monitoring away",
    "PodMetrics": "install metrics-server, or the autoscaler never adds a pod",
}


def preflight(config: StackConfig, stack: str) -> Answers:
    """Asks the cluster for its version, its kinds, the deployer's rights, and what is named of it and has to be there.
    Changes nothing."""
    domain = [address(each.host) for each in config.services.values() if each.host]
    server, refused = _reached(config)
    if refused:
        return Answers(said={"domain": domain, "cluster": [refused]})
    space = namespace_of(PROJECT, stack, config.of(KubernetesConfig).namespace)
    named = [_namespace(server, config, space), _gateway(server, config), _claim(server, config, space)]
    return Answers(
        said={
            "cluster": [_version(server), *_missing(server, config)],
            "rights": _rights(server, config, space),
            "named": [*chain.from_iterable(named)],
            "domain": domain,
        }
    )


def _reached(config: StackConfig) -> tuple[Any, Said | None]:
    """(A client, or None; why there is none, or None)."""
    from kubernetes.config.config_exception import ConfigException
    from kubernetes.dynamic.exceptions import DynamicApiError
    from urllib3.exceptions import HTTPError

    try:
        return client(config), None
    except ConfigException as error:
        return None, (False, f"{reason(error)}: set kubernetes.kubeconfig and kubernetes.context, or $KUBECONFIG")
    except DynamicApiError as error:
        return None, (False, f"the cluster refuses this kubeconfig's user ({error.status}): log in again")
    except (HTTPError, OSError) as error:
        return None, (None, f"the cluster does not answer: {reason(error)}")


def _version(server: Any) -> Said:
    told = server.version["kubernetes"]["gitVersion"]
    found = tuple(int(each) for each in re.findall(r"\d+", told)[:2])
    lowest = ".".join(map(str, LOWEST))
    if found < LOWEST:
        return False, f"the cluster runs Kubernetes {told}: {lowest} is the lowest that rollouts work with; upgrade it"
    return True, f"the cluster runs Kubernetes {told}"


def _wanted(config: StackConfig) -> Iterator[tuple[str, str]]:
    """Kinds that the stack's objects have."""
    own, scales = config.of(KubernetesConfig), [each.scale for each in config.services.values()]
    moving = [each.on for each in scales if each.most > each.min]
    yield from PLAIN
    yield from (BUDGET,) if any(each.min > 1 for each in scales) else ()
    yield from (ROUTE,) if any(each.host for each in config.services.values()) else ()
    yield from (HPA,) if "cpu" in moving else ()
    yield from (SCALER,) if "inflight" in moving else ()
    yield from WATCHED if own.monitoring else ()


def _missing(server: Any, config: StackConfig) -> Iterator[Said]:
    """Kinds that the server does not have."""
    kinds = [*_wanted(config)]
    for version, kind in [*kinds, *((METRICS,) if HPA in kinds else ())]:
        if not server.resources.search(api_version=version, kind=kind):
            yield False, f"the cluster has no {kind} of {version}: {BRINGS.get(kind, 'it is part of Kubernetes')}"


def _rights(server: Any, config: StackConfig, space: str) -> list[Said]:
    reviews = server.resources.get(api_version="authorization.k8s.io/v1", kind="SelfSubjectAccessReview")
    kinds = [*_wanted(config), *((("v1", "Namespace"),) if config.of(KubernetesConfig).createNamespace else ())]
    denied: dict[str, list[str]] = {}
    for version, kind in kinds:
        for found in server.resources.search(api_version=version, kind=kind)[:1]:
            place = {"namespace": space} if found.namespaced else {}
            for verb in VERBS:
                asked = {"group": found.group or "", "resource": found.name, "verb": verb, **place}
                body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
                answer = reviews.create(body={**body, "spec": {"resourceAttributes": asked}})
                if not answer.status.allowed:
                    denied.setdefault(found.name, []).append(verb)
    if denied:
        names = "; ".join(f"{', '.join(verbs)} {name}" for name, verbs in denied.items())
        return [(False, f"this kubeconfig's user may not {names} in {space}: grant it with a RoleBinding there")]
    return [(True, f"this kubeconfig's user may make what the stack has in {space}")]


def _namespace(server: Any, config: StackConfig, space: str) -> Iterator[Said]:
    if not config.of(KubernetesConfig).createNamespace and _there(server, "v1", "Namespace", space) is None:
        yield False, f"there is no namespace {space}: make it, or set kubernetes.createNamespace: true"


def _gateway(server: Any, config: StackConfig) -> Iterator[Said]:
    gateway = config.of(KubernetesConfig).gateway
    if gateway is None or not server.resources.search(api_version=GATEWAY[0], kind=GATEWAY[1]):
        return  # kinds that are missing are said for themselves
    found = _there(server, *GATEWAY, gateway.name, gateway.namespace)
    where = f"{gateway.namespace}/{gateway.name}"
    if found is None:
        yield False, f"there is no Gateway {where}: name one that is there in kubernetes.gateway"
    elif found is not UNREAD and gateway.section not in {None, *(each.name for each in found.spec.listeners)}:
        names = ", ".join(each.name for each in found.spec.listeners)
        yield False, f"the Gateway {where} has no listener {gateway.section}: choose of {names} in kubernetes.gateway"


def _claim(server: Any, config: StackConfig, space: str) -> Iterator[Said]:
    name = config.of(KubernetesConfig).models
    if name is None:
        return
    found = _there(server, "v1", "PersistentVolumeClaim", name, space)
    if found is None:
        yield WARNED, f"there is no claim {name} in {space} yet (kubernetes.models): pods wait for it"
    elif found is not UNREAD and found.status.phase != "Bound":
        why = _unbound(server, found.spec.storageClassName)
        yield WARNED, f"the claim {name} in {space} is {found.status.phase}: {why}"


def _unbound(server: Any, name: str | None) -> str:
    """`name`: of the claim's storage class."""
    if name is None:  # the server would have filled in the default one
        return "it names no storage class, and the cluster has no default one: name one in the claim"
    if name and _there(server, *STORAGE, name) is None:
        return f"the cluster has no storage class {name}: make it, or name one in the claim that is there"
    return "pods wait until it is bound"


def _there(server: Any, version: str, kind: str, name: str, namespace: str | None = None) -> Any:
    """The object; None where there is none, UNREAD where this user may not look."""
    from kubernetes.dynamic.exceptions import ForbiddenError, NotFoundError

    try:
        return server.resources.get(api_version=version, kind=kind).get(name=name, namespace=namespace)
    except NotFoundError:
        return None
    except ForbiddenError:
        return UNREAD
