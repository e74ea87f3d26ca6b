"""The tables of the stand-ins agree with the installed SDKs and with what `slipway recover` looks for."""

import re
from typing import get_args

import pytest

from slipway.ops.state.import_ids import BY_NAME, BY_TAG, REPEATABLE, import_id
from slipway.simulator.books import Books
from slipway.simulator.cloud import Cloud
from slipway.simulator.provider import cloud_for
from slipway.simulator.scenario import Scenario
from slipway.simulator.sdk import function_arguments, resource_type

BRIDGED = ("aws", "gcp", "docker")


def rows():
    for package in BRIDGED:
        for place, row in Cloud(package, Books(None), Scenario()).rows.items():
            yield pytest.param(f"{package}:{place}", row, id=f"{package}:{place}")


@pytest.mark.parametrize(("kind", "row"), list(rows()))
def test_a_row_names_what_the_sdk_has(kind, row):
    known = resource_type(kind)
    assert known, f"the SDK has no {kind}"
    assert not known.deprecated
    assert {path.split(".")[0] for path in row.get("replaces", [])} <= known.arguments.keys()
    assert row.get("outputs", {}).keys() <= known.outputs
    assert row.get("guard", next(iter(known.arguments))) in known.arguments
    assert row.get("named", next(iter(known.arguments))) in known.arguments


@pytest.mark.parametrize("token", Scenario().values["functions"])
def test_the_scenario_answers_functions_that_the_sdk_has(token):
    assert function_arguments(token) is not None


def sample(kind):
    arguments = resource_type(kind).arguments.items()
    return {name: f"{name}-x" for name, each in arguments if each.hint is str or str in get_args(each.hint)}


@pytest.mark.parametrize("kind", sorted({*BY_NAME, *BY_TAG}))
def test_recover_looks_for_each_type_where_the_stand_in_has_it(kind, tmp_path):
    scenario = Scenario()
    package = kind.split(":")[0]
    cloud = cloud_for(package, Books(tmp_path / "books.json"), scenario)
    entry = cloud.entry(kind, sample(kind), "it")
    found = import_id(kind, "it", entry["inputs"], scenario.place(package), [(entry["arn"], "it")])
    assert found in (entry["id"], entry["imports"])


def test_every_type_of_the_clouds_can_be_looked_for_or_is_known_not_to():
    listed = {
        f"{package}:{place}" for package in ("aws", "gcp") for place in cloud_for(package, Books(None), Scenario()).rows
    }
    assert sorted(listed - BY_NAME.keys() - BY_TAG.keys() - REPEATABLE) == sorted(NOT_FOUND)


# Without a fixed name, tag or label: `recover` stops and says how to go on.
NOT_FOUND = [
    "gcp:billing/budget:Budget",
]


def test_an_id_that_needs_what_is_not_known_yet_is_none():
    assert import_id("aws:eks/nodeGroup:NodeGroup", "a", {"nodeGroupName": "a"}, {}, []) == ""
    assert import_id("aws:ec2/vpc:Vpc", "a", {}, {}, [("arn:aws:ec2:r:1:vpc/vpc-1", "b")]) == ""
    assert re.fullmatch(
        "ns/n", import_id("kubernetes:core/v1:Service", "a", {"metadata": {"namespace": "ns", "name": "n"}}, {}, [])
    )
