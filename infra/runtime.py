"""What every platform tells a service's processes by their environment. No secrets: platforms show it."""

from __future__ import annotations

import json

from infra.config import ServiceConfig


def service_environment(service: ServiceConfig) -> dict[str, str]:
    """The variables of `python -m service` that follow from the configuration; what is not set is left out."""
    logs = service.logs
    told = {
        "SLIPWAY_LOG_REQUESTS": f"{logs.requests:g}" if logs.requests else "",
        "SLIPWAY_LOG_INPUTS": f"{logs.inputs:g}" if logs.inputs else "",
        "SLIPWAY_MASK_FIELDS": json.dumps(logs.maskFields) if logs.maskFields else "",
        "SLIPWAY_MASK_PATTERNS": json.dumps(logs.maskPatterns) if logs.maskPatterns else "",
        "OTEL_EXPORTER_OTLP_ENDPOINT": service.traces or "",
    }
    return {name: value for name, value in told.items() if value}
