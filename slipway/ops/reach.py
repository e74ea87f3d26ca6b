"""The way from this machine to what answers inside of a cluster: kubectl, as whoever runs this."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from slipway.infra.runtime import HTTP_PORT, PAGE_PORT
from slipway.ops.state.outputs import outputs
from slipway.ops.state.pulumi import project_name, pulumi
from slipway.pipeline.errors import PipelineError

if TYPE_CHECKING:
    from slipway.infra.config.stack import StackConfig
    from slipway.infra.platforms.row import Kubectl

INSIDE = ".svc"
PORTS = {"service": HTTP_PORT, "page": PAGE_PORT}


def is_inside(url: str) -> bool:
    """Whether an address is a cluster's own, and this machine does not know it."""
    host = urlsplit(url).hostname or ""
    if not host.endswith(INSIDE):
        return False
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        return True
    return False


@contextmanager
def kubectl_of(
    stack: str, config: StackConfig, kubectl: Kubectl, known: Mapping[str, Any] | None = None
) -> Iterator[list[str]]:
    """A kubectl command in the stack's namespace, with the kubeconfig that the stack exports or is told of. `known`:
    its outputs, asked for where they are not given.

    Raises PipelineError where there is no kubectl."""
    if not shutil.which("kubectl"):
        raise PipelineError("kubectl is not on PATH")
    with tempfile.TemporaryDirectory() as folder:
        flags = kubectl.flags(config) if kubectl.flags else _exported(stack, Path(folder))
        known = outputs(stack, missing_ok=True) if known is None else known
        namespace = known.get("namespace") or kubectl.namespace(config, project_name(), stack)
        yield ["kubectl", *flags, "--namespace", str(namespace)]


@contextmanager
def forwarded(command: list[str], service: str, what: str = "service") -> Iterator[str]:
    """The address on this machine that leads to a service's pod, or to the page that a pod shows itself alone.

    Raises PipelineError with what kubectl says where it can't be had."""
    # The page is on a pod's loopback: a Service does not lead there.
    target = f"service/{service}" if what == "service" else f"deployment/{service}"
    forward = [*command, "port-forward", "--address=127.0.0.1", target, f":{PORTS[what]}"]
    with subprocess.Popen(forward, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stderr
        try:
            said = process.stdout.readline()  # Forwarding from 127.0.0.1:38123 -> 3000
            if " -> " not in said:
                process.wait()
                why = (process.stderr.read().strip() or said.strip() or "it says nothing").splitlines()[-1][:300]
                raise PipelineError(f"{service} can't be reached in the cluster: {why}")
            yield f"http://{said.split(' -> ')[0].rpartition(' ')[2]}"
        finally:
            process.terminate()
            process.communicate()


def _exported(stack: str, folder: Path) -> list[str]:
    """The kubeconfig that the stack exports."""
    file = folder / "kubeconfig"
    file.touch(mode=0o600)
    file.write_text(pulumi("stack", "output", "kubeconfig", "--show-secrets", "--stack", stack))
    return ["--kubeconfig", str(file)]
