"""`monitoring: prometheus` of stacks on one host: what is declared, written, found again and taken away."""

import re

import pytest
import yaml
from slipway.infra.config.base import ConfigError
from slipway.infra.config.stack import StackConfig
from slipway.infra.errors import Unanswered
from slipway.infra.monitoring.rules import rules
from slipway.infra.platforms.docker import monitoring as on_docker
from slipway.infra.platforms.local.monitoring import PrometheusFilesProvider, folder, metrics, remove
from slipway.infra.platforms.local.service import stack_label
from slipway.infra.resources.command import SlipwayError

from tests.infra.refusals import handed_over
from tests.recorder import run_program

DIGITS = {"model": "models/digits", "metricsPort": 9001}
LINEAR = {"model": "models/linear", "port": 3001, "metricsPort": 9002}
KEYS = {"jwt": {"jwks": "https://issuer.example/keys", "audience": "a", "issuer": "i"}}
ON = {"monitoring": "prometheus"}


def config(**values):
    return StackConfig.parse(handed_over(values))


@pytest.fixture(scope="module")
def declared():
    """The inputs of the files of a local stack with two services."""
    return run_program(local=ON, services={"digits": DIGITS, "linear": LINEAR}).inputs_of(
        "prometheus", "PrometheusFiles"
    )


@pytest.fixture
def files(declared, tmp_path, monkeypatch):
    """A provider that has written them to a home of their own."""
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path))
    provider = PrometheusFilesProvider()
    provider.create(declared)
    return provider


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"local": {"monitoring": "datadog"}}, ["slipway:local.monitoring", "'prometheus'", "'datadog'"]),
        ({"local": {"monitoring": True}}, ["slipway:local.monitoring", "'prometheus'"]),
        ({"local": {"monitor": "prometheus"}}, ["slipway:local.monitor: no such key", "monitoring"]),
        (
            {"local": ON, "services": {"digits": {"model": "models/digits"}}},
            ["slipway:services.digits.metricsPort", "set a free port"],
        ),
        (
            {"platform": "docker", "access": KEYS, "docker": {"monitoring": "grafana"}},
            ["slipway:docker.monitoring", "'prometheus'", "'grafana'"],
        ),
    ],
)
def test_monitoring_that_can_t_be_is_refused_naming_key_and_fix(values, named):
    with pytest.raises(ConfigError) as refusal:
        config(**{"services": {"digits": DIGITS}} | values)
    for part in named:
        assert part in str(refusal.value)


def test_the_files_name_each_service_s_metrics_and_hold_the_rules_of_every_platform(files, declared):
    place = folder(declared["namespace"])
    (job,) = yaml.safe_load((place / "scrape.yaml").read_text())["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["127.0.0.1:9001", "127.0.0.1:9002"]}]
    assert job["relabel_configs"] == [{"target_label": "namespace", "replacement": declared["namespace"]}]
    assert yaml.safe_load((place / "rules.yaml").read_text()) == rules(declared["namespace"])


def test_files_that_somebody_changed_are_written_again(files, declared):
    assert files.read("id", declared).id == "id"
    rules_file = folder(declared["namespace"]) / "rules.yaml"
    rules_file.write_text(rules_file.read_text() + "# mine\n")
    assert files.read("id", declared).id == ""
    files.create(declared)
    assert files.read("id", declared).id == "id" and "# mine" not in rules_file.read_text()


def test_the_same_files_are_no_change_and_another_port_is(files, declared):
    assert not files.diff("id", declared, dict(declared)).changes
    for other in ({"targets": ["127.0.0.1:9003"]}, {"contentKey": "of other rules"}):
        assert files.diff("id", declared, declared | other).changes


def test_another_stack_s_files_are_neither_written_over_nor_removed(files, declared, monkeypatch):
    owner = stack_label(declared["stack"])
    monkeypatch.setenv("PULUMI_BACKEND_URL", "file:///elsewhere")
    with pytest.raises(SlipwayError, match="belongs to stack"):
        files.create(declared)
    files.delete("id", declared)
    assert (folder(declared["namespace"]) / "rules.yaml").exists()
    assert remove(declared["namespace"], owner)
    assert not folder(declared["namespace"]).exists() and not remove(declared["namespace"], owner)


def test_files_of_which_nobody_knows_whose_they_are_go_with_the_stack(files, declared):
    (folder(declared["namespace"]) / "owner").write_text("")
    files.delete("id", declared)
    assert not folder(declared["namespace"]).exists()


def test_on_docker_the_files_are_in_a_volume_and_name_no_version():
    program = run_program(platform="docker", access=KEYS, docker=ON, services={"digits": {"model": "models/digits"}})
    scrape, ruled = program.inputs_of("prometheus", "Container")["uploads"]
    assert (scrape["file"], ruled["file"]) == ("/prometheus/scrape.yaml", "/prometheus/rules.yaml")
    (job,) = yaml.safe_load(scrape["content"])["scrape_configs"]
    assert job["docker_sd_configs"][0]["filters"] == [{"name": "label", "values": ["slipway:stack=slipway/test"]}]
    assert "digits" not in scrape["content"] + ruled["content"]
    assert yaml.safe_load(ruled["content"]) == rules("slipway-test")


def test_a_service_s_containers_are_told_from_all_others_of_the_stack(monkeypatch):
    services = {
        name: {"model": "models/digits", "workers": 2, "port": port} for name, port in (("a", 3000), ("a-b", 3001))
    }
    program = run_program(platform="docker", access=KEYS, docker=ON, services=services)
    made = [args.inputs for args in program.of_type("Container")]
    told = {each["name"]: each["labels"][1]["value"] for each in made}
    mine = [name for name, part in told.items() if re.fullmatch("a-[0-9a-f]{8}-[01]", part)]
    assert len(told) == 11 and len(mine) == 2
    asked = []

    def docker(host, *arguments):
        asked.append((host, arguments[:2]))
        return "".join(f"{name} {part}\n" for name, part in told.items()) if arguments[0] == "ps" else "metrics"

    monkeypatch.setattr(on_docker, "docker_command", docker)
    found = config(platform="docker", access=KEYS, docker={"host": "ssh://me@host"}, services={"a": {"model": "m"}})
    assert on_docker.metrics(found, "dev", "a") == dict.fromkeys(mine, "metrics")
    assert asked[1:] == [("ssh://me@host", ("exec", name)) for name in mine]


@pytest.mark.parametrize(("service", "why"), [(DIGITS, "does not answer"), ({"model": "m"}, "metricsPort is not set")])
def test_metrics_that_can_t_be_had_are_told_with_where(service, why, free_port):
    service = {**service, "metricsPort": free_port} if "metricsPort" in service else service
    with pytest.raises(Unanswered, match=why):
        metrics(config(services={"digits": service}), "dev", "digits")
