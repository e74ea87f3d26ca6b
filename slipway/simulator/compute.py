"""A stand-in of Compute Engine's interface for what no program declares: what a cluster's controllers make."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from slipway.simulator.books import Books, Entry
from slipway.simulator.web import Answer

TYPES = {
    "networkEndpointGroups": "gcp:compute/networkEndpointGroup:NetworkEndpointGroup",
    "firewalls": "gcp:compute/firewall:Firewall",
}
PATH = "/compute/v1/"


def answer(books: Books, path: str, body: Any, headers: dict[str, str]) -> Answer:
    """Lists of a kind, by zone where `aggregated`, and the removal of one."""
    if headers.get("authorization") != "Bearer stand-in":
        return 403, {"error": {"message": "not allowed"}}, {}
    place = urlsplit(path).path.removeprefix(PATH)
    *scope, kind = place.split("/")
    if headers[":method"] == "DELETE":
        *scope, kind, _ = place.split("/")
        gone = next((each for each in books.all() if each["type"] == TYPES[kind] and each["id"] == place), None)
        if gone is None:
            return 404, {"error": {"message": "not found"}}, {}
        books.remove(gone["type"], gone["id"])
        return {"kind": "compute#operation", "status": "RUNNING"}
    held = [_shown(each) for each in books.all() if each["type"] == TYPES[kind]]
    return {"items": {"zones/europe-west4-a": {kind: held}} if scope[-1] == "aggregated" else held}


def left_behind(books: Books, kind: str, name: str, network: str, project: str) -> Entry:
    """Puts into the books what a controller made in a network and has not taken away."""
    within = "zones/europe-west4-a" if kind == "networkEndpointGroups" else "global"
    id_ = f"projects/{project}/{within}/{kind}/{name}"
    entry = Entry(
        type=TYPES[kind], id=id_, imports=id_, identity=id_, name=name, arn="", tags={},
        inputs={"name": name, "network": network}, outputs={"name": name, "network": network},
    )  # fmt: skip
    books.put(entry)
    return entry


def _shown(entry: Entry) -> dict[str, str]:
    link = "https://www.googleapis.com/compute/v1/"
    return {
        "name": entry["inputs"]["name"],
        "network": f"{link}{entry['inputs']['network'].removeprefix(link)}",
        "selfLink": f"{link}{entry['id']}",
    }
