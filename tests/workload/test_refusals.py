"""Configurations that could not work on a cluster are refused by name, before anything is registered."""

import json

import pytest
import yaml
from slipway.infra.config.base import ConfigError
from slipway.infra.config.scaling import ScaleConfig
from slipway.infra.config.stack import StackConfig

IMAGE = "registry.example/a@sha256:" + "a" * 64
JWT = {"jwt": {"jwks": "https://issuer.example/keys", "audience": "a", "issuer": "i"}}
POOL = {"resource": "nvidia.com/gpu"}
GPU = {"accelerator": "nvidia"}


def parse(service=None, kubernetes=None, platform="kubernetes", arch="amd64", **more):
    services = {"a": {"model": "models/digits", **({"image": IMAGE} if platform != "local" else {}), **(service or {})}}
    services |= {name: {"model": "models/digits", "image": IMAGE, **each} for name, each in more.items()}
    image = {"arch": arch, "cuda": "12"}
    values = {"services": services, "kubernetes": kubernetes or {}, "access": JWT, "image": image}
    return StackConfig.parse(
        {"slipway:platform": platform, **{f"slipway:{k}": json.dumps(v) for k, v in values.items()}}
    )


def room(gpus, **more):
    return {"placements": {"nvidia": [{**POOL, "gpus": gpus, **more}]}}


