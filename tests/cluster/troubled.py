"""A double of a service in trouble: the real one, but while the file $TROUBLE is there its model fails for some
requests and is slow for others, a GPU that it does not have is full, and what it knows of callers is old.
`python -m tests.cluster.troubled`."""

import itertools
import os
import sys
import time
from pathlib import Path

from slipway.service.__main__ import main
from slipway.service.access.access import Access
from slipway.service.inference.model import Model
from slipway.service.telemetry.host_usage import HostUsage

TROUBLE, FAILS, SLOW, SECONDS = Path(os.environ["TROUBLE"]), 5, 33, 1.2
run, warm_up, calls = Model.run, Model.warm_up, itertools.count(1)


def troubled(self, inputs, options=None):
    if TROUBLE.exists():
        call = next(calls)
        if call % FAILS == 0:
            raise RuntimeError("in trouble")
        if call % SLOW == 0:
            time.sleep(SECONDS)
    return run(self, inputs, options)


def in_a_thread(self, inputs, budget=0.06):
    """As the service runs what takes long."""
    warm_up(self, inputs, budget)
    self.seconds = 0.1


def gpus(self):
    return [{"name": "double", "used": 97 if TROUBLE.exists() else 10, "total": 100, "busy": 0.5}]


def ages(self):
    old = 10_000.0 * TROUBLE.exists()
    return {"rules": old, "issuerKeys": old}


if __name__ == "__main__":
    Model.run, Model.warm_up, HostUsage.gpus, Access.ages = troubled, in_a_thread, gpus, ages
    sys.exit(main())
