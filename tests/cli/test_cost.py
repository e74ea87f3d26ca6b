"""The price table from the clouds' own lists: excerpts in their real formats, over HTTP on this machine."""

import shutil

import pytest
import yaml
from click.testing import CliRunner
from slipway.infra.cost.prices import TABLE, Prices, read_table
from slipway.infra.platforms.aws import prices as pricelist_aws
from slipway.infra.platforms.gcp import prices as pricelist_gcp

from slipway.cli.cost import cost
from slipway.cli.main import slipway
from slipway.ops.prices.refresh import dumped, refreshed
from slipway.ops.state.preview import Preview
from slipway.simulator.web import web

COLUMNS = (
    "SKU", "OfferTermCode", "RateCode", "TermType", "PriceDescription", "EffectiveDate", "StartingRange", "EndingRange",
    "Unit", "PricePerUnit", "Currency", "LeaseContractLength", "Product Family", "serviceCode", "Location",
    "Location Type", "Instance Type", "Tenancy", "Operating System", "Pre Installed S/W", "CapacityStatus",
    "Volume API Name", "Alarm Type", "usageType", "operation", "Region Code",
)  # fmt: skip
LINUX = {"Product Family": "Compute Instance", "Tenancy": "Shared", "Operating System": "Linux",
         "Pre Installed S/W": "NA", "CapacityStatus": "Used", "usageType": "BoxUsage:g6.xlarge"}  # fmt: skip
EC2 = [
    {**LINUX, "Instance Type": "g6.xlarge", "Unit": "Hrs", "PricePerUnit": "0.8100000000"},
    {**LINUX, "Instance Type": "g6.xlarge", "Operating System": "Windows", "PricePerUnit": "0.9888000000"},
    {**LINUX, "Instance Type": "g6.xlarge", "Tenancy": "Dedicated", "PricePerUnit": "0.8853000000"},
    {**LINUX, "Instance Type": "g6.xlarge", "CapacityStatus": "UnusedCapacityReservation", "PricePerUnit": "0.8048"},
    {**LINUX, "Instance Type": "g6.xlarge", "TermType": "Reserved", "PricePerUnit": "0.3477000000"},
    {**LINUX, "Instance Type": "x9.xlarge", "PricePerUnit": "7.0000000000"},
    {"Product Family": "Storage", "Volume API Name": "gp3", "usageType": "EBS:VolumeUsage.gp3", "PricePerUnit": "0.08"},
    {"Product Family": "Storage", "Volume API Name": "gp2", "usageType": "EBS:VolumeUsage.gp2", "PricePerUnit": "0.1"},
    {"Product Family": "NAT Gateway", "usageType": "NatGateway-Hours", "PricePerUnit": "0.0450000000"},
    {"Product Family": "NAT Gateway", "usageType": "NatGateway-Prvd-Bytes", "PricePerUnit": "0.0999000000"},
]  # fmt: skip
PROMETHEUS = [
    {"usageType": "USE1-AMP:MetricSampleCount", "StartingRange": "0", "PricePerUnit": "0.0000000000"},
    {"usageType": "USE1-AMP:MetricSampleCount", "StartingRange": "40000000", "PricePerUnit": "0.0000000900"},
    {"usageType": "USE1-AMP:MetricSampleCount", "StartingRange": "2000000000", "PricePerUnit": "0.0000000350"},
]


def price_list(offer, rows):
    """As AWS writes it: five lines about the file, the names of the columns, a line for each price."""
    about = [
        ("FormatVersion", "v1.0"),
        ("Disclaimer", "This pricing list is for informational purposes only."),
        ("Publication Date", "2026-11-03T18:32:21Z"),
        ("Version", "20261103183221"),
        ("OfferCode", offer),
    ]
    full = [{"TermType": "OnDemand", "Currency": "USD", "StartingRange": "0", **row} for row in rows]
    lines = [*about, COLUMNS, *([row.get(column, "") for column in COLUMNS] for row in full)]
    return "\n".join(",".join(f'"{each}"' for each in line) for line in lines) + "\n"


