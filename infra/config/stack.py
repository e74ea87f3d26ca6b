"""The stack's configuration: read once, checked whole, refused in one message."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, get_args

import pulumi
import yaml
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from infra.callers import KEYS, PLAIN_KEYS, AccessConfig, ApiKeyConfig, LogConfig, veiled
from infra.cost.config import CostConfig
from infra.imageconfig import ImageConfig
from infra.lacks import lacking
from infra.platforms.aws.config import AwsConfig
from infra.platforms.aws.rules import problems as aws_problems
from infra.platforms.docker.config import DockerConfig
from infra.platforms.docker.config import problems as docker_problems
from infra.platforms.gcp.config import GcpConfig
from infra.platforms.gcp.rules import problems as gcp_problems
from infra.platforms.kubernetes.config import KubernetesConfig
from infra.platforms.kubernetes.config import problems as kubernetes_problems
from infra.serving import ClusterServing
from infra.settings import PROJECT, ConfigError, Settings

__all__ = ["PROJECT", "ROOT", "ConfigError", "ServiceConfig", "StackConfig"]
ROOT = Path(__file__).resolve().parents[1]


class ServiceConfig(ClusterServing):
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
    metricsPort: int | None = Field(
        default=None, ge=1024, le=65535, description="port on 127.0.0.1 for /metrics (platform local); default: none"
    )
    workers: int | None = Field(
        default=None, ge=1, le=256, description="server processes (platform local); default: one per core"
    )
    logs: LogConfig = Field(default=LogConfig(), description="what is written about requests: {requests: 0.01}")
    traces: str | None = Field(
        default=None, pattern=r"^https?://\S+$", description="OpenTelemetry collector: http://collector:4318"
    )


class StackConfig(Settings):
    """Everything a stack can set. The defaults live here; Pulumi.yaml repeats them under a test."""

    platform: Literal["local", "docker", "kubernetes", "aws", "gcp"] = Field(
        default="local", description="where the stack runs"
    )
    environment: Literal["dev", "staging", "production"] = Field(
        default="dev", description="decides what is protected and retained"
    )
    apiKeys: dict[str, ApiKeyConfig] = Field(
        default={}, description="who may ask: pulumi config set --secret --path slipway:apiKeys.NAME KEY"
    )
    access: AccessConfig = Field(
        default=AccessConfig(), description="tokens, networks and rates: {jwt: {...}, allow: [...], rate: {...}}"
    )
    kubernetes: KubernetesConfig = Field(
        default=KubernetesConfig(), description="any cluster: {context: ..., registry: ..., gateway: {...}}"
    )
    aws: AwsConfig = Field(default=AwsConfig(), description="EKS: {region, account, cluster, endpoint, ...}")
    docker: DockerConfig = Field(
        default=DockerConfig(), description="one host with Docker: {host: ssh://user@machine, ...}"
    )
    image: ImageConfig = Field(
        default=ImageConfig(), description="what images are made of: {base: ...@sha256:..., arch: amd64, ...}"
    )
    gcp: GcpConfig = Field(default=GcpConfig(), description="GKE: {project, region, cluster, endpoint, ...}")
    maxMonthlyUsd: int = Field(
        default=0, ge=0, description="a preview of a stack that can cost more a month fails; 0: no limit"
    )
    cost: CostConfig = Field(
        default=CostConfig(), description="how the cost is estimated: {usage: {...}, discounts: {...}, prices: {...}}"
    )
    services: dict[str, ServiceConfig] = Field(description="the services by name: {digits: {model: models/digits}}")

    @field_validator("maxMonthlyUsd", mode="before")
    @classmethod
    def _as_the_engine_hands_it_over(cls, usd: Any) -> Any:
        """Numbers of Pulumi's configuration are texts."""
        return int(usd) if isinstance(usd, str) and usd.isdecimal() else usd

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
    def _fits_the_platform(self) -> StackConfig:
        found = [*lacking(self.platform, self.services)]
        match self.platform:
            case "docker":
                found += docker_problems(self)
            case "kubernetes":
                found += kubernetes_problems(self)
            case "aws":
                found += aws_problems(self)
            case "gcp":
                found += gcp_problems(self)
        if found:
            raise ValueError(f"\n  {PROJECT}:".join(found))
        return self

    @model_validator(mode="after")
    def _distinct_ports(self) -> StackConfig:
        if self.platform not in ("local", "docker"):
            return self
        owners: dict[int, str] = {}
        for name, service in self.services.items():
            for kind, port in (("port", service.port), ("metricsPort", service.metricsPort)):
                if port is None:
                    continue
                if port in owners:
                    raise ValueError(f"services.{name}.{kind}: {port} is taken by {owners[port]!r}; give each its own")
                owners[port] = name
        return self

    @model_validator(mode="after")
    def _somebody_may_ask(self) -> StackConfig:
        if not (self.apiKeys or self.access.jwt or self.makes_own_key):
            raise ValueError(
                "apiKeys: nobody could ask; pulumi config set --secret --path slipway:apiKeys.NAME $(openssl rand -hex "
                "32), or set access.jwt. Only a local dev stack makes a key of its own"
            )
        if any(len(name) > 100 or not name.isprintable() or name.startswith("jwt:") for name in self.apiKeys):
            raise ValueError("apiKeys: a name has at most 100 characters and does not start with jwt:")
        if len(self.apiKeys) > 64:
            raise ValueError(
                f"apiKeys: {len(self.apiKeys)} keys, at most 64 are taken; use access.jwt for many callers"
            )
        return self

    @property
    def makes_own_key(self) -> bool:
        """Whether this machine's key is taken, as the stack names none and is only for trying."""
        return self.platform == "local" and self.environment == "dev" and not self.apiKeys and not self.access.jwt

    @classmethod
    def load(cls) -> StackConfig:
        """The running program's configuration. The only reader of Pulumi's configuration.

        Raises:
            ConfigError: before any resource is registered.
        """
        values = {**pulumi.runtime.config.get_config_env(), **pulumi.runtime.config.CONFIG.get()}
        if _structured(values.get(KEYS)) and not pulumi.runtime.config.is_config_secret(KEYS):
            raise ConfigError(PLAIN_KEYS)
        # One encrypted key among plain ones makes the whole a secret for the engine: the file tells them apart.
        if KEYS in values and (stored := _stored(pulumi.get_stack())):
            veiled(stored.get(KEYS, {}))
        return cls.parse(values)

    @classmethod
    def from_file(cls, stack: str) -> StackConfig:
        """The configuration in `Pulumi.<stack>.yaml`, for work that is done before the engine starts."""
        values = _stored(stack)
        if values is None:
            raise ConfigError(
                f"Pulumi.{stack}.yaml is missing: copy Pulumi.dev.yaml, or name another stack with STACK=..."
            )
        if KEYS in values:
            values[KEYS] = veiled(values[KEYS])
        return cls.parse(values)

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


