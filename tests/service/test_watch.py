"""What a process watches it watches until its end: odd files, odd issuers and slow ones end no watch."""

import asyncio
import contextlib
import json
import os
import socket
import threading
import time

import pytest
from slipway.service.access import access as module
from slipway.service.access import jwt as issuer
from slipway.service.access.access import Access
from slipway.service.access.access_file import AccessError, parse_rules
from slipway.service.access.jwt import Tokens
from slipway.service.errors import Refused
from slipway.service.http.status import status
from slipway.service.watch import every

from slipway.cli.doctor import _rows
from slipway.ops.service_status import find_problems
from slipway.simulator.web import web
from tests.callers import access, entry
from tests.service.credentials import JWKS, JWT, token

pytestmark = pytest.mark.anyio
OTHER = "another-key-of-a-test-0123456789-0123456789"
RSA = JWKS["keys"][0]
ODD = {
    "no JSON": "<html>",
    "nothing": "",
    "no object": "[]",
    "nested": "[" * 100_000,
    "no keys": {"keys": []},
    "keys that are none": {"keys": [None, 5, "x", []]},
    "a name that is a list": {"keys": [{**RSA, "kid": []}]},
    "a name that is an object": {"keys": [{**RSA, "kid": {"a": 1}}]},
    "a number for a modulus": {"keys": [{**RSA, "n": 7}]},
    "no base64": {"keys": [{**RSA, "n": "\u00e4", "e": "!"}]},
    "an exponent of 0": {"keys": [{**RSA, "e": "AA"}]},
    "a key type that is a list": {"keys": [{**RSA, "kty": ["RSA"]}]},
    "an algorithm that is an object": {"keys": [{**RSA, "alg": {"a": 1}}]},
    "too much": {"keys": [RSA], "more": "x" * 600_000},
    "a failure": (500, "sorry", {}),
    "nowhere": (302, "", {"location": "ftp://issuer.example/"}),
    "round and round": (302, "", {"location": "/"}),
}


def tokens_of(url):
    return Tokens(parse_rules({"jwt": {**JWT, "jwks": url}}).jwt)


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
async def test_an_issuer_that_answers_oddly_changes_no_key(odd, monkeypatch):
    monkeypatch.setattr(issuer, "_FETCH_SECONDS", 60)
    with web({"/": JWKS}) as double:
        tokens = tokens_of(f"{double.address}/")
        assert await tokens.load()
        double.answers["/"] = odd
        assert not await tokens.load()
        assert tokens.check(token().encode(), b"1") == "jwt:somebody"
        double.answers["/"] = {"keys": JWKS["keys"][1:]}
        assert await tokens.load()
        with pytest.raises(Refused):
            tokens.check(token().encode(), b"1")


async def test_an_odd_key_beside_good_ones_costs_itself_alone():
    with web({"/": {"keys": [{**RSA, "kid": []}, {**RSA, "n": 7}, {"kty": ["RSA"]}, *JWKS["keys"]]}}) as double:
        tokens = tokens_of(f"{double.address}/")
        assert await tokens.load()
        assert tokens.check(token().encode(), b"1") == "jwt:somebody"


@contextlib.contextmanager
def dripping(head):
    """An issuer that sends `head`, and then a byte now and then for ever."""
    done = threading.Event()

    def serve(listener):
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client, contextlib.suppress(OSError):
                    client.sendall(head)
                    while not done.wait(0.05):
                        client.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        done.set()
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\na: ", b"HTTP/1.1 200 OK\r\ncontent-length: 9000\r\n\r\n"])
async def test_an_issuer_that_drips_keeps_no_key_valid_that_was_taken_out_of_the_file(head, tmp_path, monkeypatch):
    monkeypatch.setattr(issuer, "_FETCH_SECONDS", 0.3)
    monkeypatch.setattr(issuer, "_SOON_SECONDS", 0.0)
    with dripping(head) as url:
        file = written(tmp_path, keys=[entry(), entry("other", OTHER)], jwt={**JWT, "jwks": url})
        guard = Access(str(file))
        begun = time.monotonic()
        await guard.watch()
        assert time.monotonic() - begun < 30
        monkeypatch.setattr(issuer, "_FETCH_SECONDS", 60)
        await asyncio.sleep(0.7)  # the next fetch has begun
        written(tmp_path, jwt={**JWT, "jwks": url})
        await until(lambda: len(guard.rules.keys) == 1, 20)  # 0.5 s where nothing else wants the cores
        assert guard.ages()["issuerKeys"] > 0.5 > guard.ages()["rules"]
        await guard.close()