@pytest.fixture
def aws(monkeypatch):
    rows = dict.fromkeys(pricelist_aws.ITEMS, ()) | {"AmazonEC2": EC2, "AmazonPrometheus": PROMETHEUS}
    files = {
        f"/offers/v1.0/aws/{offer}/current/us-east-1/index.csv": price_list(offer, each) for offer, each in rows.items()
    }
    with web(files) as double:
        monkeypatch.setattr(pricelist_aws, "BASE", double.address)
        yield double


@pytest.fixture
def table(tmp_path):
    return shutil.copy(TABLE, tmp_path / "prices.yaml")


def refresh(table, *options):
    return CliRunner().invoke(cost, ["refresh", "--table", str(table), *options])


def test_figures_of_aws_take_the_place_of_the_tables_with_their_source_and_date(aws, table):
    done = refresh(table, "--region", "us-east-1")
    assert done.exit_code == 0, done.output
    content = yaml.safe_load(table.read_text())
    sources = {told["at"].split("/")[-4]: told for told in content["sources"].values() if aws.address in told["at"]}
    assert sources.keys() == {"AmazonEC2", "AmazonPrometheus"}
    assert {str(told["dated"]) for told in sources.values()} == {"2026-11-03"}
    prices = Prices.load(file=table)
    machine = prices.find("aws/instance/g6.xlarge", "us-east-1")
    assert (float(machine.usd), machine.per, machine.source) == (0.81, "hour", sources["AmazonEC2"]["at"])
    # Free at first, then by the sample: the table counts millions, at the first price that is one.
    assert float(prices.find("aws/prometheus-samples", "us-east-1").usd) == 0.09
    assert float(prices.find("aws/gp3", "us-east-1").usd) == 0.08
    assert "aws/instance/g6.xlarge in us-east-1: 0.8048 -> 0.81\n" in done.output
    stayed = done.output.splitlines()[-1]
    assert "4 figures read" in stayed and "aws/spot/g6.xlarge in us-east-1" in stayed and "aws/nat-data" in stayed


def test_what_no_list_tells_stays_with_its_old_source(aws, table):
    before = read_table(yaml.safe_load(table.read_text()))
    refresh(table, "--region", "us-east-1")
    after = read_table(yaml.safe_load(table.read_text()))
    assert after.keys() == before.keys()
    changed = {key for key in before if before[key] != after[key]}
    assert changed == {("aws/instance/g6.xlarge", "us-east-1"), ("aws/gp3", "us-east-1"),
                       ("aws/nat-gateway", "us-east-1"), ("aws/prometheus-samples", "us-east-1")}  # fmt: skip
    named = {row["source"] for row in yaml.safe_load(table.read_text())["prices"]}
    assert named == yaml.safe_load(table.read_text())["sources"].keys()


def test_a_machine_that_is_named_is_taken_in(aws, table):
    refresh(table, "--region", "us-east-1", "--machine", "x9.xlarge")
    assert float(Prices.load(file=table).find("aws/instance/x9.xlarge", "us-east-1").usd) == 7


def test_two_refreshes_write_the_same(aws, table):
    refresh(table, "--region", "us-east-1")
    once = table.read_text()
    refresh(table, "--region", "us-east-1")
    assert table.read_text() == once


@pytest.mark.parametrize("broken", ["silent", "missing", "cut off"])
def test_where_a_list_can_not_be_read_the_table_is_untouched_and_the_error_says_so(aws, table, broken, monkeypatch):
    last = "/offers/v1.0/aws/AmazonPrometheus/current/us-east-1/index.csv"
    if broken == "silent":
        monkeypatch.setattr(pricelist_aws, "BASE", "http://127.0.0.1:9")
    elif broken == "missing":
        del aws.answers[last]
    else:
        aws.answers[last] = "<html>a proxy's page</html>\n"
    before = table.read_bytes()
    done = CliRunner().invoke(slipway, ["cost", "refresh", "--table", str(table), "--region", "us-east-1"])
    told = {"silent": "can't be read from here", "missing": "it answers 404", "cut off": "is no price list of AWS"}
    assert done.exit_code == 1 and told[broken] in done.output
    assert table.read_bytes() == before
    assert [each.name for each in table.parent.iterdir()] == ["prices.yaml"]


