"""The files of `docker.monitoring: prometheus`, where a Prometheus of the host finds them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_docker as docker
from slipway.infra.config.base import PROJECT
from slipway.infra.errors import Unanswered
from slipway.infra.monitoring.files import monitoring_files
from slipway.infra.names import NAME_TAG, STACK_TAG, stack_label, stack_name
from slipway.infra.platforms.docker.command import docker as docker_command
from slipway.infra.platforms.docker.config import DockerConfig
from slipway.infra.runtime import METRICS_PORT

if TYPE_CHECKING:
    from slipway.infra.config.stack import StackConfig

FOLDER, SOCKET = "/prometheus", "unix:///var/run/docker.sock"
# Names of a service's versions (service.py); its other containers have no metrics.
VERSIONS = "(.+)-[0-9a-f]{8}-[0-9]+"


SCRAPE = (
    "from urllib.request import urlopen as o; "
    f"print(o('http://127.0.0.1:{METRICS_PORT}/metrics', timeout=10).read().decode())"
)


class PrometheusVolume(pulumi.ComponentResource):
    """Owns the volume `<stack>-prometheus` with `scrape.yaml` and `rules.yaml`, and the container of that name, which
    never starts, that they are uploaded through. They are the same whatever version serves: Prometheus asks Docker what
    runs. Leaves Prometheus alone. `base`: the id on the host of any image.
    """

    def __init__(self, name: str, base: pulumi.Input[str], opts: pulumi.ResourceOptions) -> None:
        super().__init__("slipway:docker:PrometheusVolume", name, None, opts)
        own = pulumi.ResourceOptions(parent=self, delete_before_replace=True)
        labels: list[Any] = [{"label": STACK_TAG, "value": stack_label()}, {"label": NAME_TAG, "value": name}]
        physical = f"{stack_name()}-{name}"
        volume = docker.Volume(name, name=physical, labels=labels, opts=own)
        files = monitoring_files(stack_name(), discovery(stack_label()), RELABEL)
        docker.Container(
            name,
            name=physical,
            image=base,
            command=["true"],
            start=False,
            must_run=False,
            mounts=[{"type": "volume", "source": volume.name, "target": FOLDER}],
            uploads=[
                docker.ContainerUploadArgs(file=f"{FOLDER}/{file}", content=text, permissions="0444")
                for file, text in files.items()
            ],
            network_mode="none",
            labels=labels,
            opts=own,
        )
        self.register_outputs({})


def metrics(config: StackConfig, stack: str, service: str) -> dict[str, str]:
    """The metrics of each container that runs a service, by its name, asked inside of it. Raises Unanswered."""
    host, label = config.of(DockerConfig).host, f"{STACK_TAG}={PROJECT}/{stack}"
    told = docker_command(
        host, "ps", "--filter", f"label={label}", "--format", f'{{{{.Names}}}} {{{{.Label "{NAME_TAG}"}}}}'
    )
    running = [line.split() for line in told.splitlines()]
    versions = [name for name, part in running if (found := re.fullmatch(VERSIONS, part)) and found[1] == service]
    if not versions:
        raise Unanswered(f"no container of {service} runs (label {label})")
    return {name: docker_command(host, "exec", name, "python3", "-c", SCRAPE) for name in versions}


def discovery(stack: str) -> dict[str, Any]:
    """Containers of the stack that run, as the host's Docker tells them."""
    only = [{"name": "label", "values": [f"{STACK_TAG}={stack}"]}]
    return {"docker_sd_configs": [{"host": SOCKET, "filters": only}]}


RELABEL: tuple[dict[str, Any], ...] = (
    {"source_labels": ["__meta_docker_container_label_slipway_name"], "regex": VERSIONS, "action": "keep"},
    {
        "source_labels": ["__meta_docker_network_ip"],
        "regex": "(.+)",
        "target_label": "__address__",
        "replacement": f"${{1}}:{METRICS_PORT}",
    },
    {
        "source_labels": ["__meta_docker_container_name"],
        "regex": "/?(.+)",
        "target_label": "instance",
    },
)
