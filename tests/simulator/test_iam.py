"""The evaluator of IAM's rules, row by row: denials before grants, conditions, and what a boundary leaves of them."""

import json

import pytest

from slipway.simulator.iam import Call, allows

ROLE = "arn:aws:iam::1:role/slipway-x"


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*", **each}
                                                              for each in statements]})  # fmt: skip


def condition(operator, key, value):
    return policy({"Action": "s3:GetObject", "Condition": {operator: {key: value}}})


GET = {"Action": "s3:GetObject"}
DENY = {"Effect": "Deny", "Action": "s3:*"}


@pytest.mark.parametrize(
    ("policies", "boundary", "allowed"),
    [
        ([], None, False),
        ([policy(GET)], None, True),
        ([policy({"Action": ["S3:get*"]})], None, True),
        ([policy({"Action": "s3:GetObjec?"})], None, True),
        ([policy({"Action": "s3:GetObjectTagging"})], None, False),
        ([policy({"NotAction": "s3:*"})], None, False),
        ([policy({"NotAction": ["iam:*"]})], None, True),
        ([policy({**GET, "Resource": ["arn:aws:s3:::other/*", "arn:aws:s3:::mine/*"]})], None, True),
        ([policy({**GET, "Resource": "arn:aws:s3:::other/*"})], None, False),
        ([policy({"Action": "s3:GetObject", "NotResource": "arn:aws:s3:::mine/*", "Resource": []})], None, False),
        ([policy(GET), policy(DENY)], None, False),
        ([policy(GET, DENY)], None, False),
        ([policy(GET, {**DENY, "Resource": "arn:aws:s3:::other/*"})], None, True),
        ([policy(GET)], policy(GET), True),
        ([policy(GET)], policy({"Action": "ec2:*"}), False),
        ([policy(GET)], policy({"Action": "*"}, DENY), False),
        ([], policy({"Action": "*"}), False),
    ],
)
def test_a_call_is_allowed_where_nothing_denies_it_and_policy_and_boundary_grant_it(policies, boundary, allowed):
    assert allows(policies, Call(action="s3:GetObject", resource="arn:aws:s3:::mine/model"), boundary) is allowed


@pytest.mark.parametrize(
    ("operator", "value", "context", "holds"),
    [
        ("StringEquals", "a", {"k": "a"}, True),
        ("StringEquals", ["b", "a"], {"K": "a"}, True),
        ("StringEquals", "a", {"k": "A"}, False),
        ("StringEquals", "a*", {"k": "ab"}, False),
        ("StringEquals", "a", {}, False),
        ("StringEqualsIfExists", "a", {}, True),
        ("StringEqualsIfExists", "a", {"k": "b"}, False),
        ("StringNotEquals", "a", {}, True),
        ("StringNotEquals", "a", {"k": "a"}, False),
        ("StringLike", "a*", {"k": "ab"}, True),
        ("StringNotLike", "a*", {"k": "ab"}, False),
        ("ArnLike", "arn:aws:iam::*:role/x", {"k": "arn:aws:iam::1:role/x"}, True),
        ("ArnNotLike", "arn:aws:iam::*:role/x", {"k": "arn:aws:iam::1:role/x"}, False),
        ("Bool", "false", {"k": "false"}, True),
        ("Null", "true", {}, True),
        ("Null", "false", {}, False),
        ("Null", "false", {"k": "a"}, True),
    ],
)
def test_a_condition_holds_as_iam_says(operator, value, context, holds):
    call = Call(action="s3:GetObject", context=context)
    assert allows([condition(operator, "k", value)], call) is holds


def test_all_conditions_of_a_statement_have_to_hold():
    both = policy({**GET, "Condition": {"StringEquals": {"k": "a", "l": "b"}, "Null": {"m": "true"}}})
    assert allows([both], Call(action="s3:GetObject", context={"k": "a", "l": "b"}))
    assert not allows([both], Call(action="s3:GetObject", context={"k": "a"}))
    assert not allows([both], Call(action="s3:GetObject", context={"k": "a", "l": "b", "m": "c"}))


def test_an_operator_that_is_not_known_is_no_silent_yes():
    with pytest.raises(ValueError, match="DateLessThan is not known"):
        allows([condition("DateLessThan", "k", "2026")], Call(action="s3:GetObject", context={"k": "2025"}))