def _stored(stack: str) -> dict[str, Any] | None:
    """What the stack's file holds, by full key; None where there is no file."""
    path = ROOT / f"Pulumi.{stack}.yaml"
    if not path.is_file():
        return None
    try:
        content = yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        raise ConfigError(f"{path.name} is not YAML: {error}") from error
    # As in Pulumi, a key without a namespace is the project's.
    settings = content.get("config") or {}
    return {key if ":" in key else f"{PROJECT}:{key}": value for key, value in settings.items()}


def _structured(value: Any) -> Any:
    """Pulumi hands objects over as JSON text; a stack file holds them as they are."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _sentence(detail: Any, own: dict[str, Any]) -> str:
    loc = tuple(str(part) for part in detail["loc"])
    key = f"{PROJECT}:" + ".".join(loc) if loc else PROJECT
    match detail["type"]:
        case "extra_forbidden":
            return f"{key}: no such key; there are {', '.join(sorted(_model_at(loc).model_fields))}"
        case "missing":
            return f"{key}: is not set; it takes {_model_at(loc).model_fields[loc[-1]].description}"
        case "value_error":
            text = str(detail["ctx"]["error"])
            return f"{key}: {text}" if loc else f"{PROJECT}:{text}"
        case _ if loc[:1] == ("apiKeys",):  # what was given may be a secret
            return f"{key}: {detail['msg'][:1].lower()}{detail['msg'][1:]}"
        case _:
            return f"{key}: {detail['msg'][:1].lower()}{detail['msg'][1:]}, got {detail['input']!r}"


def _model_at(loc: tuple[str, ...]) -> type[BaseModel]:
    """What the last key of a place in the configuration belongs to."""
    found: type[BaseModel] = StackConfig
    for key in loc[:-1]:
        if key in found.model_fields:
            found = _inner(found.model_fields[key].annotation) or found
    return found


def _inner(annotation: Any) -> type[BaseModel] | None:
    """The settings inside of `X`, `X | None`, `dict[str, X]` and `list[X]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := _inner(each))), None)
