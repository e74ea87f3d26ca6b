"""What AWS refuses and the SDK's types let through trips a rule of the stand-in; its right twin passes."""

import pytest

from slipway.simulator.books import Books
from slipway.simulator.faults import CloudError
from slipway.simulator.metric_math import alarm_problems
from slipway.simulator.provider import cloud_for
from slipway.simulator.scenario import Scenario


@pytest.fixture
def aws(tmp_path):
    return cloud_for("aws", Books(tmp_path / "books.json"), Scenario())


def queries(expression):
    return [
        {"id": "e", "metric": {"metricName": "errors"}},
        {"id": "n", "metric": {"metricName": "all"}},
        {"id": "share", "expression": expression, "returnData": True},
    ]


@pytest.mark.parametrize(
    "expression",
    [
        "IF(n > 0, 100*e/n, 0)",
        "IF(FILL(n, 0) > 0 AND FILL(e, REPEAT) > 1, e/n, 0)",
        "MAX([e, n])",
        "100 * e / SUM([e, n])",
        "RATE(e) / PERIOD(e)",
        "TIME_SERIES(MAX(e)) ^ 2",
        "-e",
    ],
)
def test_metric_maths_that_cloudwatch_takes_passes(expression):
    assert list(alarm_problems(queries(expression))) == []


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("100 * e / MAX([n, 1])", "Unsupported operand type(s): 'Array[TimeSeries, Scalar]'"),
        ("MAX(e, n)", "MAX takes one operand"),
        ("e / m", "no query has the id 'm'"),
        ("MAX(e)", "is Scalar, an alarm takes one TimeSeries"),
        ("[e, n]", "is Array, an alarm takes one TimeSeries"),
        ("100 * 2", "is Scalar"),
        ("FILL(e)", "FILL takes a metric and what fills it"),
        ("FILL(e, [n])", "Unsupported operand type(s) for FILL"),
        ("FILL(0, 0)", "Unsupported operand type(s) for FILL"),
        ("IF(e > 1)", "IF takes a condition"),
        ("IF([e, n] > 1, 1, 0)", "Unsupported operand type(s) for IF"),
        ("PERIOD([e, n])", "Unsupported operand type(s) for PERIOD"),
        ("CLAMP(e)", "CLAMP is no function"),
        ("e / (n", "Error in expression"),
        ("e.n", "Error in expression"),
    ],
)
def test_metric_maths_that_cloudwatch_refuses_trips(expression, why):
    (said,) = alarm_problems(queries(expression))
    assert why in said


def test_an_alarm_returns_one_of_its_queries_which_have_ids_of_their_own():
    right = queries("e / n")
    assert "0 queries return data" in "".join(alarm_problems(right[:2]))
    assert "begin with a lower-case letter" in "".join(alarm_problems([{**right[0], "id": "E"}, *right[1:]]))
    assert "be there once" in "".join(alarm_problems([right[0], *right]))


def test_an_alarm_is_checked_with_the_types_of_its_arguments(aws):
    kind = "aws:cloudwatch/metricAlarm:MetricAlarm"
    assert list(aws.problems(kind, {"metricQueries": queries("IF(n > 0, 100*e/n, 0)")})) == []
    ((argument, why),) = aws.problems(kind, {"metricQueries": queries("e / MAX([n, 1])")})
    assert argument == "metricQueries" and why.startswith("ValidationError: ")


@pytest.mark.parametrize(("zone", "refused"), [("us-east-1c", True), ("us-east-1d", False)])
def test_a_control_plane_in_a_zone_that_has_none_is_refused_by_the_zones_id(zone, refused, aws):
    """The scenario's account calls use1-az3 us-east-1c."""
    subnets = []
    for each in ("us-east-1a", zone):
        made = aws.entry("aws:ec2/subnet:Subnet", {"vpcId": "v", "availabilityZone": each}, each)
        aws.books.put(made)
        subnets.append(made["id"])
    cluster = aws.entry("aws:eks/cluster:Cluster", {"name": "c", "vpcConfig": {"subnetIds": subnets}}, "cluster")
    if refused:
        with pytest.raises(CloudError, match=r"us-east-1c \(use1-az3\)"):
            aws.refuse(cluster)
    else:
        aws.refuse(cluster)


