"""The platform docker on a real daemon: up, no-op, new key, new model, broken model, destroy. In this order."""

import hashlib
import json
import secrets
import threading
import time

import httpx
import pytest
import yaml
from slipway.infra.home import ROOT

from tests.artifacts import promoted, promoted_copy
from tests.cluster.conftest import on
from tests.cluster.dockerd import free_port
from tests.cluster.watching import asked, prometheus
from tests.service.conftest import make_artifact
from tests.waiting import until

FIRST, SECOND = secrets.token_hex(32), secrets.token_hex(32)
BODY = {"inputs": {"x": [3.0]}}
MINE = "label=slipway:stack=slipway/test"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Artifacts in one store: two that work, and one whose model is none."""
    store, folder = tmp_path_factory.mktemp("store"), tmp_path_factory.mktemp("models")
    made = {"old": promoted_copy(store, make_artifact(folder / "old", "linear"))}
    again = make_artifact(folder / "new", "linear")
    made["new"] = promoted_copy(store, again, note="trained again")
    return {**made, "broken": promoted(store, "no model at all")}


@pytest.fixture(scope="module")
def port():
    return free_port()


@pytest.fixture(scope="module")
def stack(docker, models, port, tmp_path_factory):
    with on(docker, tmp_path_factory.mktemp("docker"), ROOT, "test") as stack:
        stack.environment["PYTHONPATH"] = str(stack.program)
        stack.pulumi("config", "set", "--stack", "test", "--secret", "--path", "slipway:apiKeys.first", FIRST)
        settings = {
            "platform": "docker",
            "docker": {"host": docker.environment["DOCKER_HOST"], "monitoring": "prometheus"},
            "image": {"base": docker.base, "python": "3.11"},
        }
        configure(stack, **settings)
        serve(stack, models["old"], port)
        yield stack
        stack.destroy(fails=None)


def configure(stack, **settings):
    file = stack.program / "Pulumi.test.yaml"
    content = yaml.safe_load(file.read_text())
    content["config"] |= {f"slipway:{key}": value for key, value in settings.items()}
    file.write_text(yaml.safe_dump(content))


def serve(stack, model, port, **more):
    configure(stack, services={"linear": {"model": model, "port": port, **more}})


def status(port, key=FIRST):
    header = {"authorization": f"Bearer {key}"}
    return httpx.post(f"http://127.0.0.1:{port}/predict", json=BODY, headers=header, timeout=10).status_code


def containers(docker, *filters):
    """{what the stack calls it: id} of the stack's containers."""
    listed = docker(
        "ps", "--all", "--no-trunc", "--filter", MINE, *filters, "--format", '{{.Label "slipway:name"}} {{.ID}}'
    )
    return dict(line.split() for line in listed.splitlines())


def releases(docker):
    roles = ("front", "access", "live", "prometheus")
    return {name: id_ for name, id_ in containers(docker).items() if not name.endswith(roles)}


def names(docker):
    """What docker itself calls the containers that serve."""
    return docker("inspect", "--format", "{{.Name}}", *releases(docker).values()).replace("/", "").split()


class Load:
    """Callers that keep their connections, and callers that make one for each request."""

    def __init__(self, port):
        self.url, self.counts, self.failed, self.ended = f"http://127.0.0.1:{port}/predict", 0, [], threading.Event()
        self.threads = [threading.Thread(target=self.call, args=(kept,)) for kept in (True, True, False, False)]

    def call(self, kept):
        headers = {"authorization": f"Bearer {FIRST}", **({} if kept else {"connection": "close"})}
        with httpx.Client(timeout=10) as client:
            while not self.ended.is_set():
                try:
                    answer = client.post(self.url, json=BODY, headers=headers)
                    problem = None if answer.status_code == 200 else answer.status_code
                except httpx.HTTPError as error:
                    problem = repr(error)
                self.counts += 1
                if problem:
                    self.failed.append((kept, problem))
                time.sleep(0.01)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()


def test_a_stack_from_nothing_serves_on_its_port(stack, docker, port):
    stack.up()
    assert status(port) == 200 and status(port, SECOND) == 401
    stack.up("--expect-no-changes")


def test_no_container_tells_keys_and_the_access_file_is_its_users_alone(stack, docker):
    told = docker("inspect", *containers(docker).values())
    kept = hashlib.sha256(FIRST.encode()).hexdigest()
    assert FIRST not in told and kept not in told
    assert FIRST not in json.dumps(stack.state()) and kept not in json.dumps(stack.state())
    (release,) = releases(docker).values()
    script = "import os; s = os.stat('/access/access.json'); print(oct(s.st_mode & 0o777), s.st_uid, os.getuid())"
    assert docker("exec", release, "python3", "-c", script) == "0o400 10001 10001"
    settings = json.loads(docker("inspect", release))[0]["HostConfig"]
    assert settings["ReadonlyRootfs"] and settings["CapDrop"] == ["ALL"]
    assert settings["RestartPolicy"]["Name"] == "unless-stopped"


