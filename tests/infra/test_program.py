"""The whole program under Pulumi mocks."""

from pathlib import Path

import pytest
from slipway.infra.config.base import ConfigError
from slipway.infra.home import ROOT
from slipway.infra.resources.command import SlipwayError

from tests.recorder import Recorder, run_program

DIGITS = {"model": "models/digits"}


def test_a_service_is_an_artifact_and_what_serves_it():
    program = run_program(services={"digits": DIGITS})
    assert program.counts() == {"RandomSecret": 1, "ModelArtifact": 1, "LocalService": 1}
    artifact, service = program.inputs_of("digits", "ModelArtifact"), program.inputs_of("digits", "LocalService")
    assert artifact["model"] == "models/digits"
    assert len(artifact["inputsKey"]) == 64
    assert service["artifactUri"] == "file:///store@sha256:" + "d" * 64
    assert service["port"] == 3000


def test_services_are_declared_apart_from_each_other():
    program = run_program(services={"digits": DIGITS, "linear": {"model": "models/linear", "port": 3001, "workers": 1}})
    assert program.counts() == {"RandomSecret": 1, "ModelArtifact": 2, "LocalService": 2}
    assert program.inputs_of("linear", "LocalService")["workers"] == 1
    keys = {program.inputs_of(name, "ModelArtifact")["inputsKey"] for name in ("digits", "linear")}
    assert len(keys) == 2


def test_outputs_name_url_model_and_artifact_of_each_service():
    outputs = run_program(services={"digits": DIGITS}).outputs
    assert outputs["services"]["digits"].pop("costPer1kUsd").keys() == {"unmeasured"}
    assert outputs["services"]["digits"] == {
        "url": "http://127.0.0.1:3000",
        "callers": "whoever reaches the address",
        "model": {
            "name": "digits",
            "digest": "sha256:" + "d" * 64,
            "variant": "fp32",
            "metric": {"name": "accuracy", "value": 0.97},
        },
        "artifactUri": "file:///store@sha256:" + "d" * 64,
    }


def test_no_input_names_a_path_of_this_machine():
    program = run_program(services={"digits": DIGITS})
    for args in program.declared:
        assert str(ROOT) not in str(args.inputs)
        assert str(Path.home()) not in str({k: v for k, v in args.inputs.items() if k != "artifactUri"})


@pytest.mark.parametrize(
    ("config", "error", "named"),
    [
        ({}, ConfigError, "slipway:services: is not set"),
        ({"services": {"digits": {**DIGITS, "prot": 1}}}, ConfigError, "services.digits.prot: no such key"),
        ({"services": {"digits": DIGITS, "gone": {"model": "models/gone", "port": 3001}}}, SlipwayError, "models/gone"),
    ],
)
def test_a_refused_stack_registers_no_resource(monkeypatch, config, error, named):
    recorders = []
    made = Recorder.__init__
    monkeypatch.setattr(Recorder, "__init__", lambda self: (made(self), recorders.append(self))[0])
    with pytest.raises(error, match=named):
        run_program(**config)
    assert [args.name for args in recorders[0].declared] == []
