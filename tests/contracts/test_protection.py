"""Production on every platform: nothing that is declared can be deleted by mistake, or loses what guards it."""

import re
from types import SimpleNamespace

import pytest
from slipway.infra.config.base import ConfigError
from slipway.infra.protection import LOCK, ROLLING

from tests.contracts import protection as rules
from tests.contracts.stacks import STACKS
from tests.infra.aws.stacks import production as aws_production
from tests.recorder import Recorder, run_program

CALLERS = {"jwt": {"jwks": "https://issuer.example/keys", "audience": "a", "issuer": "i"}}
PRODUCTION = {
    **{name: {"access": CALLERS, **stack, "environment": "production"} for name, stack in STACKS.items()},
    "aws": aws_production(),  # with its edge
}
RULES = [rules.unprotected, rules.unguarded]


@pytest.fixture(scope="module", params=PRODUCTION)
def program(request):
    return run_program(**PRODUCTION[request.param])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_production_keeps(rule, program):
    assert list(rule(program)) == []


def test_a_lock_depends_on_everything_and_one_of_each_service_on_what_it_has(program):
    """The engine deletes nothing that a protected resource depends on."""
    locks = {each.name: {*each.dependencies} for each in program.requests.values() if each.type == LOCK}
    assert locks.keys() == {"slipway release test", "slipway release test --update: digits"}
    custom = {urn for urn, each in program.requests.items() if each.custom}
    assert locks["slipway release test"] == custom
    of_service = locks["slipway release test --update: digits"]
    assert {each for each in custom if program.requests[each].type in ROLLING} <= of_service < custom


def test_what_is_not_production_has_no_lock_and_protects_nothing():
    program = run_program(**STACKS["docker"])
    assert not any(each.protect or each.type == LOCK for each in program.requests.values())


def test_production_becomes_nothing_else_until_it_is_released(monkeypatch):
    monkeypatch.setattr(Recorder, "before", {"environment": "production"})
    staging = {**PRODUCTION["local"], "environment": "staging"}
    with pytest.raises(ConfigError, match=re.escape("run `slipway release test` first")):
        run_program(**staging)
    monkeypatch.setattr(Recorder, "before", {"environment": "released"})
    run_program(**staging)


def registered(kind, protect=True, retain=True, needs=()):
    return SimpleNamespace(
        type=kind, name="bad", custom=True, protect=protect, retainOnDelete=retain, dependencies=needs
    )


BROKEN = {
    "unprotected": {"a": registered("aws:sns/topic:Topic", protect=False)},
    "unguarded": {
        "a": registered("aws:s3/bucket:Bucket"),
        "b": registered("aws:s3/bucketPolicy:BucketPolicy", retain=False, needs=["a"]),
    },
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_what_breaks_a_rule_is_named(rule):
    program = Recorder()
    program.requests = BROKEN[rule.__name__]
    (line,) = rule(program)
    assert [*program.requests.values()][-1].type in line


def test_what_rolls_and_is_held_by_nothing_is_named():
    program, (kind,) = Recorder(), ROLLING
    program.requests = {"a": registered(kind, protect=False), "b": registered("x", needs=["a"])}
    assert list(rules.unprotected(program)) == []
    program.requests.pop("b")
    assert kind in "".join(rules.unprotected(program))
