"""`python -m slipway.service`: one server process for one artifact."""

import gc
import os
import sys

from slipway.service.settings import read_settings


def main() -> int:
    """Serve until told to stop (0); say in one line why it can't be done (1)."""
    gc.disable()  # a third of the time to import would go into it; server.py turns it on again
    settings = read_settings()
    os.environ["SLIPWAY_ARTIFACT"] = str(settings.artifact)
    if not any(name.startswith("OTEL_EXPORTER_OTLP_") for name in os.environ):
        os.environ.setdefault("OTEL_SDK_DISABLED", "true")  # BentoML brings it along, and it costs a tenth of a request
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")

    from slipway.service.access.access_file import AccessError
    from slipway.service.artifact import ArtifactError
    from slipway.service.http.server import serve
    from slipway.service.telemetry.logs import SettingError, set_up

    try:
        set_up(settings)
        serve(settings)
    except (AccessError, ArtifactError, OSError, SettingError) as error:
        print(f"slipway: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
