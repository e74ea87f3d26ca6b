"""Every policy on the real engine: one stack that breaks all of them, one that breaks none."""

import json

import pytest
from slipway.infra.home import ROOT

from slipway.simulator.throwaway import Throwaway

pytestmark = pytest.mark.engine

PROGRAM = ROOT / "tests" / "policy" / "program"
BROKEN = {
    ("authenticated", "Deployment digits"),
    ("authenticated", "Service digits"),
    ("bucket-blocked", "Bucket models"),
    ("budgeted", "Cluster cluster"),
    ("encrypted", "Bucket gcs"),
    ("encrypted", "BucketServerSideEncryptionConfiguration models"),
    ("encrypted", "Cluster cluster"),
    ("encrypted", "Key key"),
    ("encrypted", "LogGroup logs"),
    ("encrypted", "Repository images"),
    ("gpu-fits", "Deployment digits"),
    ("gpu-pool", "NodeGroup gpu"),
    ("gpu-pool", "NodePool l4"),
    ("gpu-pool", "NodePool pool"),
    ("image-by-digest", "Deployment digits"),
    ("judged-for-target", "ModelArtifact linear"),
    ("model-judged", "ModelArtifact digits"),
    ("no-open-cidr", "Cluster cluster"),
    ("no-open-cidr", "SecurityGroupIngressRule ssh"),
    ("no-public-bucket", "Bucket gcs"),
    ("no-public-bucket", "BucketIAMMember readers"),
    ("no-public-bucket", "BucketPolicy models"),
    ("protected", "Bucket gcs"),
    ("protected", "Bucket models"),
    ("protected", "Cluster cluster"),
    ("protected", "Key key"),
    ("protected", "Repository images"),
    ("rollout-ends", "Deployment digits"),
    ("rollout-ends", "PodDisruptionBudget digits"),
    ("safe-pods", "Deployment digits"),
    ("tagged", "Bucket gcs"),
    ("tagged", "Bucket models"),
    ("tagged", "Cluster cluster"),
    ("tagged", "Deployment digits"),
    ("tagged", "Deployment linear"),
    ("tagged", "Key key"),
    ("tagged", "LogGroup logs"),
    ("tagged", "NodeGroup gpu"),
    ("tagged", "Repository images"),
    ("tagged", "Service digits"),
    ("redirected", "Gateway gateway"),
    ("tls", "Listener https"),
    ("tls", "SSLPolicy edge"),
}


@pytest.fixture(scope="module")
def judge(tmp_path_factory, judged_model, gpu_model, unjudged_model):
    """Previews a stack under the pack: what was said, each broken (policy, resource), and the policies that ran."""

    def run(stack, **config):
        folder = tmp_path_factory.mktemp(stack)
        (folder / "config.json").write_text(
            json.dumps({name.replace("_", "-"): value for name, value in config.items()})
        )
        with Throwaway(folder, PROGRAM, stack) as throwaway:
            throwaway.environment["PULUMI_DEBUG_COMMANDS"] = "true"
            good = stack == "good"
            models = {"model": gpu_model if good else unjudged_model, "second": gpu_model if good else judged_model}
            for key, folder_of in models.items():
                throwaway.pulumi("config", "set", f"slipway:{key}", str(folder_of), "--stack", stack)
            said = throwaway.preview(
                "--policy-pack", str(ROOT / "policy"), "--policy-pack-config", str(folder / "config.json"),
                "--event-log", str(folder / "events"), fails=None,
            )  # fmt: skip
        events = [json.loads(line) for line in (folder / "events").read_text().splitlines() if line]
        broken = {}
        for event in (each["policyEvent"] for each in events if "policyEvent" in each):
            kind, name = event["resourceUrn"].split("::")[-2:]
            broken[event["policyName"], f"{kind.rsplit(':', 1)[-1]} {name}"] = event
        ran = {name for each in events for name in each.get("policyAnalyzeSummaryEvent", {}).get("passed", [])}
        ran |= {name for each in events for name in each.get("policyAnalyzeStackSummaryEvent", {}).get("passed", [])}
        return said, broken, ran

    return run


def test_every_policy_passes_a_stack_that_is_as_it_should_be(judge):
    said, broken, ran = judge("good")
    assert broken == {}
    assert "error" not in said
    assert ran == {policy for policy, _ in BROKEN}


def test_every_policy_refuses_a_stack_that_breaks_it(judge):
    held = {"resource": "images", "reason": "another team's", "expires": "2999-01-01"}
    late = {"resource": "logs", "reason": "a trial", "expires": "2020-01-01"}
    said, broken, _ = judge("bad", encrypted={"exceptions": [held, late]}, tls={"enforcementLevel": "advisory"})
    assert "preview failed" in said
    assert set(broken) == BROKEN - {("encrypted", "Repository images")}
    assert "its exception expired on 2020-01-01" in broken["encrypted", "LogGroup logs"]["message"]
    assert "container before runs" in said and "container before may run as root" in said
    levels = {policy: event["enforcementLevel"] for (policy, _), event in broken.items()}
    assert levels.pop("tls") == levels.pop("judged-for-target") == "advisory"
    assert set(levels.values()) == {"mandatory"}
