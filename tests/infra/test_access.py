"""The access file as the program writes it is one that the service takes, and it holds no key."""

import json

import pytest
from slipway.infra.access_file import access_rules
from slipway.infra.config.base import ConfigError
from slipway.infra.config.stack import StackConfig
from slipway.infra.local_key import key_file, local_key
from slipway.infra.runtime import ONNX
from slipway.service.access.access_file import digest_of, parse_rules

from tests.recorder import run_program

DIGITS = {"model": "models/digits"}
KEY, OTHER = "k3y-0123456789abcdefghijklmnopqrstuv", "0th3r-0123456789abcdefghijklmnopqrstuv"
PUBLIC = {"keys": [{"kty": "EC", "crv": "P-256", "kid": "a", "x": "x", "y": "y"}]}


def config(**keys):
    values = {f"slipway:{key}": json.dumps(value) for key, value in keys.items()}
    return StackConfig.parse({"slipway:services": json.dumps({"digits": DIGITS}), **values})


@pytest.fixture(autouse=True)
def home(slipway_home):
    return slipway_home


def test_what_the_program_writes_is_what_the_service_reads():
    keys = {"a": KEY, "b": {"key": OTHER, "expires": "2030-01-01T00:00:00Z"}}
    jwt = {"jwks": "https://issuer.example/jwks", "audience": "slipway", "issuer": "https://issuer.example"}
    access = {"jwt": jwt, "allow": ["10.0.0.0/8"], "trustedProxies": ["10.0.0.1/32"], "rate": {"perKey": 10}}
    rules = access_rules(config(apiKeys=keys, access=access))
    read = parse_rules({**rules, "signing": "5" * 64})
    assert [(key.name, key.digest, key.expires) for key in read.keys] == [
        ("a", digest_of(KEY.encode()), float("inf")),
        ("b", digest_of(OTHER.encode()), 1893456000.0),
    ]
    assert (read.jwt.audience, read.jwt.leeway, read.per_key, read.per_address) == ("slipway", 30, 10, None)
    assert [str(network) for network in (*read.allow, *read.proxies)] == ["10.0.0.0/8", "10.0.0.1/32"]
    assert KEY not in json.dumps(rules) and OTHER not in json.dumps(rules)


def test_a_local_dev_stack_takes_this_machines_key_which_only_its_user_reads():
    rules = parse_rules(access_rules(config()))
    assert rules.keys[0].digest == digest_of(local_key().encode())
    assert key_file().read_text() == f"authorization: Bearer {local_key()}\n"
    assert key_file().stat().st_mode & 0o777 == 0o600
    assert parse_rules(access_rules(config())) == rules
    assert [each.name for each in key_file().parent.iterdir()] == ["key.header"]


def test_a_stack_with_keys_makes_none():
    access_rules(config(apiKeys={"a": KEY}))
    assert not key_file().exists()


def test_a_jwks_file_goes_along_and_a_private_one_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr("slipway.infra.access_file.ROOT", tmp_path)
    settings = config(access={"jwt": {"jwks": "keys.json", "audience": "a", "issuer": "i"}})
    (tmp_path / "keys.json").write_text(json.dumps(PUBLIC))
    assert access_rules(settings)["jwt"]["jwks"] == PUBLIC
    for content, why in (
        ({"keys": [{**PUBLIC["keys"][0], "d": "canary"}]}, "private or shared key"),
        ({"keys": [{"kty": "oct", "k": "canary"}]}, "private or shared key"),
        ({"keys": []}, "it has no keys"),
        ([], "it is not a JWKS"),
        ({"keys": [1]}, "it is not a JWKS"),
    ):
        (tmp_path / "keys.json").write_text(json.dumps(content))
        with pytest.raises(ConfigError, match=f"slipway:access.jwt.jwks: keys.json: .*{why}") as refusal:
            access_rules(settings)
        assert "canary" not in str(refusal.value)
    (tmp_path / "keys.json").unlink()
    with pytest.raises(ConfigError, match=r"keys\.json: it can't be read"):
        access_rules(settings)


def test_only_secrets_carry_the_access_file():
    program = run_program(services={"digits": DIGITS})
    inputs = program.inputs_of("digits", "LocalService")
    assert "1b47061264138c4ac30d75fd1eb44270" in inputs["access"].values()  # the engine's mark of a secret
    assert parse_rules(json.loads(inputs["access"]["value"])).signing == bytes.fromhex("a" * 64)
    rest = {key: value for key, value in inputs.items() if key != "access"}
    assert local_key() not in json.dumps(inputs)
    assert "a" * 64 not in json.dumps(rest) and len(inputs["accessKey"]) == 64


def test_logs_and_traces_are_told_by_the_environment_and_nothing_where_they_are_not_set():
    def told(**settings):
        services = json.dumps({"digits": {**DIGITS, **settings}})
        return ONNX.environment(StackConfig.parse({"slipway:services": services}).services["digits"])

    assert told() == {}
    logs = {"requests": 0.01, "inputs": 0.5, "maskFields": ["diagnosis"], "maskPatterns": [r"PATIENT-\d+"]}
    assert told(logs=logs, traces="http://collector:4318") == {
        "SLIPWAY_LOG_REQUESTS": "0.01",
        "SLIPWAY_LOG_INPUTS": "0.5",
        "SLIPWAY_MASK_FIELDS": '["diagnosis"]',
        "SLIPWAY_MASK_PATTERNS": '["PATIENT-\\\\d+"]',
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
    }
    with pytest.raises(ConfigError, match=r"services.digits.logs.maskPatterns: '\(' is no regular expression"):
        told(logs={"maskPatterns": ["("]})
    with pytest.raises(ConfigError, match=r"services.digits.logs.request: no such key; there are inputs, mask"):
        told(logs={"request": 1.0})
    with pytest.raises(ConfigError, match=r"services.digits.traces"):
        told(traces="collector")
