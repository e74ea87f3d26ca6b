"""What a cluster's controllers leave in the stack's network goes with it, and nothing else does."""

import pytest
from slipway.infra.platforms.gcp import leftovers
from slipway.infra.platforms.gcp.leftovers import NetworkLeftoversProvider
from slipway.infra.resources.command import SlipwayError

from slipway.simulator import compute
from slipway.simulator.books import Books
from slipway.simulator.web import web

OWN, OTHER = "projects/p/global/networks/own", "projects/p/global/networks/other"


@pytest.fixture
def books(tmp_path, monkeypatch):
    books = Books(tmp_path / "books.json")
    for kind, name, network in (
        ("networkEndpointGroups", "k8s1-01-slipway-digits-3000", OWN),
        ("networkEndpointGroups", "k8s1-01-slipway-digits-3000-b", OTHER),
        ("firewalls", "gkegw1-l7--own", OWN),
        ("firewalls", "somebodys-own-rule", OWN),
    ):
        compute.left_behind(books, kind, name, network, "p")
    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", "stand-in")
    monkeypatch.setattr(leftovers, "SECONDS", 0)
    return books


def deleted(answer, monkeypatch):
    with web({compute.PATH: answer}) as double:
        monkeypatch.setenv(leftovers.ENDPOINT, f"{double.address}{compute.PATH}")
        NetworkLeftoversProvider().delete("own", {"project": "p", "network": "own"})


def test_what_the_networks_controllers_left_goes_and_what_people_made_or_is_in_another_network_stays(
    books, monkeypatch
):
    deleted(lambda *asked: compute.answer(books, *asked), monkeypatch)
    assert [each["name"] for each in books.all()] == ["k8s1-01-slipway-digits-3000-b", "somebodys-own-rule"]


def test_what_google_does_not_let_go_is_named(books, monkeypatch):
    def stubborn(path, body, headers):
        refused = (400, {"error": {"message": "resourceInUseByAnotherResource"}}, {})
        return refused if headers[":method"] == "DELETE" else compute.answer(books, path, body, headers)

    with pytest.raises(SlipwayError, match="zones/europe-west4-a/networkEndpointGroups/k8s1-01-slipway-digits-3000, "):
        deleted(stubborn, monkeypatch)


@pytest.mark.parametrize("answer", [(403, {"error": {}}, {}), "no JSON"])
def test_a_network_that_can_not_be_looked_through_is_left_to_googles_own_refusal(books, monkeypatch, capsys, answer):
    deleted(answer, monkeypatch)
    assert "nobody has looked for what the cluster left in own" in capsys.readouterr().err
    assert len(books.all()) == 4
