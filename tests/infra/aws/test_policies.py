"""IAM policies grant what they have to and no more: no wildcard where a resource can be named."""

import json

import pytest

from tests.infra.aws.iam import findings
from tests.infra.aws.stacks import VARIANTS


def policies_of(program):
    return {each.name: json.loads(each.inputs["policy"]) for each in program.of_type("RolePolicy")}


def test_the_linter_sees_what_is_bad():
    def bad(*actions):
        return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": [*actions], "Resource": "*"}]}

    seen = findings({"star": bad("s3:*"), "read": bad("s3:GetObject"), "pass": bad("iam:PassRole", "ec2:RunInstances")})
    assert seen.keys() == {"star", "read", "pass"}
    assert "whole services" in seen["star"] and "reads data without a resource" in seen["read"]


@pytest.mark.parametrize("name", VARIANTS)
def test_no_policy_of_a_variant_is_wider_than_it_has_to_be(name, variant):
    assert findings(policies_of(variant(name))) == {}


@pytest.mark.parametrize("name", VARIANTS)
def test_no_policy_names_an_action_or_a_principal_by_a_star(name, variant):
    for policy in policies_of(variant(name)).values():
        for statement in policy["Statement"]:
            assert not any("*" in action for action in statement["Action"])
    for each in variant(name).of_type("Role"):
        trust = json.loads(each.inputs["assumeRolePolicy"])["Statement"]
        assert all(one["Principal"] != "*" and "AWS" not in one["Principal"] for one in trust)
