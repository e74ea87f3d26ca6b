"""The metrics of pods, and an autoscaler that acts on them."""

import time

import pytest

from slipway.simulator.kube.api import Ref

NAME = "burner"
BURN = "import time\nwhile True: sum(range(10**5)); time.sleep(0.001)"


@pytest.fixture
def burner(api):
    labels = {"app": NAME}
    container = {
        "name": "main", "image": "slipway.test/base:bookworm", "command": ["python3", "-c", BURN],
        "resources": {"requests": {"cpu": "20m"}, "limits": {"cpu": "100m"}},
    }  # fmt: skip
    place = {"name": NAME, "namespace": "default"}
    spec = {"terminationGracePeriodSeconds": 0, "containers": [container]}
    template = {"metadata": {"labels": labels}, "spec": spec}
    target = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
    }
    values = [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": place,
         "spec": {"selector": {"matchLabels": labels}, "template": template}},
        {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": place,
         "spec": {"minReplicas": 1, "maxReplicas": 3, "metrics": [target],
                  "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME}}},
    ]  # fmt: skip
    for value in values:
        api.apply(value, "test")
    yield Ref.to(values[0])
    for value in reversed(values):
        api.delete(Ref.to(value), "Background")


def test_an_autoscaler_adds_replicas_for_what_the_pods_use(api, burner):
    end, started = time.monotonic() + 90, time.monotonic()
    while api.get(burner)["status"].get("replicas", 0) < 3:
        assert time.monotonic() < end, api.get(burner)["status"]
        time.sleep(0.5)
    print(f"\nscaled to 3 after {time.monotonic() - started:.0f} s")
    used = api.list("metrics.k8s.io/v1beta1", "PodMetrics", "default", labelSelector=f"app={NAME}")
    assert used[0]["containers"][0]["usage"]["cpu"] != "0"
