"""What every part of the stack's configuration is made of."""

from __future__ import annotations

import pulumi
from pydantic import BaseModel, ConfigDict

PROJECT = "slipway"


class ConfigError(pulumi.RunError):
    """The configuration can't be used; the message lists every error with its key and the fix."""


class Settings(BaseModel):
    """Unknown keys are refused, nothing is converted and nothing changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
