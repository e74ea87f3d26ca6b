"""Configuration: read once, refused in one message that names each key and its fix."""

import json
from pathlib import Path

import pytest
import yaml
from slipway.infra.config.base import ConfigError
from slipway.infra.config.kept import as_kept
from slipway.infra.config.stack import ServiceConfig, StackConfig
from slipway.infra.home import ROOT
from slipway.infra.runtime import FEEDBACK_DAYS, ONNX
from slipway.service.settings import Settings

DIGITS = {"model": "models/digits"}


def parse(services=None, **keys):
    values = {f"slipway:{key}": value for key, value in keys.items()}
    if services is not None:
        values["slipway:services"] = services if isinstance(services, str) else json.dumps(services)
    return StackConfig.parse(values)


def test_defaults_are_the_local_dev_stack_on_port_3000():
    config = parse({"digits": DIGITS})
    assert (config.platform, config.environment) == ("local", "dev")
    assert config.services["digits"] == ServiceConfig(model="models/digits", port=3000, workers=None, variant=None)


def test_a_stack_file_reads_as_pulumi_hands_it_over():
    from_file = StackConfig.from_file("dev")
    content = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())["config"]
    from_engine = {key: value if isinstance(value, str) else json.dumps(value) for key, value in content.items()}
    assert StackConfig.parse(from_engine) == from_file


def test_a_service_that_is_kept_has_the_artifact_that_it_serves_and_a_new_one_is_left_out(monkeypatch):
    uri = f"file:///store@sha256:{'1' * 64}"
    monkeypatch.setenv("SLIPWAY_KEEP", json.dumps({"digits": uri, "linear": None}))
    digits = ServiceConfig(model="models/digits", variant="int8-static", port=4000)
    services = {name: ServiceConfig(model=f"models/{name}") for name in ("linear", "tumours")} | {"digits": digits}
    kept = as_kept(services)
    assert kept == {"tumours": services["tumours"], "digits": ServiceConfig(model=uri, port=4000)}
    monkeypatch.setenv("SLIPWAY_KEEP", '{"linear": null}')
    with pytest.raises(ConfigError, match="leaves no service"):
        as_kept({"linear": services["linear"]})


@pytest.mark.parametrize("text", ["", "digits", "[]", '{"gone": null}'])
def test_an_update_of_some_services_is_no_update_of_all_when_what_is_kept_was_not_found_out(monkeypatch, text):
    monkeypatch.setenv("SLIPWAY_KEEP", text)
    with pytest.raises(ConfigError, match=r"\$SLIPWAY_KEEP"):
        StackConfig.from_file("dev")


@pytest.mark.parametrize("given", [1500, "1500"])
def test_the_limit_is_a_number_in_the_file_and_a_text_from_the_engine(given):
    assert parse({"digits": DIGITS}, maxMonthlyUsd=given).maxMonthlyUsd == 1500


def test_keys_of_other_namespaces_are_left_alone():
    assert StackConfig.parse({"aws:region": "eu-west-1", "slipway:services": {"a": DIGITS}}).services.keys() == {"a"}


@pytest.mark.parametrize(
    ("services", "keys", "named"),
    [
        (None, {}, ["slipway:services: is not set", "models/digits"]),
        ({}, {}, ["slipway:services: is empty", "models/digits"]),
        ("digits", {}, ["slipway:services", "'digits'"]),
        ([], {}, ["slipway:services"]),
        ({"digits": DIGITS}, {"platfrom": "local"}, ["slipway:platfrom: no such key", "platform"]),
        ({"digits": DIGITS}, {"platform": "mars"}, ["slipway:platform", "'local'", "'mars'"]),
        ({"digits": DIGITS}, {"platform": ""}, ["slipway:platform"]),
        ({"digits": DIGITS}, {"environment": "prod"}, ["slipway:environment", "'production'", "'prod'"]),
        ({"digits": {}}, {}, ["slipway:services.digits.model: is not set", "models/digits"]),
        ({"digits": None}, {}, ["slipway:services.digits"]),
        ({"digits": "models/digits"}, {}, ["slipway:services.digits", "'models/digits'"]),
        ({"digits": {"model": ""}}, {}, ["slipway:services.digits.model"]),
        ({"digits": {"model": 3}}, {}, ["slipway:services.digits.model", "string"]),
        (
            {"digits": {"modle": "models/digits"}},
            {},
            ["services.digits.modle: no such key", "digits.model: is not set"],
        ),
        ({"digits": {**DIGITS, "port": 80}}, {}, ["slipway:services.digits.port", "1024"]),
        ({"digits": {**DIGITS, "port": 70000}}, {}, ["slipway:services.digits.port", "65535"]),
        ({"digits": {**DIGITS, "port": "3000"}}, {}, ["slipway:services.digits.port", "integer"]),
        ({"digits": {**DIGITS, "port": 3000.5}}, {}, ["slipway:services.digits.port", "integer"]),
        ({"digits": {**DIGITS, "port": True}}, {}, ["slipway:services.digits.port", "integer"]),
        ({"digits": {**DIGITS, "workers": 0}}, {}, ["slipway:services.digits.workers", "1"]),
        ({"digits": {**DIGITS, "workers": -2}}, {}, ["slipway:services.digits.workers"]),
        ({"digits": {**DIGITS, "workers": 1000}}, {}, ["slipway:services.digits.workers", "256"]),
        ({"digits": {**DIGITS, "variant": 8}}, {}, ["slipway:services.digits.variant", "string"]),
        (
            {"digits": {**DIGITS, "replicas": 2}},
            {},
            ["slipway:services.digits.replicas: no such key", "workers"],
        ),
        ({"Digits": DIGITS}, {}, ["'Digits'", "lower-case"]),
        ({"my digits": DIGITS}, {}, ["'my digits'", "lower-case"]),
        ({"digits_2": DIGITS}, {}, ["'digits_2'", "dashes"]),
        ({"2digits": DIGITS}, {}, ["'2digits'", "start with a letter"]),
        ({"digits-": DIGITS}, {}, ["'digits-'", "end with a letter"]),
        ({"d" * 41: DIGITS}, {}, ["at most 40"]),
        ({"ziffern-ä": DIGITS}, {}, ["'ziffern-ä'"]),
        ({"a": DIGITS, "b": DIGITS}, {}, ["services.b.port: 3000 is taken by 'a'"]),
        ({"a": {**DIGITS, "metricsPort": 3000}}, {}, ["services.a.metricsPort: 3000 is taken by 'a'"]),
        ({"a": DIGITS}, {"environment": "production"}, ["slipway:apiKeys: nobody could ask", "--secret"]),
        ({"a": DIGITS}, {"apiKeys": '{"x": "short"}'}, ["slipway:apiKeys.x.key: use 32 to 200 random letters"]),
        ({"a": DIGITS}, {"apiKeys": '{"x": 12345}'}, ["slipway:apiKeys.x"]),
        (
            {"a": DIGITS},
            {"apiKeys": '{"x": {"expires": "2030-01-01T00:00:00Z"}}'},
            ["slipway:apiKeys.x.key: is not set"],
        ),
        ({"a": DIGITS}, {"access": '{"alow": []}'}, ["slipway:access.alow: no such key", "allow"]),
        (
            {"a": DIGITS},
            {"access": '{"allow": ["10.0.0.1/8"]}'},
            ["slipway:access.allow", "'10.0.0.1/8' is no network"],
        ),
        ({"a": DIGITS}, {"access": '{"rate": {"perKey": 0}}'}, ["slipway:access.rate.perKey"]),
        ({"a": DIGITS}, {"access": '{"jwt": {"jwks": "keys.json"}}'}, ["slipway:access.jwt.audience: is not set"]),
        ({"a": {"port": 1}}, {"enviroment": "dev"}, ["a.model: is not set", "a.port", "slipway:enviroment"]),
    ],
)
def test_a_wrong_setting_is_refused_naming_key_and_fix(services, keys, named):
    with pytest.raises(ConfigError) as refusal:
        parse(services, **keys)
    for part in named:
        assert part in str(refusal.value)


