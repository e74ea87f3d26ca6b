"""New versions under constant load, through a node port on 127.0.0.1 inside the cluster's network."""

import time

import pytest

from tests.cluster.conftest import answer, configure
from tests.cluster.load import Load

ROLLOUTS = 5
RATE = 100


def roll(stack, port, version):
    """An update of both replicas; returns when the last old pod is gone as well."""
    configure(stack, version=version)
    stack.up()
    assert answer(port) == version
    time.sleep(4)  # an old pod that drains may still be asked


@pytest.mark.parametrize("drain", ["3", "0"], ids=["with drain", "without drain"])
def test_a_rolling_update_loses_nothing_with_drain_and_something_without(drain, new_stack):
    stack = new_stack(f"rollout-{drain}", replicas="2", drain=drain)
    stack.up()
    with Load(stack.port, RATE) as load:
        for number in range(2, 2 + ROLLOUTS):
            roll(stack, stack.port, str(number))
    print(f"\n{ROLLOUTS} rollouts, drain {drain} s: {load.result}")
    assert load.result["sent"] > RATE * ROLLOUTS * 4
    assert bool(load.result["failed"]) == (drain == "0"), load.result
