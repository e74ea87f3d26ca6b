"""The stack's configuration: read once, checked whole, refused in one message."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

import pulumi
import yaml
from pydantic import BaseModel, Field, ValidationError, create_model, field_validator, model_validator
from slipway.infra.config.access import KEYS, PLAIN_KEYS, AccessConfig, ApiKeyConfig, LogConfig, veiled
from slipway.infra.config.base import PROJECT, ConfigError, Settings
from slipway.infra.config.cost import CostConfig
from slipway.infra.config.image import ImageConfig
from slipway.infra.config.kept import as_kept
from slipway.infra.config.privacy import PrivacyConfig
from slipway.infra.config.scaling import ClusterServing
from slipway.infra.home import ROOT
from slipway.infra.platforms.table import PLATFORMS
from slipway.infra.platforms.unsupported import unsupported

S = TypeVar("S", bound=Settings)


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
    retentionDays: int | None = Field(
        default=None, ge=1, le=3653, description="as privacy.retentionDays, which it can't exceed, for this service"
    )
    traces: str | None = Field(
        default=None, pattern=r"^https?://\S+$", description="OpenTelemetry collector: http://collector:4318"
    )


def _platform_settings() -> type[Settings]:
    """The stack's platform, and a key for each platform that has settings of its own."""
    own: dict[str, Any] = {
        name: (row.settings, Field(default=row.settings(), description=row.description))
        for name, row in PLATFORMS.items()
        if row.settings
    }
    named: Any = Literal[tuple(PLATFORMS)]
    platform: Any = (named, Field(default=next(iter(PLATFORMS)), description="where the stack runs"))
    return create_model("PlatformSettings", __base__=Settings, platform=platform, **own)


if TYPE_CHECKING:

    class PlatformSettings(Settings):
        platform: str

else:
    PlatformSettings = _platform_settings()


class StackConfig(PlatformSettings):
    """Everything a stack can set. The defaults live here; Pulumi.yaml repeats them under a test."""

    environment: Literal["dev", "staging", "production"] = Field(
        default="dev", description="decides what is protected and retained"
    )
    apiKeys: dict[str, ApiKeyConfig] = Field(
        default={}, description="who may ask: pulumi config set --secret --path slipway:apiKeys.NAME KEY"
    )
    access: AccessConfig = Field(
        default=AccessConfig(), description="tokens, networks and rates: {jwt: {...}, allow: [...], rate: {...}}"
    )
    privacy: PrivacyConfig = Field(
        default=PrivacyConfig(), description="of callers' data: {retentionDays: 30, regions: [eu-central-1]}"
    )
    image: ImageConfig = Field(
        default=ImageConfig(), description="what images are made of: {base: ...@sha256:..., arch: amd64, ...}"
    )
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
        row = PLATFORMS[self.platform]
        found = [*unsupported(row.name, row.unsupported, self.services), *row.problems(self)]
        for name, service in self.services.items():
            if service.scale.on not in row.scales_on:
                found.append(
                    f"services.{name}.scale.on: {service.scale.on}: nothing before the pods of platform {row.name} "
                    f"counts them for an autoscaler: use {' or '.join(row.scales_on)}"
                )
        if self.access.clientNamespaces and not row.kubectl:
            found.append(f"access.clientNamespaces: platform {row.name} has no namespaces: remove it")
        if found:
            raise ValueError(f"\n  {PROJECT}:".join(found))
        return self

    @model_validator(mode="after")
    def _in_an_allowed_region(self) -> StackConfig:
        allowed, cloud = self.privacy.regions, PLATFORMS[self.platform].cloud
        if allowed and cloud is None:
            raise ValueError(f"privacy.regions: nothing tells where a stack on {self.platform} is: leave it out")
        region = cloud.region(self) if cloud else None
        if allowed and region not in allowed:
            raise ValueError(
                f"{self.platform}.region: {region} is none of privacy.regions ({', '.join(allowed)}): "
                "take one of these, or have this one allowed"
            )
        return self

    @model_validator(mode="after")
    def _distinct_ports(self) -> StackConfig:
        if not PLATFORMS[self.platform].on_host:
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

    def of(self, kind: type[S]) -> S:
        """The settings of the platform that takes this kind: `config.of(AwsConfig)`."""
        name = next(name for name, row in PLATFORMS.items() if row.settings is kind)
        found: S = getattr(self, name)
        return found

    @property
    def makes_own_key(self) -> bool:
        """Whether this machine's key is taken, as the stack names none and is only for trying."""
        row = PLATFORMS[self.platform]
        return row.on_this_machine and self.environment == "dev" and not self.apiKeys and not self.access.jwt

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
        return cls.parse(values)._of_this_update()

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
        return cls.parse(values)._of_this_update()

    def _with_retention(self) -> StackConfig:
        """Services keep nothing for longer than the stack says."""
        days = self.privacy.retentionDays
        services = {
            name: service.model_copy(update={"retentionDays": min(days, service.retentionDays or days)})
            for name, service in self.services.items()
            if days
        }
        return self.model_copy(update={"services": services}) if services else self

    def _of_this_update(self) -> StackConfig:
        return self.model_copy(update={"services": as_kept(self.services)})

    @classmethod
    def parse(cls, values: dict[str, Any]) -> StackConfig:
        """Checks `{"slipway:key": value}`; other namespaces belong to providers and are left alone."""
        own = {
            key.removeprefix(f"{PROJECT}:"): _structured(value)
            for key, value in values.items()
            if key.startswith(f"{PROJECT}:")
        }
        try:
            return cls.model_validate(own)._with_retention()
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
