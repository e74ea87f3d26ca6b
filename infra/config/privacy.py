"""The part of the configuration that says what of callers is kept, for how long, and where in the world."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field
from slipway.infra.config.base import Settings


class PrivacyConfig(Settings):
    """Limits on data of callers; docs/privacy.md says which there are."""

    retentionDays: int | None = Field(
        default=None, ge=1, le=3653, description="the most days that data of callers are kept; default: by their kind"
    )
    regions: list[str] = Field(default=[], description="the only regions where the stack may be: [eu-central-1]")

    def days(self, own: int, steps: Sequence[int] = ()) -> int:
        """For how long to keep what is kept for `own` days by itself. `steps`: all that can be set, 1 among them."""
        most = min(own, self.retentionDays or own)
        return max((step for step in steps if step <= most), default=most)
