"""Physical names: nothing of a stack has the name of anything else, in it or in another stack.

What has to be unique in a cloud is what the simulator's tables say of it.
"""

import functools
import random
import re
from collections import Counter
from pathlib import Path

import pytest
from slipway.infra import before as before_
from slipway.infra.names import KEEPS_ITS_NAME, bounded, own_name
from slipway.infra.resources import artifact
from slipway.infra.workload.names import LABEL, namespace_of

from slipway.simulator.books import Books
from slipway.simulator.provider import cloud_for
from slipway.simulator.scenario import Scenario
from tests.contracts.rules import overlong
from tests.infra.aws import stacks as aws
from tests.infra.gcp import stacks as gcp
from tests.recorder import run_program

OURS = ("nodes", "cluster", "flow", "cni", "load-balancers", "autoscaler")
# Stacks whose names begin alike, each with services and pools that continue the others' names, or have our own.
STACKS = {
    "a": ["b-c", "errors", *OURS],
    "a-b": ["c"],
    "a-unhealthy-and-as-long-as-names-may-be": ["one-more-of-a-long-name-than-fits-in-any"],
}
# A project's own, whoever asks for it; and grants of Google's agents on a key that stacks share, which none takes away.
SHARED = (
    "gcp:projects/service:Service", "gcp:projects/serviceIdentity:ServiceIdentity",
    "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember",
)  # fmt: skip


def settings(cloud, stack):
    made = {"aws": aws, "gcp": gcp}[cloud].production()
    made["environment"], domain = "staging", f"{stack}.example.org"  # production's locks would only take time
    for name in ("b-c" if stack == "a" else "c", "cpu-x"):  # pools, too, are the user's to name
        made[cloud]["cluster"]["gpu"].append({**made[cloud]["cluster"]["gpu"][1], "name": name})
    made[cloud]["endpoint"]["domain"] = domain
    (first, *_) = made["services"].values()
    plain = {key: first[key] for key in ("model", "image")}
    made["services"] = {name: {**plain, "host": f"{name}.{domain}"} for name in STACKS[stack]}
    return made


@pytest.fixture(scope="module", params=["aws", "gcp"])
def programs(request):
    with pytest.MonkeyPatch.context() as patch:  # all services have one model, which is described once
        patch.setattr(artifact, "slipway_json", functools.cache(artifact.slipway_json))
        return {stack: run_program(stack=stack, **settings(request.param, stack)) for stack in STACKS}


def unique(program):
    """(type, what may be there once) of all that is in the cloud itself."""
    clouds = {package: cloud_for(package, Books(Path("no-books")), Scenario()) for package in ("aws", "gcp")}
    for args in program.declared:
        cloud = clouds.get(args.typ.split(":")[0])
        found = cloud.entry(args.typ, args.inputs, args.name) if cloud and args.typ not in SHARED else None
        if found and found["identity"]:
            yield args.typ, found["identity"]


def test_nothing_has_the_name_of_anything_else(programs):
    counted = Counter(each for program in programs.values() for each in unique(program))
    assert len(counted) > 80
    assert [each for each, number in counted.items() if number > 1] == []


def test_names_are_as_short_as_the_cloud_wants_them(programs):
    assert [line for program in programs.values() for line in overlong(program)] == []


def test_what_an_earlier_version_has_named_keeps_its_name(programs):
    """New names are for new things alone: nothing that is there is made anew for its name."""
    for program in programs.values():
        for each in program.requests.values():
            named = each.type.rsplit(":", 1)[1]
            users = (each.name in STACKS["a"] and "$" in each.type) or named in ("MetricAlarm", "LaunchTemplate")
            if named in ("TargetGroup", "MetricAlarm", "LaunchTemplate") or (named == "Role" and users):
                assert list(each.ignoreChanges) == KEEPS_ITS_NAME, f"{each.type} {each.name}"


def test_stacks_share_no_namespace_and_no_principal(programs):
    """Google's principals name the project's pool, the namespace and the account, not the cluster."""
    spaces = [each.inputs["metadata"]["name"] for program in programs.values() for each in program.of_type("Namespace")]
    assert len(spaces) == len({*spaces}) == len(STACKS)
    for kind, key in (("ManagedFolderIamMember", "member"), ("Role", "assumeRolePolicy")):
        seen = [{each.inputs[key] for each in of_services(program, kind)} for program in programs.values()]
        assert sum(map(len, seen)) == len(set().union(*seen))


def of_services(program, kind):
    return [each for each in program.of_type(kind) if each.name in program.outputs["services"]]


@pytest.mark.parametrize(
    ("before", "chosen", "found"),
    [
        ({}, None, "slipway-prod"),
        ({"services": {"digits": {}}}, None, "slipway"),
        ({"services": {"digits": {}}, "namespace": "slipway-prod"}, None, "slipway-prod"),
        ({"services": {"digits": {}}, "namespace": "slipway"}, None, "slipway"),
        ({"services": {"digits": {}}}, "chosen", "chosen"),
        ({}, "chosen", "chosen"),
    ],
)
def test_services_stay_in_the_namespace_that_they_are_in(before, chosen, found, monkeypatch):
    """That of the last version was the same for all stacks of a cloud, and it exported none."""
    monkeypatch.setattr(before_, "recorded_outputs", lambda: before)
    assert before_.kept_namespace("slipway-prod", "slipway", chosen) == found


def test_two_stacks_have_two_namespaces_whatever_they_are_called():
    stacks = ["dev", "a.b", "a_b", "a-b", "A-B", "x" * 70 + "a", "x" * 70 + "b", "x_", "x"]
    names = [namespace_of("slipway", stack) for stack in stacks]
    assert len({*names}) == len(stacks) and all(re.fullmatch(LABEL, name) for name in names)
    assert names[0] == "slipway-dev" and names[3] == "slipway-a-b"


def parts(chance):
    """A name as configurations take it, with dashes wherever they may be."""
    while True:
        found = "".join(chance.choices("ab-", weights=(4, 4, 3), k=chance.randint(1, 40)))
        if re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", found):
            return found


@pytest.mark.parametrize("limit", [30, 32, 40, 63, 64, 128, 255])
def test_generated_names_are_distinct_and_made_of_what_clouds_take(limit):
    chance, seen = random.Random(7), {}
    for _ in range(4000):
        stack, service = f"slipway-{parts(chance)}", parts(chance)
        name = own_name(limit, stack, service)
        assert len(name) <= limit and re.fullmatch(r"[a-z][a-z0-9-]*[a-z0-9]", name)
        assert seen.setdefault(name, (stack, service)) == (stack, service)
        assert name not in {bounded(limit, stack, role) for role in (service, *OURS)}
