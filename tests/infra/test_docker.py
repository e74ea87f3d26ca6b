"""The platform docker and the image under mocks: what is declared, and what is refused first."""

import json

import pytest
from slipway.infra.config.base import ConfigError
from slipway.infra.config.image import ImageConfig
from slipway.infra.config.stack import StackConfig
from slipway.infra.resources.image import image_key
from slipway.infra.runtime import ONNX

from tests.recorder import run_program

DIGITS = {"model": "models/digits"}
KEYS = {"jwt": {"jwks": "https://issuer.example/keys", "audience": "a", "issuer": "i"}}
DIGEST = "@sha256:" + "b" * 64


@pytest.fixture(scope="module")
def program():
    return run_program(
        platform="docker", access=KEYS, services={"digits": {**DIGITS, "workers": 2, "resources": {"memory": "1Gi"}}}
    )


def containers(program):
    return {args.inputs["name"]: args.inputs for args in program.of_type("Container")}


def test_a_service_is_an_image_containers_and_what_leads_to_them(program):
    counts = program.counts()
    assert (counts["ServiceImage"], counts["Container"], counts["Volume"], counts["Network"]) == (1, 5, 2, 1)
    image = program.inputs_of("digits", "ServiceImage")
    assert image["load"] is True and image["name"] == "slipway/digits" and len(image["key"]) == 32


def test_every_container_that_runs_is_closed_in(program):
    running = [each for each in containers(program).values() if each.get("start", True)]
    assert len(running) == 3
    for each in running:
        assert each["readOnly"] and each["user"] == "10001:10001" and each["capabilities"] == {"drops": ["ALL"]}
        assert each["securityOpts"] == ["no-new-privileges"] and each["restart"] == "unless-stopped"


def test_a_version_is_waited_for_and_has_its_memory(program):
    waited = [each for each in containers(program).values() if each.get("wait")]
    releases = [each for each in waited if "ports" not in each]
    assert (len(waited), len(releases)) == (3, 2)
    for each in releases:
        assert each["healthcheck"]["tests"][0] == "CMD" and each["waitTimeout"] >= 60 and each["memory"] == 1024


def test_the_key_of_an_image_follows_what_goes_in_and_nothing_else():
    plain = image_key("sha256:1", ONNX, "none", ImageConfig())
    assert plain == image_key("sha256:1", ONNX, "none", ImageConfig(packages="fetched"))
    assert plain == image_key("sha256:1", ONNX, "none", ImageConfig(cuda="12"))
    others = [
        image_key("sha256:2", ONNX, "none", ImageConfig()),
        image_key("sha256:1", ONNX, "nvidia", ImageConfig()),
        image_key("sha256:1", ONNX, "nvidia", ImageConfig(cuda="12")),
        image_key("sha256:1", ONNX, "none", ImageConfig(arch="arm64")),
        image_key("sha256:1", ONNX, "none", ImageConfig(arch="amd64,arm64")),
        image_key("sha256:1", ONNX, "none", ImageConfig(base=f"python{DIGEST}")),
        image_key("sha256:1", ONNX, "none", ImageConfig(python="3.13")),
    ]
    assert len({plain, *others}) == 8


@pytest.mark.parametrize(
    ("service", "keys", "named"),
    [
        ({}, {"image": {"base": "python:3.12"}}, ["slipway:image.base", "'python:3.12'"]),
        ({}, {"image": {"arch": "sparc"}}, ["slipway:image.arch", "'amd64'"]),
        ({}, {"image": {"arch": "amd64,arm64"}}, ["slipway:image.arch", "one host"]),
        ({"accelerator": "nvidia"}, {"image": {"arch": "arm64", "cuda": "12"}}, ["slipway:image.arch", 'cuda: "13"']),
        ({}, {"image": {"python": "2.7"}}, ["slipway:image.python", "'3.12'"]),
        ({}, {"docker": {"host": "me@machine"}}, ["slipway:docker.host", "'me@machine'"]),
        ({}, {"docker": {"address": "everywhere"}}, ["slipway:docker.address", "127.0.0.1"]),
        ({}, {"docker": {"gpus": "two"}}, ["slipway:docker.gpus", "'two'"]),
        ({}, {"access": {**KEYS, "allow": ["10.0.0.0/8"]}}, ["slipway:access.allow", "firewall"]),
        ({}, {"access": {**KEYS, "rate": {"perAddress": 5}}}, ["slipway:access.rate.perAddress", "firewall"]),
        ({"resources": {"cpu": "2"}}, {}, ["slipway:services.a.resources.cpu", "workers"]),
        ({"accelerator": "nvidia", "resources": {"gpu": 1}}, {}, ["services.a.resources.gpu", "docker.gpus"]),
        ({"scale": {"min": 2}}, {}, ["services.a.scale: platform docker has none", "workers"]),
        ({"metricsPort": 9000}, {}, ["services.a.metricsPort: platform docker has none", "9000"]),
    ],
)
def test_what_a_docker_host_lacks_is_refused_naming_key_and_fix(service, keys, named):
    values = {"platform": "docker", "access": KEYS, **keys, "services": {"a": {**DIGITS, **service}}}
    values = {f"slipway:{key}": each if isinstance(each, str) else json.dumps(each) for key, each in values.items()}
    with pytest.raises(ConfigError) as refusal:
        StackConfig.parse(values)
    for part in named:
        assert part in str(refusal.value)


def test_a_service_whose_accelerator_is_not_what_its_model_is_for_is_told_with_the_fix(monkeypatch):
    told = []
    monkeypatch.setattr("pulumi.log.warn", told.append)
    services = {"digits": {**DIGITS, "accelerator": "nvidia"}, "linear": {"model": "models/linear", "port": 3001}}
    run_program(platform="docker", access=KEYS, services=services)
    (warning,) = [each for each in told if "optimized" in each]
    assert warning.startswith("digits: it runs on nvidia (accelerator: nvidia)")
    assert "optimized and judged for cpu" in warning and "slipway model build models/digits --target nvidia" in warning
