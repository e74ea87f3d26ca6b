"""What a stack costs: exact by the table, never zero for what is unknown, and held to a budget."""

from decimal import Decimal

import pytest
import yaml
from slipway.infra.config.cost import CostConfig, UsageConfig
from slipway.infra.cost.declared import ENGINE_UNKNOWN, UNKNOWN, Declared, plain, planned
from slipway.infra.cost.estimate import estimate, regions
from slipway.infra.cost.needs import Stack
from slipway.infra.cost.predictions import cost_per_1k
from slipway.infra.cost.prices import TABLE, Prices, read_table
from slipway.infra.platforms.table import billing

HOURS = 730
GROUP = "aws:eks/nodeGroup:NodeGroup"


def node_group(name="gpu", machine="g6.xlarge", **scaling):
    inputs = {"instanceTypes": [machine], "scalingConfig": scaling or {"minSize": 0, "desiredSize": 1, "maxSize": 2}}
    return Declared(type=GROUP, name=name, inputs=inputs)


def priced(*declared, region="us-east-1", **config):
    settings = CostConfig(**config)
    stack = Stack(declared=declared, regions={"aws": region, "gcp": region}, config=settings)
    return estimate(stack, Prices.load(settings), billing())


def test_every_price_names_a_source_with_a_date_and_an_address():
    content = yaml.safe_load(TABLE.read_text())
    assert content["date"]
    for source in content["sources"].values():
        assert source["at"].startswith("https://")
        assert source.get("dated") or source.get("read")
    assert {row["source"] for row in content["prices"]} == content["sources"].keys()
    assert all(price.usd > 0 for price in read_table(content).values())


def test_a_price_without_a_source_is_no_price():
    with pytest.raises(KeyError):
        read_table(
            {"sources": {}, "prices": [{"item": "a", "region": "r", "per": "hour", "source": "x", "usd": {"b": 1}}]}
        )


def test_a_node_group_costs_its_machines_and_disks_in_each_case():
    total = priced(node_group(minSize=1, desiredSize=2, maxSize=4)).total
    node = Decimal("0.8048") * HOURS + Decimal("0.08") * 20
    assert (total.min, total.expected, total.max) == (node, 2 * node, 4 * node)


def test_spot_machines_cost_the_spot_price():
    spot = Declared(type=GROUP, name="a", inputs={**node_group().inputs, "capacityType": "SPOT"})
    (line, _) = priced(spot).lines
    assert line.usd.max == Decimal("0.4386") * HOURS * 2


def test_what_has_no_price_is_unknown_and_never_zero():
    found = priced(node_group(machine="g99.xlarge"), Declared(type="aws:new/thing:Thing", name="new", inputs={}))
    assert [line.usd for line in found.lines if "g99" in line.item or line.type.endswith("Thing")] == [None, None]
    said = found.output()["unknown"]
    assert said == [
        "NodeGroup gpu: no price of aws/instance/g99.xlarge in us-east-1",
        "Thing new: nothing is known of what this type costs",
    ]


def test_a_budget_is_held_to_in_the_highest_case():
    found = priced(node_group())
    assert found.over(1200) == ""
    assert found.over(0) == ""
    problem = found.over(1000)
    assert problem.startswith("slipway:maxMonthlyUsd: the stack can cost 1,178 US dollars a month, more than 1,000")
    assert "NodeGroup gpu 1,178" in problem


def test_an_unknown_price_fails_the_budget_by_name_even_where_the_rest_is_cheap():
    problem = priced(node_group(machine="g99.xlarge")).over(10**9)
    assert "NodeGroup gpu: no price of aws/instance/g99.xlarge" in problem
    assert "slipway:cost.prices" in problem


def test_own_prices_and_discounts_take_the_place_of_the_table():
    own = priced(node_group(), prices={"aws/instance/g6.xlarge": 0.5}).lines[0]
    assert own.usd.max == Decimal("0.5") * HOURS * 2
    cheaper = priced(node_group(), discounts={"aws/instance": 0.25, "aws": 0.1}).total
    machines, disks = Decimal("0.8048") * HOURS * 2, Decimal("0.08") * 20 * 2
    assert cheaper.max == machines * Decimal("0.75") + disks * Decimal("0.9")


def test_what_is_billed_by_use_is_in_the_expected_case_and_not_in_the_lowest():
    logs = Declared(type="aws:cloudwatch/logGroup:LogGroup", name="logs", inputs={})
    total = priced(logs, usage=UsageConfig(logGb=40)).total
    assert (total.min, total.expected, total.max) == (0, 20, 20)