@pytest.mark.parametrize(
    ("service", "kubernetes", "named"),
    [
        # Rollouts and drains that could never go on.
        ({**GPU, "scale": {"min": 2}}, room(2), ["services.a.rollout.surge", "spare", "unavailable: 1"]),
        ({**GPU, "scale": {"min": 1, "max": 4}}, room(4), ["services.a.rollout.surge", "4 are taken"]),
        ({**GPU, "scale": {"min": 3}}, room(2), ["services.a.scale.max", "ask for 3 GPUs", "has 2"]),
        ({"rollout": {"surge": 0}}, {}, ["services.a.rollout", "surge: neither", "surge: 1"]),
        ({"scale": {"min": 2, "keep": 2}}, {}, ["services.a.scale", "keep: 2 of 2", "at most min - 1 (1)"]),
        ({"scale": {"min": 1, "keep": 1}}, {}, ["services.a.scale", "keep: 1 of 1"]),
        (
            {"scale": {"min": 2}, "rollout": {"unavailable": 2}},
            {},
            ["services.a: rollout.unavailable: 2 of 2", "at most 1"],
        ),
        # Sleep that nothing ends, and counts that can't be.
        ({"scale": {"min": 0, "max": 2}}, {}, ["services.a.scale", "min: where there is no pod", "wake", "min: 1"]),
        (
            {"scale": {"min": 0, "max": 2, "on": "inflight"}},
            {"prometheus": "http://p:9090"},
            ["services.a.scale", "wake"],
        ),
        ({"scale": {"wake": "x", "on": "inflight"}}, {}, ["services.a.scale", "wake: goes with min: 0"]),
        ({"scale": {"min": 3, "max": 2}}, {}, ["services.a.scale", "max: 2 is less than min (3)"]),
        ({"scale": {"min": -1}}, {}, ["services.a.scale.min"]),
        ({"scale": {"max": 0}}, {}, ["services.a.scale.max"]),
        ({"scale": {"on": "gpu"}}, {}, ["services.a.scale.on", "'inflight' or 'requests'"]),
        ({"scale": {"max": 3, "on": "inflight"}}, {}, ["services.a.scale.on", "kubernetes.prometheus"]),
        ({"scale": {"target": 0}}, {}, ["services.a.scale.target"]),
        # What belongs together.
        ({"resources": {"gpu": 1}}, {}, ["services.a: resources.gpu", "accelerator: nvidia"]),
        (
            {"scale": {"max": 4, "on": "requests", "target": 9}},
            {},
            ["services.a.scale.on: requests: nothing before the pods of platform kubernetes counts", "cpu or inflight"],
        ),
        ({"scale": {"max": 4, "target": 2000}}, {}, ["services.a.scale: target: 2000 of cpu: at most 1000"]),
        (
            {"accelerator": "nvidia", "resources": {"gpu": 2}},
            {},
            ["services.a: resources.gpu: 2: a pod runs its model on 1", "raise scale.max"],
        ),
        ({"accelerator": "tpu"}, {}, ["services.a.accelerator", "'none' or 'nvidia'"]),
        ({"resources": {"cpu": "0"}}, {}, ["services.a.resources.cpu"]),
        ({"resources": {"cpu": 2}}, {}, ["services.a.resources.cpu", "string"]),
        ({"resources": {"memory": "1G"}}, {}, ["services.a.resources.memory"]),
        ({"host": "digits.example.org"}, {}, ["services.a.host", "kubernetes.gateway"]),
        ({"host": "Digits"}, {}, ["services.a.host"]),
        ({"modelFrom": "volume"}, {}, ["services.a.modelFrom", "kubernetes.models"]),
        ({"image": "registry.example/a:latest"}, {}, ["services.a.image", "sha256"]),
        ({"image": None}, {}, ["services.a: its image", "kubernetes.registry"]),
        ({"priority": "High!"}, {}, ["services.a.priority"]),
        ({"scale": {"min": 2, "onDemand": 2}}, {}, ["services.a.scale", "onDemand: 2 of 2"]),
        ({"scale": {"min": 2, "onDemand": 1}}, {}, ["services.a.scale.onDemand", "spot: true"]),
        ({"rollout": {"deadlineSeconds": 5}}, {}, ["services.a.rollout.deadlineSeconds", "20"]),
        # What one process in a pod does not have.
        ({"workers": 4}, {}, ["services.a.workers", "platform kubernetes has none", "scale"]),
        ({"port": 3000}, {}, ["services.a.port", "platform kubernetes has none"]),
        ({"metricsPort": 9000}, {}, ["services.a.metricsPort", "platform kubernetes has none"]),
        # The cluster's own settings.
        ({}, {"contxt": "a"}, ["slipway:kubernetes.contxt: no such key", "context"]),
        ({}, {"namespace": "My_Space"}, ["slipway:kubernetes.namespace"]),
        ({}, {"clients": ["10.0.0.1/8"]}, ["slipway:kubernetes.clients", "'10.0.0.1/8'"]),
        ({}, {"egress": [{"cidr": "anywhere", "port": 1}]}, ["slipway:kubernetes.egress", "'anywhere'"]),
        ({}, {"gateway": {"name": "edge"}}, ["slipway:kubernetes.gateway.namespace: is not set"]),
        ({}, {"placements": {"nvidia": []}}, ["slipway:kubernetes.placements", "nvidia: is empty"]),
        ({}, {"placements": {"nvidia": [{}]}}, ["slipway:kubernetes.placements", "resource: nvidia.com/gpu"]),
        (
            {},
            {"placements": {"nvidia": [POOL, {"resource": "nvidia.com/mig-1g.5gb"}]}},
            ["slipway:kubernetes.placements", "make them equal"],
        ),
        ({}, {"placements": {"amd": [{}]}}, ["slipway:kubernetes.placements"]),
        ({}, {"monitoring": "datadog"}, ["slipway:kubernetes.monitoring"]),
        ({}, {"prometheus": "prometheus:9090"}, ["slipway:kubernetes.prometheus"]),
        ({}, {"load": "kind load docker-image"}, ["slipway:kubernetes.load", "{image}", "{archive}"]),
        ({}, {"load": "kind load {name}"}, ["slipway:kubernetes.load", "{image}"]),
        ({}, {"load": "kind load '{image}"}, ["slipway:kubernetes.load"]),
        (
            {},
            {"load": "kind load {image}", "registry": "registry.example/team"},
            ["kubernetes.load", "leave one of them out"],
        ),
        ({}, {"pullSecret": "My Secret"}, ["slipway:kubernetes.pullSecret"]),
        ({}, {"podUser": "root"}, ["slipway:kubernetes.podUser", "'fixed' or 'assigned'"]),
    ],
)
def test_what_could_not_work_is_refused_naming_key_and_fix(service, kubernetes, named):
    with pytest.raises(ConfigError) as refusal:
        parse(service, kubernetes)
    for part in named:
        assert part in str(refusal.value)


