"""The access file: who may ask, as the program writes it for every platform.

JSON, readable by the service user alone; everything but one way to get in may be left out:

    {"keys": [{"name": "team-a", "sha256": "<64 hex digits>", "expires": "2027-01-01T00:00:00Z"}],
     "jwt": {"jwks": <url or {"keys": [...]}>, "audience": "...", "issuer": "...", "leewaySeconds": 30},
     "allow": ["10.0.0.0/8"], "trustedProxies": ["10.0.0.5/32"],
     "rate": {"perKey": 100, "perAddress": 50}, "signing": "<64 hex digits>"}
"""

import hashlib
import ipaddress
import json
import math
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_T = TypeVar("_T")
_MOST_KEYS, _MOST_BYTES = 64, 1_000_000
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class AccessError(Exception):
    """An access file that can't be used; the message names the entry and what is wrong with it, and no secret."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """An API key: the SHA-256 of a random text of 128 bits or more, which needs no salt. `expires`: epoch seconds."""

    name: str
    digest: bytes
    expires: float


@dataclass(frozen=True, kw_only=True)
class Jwt:
    """What a JSON Web Token has to say. `jwks`: the issuer's public keys, or the URL that has them."""

    jwks: str | dict[str, Any]
    audience: str
    issuer: str
    leeway: float


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The file's content. Rates are requests a second, None for no limit; `signing` is the key of prediction tokens."""

    keys: tuple[Key, ...] = ()
    jwt: Jwt | None = None
    allow: tuple[Network, ...] = ()
    proxies: tuple[Network, ...] = ()
    per_key: float | None = None
    per_address: float | None = None
    signing: bytes | None = None


def read_rules(path: Path) -> Rules:
    """Raises AccessError naming the file and the entry."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:  # a pipe would keep us waiting
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise AccessError(f"{path} is no regular file")
            if mode & 0o007:
                raise AccessError(f"{path} is open to every user of this machine: chmod 600")
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise AccessError(f"{path} has more than {_MOST_BYTES:,} bytes")
        return parse_rules(json.loads(content))
    except OSError as error:
        raise AccessError(f"{path} can't be read: {error.strerror}") from None
    except RecursionError:
        raise AccessError(f"{path} can't be used: it is nested too deeply") from None
    except ValueError as error:
        # The text of a JSONDecodeError has no content, those of our own parsers name the entry.
        raise AccessError(f"{path} can't be used: {error}") from None


def parse_rules(data: Any) -> Rules:
    """Raises ValueError naming the entry."""
    data = _object(data, "the file", {"keys", "jwt", "allow", "trustedProxies", "rate", "signing"})
    keys = tuple(_key(each, f"keys[{index}]") for index, each in enumerate(_list(data, "keys")))
    if len(keys) > _MOST_KEYS:
        raise ValueError(f"keys: {len(keys)} of them, at most {_MOST_KEYS} are taken; use jwt for many callers")
    rate = _object(data.get("rate") or {}, "rate", {"perKey", "perAddress"})
    jwt = _jwt(data["jwt"]) if data.get("jwt") else None
    if not keys and jwt is None:
        raise ValueError("it has neither keys nor jwt: nobody could ask")
    return Rules(
        keys=keys,
        jwt=jwt,
        allow=_networks(data, "allow"),
        proxies=_networks(data, "trustedProxies"),
        per_key=_positive(rate.get("perKey"), "rate.perKey"),
        per_address=_positive(rate.get("perAddress"), "rate.perAddress"),
        signing=_hex(data["signing"], "signing") if data.get("signing") else None,
    )


def digest_of(key: bytes) -> bytes:
    """What is kept of an API key."""
    return hashlib.sha256(key).digest()


def _key(data: Any, where: str) -> Key:
    data = _object(data, where, {"name", "sha256", "expires"})
    expires = math.inf
    if data.get("expires") is not None:
        try:
            moment = datetime.fromisoformat(data["expires"])
        except (TypeError, ValueError):
            raise ValueError(f"{where}.expires: not a time such as 2027-01-01T00:00:00Z") from None
        expires = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return Key(name=_text(data, "name", where), digest=_hex(data.get("sha256"), f"{where}.sha256"), expires=expires)


def _jwt(data: Any) -> Jwt:
    data = _object(data, "jwt", {"jwks", "audience", "issuer", "leewaySeconds"})
    jwks = data.get("jwks")
    if isinstance(jwks, str):
        url = urlsplit(jwks)
        if url.scheme != "https" and not (url.scheme == "http" and url.hostname in _LOOPBACK):
            raise ValueError("jwt.jwks: a URL has to be https, or a JWKS stands here itself")
    elif not isinstance(jwks, dict) or not isinstance(jwks.get("keys"), list) or not jwks["keys"]:
        raise ValueError('jwt.jwks: neither a URL nor a JWKS such as {"keys": [...]}')
    return Jwt(
        jwks=jwks,
        audience=_text(data, "audience", "jwt"),
        issuer=_text(data, "issuer", "jwt"),
        leeway=_positive(data.get("leewaySeconds"), "jwt.leewaySeconds") or 30.0,
    )


def _networks(data: dict[str, Any], name: str) -> tuple[Network, ...]:
    found = []
    for index, text in enumerate(_list(data, name)):
        try:
            found.append(ipaddress.ip_network(text))
        except ValueError:
            raise ValueError(f"{name}[{index}]: {str(text)[:50]!r} is no network such as 10.0.0.0/8") from None
    return tuple(found)


def _object(data: Any, where: str, known: set[str]) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise ValueError(f"{where} is no object")
    if unknown := sorted(data.keys() - known):
        raise ValueError(f"{where}: unknown entry {unknown[0][:50]!r}; there are {', '.join(sorted(known))}")
    return data


def _list(data: dict[str, Any], name: str) -> Sequence[Any]:
    value = data.get(name) or []
    if not isinstance(value, list):
        raise ValueError(f"{name} is no array")
    return value


def _text(data: dict[str, Any], name: str, where: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{where}.{name}: a text is needed")
    return value


def _positive(value: Any, where: str) -> float | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0):
        raise ValueError(f"{where}: a number above 0 is needed")
    return value


def _hex(value: Any, where: str) -> bytes:
    try:
        found = bytes.fromhex(value)
    except (TypeError, ValueError):
        found = b""
    if len(found) != 32:
        raise ValueError(f"{where}: 64 hex digits are needed")
    return found
