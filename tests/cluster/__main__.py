"""python -m tests.cluster up | down | prepare: the cluster by hand; `make test-cluster` uses it where it is up."""

from __future__ import annotations

import argparse
import time

from tests.cluster import cluster, images, places
from tests.cluster.cache import Unfit, say


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=("up", "down", "prepare"))
    parser.add_argument("--base", default=images.BASE, help="a name that pods know the base image by as well")
    options = parser.parse_args()
    started = time.monotonic()
    try:
        with cluster.held():
            if options.command == "prepare":
                cluster.prepare()
            if options.command == "down":
                cluster.down()
            if options.command == "up":
                parts = cluster.up(options.base)
                say("  ".join(f"{name} {seconds}" for name, seconds in parts.items()))
                used = cluster.memory()
                say(f"{sum(used.values())} MiB: {', '.join(f'{name} {size}' for name, size in sorted(used.items()))}")
                say(f"export KUBECONFIG={places.kubeconfig()}")
                say(f"registry 127.0.0.1:{places.REGISTRY}, node ports {places.NODE_PORTS[0]}-{places.NODE_PORTS[-1]}")
    except (Unfit, cluster.Refused) as error:
        raise SystemExit(f"error: {error}") from None
    say(f"{options.command}: {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    main()
