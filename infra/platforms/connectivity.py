"""What the internet says of names. Short waits: an answer that comes late is none."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import suppress

import httpx
from slipway.infra.platforms.answers import Said

WAIT = httpx.Timeout(10, connect=3)
# What the public internet finds under a name: developers.google.com/speed/public-dns/docs/doh/json
DNS = "https://dns.google/resolve"


def delegated(zone: str, servers: Sequence[str]) -> Said:
    """Whether the internet asks these name servers about the zone: a certificate's validation waits for it in vain."""
    try:
        answer = httpx.get(DNS, params={"name": zone, "type": "NS"}, timeout=WAIT).json()
    except (httpx.HTTPError, ValueError) as error:
        return None, f"nobody to ask who answers for {zone}: {reason(error)}"
    found = {str(each["data"]).rstrip(".").lower() for each in answer.get("Answer", ()) if each.get("type") == 2}
    if found & {each.rstrip(".").lower() for each in servers}:
        return True, f"{zone} is answered for by the zone's servers"
    return (
        False,
        f"the internet does not ask the zone's servers about {zone}: set its NS at the parent to {servers[0]}, ...",
    )


def address(host: str) -> Said:
    with suppress(OSError):
        return True, f"{host} is at {socket.gethostbyname(host)}"
    return None, f"{host} has no address yet"


def reason(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
