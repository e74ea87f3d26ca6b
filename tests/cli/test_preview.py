"""What a preview says under the policy pack, read without an engine."""

import pytest

from slipway.ops.state.preview import Violation, read_preview

PLAN = '{"steps": [], "config": {}, "duration": 1}'


@pytest.mark.parametrize("name", ["models", "the models"])
def test_a_violation_names_its_resource_once(name):
    event = {
        "resourceUrn": f"urn:pulumi:dev::slipway::slipway:aws:Storage$aws:s3/bucket:Bucket::{name}",
        "policyName": "encrypted",
        "enforcementLevel": "mandatory",
        "message": f"What is stored is encrypted with the stack's own key.\n{name}: it is not encrypted\n",
    }
    (found,) = read_preview(PLAN, [{"policyEvent": event}]).violations
    assert found == Violation("encrypted", f"Bucket {name}", "mandatory", "it is not encrypted")