@pytest.mark.parametrize(
    ("service", "kubernetes", "named"),
    [
        ({}, {"load": "kind load {image}"}, ["slipway:image.arch: amd64,arm64", "set kubernetes.registry"]),
        (GPU, {"registry": "registry.example/team"}, ["slipway:image.arch: amd64,arm64", 'image.cuda: "13"']),
    ],
)
def test_an_image_for_two_processors_that_could_not_be_is_refused(service, kubernetes, named):
    with pytest.raises(ConfigError) as refusal:
        parse({"image": None, **service}, kubernetes, arch="amd64,arm64")
    for part in named:
        assert part in str(refusal.value)
    parse({**service, "image": IMAGE}, kubernetes if "registry" in kubernetes else {}, arch="amd64,arm64")


@pytest.mark.parametrize(
    "key", ["accelerator", "scale", "resources", "rollout", "host", "image", "modelFrom", "priority"]
)
def test_the_local_platform_says_why_it_has_no_such_thing(key):
    values = {"accelerator": "none", "host": "a.example.org", "image": IMAGE, "modelFrom": "image", "priority": "p"}
    with pytest.raises(ConfigError, match=f"services.a.{key}: platform local has none: .+; remove it"):
        parse({key: values.get(key, {})}, platform="local")


def test_two_services_have_two_public_names():
    host = {"host": "a.example.org"}
    with pytest.raises(ConfigError, match=r"services.b.host: a.example.org is taken by 'a'"):
        parse(host, {"gateway": {"name": "e", "namespace": "e"}}, b=host)


@pytest.mark.parametrize("name", ["default", "default-deny", "scraper", "a-base"])
def test_a_service_with_the_name_of_something_else_in_its_namespace_is_refused(name):
    base = {"scale": {"min": 2, "onDemand": 1}}
    places = {"placements": {"none": [{"spot": True}, {"spot": False}]}}
    with pytest.raises(ConfigError, match=f"services.{name}: the namespace already uses this name .*: choose another"):
        parse(base, places, **{name: {}})
    assert parse({"scale": {"min": 2}}, {}, **{"a-base": {}})  # only a base takes the name


def test_every_error_is_told_at_once():
    with pytest.raises(ConfigError) as refusal:
        parse({"workers": 4, "port": 3000, "host": "a.example.org"})
    for part in ("services.a.workers", "services.a.port", "services.a.host"):
        assert part in str(refusal.value)


@pytest.mark.parametrize(
    ("service", "kubernetes"),
    [
        ({**GPU, "scale": {"min": 2}}, room(3)),
        ({**GPU, "scale": {"min": 2}}, {}),
        ({**GPU, "scale": {"min": 2}, "rollout": {"surge": 0, "unavailable": 1}}, room(2)),
        ({"scale": {"min": 3, "keep": 2}}, {}),
    ],
)
def test_what_can_go_on_is_taken(service, kubernetes):
    assert parse(service, kubernetes).services["a"]


@pytest.mark.parametrize("text", ["{max: 2, on: cpu}", '{max: 2, "on": cpu}'])
def test_what_is_counted_may_be_spelt_with_quotes_or_without(text):
    assert ScaleConfig.model_validate(yaml.safe_load(text)).on == "cpu"
    assert ScaleConfig.model_validate(json.loads(json.dumps(yaml.safe_load(text)))).on == "cpu"
