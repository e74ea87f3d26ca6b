"""The stack's configuration: read once, checked whole, refused in one message."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pulumi
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

PROJECT = "slipway"
ROOT = Path(__file__).resolve().parents[1]


class ConfigError(pulumi.RunError):
    """The configuration can't be used; the message lists every error with its key and the fix."""


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ServiceConfig(_Settings):
    """One service of the stack: a model and how it is served."""

    model: str = Field(
        min_length=1,
        description="model folder (models/digits) or a promoted artifact (<store uri>@sha256:<digest>)",
    )
    variant: str | None = Field(
        default=None, description="pin one variant (fp32, int8-static, ...) instead of the fastest in budget"
    )
    acceptWorse: bool = Field(
        default=False, description="deploy a model that is worse or slower than the one that serves now"
    )
    port: int = Field(default=3000, ge=1024, le=65535, description="port on 127.0.0.1 (platform local)")
    workers: int | None = Field(
        default=None, ge=1, le=256, description="server processes (platform local); default: one per core"
    )


class StackConfig(_Settings):
    """Everything a stack can set. The defaults live here; Pulumi.yaml repeats them under a test."""

    platform: Literal["local"] = Field(default="local", description="where the stack runs")
    environment: Literal["dev", "staging", "production"] = Field(
        default="dev", description="decides what is protected and retained"
    )
    services: dict[str, ServiceConfig] = Field(description="the services by name: {digits: {model: models/digits}}")

    @field_validator("services")
    @classmethod
    def _named_services(cls, services: dict[str, ServiceConfig]) -> dict[str, ServiceConfig]:
        if not services:
            raise ValueError("is empty: name at least one service, as {digits: {model: models/digits}}")
        for name in services:
            # The name becomes a DNS label on Kubernetes, so every platform holds to the same rule.
            if len(name) > 40 or not name.isascii() or not name.replace("-", "a").isalnum() or name != name.lower():
                raise ValueError(f"{name!r}: use at most 40 lower-case letters, digits and dashes")
            if not name[0].isalpha() or name.endswith("-"):
                raise ValueError(f"{name!r}: start with a letter and end with a letter or digit")
        return services

    @model_validator(mode="after")
    def _distinct_ports(self) -> StackConfig:
        owners: dict[int, str] = {}
        for name, service in self.services.items():
            other = owners.setdefault(service.port, name)
            if other != name:
                raise ValueError(f"services.{name}.port: {service.port} is taken by {other!r}; give each its own")
        return self

    @classmethod
    def load(cls) -> StackConfig:
        """The running program's configuration. The only reader of Pulumi's configuration.

        Raises:
            ConfigError: before any resource is registered.
        """
        values = {**pulumi.runtime.config.get_config_env(), **pulumi.runtime.config.CONFIG.get()}
        return cls.parse(values)

    @classmethod
    def from_file(cls, stack: str) -> StackConfig:
        """The configuration in `Pulumi.<stack>.yaml`, for work that is done before the engine starts."""
        path = ROOT / f"Pulumi.{stack}.yaml"
        if not path.is_file():
            raise ConfigError(f"{path.name} is missing: copy Pulumi.dev.yaml, or name another stack with STACK=...")
        try:
            content = yaml.safe_load(path.read_text()) or {}
        except yaml.YAMLError as error:
            raise ConfigError(f"{path.name} is not YAML: {error}") from error
        settings = content.get("config") or {}
        # As in Pulumi, a key without a namespace is the project's.
        return cls.parse({key if ":" in key else f"{PROJECT}:{key}": value for key, value in settings.items()})

    @classmethod
    def parse(cls, values: dict[str, Any]) -> StackConfig:
        """Checks `{"slipway:key": value}`; other namespaces belong to providers and are left alone."""
        own = {
            key.removeprefix(f"{PROJECT}:"): _structured(value)
            for key, value in values.items()
            if key.startswith(f"{PROJECT}:")
        }
        try:
            return cls.model_validate(own)
        except ValidationError as error:
            lines = "\n".join(f"  {_sentence(detail, own)}" for detail in error.errors())
            raise ConfigError(f"the stack's configuration can't be used:\n{lines}") from None


def _structured(value: Any) -> Any:
    """Pulumi hands objects over as JSON text; a stack file holds them as they are."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _sentence(detail: Any, own: dict[str, Any]) -> str:
    key = f"{PROJECT}:" + ".".join(str(part) for part in detail["loc"]) if detail["loc"] else f"{PROJECT}"
    match detail["type"]:
        case "extra_forbidden":
            known = ServiceConfig if len(detail["loc"]) > 1 else StackConfig
            return f"{key}: no such key; there are {', '.join(sorted(known.model_fields))}"
        case "missing":
            field = ServiceConfig if len(detail["loc"]) > 1 else StackConfig
            wanted = field.model_fields[str(detail["loc"][-1])].description
            return f"{key}: is not set; it takes {wanted}"
        case "value_error":
            text = str(detail["ctx"]["error"])
            return f"{key}: {text}" if detail["loc"] else f"{PROJECT}:{text}"
        case _:
            return f"{key}: {detail['msg'][:1].lower()}{detail['msg'][1:]}, got {detail['input']!r}"