def test_a_stack_file_may_leave_the_project_name_out(tmp_path, monkeypatch):
    (tmp_path / "Pulumi.x.yaml").write_text("config: {services: {a: {model: m}}, platfrom: local}")
    monkeypatch.setattr("slipway.infra.config.stack.ROOT", tmp_path)
    with pytest.raises(ConfigError) as refusal:
        StackConfig.from_file("x")
    assert "slipway:platfrom: no such key" in str(refusal.value)
    assert "slipway:services" not in str(refusal.value)


def test_a_missing_stack_file_says_which_one_and_what_to_do():
    with pytest.raises(ConfigError, match=r"Pulumi.nowhere.yaml is missing: copy Pulumi.dev.yaml"):
        StackConfig.from_file("nowhere")


def test_pulumi_yaml_declares_the_same_keys_types_and_defaults():
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    types = {"string": "string", "integer": "integer"}
    schema = StackConfig.model_json_schema()["properties"]
    assert declared.keys() == schema.keys()
    for key, field in schema.items():
        structured = "$ref" in field or field["type"] == "object"
        assert declared[key]["type"] == ("object" if structured else types[field["type"]]), key
        assert declared[key].get("default") == ({} if "default" in field and structured else field.get("default")), key
        assert declared[key]["description"] == field["description"], key
        # The engine demands a value for whatever is declared without one.
        assert "default" in declared[key] or key == "services", key
        # The engine takes no default for what it is told is secret: StackConfig itself refuses a plain one.
        assert not declared[key].get("secret"), key


def test_only_the_stack_configuration_reads_pulumi_config():
    readers = [
        path.relative_to(ROOT).as_posix()
        for path in [*Path(ROOT / "infra").rglob("*.py"), ROOT / "__main__.py"]
        if "pulumi.Config" in path.read_text() or "runtime.config" in path.read_text()
    ]
    assert readers == ["infra/config/stack.py"]


def test_a_refused_key_is_not_repeated():
    with pytest.raises(ConfigError) as refusal:
        parse(
            {"a": DIGITS},
            apiKeys=json.dumps({"x": "canary", "y": {"key": "canary", "until": "canary"}, "z": ["canary"]}),
        )
    assert "canary" not in str(refusal.value)


def test_what_nobody_can_tell_the_place_of_has_no_allowed_regions():
    with pytest.raises(ConfigError, match=r"slipway:privacy.regions: nothing tells where a stack on local is"):
        parse({"digits": DIGITS}, privacy={"regions": ["eu-central-1"]})


@pytest.mark.parametrize(
    ("stack", "service", "kept", "feedback"),
    [(None, None, None, None), (14, None, 14, "14"), (14, 90, 14, "14"), (90, 7, 7, "7"), (90, None, 90, None)],
)
def test_a_service_keeps_nothing_for_longer_than_the_stack(stack, service, kept, feedback):
    digits = DIGITS if service is None else {**DIGITS, "retentionDays": service}
    found = parse({"digits": digits}, privacy={"retentionDays": stack} if stack else {}).services["digits"]
    assert (found.retentionDays, ONNX.environment(found).get("SLIPWAY_FEEDBACK_DAYS")) == (kept, feedback)


def test_feedback_is_taken_for_as_long_as_is_known_of_a_service():
    assert Settings().feedback_days == FEEDBACK_DAYS
