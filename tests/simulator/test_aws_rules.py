"""What AWS refuses and the SDK's types let through trips a rule of the stand-in; its right twin passes."""

import pytest

from slipway.simulator.books import Books
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
