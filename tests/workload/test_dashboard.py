"""The dashboard before Grafana's own schema; twins that are bad on purpose trip."""

import copy
import json
import re
import subprocess
import sys

import pytest
from slipway.infra.home import ROOT
from slipway.infra.monitoring.panels import grafana, panels

DASHBOARD = json.loads(grafana())
BAD = {
    "a misspelt key of a panel": (("panels", 0, "titel"), "Requests"),
    "a misspelt key of a query": (("panels", 0, "targets", 0, "legend"), "all"),
    "a text for a number": (("panels", 0, "gridPos", "w"), "8"),
    "a number for a text": (("panels", 0, "targets", 0, "expr"), 8),
    "a kind of variable that is none": (("templating", "list", 0, "type"), "source"),
    "a mode that is none": (("panels", 1, "fieldConfig", "defaults", "thresholds", "mode"), "total"),
    "a key for a list": (("panels", 0, "fieldConfig", "overrides"), {}),
}


@pytest.fixture(scope="module")
def schema():
    """What Grafana's schema does not have of a dashboard, by line."""
    command = [sys.executable, "-m", "slipway.cli", "venv", "tools/grafana.txt"]
    python = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()

    def check(dashboard):
        command = [python, str(ROOT / "tests" / "workload" / "grafana.py")]
        done = subprocess.run(command, input=json.dumps(dashboard), capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    return check


def test_grafanas_schema_has_all_of_it(schema):
    assert schema(DASHBOARD) == []


@pytest.mark.parametrize(("place", "value"), BAD.values(), ids=BAD.keys())
def test_grafanas_schema_trips_over_a_bad_twin(place, value, schema):
    bad = copy.deepcopy(DASHBOARD)
    inner = bad
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    (found,) = schema(bad)
    assert str(place[-1]) in found


def test_panels_have_names_of_their_own_and_lie_side_by_side():
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    cells = [
        (x, y)
        for each in places
        for x in range(each["x"], each["x"] + each["w"])
        for y in range(each["y"], each["y"] + each["h"])
    ]
    assert len(set(cells)) == len(cells) and max(x for x, _ in cells) < 24
    for name in ("id", "title"):
        assert len({panel[name] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_queries_use_variables_that_the_dashboard_has():
    known = {f"${each['name']}" for each in DASHBOARD["templating"]["list"]} | {"$__rate_interval"}
    assert set(re.findall(r"\$\w+", json.dumps(DASHBOARD))) <= known


def test_panels_without_variables_are_the_same_for_other_labels():
    of = 'cluster="a",namespace="b"'
    found = panels(of, "5m")
    assert [each.title for each in found] == [panel["title"] for panel in DASHBOARD["panels"]]
    for each, panel in zip(found, DASHBOARD["panels"], strict=True):
        assert len(each.queries) == len(panel["targets"])
        for query in each.queries:
            assert f"{{{of}" in query and "$" not in query
