"""Who asks, behind proxies: the one reader of x-forwarded-for and of Forwarded (RFC 7239)."""

import ipaddress
import re
from functools import lru_cache

from slipway.service.access.access_file import Network

UNKNOWN = "unknown"
# Of all lines of a header: some twenty proxies. A longer one is nobody's.
_MOST_CHARACTERS = 1000
_NODE = re.compile(r"(?:\[([0-9a-f:.]+)\]|([0-9.]+))(?::(?:[0-9]{1,5}|_[\w.-]+))?", re.ASCII | re.IGNORECASE)
_PAIR = re.compile(r"""[ \t]*(?:([\w!#$%&'*+.^`|~-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s",;]+)))?[ \t]*([,;]|$)""", re.ASCII)

Headers = list[tuple[bytes, bytes]]


def client_address(peer: str, headers: Headers, proxies: tuple[Network, ...]) -> str:
    """The last hop that is no trusted proxy, without its port; UNKNOWN where the proxies' headers don't say.

    What a peer says that is no trusted proxy counts for nothing. A proxy writes one of the two headers and may pass the
    caller's other one on: two that name different clients are UNKNOWN.
    """
    return _client(peer, *(_lines(headers, name) for name in (b"x-forwarded-for", b"forwarded")), proxies)


@lru_cache(1000)
def within(address: str, networks: tuple[Network, ...]) -> bool:
    """Whether an address is in one of the networks; UNKNOWN is in none."""
    return address != UNKNOWN and any(ipaddress.ip_address(address) in network for network in networks)


@lru_cache(1000)
def neighbourhood(address: str) -> str:
    """An IPv6 customer has a whole network of addresses: they share a limit."""
    if address == UNKNOWN or ipaddress.ip_address(address).version == 4:
        return address
    return str(ipaddress.ip_network((address, 64), strict=False))


@lru_cache(1000)
def _client(peer: str, listed: str, forwarded: str, proxies: tuple[Network, ...]) -> str:
    address = _address(peer)
    if not within(address, proxies):
        return address
    told = [hops for hops in (_listed(listed), _forwarded(forwarded)) if hops != []]
    found = {_last(hops, proxies) for hops in told} or {address}
    return found.pop() if len(found) == 1 else UNKNOWN


def _last(hops: list[str] | None, proxies: tuple[Network, ...]) -> str:
    address = UNKNOWN
    for hop in reversed(hops or ()):
        address = _address(hop)
        if not within(address, proxies):
            break
    return address


def _address(node: str) -> str:
    """An address alone, or with a port; IPv6 with one in brackets. IPv4 in IPv6 is IPv4."""
    match = _NODE.fullmatch(node)
    try:
        found = ipaddress.ip_address(match[1] or match[2] if match else node)
    except ValueError:
        return UNKNOWN
    return str(getattr(found, "ipv4_mapped", None) or ipaddress.ip_address(found.packed))  # without an IPv6 zone


def _lines(headers: Headers, wanted: bytes) -> str:
    return b",".join(value for name, value in headers if name == wanted).decode("latin-1")


def _listed(text: str) -> list[str] | None:
    """The hops of x-forwarded-for; None where it is no list of them."""
    return None if len(text) > _MOST_CHARACTERS else [hop for each in text.split(",") if (hop := each.strip())]


def _forwarded(text: str) -> list[str] | None:
    """The `for` of each element of Forwarded; None where it is malformed."""
    hops: list[str] = []
    element: dict[str, str] = {}
    at, more = 0, bool(text)
    while more:
        match = _PAIR.match(text, at) if len(text) <= _MOST_CHARACTERS else None
        if match is None or (match[1] and match[1].lower() in element):
            return None
        name, quoted, plain, end = match.groups()
        if name:
            element[name.lower()] = plain or re.sub(r"\\(.)", r"\1", quoted)
        if end != ";" and element:
            hops.append(element.get("for", UNKNOWN))
            element = {}
        at, more = match.end(), end != ""
    return hops
