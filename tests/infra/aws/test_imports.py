"""`slipway recover` imports what a killed update has made: of no type the next update then replaces it."""

import copy

import pytest
from google.protobuf import json_format, struct_pb2
from pulumi.runtime.proto import provider_pb2

from slipway.ops.state.import_ids import BY_NAME, BY_TAG
from slipway.simulator.books import Books
from slipway.simulator.faults import Faults
from slipway.simulator.kube.values import plain
from slipway.simulator.provider import StandIn, cloud_for
from slipway.simulator.scenario import Scenario
from tests.infra.aws.stacks import VARIANTS

CLUSTER = "aws:eks/cluster:Cluster"


@pytest.fixture
def servicer(tmp_path):
    return StandIn(cloud_for("aws", Books(tmp_path / "books.json"), Scenario()), Faults([]))


def read(servicer, kind, entry, known):
    """What a Read finds of it; of an import nothing is `known`."""
    request = provider_pb2.ReadRequest(id=entry["imports"], urn=f"urn:pulumi:s::p::{kind}::it")
    if known:
        json_format.ParseDict(entry["outputs"], request.properties)
    answer = StandIn.Read.__wrapped__(servicer, request, None)
    return json_format.MessageToDict(answer.inputs)


def as_struct(values):
    return json_format.MessageToDict(json_format.ParseDict(values, struct_pb2.Struct()))


def ignoring(inputs, old, paths):
    """The inputs as the engine hands them on with `ignoreChanges`: the old values at these paths."""
    found = copy.deepcopy(inputs)
    for path in paths:
        *folders, key = path.split(".")
        new, before = found, old
        for folder in folders:
            new, before = new.setdefault(folder, {}), before.get(folder, {})
        new.pop(key, None)
        if key in before:
            new[key] = before[key]
    return found


def replaced(servicer, program, known=False, heeding=True):
    """`Kind: arguments` of what an update after the import would replace."""
    for each in program.declared:
        if not each.typ.startswith("aws:"):
            continue
        inputs = as_struct({key: value for key, value in plain(each.inputs).items() if not key.startswith("__")})
        entry = servicer.cloud.entry(each.typ, inputs, each.name)
        servicer.cloud.books.put(entry)
        imported = read(servicer, each.typ, entry, known)
        servicer.cloud.books.remove(each.typ, entry["id"])
        (request,) = (one for one in program.requests.values() if (one.type, one.name) == (each.typ, each.name))
        wanted = ignoring(inputs, imported, request.ignoreChanges if heeding else ())
        if arguments := servicer.cloud.replaces(each.typ, imported, wanted)[1]:
            yield each.typ, arguments


@pytest.mark.parametrize("name", VARIANTS)
def test_after_an_import_nothing_is_replaced(name, variant, servicer):
    assert list(replaced(servicer, variant(name))) == []


def test_the_variants_have_every_type_that_recover_imports(variant):
    declared = {each.typ for name in VARIANTS for each in variant(name).declared}
    found = {kind for kind in {*BY_NAME, *BY_TAG} if kind.startswith("aws:")}
    # Of the examples and of bootstrap/aws.
    assert found - declared == {
        "aws:ecr/repositoryPolicy:RepositoryPolicy", "aws:iam/openIdConnectProvider:OpenIdConnectProvider",
        "aws:iam/policy:Policy", "aws:s3/bucketObjectv2:BucketObjectv2",
    }  # fmt: skip


def test_a_cluster_whose_create_only_arguments_count_would_be_replaced(variant, servicer):
    """The seeded-bad twin: without ignoreChanges the stand-in forgets them, as the real plugin does."""
    assert list(replaced(servicer, variant("dev"), heeding=False)) == [
        (CLUSTER, ["bootstrapSelfManagedAddons", "accessConfig.bootstrapClusterCreatorAdminPermissions"])
    ]
    assert list(replaced(servicer, variant("dev"), known=True, heeding=False)) == []
