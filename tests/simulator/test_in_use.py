"""Google's stand-in deletes nothing that is not empty or still used, in words that name what uses it."""

import pytest

from slipway.simulator.books import Books
from slipway.simulator.faults import CloudError
from slipway.simulator.provider import cloud_for
from slipway.simulator.scenario import Scenario

NETWORK, SUBNET = "gcp:compute/network:Network", "gcp:compute/subnetwork:Subnetwork"
ADDRESS, GATEWAY = "gcp:compute/globalAddress:GlobalAddress", "kubernetes:gateway.networking.k8s.io/v1:Gateway"
CHANNEL = "gcp:monitoring/notificationChannel:NotificationChannel"
FOLDER = "gcp:storage/managedFolder:ManagedFolder"


@pytest.fixture
def cloud(tmp_path):
    return cloud_for("gcp", Books(tmp_path / "books.json"), Scenario())


def make(cloud, kind, **inputs):
    inputs["metadata"] = {"namespace": "a", "name": inputs["name"], **inputs.get("metadata", {})}
    package = kind.partition(":")[0]
    entry = cloud_for(package, cloud.books, cloud.scenario).entry(kind, inputs, "it")
    cloud.books.put(entry)
    return entry


@pytest.mark.parametrize(
    ("kind", "user", "by", "uses"),
    [
        (NETWORK, SUBNET, "id", lambda name: {"network": name}),
        (NETWORK, "gcp:compute/firewall:Firewall", "selfLink", lambda name: {"network": name}),
        (ADDRESS, GATEWAY, "name", lambda name: {"spec": {"addresses": [{"value": name}]}}),
        ("gcp:certificatemanager/certificateMap:CertificateMap", GATEWAY, "name",
         lambda name: {"metadata": {"annotations": {"networking.gke.io/certmap": name}}}),
        (CHANNEL, "gcp:monitoring/alertPolicy:AlertPolicy", "id", lambda name: {"notificationChannels": [name]}),
    ],
)  # fmt: skip
def test_what_something_uses_stays_until_that_is_gone(cloud, kind, user, by, uses):
    entry = make(cloud, kind, name="one")
    name = {**entry["outputs"], "id": entry["id"]}[by]
    other = make(cloud, user, name="two", **uses("another"))
    held = make(cloud, user, name="three", **uses(name))
    with pytest.raises(CloudError, match=f"resourceInUseByAnotherResource: {user} it uses it"):
        cloud.refuse_delete(kind, entry["id"])
    cloud.books.remove(user, held["id"])
    cloud.refuse_delete(kind, entry["id"])
    assert cloud.books.find(user, other["id"])


@pytest.mark.parametrize(("kind", "name"), [(FOLDER, "models/digits/"), ("gcp:storage/bucket:Bucket", "models")])
def test_a_folder_with_objects_stays_unless_the_stack_says_that_they_are_its_own(
    cloud, kind, name, tmp_path, monkeypatch
):
    monkeypatch.setenv("SLIPWAY_BUCKETS", str(tmp_path))
    entry = make(cloud, kind, name=name, bucket="models")
    cloud.refuse_delete(kind, entry["id"])
    (tmp_path / "models" / "models" / "digits").mkdir(parents=True)
    (tmp_path / "models" / "models" / "digits" / "manifest.json").write_text("{}")
    with pytest.raises(CloudError, match="409 conflict: it is not empty"):
        cloud.refuse_delete(kind, entry["id"])
    cloud.books.put({**entry, "inputs": {**entry["inputs"], "forceDestroy": True}})
    cloud.refuse_delete(kind, entry["id"])


@pytest.mark.parametrize("place", ["europe-west4", "europe-west4-b"])
def test_a_cluster_that_was_there_before_is_reached_wherever_it_is_and_no_other(place, tmp_path):
    kubernetes = cloud_for("kubernetes", Books(tmp_path / "books.json"), Scenario())
    found = Scenario().answer("gcp:container/getCluster:getCluster", {"name": "shared", "location": place})
    endpoint = found["controlPlaneEndpointsConfigs"][0]["dnsEndpointConfigs"][0]["endpoint"]
    kubernetes.configure({"kubeconfig": f"https://{endpoint}"})
    kubernetes.reach()
    kubernetes.configure({"kubeconfig": f"https://not-{endpoint}"})
    with pytest.raises(CloudError, match="unreachable cluster"):
        kubernetes.reach()
