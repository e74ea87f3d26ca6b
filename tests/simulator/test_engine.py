"""Stand-ins on the real engine: refusals, drift, replaces, the whole life of an example. In this order."""

import pytest

from slipway.simulator.simulate import simulate
from slipway.simulator.throwaway import EXAMPLES, Throwaway, written
from tests.faults import fault_table

pytestmark = pytest.mark.engine

NETWORK = """
import pulumi_aws as aws

vpc = aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16", tags={"team": "a"})
aws.ec2.Subnet("subnet", vpc_id=vpc.id, cidr_block="10.0.1.0/24")
"""


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A stack of two resources that the tests edit."""
    program = written(tmp_path_factory.mktemp("network"), NETWORK)
    with Throwaway(tmp_path_factory.mktemp("stack"), program) as stack:
        yield stack


def edit(stack, old, new):
    file = stack.program / "__main__.py"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_a_wrong_input_stops_the_preview_by_resource_and_argument(network):
    edit(network, "tags=", "instance_tenancy=3, tags=")
    said = network.preview(fails=True)
    assert "aws:ec2/vpc:Vpc vpc: instanceTenancy is a number (3.0), not a string" in said
    edit(network, "instance_tenancy=3, ", "")


def test_an_unlisted_type_stops_the_preview(network):
    edit(network, "vpc = ", 'aws.sqs.Queue("queue")\nvpc = ')
    assert "aws:sqs/queue:Queue queue: is a type that the stand-in does not know" in network.preview(fails=True)
    edit(network, 'aws.sqs.Queue("queue")\n', "")


def test_drift_is_seen_by_refresh_and_repaired_by_up(network):
    network.up()
    (vpc,) = [each for each in network.books.all() if each["name"] == "vpc"]
    tags = {"tags": {"team": "b"}}
    network.books.put({**vpc, "inputs": {**vpc["inputs"], **tags}, "outputs": {**vpc["outputs"], **tags}})
    network.pulumi("refresh", "--stack", "example", "--yes", "--skip-preview")
    assert "~ 1 updated" in network.up()
    assert network.books.find(vpc["type"], vpc["id"])["inputs"]["tags"] == {"team": "a"}


def test_an_immutable_argument_makes_a_new_one_and_what_depends_on_it(network):
    before = {each["id"] for each in network.books.all()}
    edit(network, "10.0.0.0/16", "10.0.0.0/15")
    assert "+-2 replaced" in network.up()
    assert not before & {each["id"] for each in network.books.all()}
    assert network.astray() == []


def test_a_small_gke_stack_lives_its_whole_life(tmp_path, capsys):
    with Throwaway(tmp_path, EXAMPLES / "gcp") as stack:
        simulate(stack, with_checkov=False)
    said = capsys.readouterr().out
    assert "provider:kubernetes cluster" in said
    assert "flowchart LR" in said
    assert "sweep: nothing is left" in said


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return fault_table.prepare(tmp_path_factory.mktemp("prepared"))


@pytest.mark.parametrize(("kind", "k"), [("die", 7), ("hang", 20)])
def test_what_a_fault_leaves_is_recovered_without_orphan_or_duplicate(kind, k, prepared):
    outcome = fault_table.at_operation(prepared, kind, k)
    assert outcome.problem == ""
    assert outcome.astray == []
    assert "imported" in outcome.recovered


@pytest.fixture(scope="module")
def watch(tmp_path_factory):
    return fault_table.prepare(tmp_path_factory.mktemp("watch"), EXAMPLES / "watch")


@pytest.mark.parametrize("kind", ["AlertPolicy", "UptimeCheckConfig"])
def test_what_google_has_made_up_a_name_for_is_found_by_its_label(kind, watch):
    outcome = fault_table.at_operation(watch, "die", kind)
    assert outcome.problem == ""
    assert outcome.astray == []
    assert outcome.recovered.count("imported") == 1 and f"{kind} " in outcome.recovered
