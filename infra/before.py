"""What is kept of the stack's last update."""

from __future__ import annotations

from slipway.infra.recorded import recorded_outputs


def kept_namespace(of_this_version: str, of_the_last: str, chosen: str | None) -> str:
    """The namespace of the stack's services: as configured, else the one that they are in, else `of_this_version`. A
    move would replace everything in it, the load balancer's targets included.

    `of_the_last`: where versions that exported no namespace put them.
    """
    before = recorded_outputs()
    if chosen or not before.get("services"):
        return chosen or of_this_version
    return str(before.get("namespace") or of_the_last)
