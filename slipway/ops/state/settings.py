"""What the Makefile sets for Pulumi, for commands that are run without it."""

from __future__ import annotations

import os

from slipway.infra.home import ROOT

ENGINE = ROOT / ".slipway" / "bin"
# Of the stack `dev`, which holds no secret: everybody knows it.
PUBLIC_PASSPHRASE = "slipway-dev"  # noqa: S105
BACKEND = "PULUMI_BACKEND_URL"
PASSPHRASE, PASSPHRASE_FILE = "PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"


def from_make(stack: str) -> dict[str, str]:
    """Variables by name; this shell's own go before them."""
    found = {BACKEND: f"file://{ROOT}/.slipway/state", "PULUMI_SKIP_UPDATE_CHECK": "true"}
    if stack == "dev":
        found["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true"
        if PASSPHRASE_FILE not in os.environ:
            found[PASSPHRASE] = PUBLIC_PASSPHRASE
    return found


def backend() -> str:
    """Where states are, as a URL."""
    return os.environ.get(BACKEND) or from_make("")[BACKEND]
