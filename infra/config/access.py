"""The parts of the configuration that say who may ask, and what is written about it. Keys are secrets at all times."""

from __future__ import annotations

import re
from datetime import datetime
from ipaddress import ip_network
from typing import Annotated, Any

from pydantic import Field, SecretStr, field_validator, model_validator
from slipway.infra.config.base import PROJECT, ConfigError, Settings

KEYS = f"{PROJECT}:apiKeys"
PLAIN_KEYS = (
    f"{KEYS}: stands in plain text: remove it, and set each key anew with\n"
    f"  pulumi config set --secret --path {KEYS}.NAME $(openssl rand -hex 32)"
)
# Stands for a key that is encrypted.
_VEIL = "0123456789abcdefghijklmnopqrstuvwxyz"


class LogConfig(Settings):
    """What is written about requests. Personal data is masked in any case."""

    requests: float = Field(default=0.0, ge=0, le=1, description="the share of requests that a line is written about")
    inputs: float = Field(default=0.0, ge=0, le=1, description="the share of requests whose input is written, masked")
    maskFields: list[str] = Field(default=[], description="fields to mask besides names, addresses and the like")
    maskPatterns: list[str] = Field(default=[], description="regular expressions to mask besides e-mail and the like")

    @field_validator("maskPatterns")
    @classmethod
    def _expressions(cls, patterns: list[str]) -> list[str]:
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
        return patterns


class ApiKeyConfig(Settings):
    """A key that callers send as `authorization: Bearer KEY`; always a Pulumi secret."""

    key: SecretStr = Field(description="32 or more random letters, digits, - and _")
    expires: datetime | None = Field(default=None, strict=False, description="when it ends: 2027-01-01T00:00:00Z")

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, value: Any) -> Any:
        return {"key": value} if isinstance(value, str) else value

    @field_validator("key")
    @classmethod
    def _random(cls, key: SecretStr) -> SecretStr:
        text = key.get_secret_value()
        if not re.fullmatch(r"[A-Za-z0-9_-]{32,200}", text) or len(set(text)) < 10:
            raise ValueError("use 32 to 200 random letters, digits, - and _: openssl rand -hex 32 makes one")
        return key


class JwtConfig(Settings):
    """JSON Web Tokens of one issuer."""

    jwks: str = Field(min_length=1, description="the issuer's public keys: an https URL, or a file in the checkout")
    audience: str = Field(min_length=1, description="what `aud` has to be")
    issuer: str = Field(min_length=1, description="what `iss` has to be")
    leewaySeconds: int = Field(default=30, ge=1, le=300, description="how far clocks may be apart")


class RateConfig(Settings):
    """Requests a second that each server process takes; more are refused with 429."""

    perKey: float | None = Field(default=None, gt=0, description="of one key or token's subject")
    perAddress: float | None = Field(default=None, gt=0, description="of one client address")


class AccessConfig(Settings):
    """Who may ask, besides the holders of apiKeys, and from where."""

    jwt: JwtConfig | None = Field(default=None, description="take JSON Web Tokens")
    allow: list[str] = Field(default=[], description="the only networks that may ask: [10.0.0.0/8]")
    trustedProxies: list[str] = Field(default=[], description="proxies whose x-forwarded-for or Forwarded is believed")
    clientNamespaces: list[Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]] = Field(
        default=[], description="namespaces of the cluster whose pods may ask, besides the services' own: [web]"
    )
    rate: RateConfig = Field(default=RateConfig(), description="limits: {perKey: 100, perAddress: 50}")

    @field_validator("allow", "trustedProxies")
    @classmethod
    def _networks(cls, networks: list[str]) -> list[str]:
        for network in networks:
            try:
                ip_network(network)
            except ValueError as error:
                raise ValueError(f"{network!r} is no network such as 10.0.0.0/8: {error}") from None
        return networks


def veiled(keys: Any) -> Any:
    """Encrypted keys with something in their place that passes for one. Raises ConfigError for one in plain text."""
    if not keys:
        return {}
    if isinstance(keys, dict) and keys.keys() == {"secure"}:
        return {"encrypted": _VEIL}
    if not isinstance(keys, dict):
        raise ConfigError(PLAIN_KEYS)
    veiled: dict[str, Any] = {}
    for name, value in keys.items():
        if isinstance(value, dict) and value.keys() == {"secure"}:
            veiled[name] = _VEIL
        elif isinstance(value, dict) and isinstance(value.get("key"), dict) and value["key"].keys() == {"secure"}:
            veiled[name] = {**value, "key": _VEIL}
        else:
            raise ConfigError(PLAIN_KEYS)
    return veiled
