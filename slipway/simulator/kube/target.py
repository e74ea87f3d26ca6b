"""What an instance of the provider was configured for."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from slipway.simulator.faults import CloudError
from slipway.simulator.kube.api import Api, Object
from slipway.simulator.kube.values import is_known
from slipway.simulator.kubernetes import FROZEN


@dataclass
class Target:
    """What one instance of the provider was configured for. `api` is None where that is not known yet. `frozen`: kinds
    of which it makes a new one rather than change the content."""

    api: Api | None = None
    namespace: str = "default"
    upsert: bool = False
    frozen: frozenset[str] = frozenset(FROZEN)
    cancelled: threading.Event = field(default_factory=threading.Event)


def configured(given: Object) -> Target:
    """By the provider's inputs, then the environment. Raises CloudError for a kubeconfig that can't be used."""
    config = given.get("kubeconfig") or os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    if not is_known(config):
        return Target()
    text = config
    if "\n" not in config and not config.lstrip().startswith("{"):
        if not Path(config).is_file():
            return Target()  # as the official plugin: a wrong one is an error once something is to be done
        text = Path(config).read_text()
    try:
        api = Api(text)
    except (ValueError, KeyError, TypeError) as error:
        raise CloudError(f"the provider's kubeconfig can't be used: {error}") from None

    def has(setting: str) -> bool:
        return str(given.get(setting, "")).lower() == "true"

    return Target(
        api=api,
        namespace=given.get("namespace") or api.namespace,
        upsert=has("upsertExistingObjects"),
        frozen=frozenset(kind for kind in FROZEN if not has(f"enable{kind}Mutable")),
    )


def is_another_cluster(old: Object, new: Object) -> bool:
    """By the identifier where the provider had one and has one, else by the settings of the active cluster. To add or
    remove an identifier moves nothing."""
    if "clusterIdentifier" in old and "clusterIdentifier" in new:
        return old.get("clusterIdentifier") != new.get("clusterIdentifier")
    before, after = (_active_cluster(each.get("kubeconfig", "")) for each in (old, new))
    return None not in (before, after) and before != after


def _active_cluster(kubeconfig: str) -> Object | None:
    """None where it is a file's name, not known yet or no kubeconfig."""
    try:
        config = yaml.safe_load(kubeconfig)
        contexts = {each["name"]: each["context"] for each in config["contexts"]}
        clusters = {each["name"]: each["cluster"] for each in config["clusters"]}
        return dict(clusters[contexts[config["current-context"]]["cluster"]])
    except (yaml.YAMLError, KeyError, TypeError):
        return None


def online(target: Target) -> Api:
    """Raises CloudError where there is no API server to ask."""
    if target.api is None:
        raise CloudError("no kubeconfig: set one on the provider, or KUBECONFIG")
    return target.api
