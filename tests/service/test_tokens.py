"""An issuer's tokens: whose keys are believed, for how long."""

import time

import pytest
from slipway.service.access.access_file import parse_rules
from slipway.service.access.jwt import Tokens
from slipway.service.errors import Refused

from slipway.simulator.web import web
from tests.service.credentials import EC, JWKS, JWT, bearer, client, token

pytestmark = pytest.mark.anyio


async def test_clocks_may_be_apart_by_the_leeway(guarded):
    async with client(guarded) as ask:
        assert (await ask.get("/", headers=bearer(token(exp=int(time.time()) - 5)))).status_code == 200
        assert (await ask.get("/", headers=bearer(token(exp=int(time.time()) - 40)))).status_code == 401


async def test_an_issuers_keys_come_by_url_and_change_there(tmp_path):
    with web({"/": {"keys": JWKS["keys"][:1]}}) as issuer:
        rules = parse_rules({"jwt": {**JWT, "jwks": f"{issuer.address}/"}}).jwt
        tokens = Tokens(rules)
        assert tokens.due()
        with pytest.raises(Refused) as refusal:
            tokens.check(token().encode(), b"1")
        assert refusal.value.status == 503
        await tokens.load()
        assert tokens.check(token().encode(), b"1") == "jwt:somebody"
        with pytest.raises(Refused):
            tokens.check(token(EC, "ES256", "ec").encode(), b"2")
        issuer.answers["/"] = {"keys": JWKS["keys"][1:]}
        await tokens.load()
        assert tokens.check(token(EC, "ES256", "ec").encode(), b"2") == "jwt:somebody"
        with pytest.raises(Refused):
            tokens.check(token().encode(), b"1")
    await tokens.load()  # nobody answers: the keys so far stay
    assert tokens.check(token(EC, "ES256", "ec").encode(), b"2") == "jwt:somebody"


async def test_a_remembered_token_still_expires(guarded, monkeypatch):
    short = bearer(token())
    async with client(guarded) as ask:
        assert (await ask.get("/", headers=short)).status_code == 200
        later = time.time() + 4000
        monkeypatch.setattr("slipway.service.access.jwt.time.time", lambda: later)
        assert (await ask.get("/", headers=short)).json()["error"]["code"] == "expired_credentials"
