"""The access file that every platform gives its services: who may ask, without the keys themselves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import pulumi
from slipway.infra.config.access import JwtConfig
from slipway.infra.config.base import ConfigError
from slipway.infra.config.stack import StackConfig
from slipway.infra.home import ROOT
from slipway.infra.local_key import local_key
from slipway.infra.resources.secret import RandomSecret


def access_file(config: StackConfig, proxies: Sequence[pulumi.Input[str]] = ()) -> pulumi.Output[str]:
    """The file's text, a secret: keys only as hashes, and the key that signs prediction tokens.

    It belongs where the service's user alone can read it, and may change while the service runs: processes look once
    a second.

    Raises:
        ConfigError: the JWKS file can't be used; before any resource is registered.
    """
    rules = access_rules(config)
    signing = RandomSecret("predictions").value

    def text(known: list[str]) -> str:
        own = {"signing": known[0], "trustedProxies": [*rules["trustedProxies"], *known[1:]]}
        return json.dumps({**rules, **own}, sort_keys=True)

    return pulumi.Output.secret(pulumi.Output.all(signing, *proxies).apply(text))


def access_rules(config: StackConfig) -> dict[str, Any]:
    """The file's content but for the signing key."""
    keys = {name: (each.key.get_secret_value(), each.expires) for name, each in config.apiKeys.items()}
    if config.makes_own_key:
        keys = {"this machine": (local_key(), None)}
    access = config.access
    return {
        "keys": [
            {
                "name": name,
                "sha256": hashlib.sha256(key.encode()).hexdigest(),
                **({"expires": expires.isoformat()} if expires else {}),
            }
            for name, (key, expires) in sorted(keys.items())
        ],
        "jwt": _jwt(access.jwt) if access.jwt else None,
        "allow": access.allow,
        "trustedProxies": access.trustedProxies,
        "rate": access.rate.model_dump(),
    }


def _jwt(jwt: JwtConfig) -> dict[str, Any]:
    return {**jwt.model_dump(), "jwks": _jwks(jwt.jwks)}


def _jwks(named: str) -> Any:
    if urlsplit(named).scheme in ("http", "https"):
        return named
    try:
        found = json.loads((ROOT / named).read_bytes())
        if found["keys"] and not any({"d", "k"} & each.keys() for each in found["keys"]):
            return found
        why = "it holds a private or shared key: give the public keys alone" if found["keys"] else "it has no keys"
    except OSError as error:
        why = f"it can't be read ({error.strerror}); name an https URL, or a file in the checkout"
    except (ValueError, KeyError, TypeError, AttributeError):
        why = 'it is not a JWKS such as {"keys": [...]}'
    raise ConfigError(f"slipway:access.jwt.jwks: {named}: {why}")
