"""Serves stand-ins until it is told to stop: python -m slipway.simulator --books FILE [--scenario FILE] [PACKAGE ...].

With --cluster the kubernetes stand-in works on the API server of its kubeconfig, with --docker that for docker on the
daemon at $DOCKER_HOST; else on the books.
"""

from __future__ import annotations

import argparse
import signal
import threading
from concurrent import futures
from functools import partial
from pathlib import Path

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from slipway.simulator import compute, monitoring
from slipway.simulator.books import Books
from slipway.simulator.docker_host import DockerStandIn
from slipway.simulator.faults import Faults
from slipway.simulator.kube.provider import ClusterStandIn
from slipway.simulator.provider import StandIn, cloud_for
from slipway.simulator.scenario import Scenario
from slipway.simulator.web import web

PACKAGES = ("aws", "gcp", "kubernetes", "docker")


def main() -> None:
    """Prints what PULUMI_DEBUG_PROVIDERS and GOOGLE_MONITORING_CUSTOM_ENDPOINT are to be, and serves on 127.0.0.1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--books", type=Path, required=True)
    parser.add_argument("--scenario", type=Path)
    parser.add_argument("--cluster", action="store_true")
    parser.add_argument("--docker", action="store_true")
    parser.add_argument("packages", nargs="*", default=PACKAGES)
    options = parser.parse_args()
    scenario = Scenario(options.scenario)
    books, faults = Books(options.books), Faults(scenario.faults)
    real: dict[str, type[StandIn]] = {"kubernetes": ClusterStandIn} if options.cluster else {}
    real |= {"docker": DockerStandIn} if options.docker else {}
    servers, ports = [], []
    for package in options.packages:
        server = grpc.server(futures.ThreadPoolExecutor(32))
        kind = real.get(package, StandIn)
        stand_in = kind(cloud_for(package, books, scenario), faults)
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(stand_in, server)
        ports.append(f"{package}:{server.add_insecure_port('127.0.0.1:0')}")
        server.start()
        servers.append(server)  # one that nobody holds stops
    with web({"/": partial(monitoring.answer, books), compute.PATH: partial(compute.answer, books)}) as lists:
        print(",".join(ports), f"{lists.address}/", flush=True)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        threading.Event().wait()


if __name__ == "__main__":
    main()