def nested(file):
    file.write_text("[" * 100_000)


def much(file):
    file.write_text(json.dumps({"keys": [entry()]}) + " " * 2_000_000)


def pipe(file):
    file.unlink()
    os.mkfifo(file, 0o600)


def odd_key(file):
    file.write_text(access(jwt={**JWT, "jwks": {"keys": [{**RSA, "kid": []}]}}))


@pytest.mark.parametrize("spoil", [nested, much, pipe, odd_key, os.unlink])
async def test_a_file_that_can_not_be_used_ends_no_watch_and_its_age_is_told(spoil, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.02)
    file = written(tmp_path, keys=[entry(), entry("other", OTHER)])
    guard = Access(str(file))
    await guard.watch()
    spoil(file)
    await asyncio.sleep(0.5)
    assert len(guard.rules.keys) == 2 and guard.ages()["rules"] > 0.2
    assert "slipway_access_rules_age_seconds" in {each.name for each in guard.collect(("a", "1")) if each.samples}
    file.unlink(missing_ok=True)
    written(tmp_path)
    await until(lambda: len(guard.rules.keys) == 1)
    assert guard.ages()["rules"] < 0.5
    await guard.close()


def test_doctor_tells_of_rules_and_keys_that_are_too_old(guarded):
    told = json.loads(json.dumps(status(guarded), default=str))
    assert told["access"]["ages"].keys() == {"rules"} and not find_problems(told)
    told["access"]["ages"] = {"rules": 61.2, "issuerKeys": 4000.0}
    assert [problem.partition(",")[0] for problem in find_problems(told)] == [
        "the access file was last good 61 s ago", "the issuer's keys are 4000 s old",
    ]  # fmt: skip
    assert ("  its age", "file found good 61 s ago, issuer's keys had 4000 s ago") in _rows(told)


async def test_a_file_that_could_not_be_read_once_is_read_again(tmp_path, monkeypatch, caplog):
    guard = Access(str(written(tmp_path, keys=[entry(), entry("other", OTHER)])))
    written(tmp_path)
    for error in (AccessError("no descriptor"), AccessError("no descriptor")):
        with monkeypatch.context() as patched:
            patched.setattr(module, "read_rules", lambda _path, error=error: (_ for _ in ()).throw(error))
            assert not await guard.look()
    assert [record.message for record in caplog.records] == ["the rules so far go on: no descriptor"]
    assert await guard.look() and len(guard.rules.keys) == 1


async def test_a_turn_that_fails_is_logged_once_and_ends_no_loop(caplog):
    turns = 0

    async def turn():
        nonlocal turns
        turns += 1
        if turns != 3:
            raise ValueError(f"a secret of turn {turns}")

    loop = asyncio.create_task(every(0.001, turn, "a watch"))
    await until(lambda: turns > 5)
    loop.cancel()
    assert [record.message for record in caplog.records] == ["a watch failed, and goes on"] * 2


def written(folder, **rules):
    """The access file as programs replace it: whole."""
    (folder / "new").write_text(access(**rules))
    (folder / "new").chmod(0o600)
    return (folder / "new").replace(folder / "access.json")


async def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        await asyncio.sleep(0.01)
