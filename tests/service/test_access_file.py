"""The access file: what is refused in it, how it changes, which addresses it lets in, and how often."""

import datetime
import json

import pytest
from slipway.service.access.access import Access
from slipway.service.access.access_file import AccessError, parse_rules
from slipway.service.http.app import App
from slipway.service.inference.model import load_model
from slipway.service.settings import Settings

from tests.callers import HEADERS, KEY, access, entry
from tests.service.credentials import JWT, bearer, client

pytestmark = pytest.mark.anyio


async def test_rates_are_held_for_each_key_and_each_address(artifacts, tmp_path):
    file = tmp_path / "access.json"
    second = "another-key-of-a-test-0123456789-0123456789"
    file.write_text(access(keys=[entry(), entry("second", second)], rate={"perKey": 5}))
    file.chmod(0o600)
    app = App(load_model(artifacts["linear"]), Settings(access=str(file)))
    async with client(app) as ask:
        answers = [await ask.get("/", headers=HEADERS) for _ in range(20)]
        statuses = [answer.status_code for answer in answers]
        assert statuses[:5] == [200] * 5 and statuses[-1] == 429
        assert answers[-1].headers["retry-after"] == "1"
        assert (await ask.get("/", headers=bearer(second))).status_code == 200
    file.write_text(access(rate={"perAddress": 5}))
    await app.access.look()
    async with client(app, client=("10.0.0.1", 1)) as ask:
        statuses = [(await ask.get("/")).status_code for _ in range(20)]
        assert statuses[0] == 401 and statuses[-1] == 429
        assert (await ask.get("/livez")).status_code == 200
    async with client(app, client=("10.0.0.2", 1)) as ask:
        assert (await ask.get("/", headers=HEADERS)).status_code == 200


async def test_only_allowed_addresses_get_in_and_only_trusted_proxies_are_believed(artifacts, tmp_path):
    file = tmp_path / "access.json"
    file.write_text(access(allow=["192.0.2.0/24", "2001:db8::/32"], trustedProxies=["10.0.0.0/8"]))
    file.chmod(0o600)
    app = App(load_model(artifacts["linear"]), Settings(access=str(file)))
    cases = [
        ("192.0.2.7", None, 200),
        ("::ffff:192.0.2.7", None, 200),
        ("2001:db8::1", None, 200),
        ("203.0.113.9", None, 403),
        ("203.0.113.9", "192.0.2.7", 403),  # says so itself
        ("10.0.0.5", "192.0.2.7", 200),
        ("10.0.0.5", "192.0.2.7:41234", 200),
        ("10.0.0.5", "[2001:db8::1]:41234", 200),
        ("10.0.0.5", "203.0.113.9:41234", 403),
        ("10.0.0.5", "192.0.2.7, 10.0.0.6", 200),  # two proxies
        ("10.0.0.5", "192.0.2.7, 203.0.113.9", 403),  # the first is made up
        ("10.0.0.5", "nonsense", 403),
        ("10.0.0.5", None, 403),
    ]
    for peer, hops, status in cases:
        async with client(app, client=(peer, 1)) as ask:
            headers = HEADERS | ({"x-forwarded-for": hops} if hops else {})
            assert (await ask.get("/", headers=headers)).status_code == status, (peer, hops)
            assert (await ask.get("/livez")).status_code == 200
    file.write_text(access(trustedProxies=["10.0.0.5/32"], rate={"perAddress": 2}))
    await app.access.look()
    async with client(app, client=("10.0.0.5", 1)) as ask:
        for hop in range(9):
            asked = [("forwarded", f'for="198.51.100.{hop}:5000"'), *HEADERS.items()]
            assert (await ask.get("/", headers=asked)).status_code == 200  # each has a limit of its own
        unknown = [(await ask.get("/", headers=HEADERS | {"forwarded": f"for=_{n}"})).status_code for n in range(9)]
        assert unknown[-1] == 429


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        ({}, "neither keys nor jwt"),
        ([], "no object"),
        ({"keys": [{"name": "a", "key": KEY}]}, "keys[0]: unknown entry 'key'"),
        ({"keys": [{"name": "a", "sha256": "00"}]}, "keys[0].sha256: 64 hex digits"),
        ({"keys": [{"sha256": "0" * 64}]}, "keys[0].name"),
        ({"keys": [entry(expires="soon")]}, "keys[0].expires"),
        ({"keys": [entry()] * 65}, "at most 64"),
        ({"keys": [entry()], "allow": ["10.0.0.1/8"]}, "allow[0]: '10.0.0.1/8'"),
        ({"keys": [entry()], "rate": {"perKey": 0}}, "rate.perKey: a number above 0"),
        ({"keys": [entry()], "rate": {"perkey": 1}}, "rate: unknown entry 'perkey'"),
        ({"jwt": {**JWT, "jwks": "http://issuer.example/jwks"}}, "jwt.jwks: a URL has to be https"),
        ({"jwt": {**JWT, "jwks": {"keys": []}}}, "jwt.jwks: neither a URL nor a JWKS"),
        ({"jwt": {**JWT, "jwks": {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}}}, "jwt.jwks: no public key"),
        ({"jwt": {**JWT, "audience": ""}}, "jwt.audience"),
        ({"keys": [entry()], "open": True}, "unknown entry 'open'"),
    ],
)
def test_an_access_file_that_can_not_be_used_is_refused_naming_the_entry(rules, named, tmp_path):
    file = tmp_path / "access.json"
    file.write_text(json.dumps(rules))
    file.chmod(0o600)
    with pytest.raises(AccessError) as refusal:
        Access(str(file))
    assert named in str(refusal.value) and str(file) in str(refusal.value)
    assert KEY not in str(refusal.value)


def test_an_access_file_that_everybody_reads_is_refused(tmp_path):
    (tmp_path / "access.json").write_text(access())
    (tmp_path / "access.json").chmod(0o644)
    with pytest.raises(AccessError, match="chmod 600"):
        Access(str(tmp_path / "access.json"))


async def test_a_link_that_points_elsewhere_is_a_change(artifacts, tmp_path):
    """As Kubernetes changes a mounted Secret."""
    for name, key in (("one", KEY), ("two", "another-key-of-a-test-0123456789-0123456789")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "access.json").write_text(access(keys=[entry(key=key)]))
        (tmp_path / name / "access.json").chmod(0o400)
    (tmp_path / "data").symlink_to("one")
    guard = Access(str(tmp_path / "data" / "access.json"))
    assert not await guard.look()
    (tmp_path / "new").symlink_to("two")
    (tmp_path / "new").rename(tmp_path / "data")
    assert await guard.look()


def test_an_expiry_has_a_time_zone_or_is_utc():
    rules = parse_rules({"keys": [entry(expires="2030-01-01T00:00:00"), entry(expires="2030-01-01T01:00:00+01:00")]})
    at = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC).timestamp()
    assert [key.expires for key in rules.keys] == [at, at]
