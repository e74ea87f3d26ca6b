"""The files of `local.monitoring: prometheus` as a resource."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pulumi
from pulumi.dynamic import CreateResult, ReadResult, Resource, UpdateResult
from slipway.infra.errors import Unanswered
from slipway.infra.home import home
from slipway.infra.monitoring.files import monitoring_files
from slipway.infra.platforms.local.service import stack_label
from slipway.infra.resources.command import SlipwayError
from slipway.infra.resources.provider import KeyedProvider, plain_errors

if TYPE_CHECKING:
    from slipway.infra.config.stack import StackConfig

INPUTS = ("stack", "namespace", "targets", "contentKey")
OWNER = "owner"
SECONDS = 10


class PrometheusFilesProvider(KeyedProvider):
    """Writes a stack's files."""

    keys = INPUTS

    @plain_errors
    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult(props["namespace"], _write(props))

    @plain_errors
    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        return UpdateResult(_write(news))

    @plain_errors
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Files that somebody changed or removed are a deleted resource, and written again."""
        place = folder(props["namespace"])
        written = {name: _text(place / name) for name in _files(props)}
        same = _key(written) == props["contentKey"] and _owner(place) == stack_label(props["stack"])
        return ReadResult(id_ if same else "", props)

    @plain_errors
    def delete(self, _id: str, props: dict[str, Any]) -> None:
        remove(props["namespace"], stack_label(props["stack"]))


class PrometheusFiles(Resource, module="slipway", name="PrometheusFiles"):
    """Owns the folder `prometheus/<namespace>` of this machine's cache: `scrape.yaml` and `rules.yaml`. Leaves the
    Prometheus that reads them alone: it is told of them once, in its own configuration.

    `namespace`: what stands for one in the rules. `targets`: addresses of the services' metrics.
    """

    def __init__(self, name: str, namespace: str, targets: Sequence[str]) -> None:
        props = {
            "stack": f"{pulumi.get_project()}/{pulumi.get_stack()}",
            "namespace": namespace,
            "targets": list(targets),
        }
        super().__init__(PrometheusFilesProvider(), name, {**props, "contentKey": _key(_files(props))})


def folder(namespace: str) -> Path:
    """Where a stack's files are on this machine."""
    return home() / "prometheus" / namespace


def remove(namespace: str, owner: str) -> bool:
    """Removes a stack's files, and tells whether there were any; another stack's are left alone."""
    place = folder(namespace)
    if not place.exists() or _owner(place) not in (owner, ""):
        return False
    shutil.rmtree(place)
    return True


def metrics(config: StackConfig, _stack: str, service: str) -> dict[str, str]:
    """A service's metrics, by their address. Raises Unanswered."""
    found = config.services.get(service)
    port = found.metricsPort if found else None
    if port is None:
        raise Unanswered(f"services.{service}.metricsPort is not set: nothing shows its metrics")
    address = f"127.0.0.1:{port}"
    try:
        with urlopen(f"http://{address}/metrics", timeout=SECONDS) as answer:
            return {address: answer.read().decode()}
    except OSError as error:
        raise Unanswered(f"http://{address}/metrics does not answer: {error}") from None


def _write(props: dict[str, Any]) -> dict[str, Any]:
    place, owner = folder(props["namespace"]), stack_label(props["stack"])
    if (other := _owner(place)) and other != owner:
        raise SlipwayError(f"{place} belongs to {other}: call one of the two stacks otherwise")
    place.mkdir(parents=True, exist_ok=True)
    for name, text in {OWNER: json.dumps(owner), **_files(props)}.items():
        new = place / f".{name}.new"
        new.write_text(text)
        new.replace(place / name)  # Prometheus may read it meanwhile
    return {key: props[key] for key in INPUTS}


def _files(props: dict[str, Any]) -> dict[str, str]:
    return monitoring_files(props["namespace"], {"static_configs": [{"targets": list(props["targets"])}]})


def _key(files: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def _owner(place: Path) -> str:
    """Whose the files are; empty where nobody knows, as of a damaged file: as JSON it can't be cut unnoticed."""
    with contextlib.suppress(ValueError):
        return str(json.loads(_text(place / OWNER)))
    return ""


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError):
        return ""