def test_a_new_key_is_taken_without_another_container(stack, docker, port):
    before = releases(docker)
    stack.pulumi("config", "set", "--stack", "test", "--secret", "--path", "slipway:apiKeys.second", SECOND)
    stack.up()
    time.sleep(2)  # processes look once a second
    assert status(port) == 200 and status(port, SECOND) == 200
    assert releases(docker) == before


def test_a_new_model_takes_over_and_no_request_fails(stack, docker, models, port):
    (before,) = releases(docker)
    front = containers(docker)["linear-front"]
    serve(stack, models["new"], port)
    with Load(port) as load:
        stack.up()
        time.sleep(1)
    (after,) = releases(docker)
    print(f"\n{load.counts} requests, {len(load.failed)} failed {load.failed[:3]}")
    assert after != before and containers(docker)["linear-front"] == front
    assert load.counts > 100 and not load.failed


def test_a_broken_model_leaves_the_one_before_serving_and_can_be_taken_back(stack, docker, models, port):
    (before,) = releases(docker)
    serve(stack, models["broken"], port)
    with Load(port) as load:
        said = stack.up(fails=True)
    assert "did not become healthy" in said and "slipway-test-linear-" in said
    assert load.counts > 100 and not load.failed
    serve(stack, models["new"], port)
    with Load(port) as load:
        stack.up()
    assert not load.failed and list(releases(docker)) == [before]


def test_several_workers_share_the_port(stack, docker, models, port):
    serve(stack, models["new"], port, workers=2)
    with Load(port) as load:
        stack.up()
    assert not load.failed and len(releases(docker)) == 2 and status(port) == 200


def test_a_prometheus_of_the_host_finds_every_container_by_the_files_in_the_volume(stack, docker, tmp_path):
    (files,) = (id_ for name, id_ in containers(docker).items() if name.endswith("prometheus"))
    docker("cp", f"{files}:/prometheus/.", str(tmp_path))
    scraped, rules = (yaml.safe_load((tmp_path / f"{name}.yaml").read_text()) for name in ("scrape", "rules"))
    (job,) = scraped["scrape_configs"]
    (found,) = job["docker_sd_configs"]
    assert found["host"] == "unix:///var/run/docker.sock"
    found |= {"host": docker.environment["DOCKER_HOST"], "refresh_interval": "1s"}  # the tests' own daemon
    job["scrape_interval"] = job["scrape_timeout"] = "500ms"
    with prometheus(tmp_path, [job], [rules]) as (address, _):
        query = 'slipway_workers{namespace="slipway-test",service_name="linear"}'
        until(lambda: len(asked(address, query)) == len(releases(docker)), 60, "a container is not scraped")
        assert {each["metric"]["instance"] for each in asked(address, "up")} == set(names(docker))


def test_what_would_alert_is_told_of_containers_without_a_prometheus(stack, port):
    assert status(port) == 200
    said = stack.slipway("doctor", "--watch", "--seconds", "2")
    assert "quiet  SlipwayFailing, SlipwaySlow, SlipwaySaturated, SlipwayDrift" in said, said


def test_a_container_that_is_gone_comes_back(stack, docker, port):
    docker("rm", "--force", *releases(docker).values())
    stack.up()
    assert len(releases(docker)) == 2 and status(port) == 200


def test_destroy_leaves_nothing_but_images(stack, docker):
    stack.destroy()
    assert containers(docker) == {}
    assert docker("volume", "ls", "--quiet", "--filter", MINE) == ""
    assert docker("network", "ls", "--quiet", "--filter", MINE) == ""


def test_the_sweep_of_a_stack_that_was_taken_down_finds_nothing_and_removes_what_a_killed_destroy_left(stack, docker):
    assert "Nothing is left but caches." in stack.slipway("stack", "sweep")
    docker("volume", "create", "--label", "slipway:stack=slipway/test", "slipway-test-linear-access")
    docker("volume", "create", "--label", "slipway:stack=slipway/other", "slipway-other-linear-access")
    said = stack.slipway("stack", "sweep")
    assert "removed volume slipway-test-linear-access" in said and "Nothing is left but caches." in said
    assert docker("volume", "ls", "--quiet", "--filter", "label=slipway:stack").split() == [
        "slipway-other-linear-access"
    ]
    docker("volume", "rm", "slipway-other-linear-access")
