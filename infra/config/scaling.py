"""The parts of a service's configuration that say how it is sized, scaled, placed and rolled on a cluster."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator
from slipway.infra.config.base import Settings
from slipway.infra.runtime import RUNTIMES


class ScaleConfig(Settings):
    """How many pods there are, and what decides it."""

    min: int = Field(default=1, ge=0, le=1000, description="pods at least; 0 needs `wake`")
    max: int | None = Field(default=None, ge=1, le=1000, description="pods at most; default: as many as `min`")
    on: Literal["cpu", "inflight", "requests"] = Field(
        default="cpu",
        description="what is counted: cpu; requests in flight (KEDA and Prometheus have to be there), or requests a "
        "second (by Google's load balancer)",
    )
    target: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="per pod: percent of `resources.cpu` (70), requests in flight (16), or requests a second at most",
    )
    downSeconds: int = Field(default=300, ge=0, le=3600, description="how long less has to be needed before a pod goes")
    wake: str | None = Field(
        default=None, min_length=1, description="Prometheus query that is above 0 when a pod is wanted, of the gateway"
    )
    onDemand: int | None = Field(
        default=None, ge=1, le=1000, description="pods that never run on spot nodes; the others prefer them"
    )
    keep: int | None = Field(
        default=None, ge=1, le=1000, description="pods that a drain leaves running; default: all but one"
    )

    @model_validator(mode="before")
    @classmethod
    def _spelt(cls, values: Any) -> Any:
        """YAML 1.1 reads a bare `on` as true."""
        if not isinstance(values, dict):
            return values
        return {"on" if key in (True, "true") else key: value for key, value in values.items()}

    @property
    def most(self) -> int:
        return self.max or self.min

    @property
    def aim(self) -> int:
        return self.target or {"cpu": 70, "inflight": 16, "requests": 0}[self.on]

    @model_validator(mode="after")
    def _can_work(self) -> ScaleConfig:
        if self.most < max(self.min, 1):
            raise ValueError(f"max: {self.most} is less than min ({self.min}) or none at all: raise it, or lower min")
        if self.on == "requests" and self.target is None:
            raise ValueError(
                "target: is not set; it takes the requests a second that a pod can answer: see slipway load"
            )
        if self.target and self.target > 1000 and self.on != "requests":
            raise ValueError(f"target: {self.target} of {self.on}: at most 1000")
        if self.min == 0 and not (self.on == "inflight" and self.wake):
            raise ValueError(
                "min: where there is no pod nobody counts its requests, so none would ever start: set on: inflight "
                "and wake: <a Prometheus query of the gateway's requests>, or min: 1"
            )
        if self.wake and self.min:
            raise ValueError("wake: goes with min: 0; remove it, or set min: 0")
        if self.keep is not None and self.keep >= self.min:
            raise ValueError(
                f"keep: {self.keep} of {self.min} pods leaves none that a drain may take, so no node could ever be "
                f"emptied: at most min - 1 ({max(self.min - 1, 0)})"
            )
        if self.onDemand is not None and self.onDemand >= self.min:
            raise ValueError(f"onDemand: {self.onDemand} of {self.min} pods leaves none for spot nodes: raise min")
        return self


class ResourcesConfig(Settings):
    """What a pod asks for. Memory is limit and request at once; CPU has no limit."""

    cpu: str = Field(default="500m", pattern=r"^([1-9]\d*m|[1-9]\d*(\.\d+)?|0\.\d*[1-9]\d*)$", description="500m, or 2")
    memory: str | None = Field(
        default=None, pattern=r"^[1-9]\d*(Mi|Gi)$", description="512Mi; default: by what the model was measured to need"
    )
    gpu: int | None = Field(default=None, ge=1, le=16, description="GPUs of a pod (accelerator nvidia); default: 1")

    @property
    def cores(self) -> float:
        return float(self.cpu[:-1]) / 1000 if self.cpu.endswith("m") else float(self.cpu)


class RolloutConfig(Settings):
    """How a new version takes over."""

    surge: int = Field(default=1, ge=0, le=1000, description="pods of the new version that start beside the old ones")
    unavailable: int = Field(default=0, ge=0, le=1000, description="old pods that may go before a new one is ready")
    drainSeconds: int = Field(
        default=10, ge=0, le=600, description="how long an old pod serves on while load balancers turn away from it"
    )
    deadlineSeconds: int = Field(
        default=600, ge=20, le=7200, description="when a rollout without progress has failed; the old pods serve on"
    )

    @model_validator(mode="after")
    def _can_go_on(self) -> RolloutConfig:
        if self.surge == 0 and self.unavailable == 0:
            raise ValueError(
                "surge: neither may a new pod start first nor an old one go first, so nothing could: surge: 1, or "
                "unavailable: 1 where there is no spare GPU"
            )
        return self


class ClusterServing(Settings):
    """What a service says that clusters take."""

    accelerator: Literal["none", "nvidia"] = Field(default="none", description="what runs the model")
    scale: ScaleConfig = Field(default=ScaleConfig(), description="pods: {min: 2, max: 8, on: cpu}")
    resources: ResourcesConfig = Field(default=ResourcesConfig(), description="of a pod: {cpu: 500m, memory: 512Mi}")
    rollout: RolloutConfig = Field(default=RolloutConfig(), description="how a new version takes over: {surge: 1}")
    host: str | None = Field(
        default=None,
        max_length=253,
        pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$",
        description="public name: digits.example.org; default: only inside of the cluster",
    )
    image: str | None = Field(
        default=None,
        pattern=r"^\S+/\S+@sha256:[0-9a-f]{64}$",
        description="an image that is there already, by digest, instead of one that is built",
    )
    modelFrom: Literal["image", "volume"] = Field(
        default="image", description="where pods have the model from; a volume for what is too big for an image"
    )
    priority: str | None = Field(
        default=None, pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$", description="an existing PriorityClass"
    )

    @property
    def gpus(self) -> int:
        """GPUs of a pod."""
        return (self.resources.gpu or 1) if self.accelerator == "nvidia" else 0

    @model_validator(mode="after")
    def _goes_together(self) -> ClusterServing:
        if self.resources.gpu and self.accelerator == "none":
            raise ValueError("resources.gpu: the model runs on the CPU: set accelerator: nvidia, or remove it")
        if (self.resources.gpu or 1) > (most := max(runtime.devices for runtime in RUNTIMES.values())):
            raise ValueError(
                f"resources.gpu: {self.resources.gpu}: a pod runs its model on {most}, and the others would be paid "
                "for and idle: remove it, and raise scale.max"
            )
        if self.scale.min > 1 and self.rollout.unavailable >= self.scale.min:
            raise ValueError(
                f"rollout.unavailable: {self.rollout.unavailable} of {self.scale.min} pods would all be away at once: "
                f"at most {self.scale.min - 1}"
            )
        return self
