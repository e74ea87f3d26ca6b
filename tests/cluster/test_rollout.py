"""New versions of a Deployment that does not drain lose requests: the load can fail. That ours lose none is in
test_served.py."""

import time

from tests.cluster.conftest import answer, configure
from tests.cluster.load import Load

ROLLOUTS = 3
RATE = 100


def roll(stack, port, version):
    """An update of both replicas; returns when the last old pod is gone as well."""
    configure(stack, version=version)
    stack.up()
    assert answer(port) == version
    time.sleep(4)  # an old pod that drains may still be asked


def test_a_rolling_update_without_drain_loses_something(new_stack):
    stack = new_stack("rollout", replicas="2", drain="0")
    stack.up()
    with Load(stack.port, RATE) as load:
        for number in range(2, 2 + ROLLOUTS):
            roll(stack, stack.port, str(number))
    print(f"\n{ROLLOUTS} rollouts without drain: {load.result}")
    assert load.result["sent"] > RATE * ROLLOUTS * 4
    assert load.result["failed"]