def sku(description, nanos, usage="OnDemand", region="us-central1", units="0", start=0):
    rate = {"startUsageAmount": start, "unitPrice": {"currencyCode": "USD", "units": units, "nanos": nanos}}
    free = [{"startUsageAmount": 0, "unitPrice": {"currencyCode": "USD", "units": "0", "nanos": 0}}] if start else []
    return {
        "name": "services/6F81-5844-456A/skus/0450-45CE-C078", "skuId": "0450-45CE-C078", "description": description,
        "category": {"serviceDisplayName": "Compute Engine", "resourceFamily": "Compute", "resourceGroup": "CPU",
                     "usageType": usage},
        "serviceRegions": [region],
        "pricingInfo": [{"summary": "", "pricingExpression": {
            "usageUnit": "h", "baseUnit": "s", "baseUnitConversionFactor": 3600, "displayQuantity": 1,
            "tieredRates": [*free, rate]}, "currencyConversionRate": 1, "effectiveTime": "2026-11-20T01:48:54.819Z"}],
    }  # fmt: skip


COMPUTE = [
    sku("E2 Instance Core running in Americas", 21811590),
    sku("E2 Instance Ram running in Americas", 2923530),
    sku("E2 Custom Instance Core running in Americas", 99000000),
    sku("E2 Instance Core running in Netherlands", 99000000, region="europe-west4"),
    sku("G2 Instance Core running in Americas", 24988440),
    sku("G2 Instance Ram running in Americas", 2927391),
    sku("Nvidia L4 GPU running in Americas", 560040239),
    sku("Commitment v1: Nvidia L4 GPU running in Americas for 1 Year", 350000000, "Commit1Yr"),
    sku("Spot Preemptible G2 Instance Core running in Americas", 12770000, "Preemptible"),
    sku("Spot Preemptible G2 Instance Ram running in Americas", 1496000, "Preemptible"),
    sku("Nvidia L4 GPU attached to Spot Preemptible VMs running in Americas", 286200000, "Preemptible"),
    sku("Balanced PD Capacity", 100000000),
    sku("Regional Balanced PD Capacity", 200000000),
]
LOGS = [sku("Log Volume", 500000000, region="global", start=50)]


@pytest.fixture
def gcp(monkeypatch):
    names = {name: f"services/{number}" for number, name in enumerate(pricelist_gcp.ITEMS)}
    listed = [{"name": where, "serviceId": where[9:], "displayName": name} for name, where in names.items()]
    answers = {f"/v1/{where}/skus": {"skus": []} for where in names.values()}
    answers |= {
        "/v1/services?pageSize=5000": {"services": listed, "nextPageToken": ""},
        # Two pages, as the catalog has them.
        f"/v1/{names['Compute Engine']}/skus?pageSize=5000": {"skus": COMPUTE[:6], "nextPageToken": "next"},
        f"/v1/{names['Compute Engine']}/skus?pageSize=5000&pageToken=next": {"skus": COMPUTE[6:]},
        f"/v1/{names['Cloud Logging']}/skus": {"skus": LOGS},
    }
    with web(answers) as double:
        monkeypatch.setattr(pricelist_gcp, "BASE", double.address)
        monkeypatch.setenv("GOOGLE_API_KEY", "double")
        yield double