@pytest.mark.parametrize(("asked", "lets_in"), [("", False), ("2", False), ("3", True)])
def test_a_cluster_that_lets_in_by_entries_does_so_only_after_a_while(asked, lets_in, aws):
    """Whoever uses the Kubernetes provider before kubectl was let in is refused, as by the real one."""
    access = {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False}
    cluster = aws.entry("aws:eks/cluster:Cluster", {"name": "c", "accessConfig": access}, "cluster")
    aws.books.put(cluster)
    kubernetes = cloud_for("kubernetes", aws.books, aws.scenario)
    kubernetes.configure({"kubeconfig": cluster["outputs"]["endpoint"]})
    if asked:
        aws.books.file.with_name("let-in").write_text(asked)
    if lets_in:
        kubernetes.reach()
    else:
        with pytest.raises(CloudError, match="asked for the client to provide credentials"):
            kubernetes.reach()


def put(aws, kind, **inputs):
    made = aws.entry(kind, inputs, "it")
    aws.books.put(made)
    return made["id"]


@pytest.mark.parametrize("internet", [False, True])
def test_what_faces_the_internet_is_refused_before_the_network_has_a_way_there(internet, aws):
    vpc = put(aws, "aws:ec2/vpc:Vpc", cidrBlock="10.0.0.0/16")
    subnet = put(aws, "aws:ec2/subnet:Subnet", vpcId=vpc, availabilityZone="us-east-1a")
    if internet:
        put(aws, "aws:ec2/internetGateway:InternetGateway", vpcId=vpc)
    made = [
        aws.entry("aws:ec2/natGateway:NatGateway", {"subnetId": subnet, "allocationId": "e"}, "nat"),
        aws.entry("aws:ec2/natGateway:NatGateway", {"vpcId": vpc, "availabilityMode": "regional"}, "nat"),
        aws.entry("aws:lb/loadBalancer:LoadBalancer", {"name": "edge", "subnets": [subnet]}, "edge"),
    ]
    for each in made:
        if internet:
            aws.refuse(each)
        else:
            with pytest.raises(CloudError, match=f"Network {vpc} has no Internet gateway attached"):
                aws.refuse(each)
    aws.refuse(aws.entry("aws:lb/loadBalancer:LoadBalancer", {"name": "i", "internal": True, "subnets": [subnet]}, "i"))


@pytest.mark.parametrize(
    ("writer", "kind", "inputs"),
    [
        ("logdelivery.elasticloadbalancing", "aws:lb/loadBalancer:LoadBalancer",
         {"name": "edge", "internal": True, "accessLogs": {"bucket": "logs", "enabled": True}}),
        ("logging.s3", "aws:s3/bucketLogging:BucketLogging", {"bucket": "models", "targetBucket": "logs"}),
    ],
)  # fmt: skip
def test_logs_are_refused_before_their_writer_has_leave(writer, kind, inputs, aws):
    logging = aws.entry(kind, inputs, "it")
    with pytest.raises(CloudError, match=f"{writer}.amazonaws.com may not write to logs"):
        aws.refuse(logging)
    put(aws, "aws:s3/bucketPolicy:BucketPolicy", bucket="logs", policy=f'{{"Service": "{writer}.amazonaws.com"}}')
    aws.refuse(logging)


@pytest.mark.parametrize(
    ("metric", "why"), [("edge", ""), ("all", "metric name all is reserved"), ("Default_Action", "res")]
)
def test_a_reserved_metric_name_of_the_firewall_trips(metric, why, aws):
    kind, seen = "aws:wafv2/webAcl:WebAcl", {"metricName": metric}
    for inputs in ({"visibilityConfig": seen}, {"rules": [{"visibilityConfig": seen}]}):
        found = [said for _, said in aws.problems(kind, inputs)]
        assert len(found) == bool(why) and all(why in said for said in found)


@pytest.mark.parametrize(
    ("cidr", "tags", "refused"),
    [
        ("10.0.0.0/27", {"kubernetes.io/role/elb": "1"}, False),
        ("10.0.0.0/28", {"kubernetes.io/role/elb": "1"}, True),
        ("10.0.0.0/28", {}, False),
        ("10.0.0.0/29", {}, True),
    ],
)
def test_a_subnet_too_small_for_what_is_in_it_trips(cidr, tags, refused, aws):
    found = list(aws.problems("aws:ec2/subnet:Subnet", {"cidrBlock": cidr, "tags": tags}))
    assert [argument for argument, _ in found] == ["cidrBlock"] * refused


def test_a_cluster_that_was_there_before_answers_and_one_that_is_gone_does_not(aws):
    kubernetes = cloud_for("kubernetes", aws.books, aws.scenario)
    kubernetes.configure({"kubeconfig": aws.answer("aws:eks/getCluster:getCluster", {"name": "shared"})["endpoint"]})
    kubernetes.reach()
    kubernetes.configure({"kubeconfig": "https://GONE.gr7.us-east-1.eks.amazonaws.com"})
    with pytest.raises(CloudError, match="no such host"):
        kubernetes.reach()
