"""What each resource costs, and the difference to what runs now."""

from decimal import Decimal

from slipway.infra.cost.declared import Declared
from slipway.infra.cost.needs import Span
from slipway.infra.cost.prices import Prices
from slipway.infra.cost.split import Share, difference
from slipway.infra.platforms.table import billing

from slipway.ops.pull_request import cells

KEY = Declared(type="aws:kms/key:Key", name="key", inputs={})
EXTRA = Declared(type="aws:secretsmanager/secret:Secret", name="token", inputs={})


def group(most):
    inputs = {"instanceTypes": ["g6.xlarge"], "scalingConfig": {"minSize": 0, "desiredSize": 1, "maxSize": most}}
    return Declared(type="aws:eks/nodeGroup:NodeGroup", name="gpu", inputs=inputs)


def split(before, after):
    found = difference(before, after, {"aws": "us-east-1"}, Prices.load(), billing())
    return {share.name: share for share in found.shares}


def test_what_grows_what_goes_and_what_comes_are_told_apart():
    node = Decimal("0.8048") * 730 + Decimal("0.08") * 20
    found = split([KEY, group(2)], [EXTRA, group(8)])
    assert found["NodeGroup gpu"].change == Span.of(0, 0, 6 * node)
    assert (found["Key key"].then, found["Key key"].change.max) == (None, Decimal(-1))
    assert (found["Secret token"].now, found["Secret token"].change.max) == (None, Decimal("0.4"))


def test_the_parts_add_up_to_the_whole():
    found = difference([KEY, group(2)], [KEY, EXTRA, group(8)], {"aws": "us-east-1"}, Prices.load(), billing())
    assert sum((share.then for share in found.shares), Span.of(0)) == found.then.total
    assert sum((share.change for share in found.shares), Span.of(0)) == found.then.total + found.now.total * -1


def test_what_has_no_price_is_not_called_free():
    thing = Declared(type="aws:new/thing:Thing", name="new", inputs={})
    share = split([], [thing])["Thing new"]
    assert not share.is_whole and cells(share) == ["unknown"] * 3


def test_only_what_changes_is_in_brackets():
    share = Share(name="a", now=Span.of(1, 2, 3), then=Span.of(1, 2, 1003), is_whole=True)
    assert cells(share) == ["1.00", "2.00", "1,003.00 (+1,000.00)"]
    gone = Share(name="a", now=Span.of(1, 2, 3), then=None, is_whole=True)
    assert cells(gone) == ["0.00 (-1.00)", "0.00 (-2.00)", "0.00 (-3.00)"]