def test_a_machine_of_google_is_priced_by_its_parts_as_others_have_added_them_up(gcp, table):
    before = Prices.load(file=table)
    done = refresh(table, "--region", "us-central1")
    assert done.exit_code == 0, done.output
    after = Prices.load(file=table)
    for machine in ("e2-medium", "e2-standard-4", "g2-standard-4", "g2-standard-8", "g2-standard-24"):
        found, known = (each.find(f"gcp/instance/{machine}", "us-central1") for each in (after, before))
        assert found.source.startswith(gcp.address)
        assert abs(found.usd - known.usd) < 10**-8, machine
    spot = after.find("gcp/spot/g2-standard-4", "us-central1")
    assert float(spot.usd) == 0.361216  # 4 x 0.01277 + 16 x 0.001496 + 0.2862
    assert float(after.find("gcp/pd-balanced", "us-central1").usd) == 0.1
    assert float(after.find("gcp/logs", "us-central1").usd) == 0.5
    # One of the parts is not in the excerpt: the old figure stays.
    for old in (("gcp/instance/n2-standard-4", "us-central1"), ("gcp/instance/e2-standard-4", "europe-west4")):
        assert after.find(*old) == before.find(*old)


def test_without_a_key_or_a_login_google_is_not_asked(gcp, table, monkeypatch):
    monkeypatch.delenv("GOOGLE_API_KEY")
    monkeypatch.setattr(pricelist_gcp, "token", lambda: ("", "there are no credentials"))
    before = table.read_bytes()
    done = CliRunner().invoke(slipway, ["cost", "refresh", "--table", str(table), "--region", "us-central1"])
    assert done.exit_code == 1 and "set GOOGLE_API_KEY, or log in" in done.output
    assert table.read_bytes() == before and gcp.asked == []


def test_an_error_of_the_catalog_does_not_tell_the_key(gcp, table):
    gcp.answers.clear()
    done = CliRunner().invoke(slipway, ["cost", "refresh", "--table", str(table), "--region", "us-central1"])
    assert done.exit_code == 1 and "it answers 404" in done.output and "double" not in done.output
    assert gcp.asked[0][3]["x-goog-api-key"] == "double"


def test_the_table_in_the_checkout_is_as_a_refresh_writes_it():
    content = yaml.safe_load(TABLE.read_text())
    assert dumped(content) == TABLE.read_text()
    same = refreshed(content, [])
    assert read_table(same) == read_table(content)


def test_what_a_stack_costs_is_shown_by_resource_with_what_changes(monkeypatch):
    def group(most):
        inputs = {"instanceTypes": ["g6.xlarge"], "scalingConfig": {"minSize": 0, "desiredSize": 1, "maxSize": most}}
        return {
            "urn": "urn:pulumi:s::p::x::gpu",
            "custom": True,
            "type": "aws:eks/nodeGroup:NodeGroup",
            "inputs": inputs,
        }

    steps = [{"op": "update", "urn": "urn:pulumi:s::p::x::gpu", "oldState": group(2), "newState": group(8)}]
    preview = Preview(steps=steps, config={"aws:region": "us-east-1"}, errors=["over the limit"])
    monkeypatch.setattr("slipway.cli.cost.run_preview", lambda stack: preview)
    done = CliRunner().invoke(cost, ["show"], env={"COLUMNS": "120"})
    assert done.exit_code == 0, done.output
    rows = [" ".join(line.replace("\u2502", " ").split()) for line in done.output.splitlines()]
    assert "NodeGroup gpu 0.00 589.10 4,712.83 (+3,534.62)" in rows
    assert "all 0.00 589.10 4,712.83 (+3,534.62)" in rows
    assert "over the limit" in done.output


def test_where_google_wants_a_login_no_list_of_aws_is_read_first(aws, gcp, table, monkeypatch):
    monkeypatch.delenv("GOOGLE_API_KEY")
    monkeypatch.setattr(pricelist_gcp, "token", lambda: ("", "there are no credentials"))
    assert refresh(table).exit_code == 1 and aws.asked == []
