"""Waits until a new cluster lets the deployer in: access entries take effect after a while, and the Kubernetes provider
asks once and gives up."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, Resource, UpdateResult
from slipway.infra.resources.command import SlipwayError
from slipway.infra.resources.provider import KeyedProvider, plain_errors

SECONDS, LONGEST = 300, 15
ANSWER = 60  # of kubectl, which asks `aws` for a token first
# Answered to administrators alone, so that policies have taken effect as well.
ASKED = "/api/v1/namespaces/kube-system"
KEYS = ("kubeconfig", "administrators")


def wait_for(kubeconfig: str, seconds: float = SECONDS) -> None:
    """Asks the API with kubectl until it answers; says on stderr what it waits for.

    Raises:
        SlipwayError: it does not in `seconds`, or there is no kubectl.
    """
    end, pause = time.monotonic() + seconds, 1.0
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "kubeconfig")
        file.write_text(kubeconfig)
        command = ["kubectl", "--kubeconfig", str(file), "--request-timeout=10s", "get", "--raw", ASKED]
        while True:
            why = _refusal(command)
            if not why:
                return
            if time.monotonic() + pause > end:
                raise SlipwayError(
                    f"the cluster has not let the deployer in for {seconds:.0f} s: {why}\nThe credentials have to be "
                    "those of aws.cluster.deployer or an admin, and this machine has to be in aws.cluster.allow"
                )
            sys.stderr.write(f"waiting for the cluster to let the deployer in: {why}\n")
            time.sleep(pause)
            pause = min(2 * pause, LONGEST)


def _refusal(command: list[str]) -> str:
    """Why the cluster does not answer, in a line; empty where it does."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=ANSWER)
    except FileNotFoundError:
        raise SlipwayError("kubectl is not on PATH: install it, it asks whether the cluster is ready") from None
    except subprocess.TimeoutExpired:
        return f"no answer in {ANSWER} s"
    return (done.stderr.strip().splitlines() or ["no answer"])[-1] if done.returncode else ""


class ClusterAccessProvider(KeyedProvider):
    """Waits until the API server lets the deployer in."""

    keys = KEYS

    @plain_errors
    def create(self, props: dict[str, Any]) -> CreateResult:
        wait_for(props["kubeconfig"])
        return CreateResult("let-in", {key: props[key] for key in KEYS})

    @plain_errors
    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        wait_for(news["kubeconfig"])
        return UpdateResult({key: news[key] for key in KEYS})


class ClusterAccess(Resource, module="slipway", name="ClusterAccess"):
    """There once the cluster answers the deployer. `kubeconfig`: without credentials. `administrators`: asked again
    where they change."""

    def __init__(
        self, name: str, kubeconfig: pulumi.Input[str], administrators: list[str], opts: pulumi.ResourceOptions
    ) -> None:
        props = {"kubeconfig": kubeconfig, "administrators": administrators}
        super().__init__(ClusterAccessProvider(), name, props, opts)