def test_an_auto_mode_cluster_names_the_pools_whose_machines_nobody_knows():
    inputs = {"computeConfig": {"enabled": True, "nodePools": ["general-purpose"]}}
    cluster = Declared(type="aws:eks/cluster:Cluster", name="c", inputs=inputs)
    assert "cost.nodeTypes.general-purpose" in priced(cluster).output()["unknown"][0]
    node = Decimal("0.1008") * HOURS
    known = priced(cluster, nodeTypes={"general-purpose": "m7i.large"}).total
    assert known.min == Decimal("0.1") * HOURS + node + node * Decimal("0.12") + Decimal("0.08") * 80


def test_the_region_is_the_resources_own_or_its_providers():
    provider = Declared(type="pulumi:providers:aws", name="p", inputs={"region": "eu-central-1"})
    assert regions([provider], {"aws": "us-east-1"}) == {"aws": "eu-central-1"}
    (line, _) = priced(node_group(), region="eu-central-1").lines
    assert line.usd.max == Decimal("1.0064") * HOURS * 2
    pool = {"nodeConfig": {"machineType": "g2-standard-8"}, "location": "europe-west4-a", "nodeCount": 1}
    (machine, _) = priced(Declared(type="gcp:container/nodePool:NodePool", name="l4", inputs=pool)).lines
    assert machine.usd.max == Decimal("0.897201806") * HOURS


def test_inputs_that_are_not_known_yet_are_unknown_and_break_nothing():
    assert plain({"a": ENGINE_UNKNOWN, "b_c": [1]}) == {"a": UNKNOWN, "bC": [1]}
    group = Declared(
        type=GROUP, name="gpu", inputs=plain({"instanceTypes": ["g6.xlarge"], "scalingConfig": ENGINE_UNKNOWN})
    )
    assert priced(group).total.max == 0  # nobody said how many


def test_steps_tell_what_is_there_before_and_after():
    def state(name, **inputs):
        return {"urn": f"urn:pulumi:s::p::{GROUP}::{name}", "custom": True, "type": GROUP, "inputs": inputs}

    steps = [
        {"op": "same", "oldState": state("a"), "newState": state("a")},
        {"op": "update", "oldState": state("b", x=1), "newState": state("b", x=2)},
        {"op": "create-replacement", "oldState": state("c", x=1), "newState": state("c", x=2)},
        {"op": "delete-replaced", "oldState": state("c", x=1), "newState": state("c", x=1)},
        {"op": "delete", "oldState": state("d")},
        {"op": "create", "newState": state("e")},
    ]
    before, after = planned(steps)
    assert [(each.name, each.get("x")) for each in before] == [("a", None), ("b", 1), ("c", 1), ("d", None)]
    assert [(each.name, each.get("x")) for each in after] == [("a", None), ("b", 2), ("c", 2), ("e", None)]


REPORT = {
    "hardware": {"cpu": "AMD EPYC", "machine": "g6.xlarge"},
    "choice": {"variant": "int8-dynamic"},
    "variants": [
        {"name": "fp32", "throughputAllThreads": 1000.0},
        {"name": "int8-dynamic", "throughputAllThreads": 4000.0},
    ],
}


def test_predictions_cost_the_hour_over_what_was_measured_on_that_machine():
    found = priced(node_group())
    figures = cost_per_1k(REPORT, found, Prices.load(), "us-east-1")
    assert figures["machine"] == "g6.xlarge"
    assert figures["after"] == pytest.approx(0.8048 / (4000 * 3600) * 1000)
    assert figures["before"] == pytest.approx(4 * figures["after"])


@pytest.mark.parametrize("hardware", [{}, {"cpu": "AMD EPYC", "machine": None}, {"machine": "g5.xlarge"}])
def test_another_machines_throughput_is_never_priced(hardware):
    report = REPORT | {"hardware": hardware}
    assert "unmeasured" in cost_per_1k(report, priced(node_group()), Prices.load(), "us-east-1")
    elsewhere = [{"name": "fp32"}, {"name": "fp16", "throughputAllThreads": None}]
    report = REPORT | {"hardware": {"target": "nvidia", "machine": "g6.xlarge"}, "choice": {"variant": "fp16"}}
    assert cost_per_1k(report | {"variants": elsewhere}, priced(node_group()), Prices.load(), "us-east-1") == {
        "unmeasured": "fp16 for nvidia was built where no such hardware is"
    }
    assert cost_per_1k(None, priced(node_group()), Prices.load(), "us-east-1") == {
        "unmeasured": "the model is not built yet"
    }
