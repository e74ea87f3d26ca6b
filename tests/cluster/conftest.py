"""The cluster that the tests share, and stacks on it. Collected only when asked for by path: `make test-cluster`."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from slipway.simulator.kube.api import Api
from slipway.simulator.throwaway import Throwaway
from tests.cluster import cluster, dockerd, places
from tests.cluster.build import kubernetes_plugin
from tests.cluster.cache import Unfit
from tests.cluster.service_image import layer, push

PROGRAMS = Path(__file__).parent / "programs"
NEEDED = "SLIPWAY_NEEDS_CLUSTER"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return None if any("tests/cluster" in argument for argument in config.args) else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What starts clusters of its own comes before the shared one."""
    items.sort(key=lambda item: "life" not in item.path.name)


def cant(reason: str) -> None:
    """Skips aloud, or fails where the cluster is needed."""
    if NEEDED in os.environ:
        pytest.fail(f"the cluster is needed here, and can't run: {reason}", pytrace=False)
    pytest.skip(f"no cluster: {reason}")


@pytest.fixture(scope="session")
def fit() -> None:
    """A machine that can run the cluster, with all parts built."""
    try:
        cluster.prepare()
    except Unfit as error:
        cant(str(error))


@pytest.fixture(scope="session")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dockerd.Dockerd]:
    """A Docker daemon and a registry of the tests' own; these need no cluster."""
    if reason := cluster.unfit():
        cant(reason)
    try:
        with dockerd.running(tmp_path_factory.mktemp("dockerd")) as daemon:
            yield daemon
    except Unfit as error:
        cant(str(error))


@pytest.fixture(scope="session")
def both(docker: dockerd.Dockerd) -> str:
    """The base image, by digest, for amd64 and arm64. That for arm64 is a double: nothing of it could be run."""
    status = b"Package: double\nStatus: install ok installed\nVersion: 1\nArchitecture: arm64\n"
    root = layer({"var/lib/dpkg/status": status})
    digests = [f"sha256:{hashlib.sha256(root).hexdigest()}"]
    settings = {"architecture": "arm64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": digests}}
    double = push("base", json.dumps(settings).encode(), [root], docker.registry)
    name = f"{docker.registry}/base:both"
    docker("manifest", "create", "--insecure", name, docker.base, double)
    return f"{docker.registry}/base@{docker('manifest', 'push', '--purge', '--insecure', name).split()[-1]}"


@pytest.fixture(scope="session")
def api(fit: None) -> Iterator[Api]:
    """The administrator's way to the cluster. One that was started by hand is used and left."""
    try:
        with cluster.held():
            by_hand = bool(cluster.kept())
            if not by_hand:
                cluster.up(keep=False)
            yield Api(places.kubeconfig().read_text())
            if not by_hand:
                cluster.down()
    except (Unfit, cluster.Refused) as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def ports() -> Iterator[int]:
    """Node ports, each handed out once."""
    return iter(places.NODE_PORTS)


@pytest.fixture(scope="session")
def plugin() -> Path | None:
    """The real Kubernetes plugin, where it is there. A module whose tests want another defines one of its own."""
    return kubernetes_plugin()


def either(request: pytest.FixtureRequest) -> Path | None:
    """The plugin that a fixture's parameter names: for what both have to pass, one after the other."""
    if request.param == "stand-in":
        return None
    if (found := kubernetes_plugin()) is None:
        pytest.skip("no real Kubernetes plugin: make plugins")
    return found


@pytest.fixture(scope="module")
def new_stack(
    api: Api, ports: Iterator[int], plugin: Path | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Throwaway]]:
    """Makes a stack of the `web` program in a namespace and on a node port of its own; destroyed at the end."""
    with ExitStack() as all_of_them:

        def make(namespace: str, **settings: str) -> Throwaway:
            folder, kubeconfig = tmp_path_factory.mktemp(namespace), str(places.kubeconfig())
            stack = Throwaway(folder, PROGRAMS / "web", kubeconfig=kubeconfig, plugin=plugin)
            all_of_them.enter_context(stack)
            all_of_them.callback(stack.destroy, fails=None)
            stack.port = next(ports)
            configure(stack, namespace=namespace, port=str(stack.port), **settings)
            return stack

        yield make


def on(docker: dockerd.Dockerd, folder: Path, program: Path, stack: str = "example", kubeconfig: str = "") -> Throwaway:
    """A stack whose Docker, command and plugin, is the tests' own."""
    made = Throwaway(folder, program, stack, docker=True, kubeconfig=kubeconfig)
    made.seconds = 600  # images are built
    made.environment |= {key: docker.environment[key] for key in ("DOCKER_HOST", "DOCKER_CONFIG")}
    made.environment["PATH"] = f"{docker.path}:{made.environment['PATH']}"
    return made


def configure(stack: Throwaway, /, project: str = "web", **settings: str) -> None:
    """Sets a program's configuration; an empty text takes a setting out."""
    file = stack.program / f"Pulumi.{stack.stack}.yaml"
    content = yaml.safe_load(file.read_text())
    config = {**(content.get("config") or {}), **{f"{project}:{key}": value for key, value in settings.items()}}
    content["config"] = {key: value for key, value in config.items() if value != ""}
    file.write_text(yaml.safe_dump(content))


def answer(port: int) -> str:
    from urllib.request import urlopen

    with urlopen(f"http://127.0.0.1:{port}/", timeout=5) as response:
        return response.read().decode()


def labelled(api: Api, selector: str) -> list[str]:
    """Every object of the cluster that carries the labels, whatever its kind."""
    found = []
    for version, kind in api.kinds():
        found += [f"{kind} {each['metadata'].get('namespace', '')}/{each['metadata']['name']}"
                  for each in api.list(version, kind, labelSelector=selector)]  # fmt: skip
    return sorted(found)
