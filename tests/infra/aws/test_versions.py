"""Kubernetes' version: the newest at first, the same from then on, and never less than what runs."""

from datetime import date

import pytest
from slipway.infra.platforms.aws.support import ENDS, supported

from slipway.simulator.scenario import Scenario
from tests.infra.aws import stacks
from tests.recorder import Recorder, run_program

KEPT = "pulumi-python:dynamic/slipway:Choices"


@pytest.fixture
def cloud(monkeypatch):
    """EKS offers some versions, and runs the stack's cluster at another; the last update is remembered."""

    def run(config, *offered, running=None):
        answer = Scenario.answer

        def answered(self, token, args):
            found = answer(self, token, args)
            if token.endswith(":getClusterVersions"):
                (one, *_) = found["clusterVersions"]
                found["clusterVersions"] = [{**one, "clusterVersion": each} for each in offered]
            if token.endswith(":getClusters") and running:
                found["names"] = ["slipway-test"]
            if token.endswith(":getCluster") and running:
                found["version"] = running
            if token.endswith(":getAddonVersion"):
                found["version"] = f"v9-for-{args['kubernetesVersion']}-seen-at-{offered[0]}"
            return found

        with monkeypatch.context() as patch:
            patch.setattr(Scenario, "answer", answered)
            program = run_program(**config)
        (kept,) = program.of_type(KEPT)
        monkeypatch.setattr(Recorder, "recorded", {"u": {"type": KEPT, "outputs": {"made": kept.inputs["made"]}}})
        addon = program.inputs_of("metrics-server", "Addon")["addonVersion"]
        return program.inputs_of("cluster", "Cluster")["version"], addon

    return run


def pinned(version):
    config = stacks.dev()
    config["aws"]["cluster"]["version"] = version
    return config


def test_the_newest_is_chosen_once_and_add_ons_follow_the_cluster(cloud):
    first = cloud(stacks.dev(), "1.9", "1.35", "1.36")
    assert first == ("1.36", "v9-for-1.36-seen-at-1.9")
    assert cloud(stacks.dev(), "1.36", "1.37", running="1.36") == first
    assert cloud(pinned("1.37"), "1.37", running="1.36") == ("1.37", "v9-for-1.37-seen-at-1.37")


def test_a_cluster_that_eks_has_upgraded_by_itself_is_not_downgraded(cloud):
    assert cloud(pinned("1.35"), "1.36", running="1.35")[0] == "1.35"
    assert cloud(pinned("1.35"), "1.36", running="1.36")[0] == "1.36"


def test_a_stack_from_before_keeps_what_it_runs(cloud):
    assert cloud(stacks.dev(), "1.37", running="1.35")[0] == "1.35"


@pytest.mark.parametrize(
    ("version", "today", "told", "good", "says"),
    [
        ("1.34", date(2026, 10, 2), None, True, "supported until 2026-12-02"),
        ("1.34", date(2026, 10, 3), None, "warned", "ends on 2026-12-02, in 60 days"),
        ("1.34", date(2026, 12, 3), None, "warned", "ended on 2026-12-02"),
        ("1.34", date(2026, 12, 3), date(2027, 12, 2), True, "supported until 2027-12-02"),
        ("1.99", date(2026, 12, 3), None, None, "nobody to ask"),
    ],
)
def test_the_end_of_support_is_told_sixty_days_before(version, today, told, good, says):
    found, said = supported(version, today, told)
    assert found == good and says in said


def test_the_table_is_of_versions_in_the_order_of_their_ends():
    assert list(ENDS.values()) == sorted(ENDS.values()) and list(ENDS) == sorted(ENDS)
