"""Who may ask: every route is closed but health, whatever is wrong with what a caller shows."""

import datetime
import json
import time

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from service.access import HEALTH, Access, client_address
from service.app import App
from service.keys import AccessError, parse_rules
from service.model import load_model
from service.refusal import Refused
from service.settings import Settings
from tests.callers import HEADERS, KEY, access, entry
from tests.service.conftest import EXAMPLES

pytestmark = pytest.mark.anyio
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
JWKS = {
    "keys": [
        {**jwt.algorithms.RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True), "kid": "rsa", "use": "sig"},
        {**jwt.algorithms.ECAlgorithm.to_jwk(EC.public_key(), as_dict=True), "kid": "ec"},
    ]
}
JWT = {"jwks": JWKS, "audience": "slipway", "issuer": "https://issuer.example", "leewaySeconds": 30}
EXPIRED = "an-expired-key-0123456789-0123456789"
PAST = "2020-01-01T00:00:00Z"


@pytest.fixture
def anyio_backend():
    return "asyncio"


def token(key=RSA, algorithm="RS256", kid="rsa", **claims):
    now = int(time.time())
    good = {"aud": "slipway", "iss": "https://issuer.example", "sub": "somebody", "exp": now + 3600, "iat": now}
    wanted = {name: value for name, value in {**good, **claims}.items() if value is not None}
    return jwt.encode(wanted, key, algorithm, headers={"kid": kid} if kid else None)


def bearer(secret):
    return [("authorization", f"Bearer {secret}")]


def unsigned():
    """`alg: none`, which PyJWT would not make without being asked to."""
    return jwt.encode(jwt.decode(token(), options={"verify_signature": False}), None, "none")


def confused():
    """Signed with the public key as if it were a shared secret."""
    import hashlib
    import hmac

    from jwt.utils import base64url_encode

    head = base64url_encode(b'{"alg":"HS256","kid":"rsa","typ":"JWT"}')
    body = token().split(".")[1].encode()
    secret = json.dumps(JWKS["keys"][0]).encode()
    signature = base64url_encode(hmac.digest(secret, head + b"." + body, hashlib.sha256))
    return b".".join((head, body, signature)).decode()


now = int(time.time())
BAD = {
    "none": [],
    "wrong key": bearer("x" * 40),
    "key cut off": bearer(KEY[:-1]),
    "expired key": bearer(EXPIRED),
    "key twice": bearer(KEY) * 2,
    "good and bad key": bearer(KEY) + bearer("x" * 40),
    "basic": [("authorization", "Basic dXNlcjpwYXNz")],
    "no scheme": [("authorization", KEY)],
    "empty": [("authorization", "")],
    "bearer alone": [("authorization", "Bearer ")],
    "key in another header": [("x-api-key", KEY)],
    "key in a cookie": [("cookie", f"authorization=Bearer {KEY}")],
    "token expired": bearer(token(exp=now - 60)),
    "token for another audience": bearer(token(aud="other")),
    "token of another issuer": bearer(token(iss="https://other.example")),
    "token not valid yet": bearer(token(nbf=now + 3600)),
    "token without expiry": bearer(token(exp=None)),
    "token without audience": bearer(token(aud=None)),
    "token with another's key": bearer(token(OTHER)),
    "token with an unknown kid": bearer(token(OTHER, kid="other")),
    "token without a signature": bearer(unsigned()),
    "token with the public key as secret": bearer(confused()),
    "token with one kid and another key": bearer(token(EC, "ES256", "rsa")),
    "token cut off": bearer(token()[:-4]),
    "token too long": bearer(token(more="x" * 9000)),
    "dots": bearer(".."),
}
ROUTES = [
    ("POST", "/predict"),
    ("GET", "/predict"),
    ("GET", "/"),
    ("HEAD", "/"),
    ("GET", "/openapi.json"),
    ("POST", "/explain"),
    ("GET", "/status"),
    ("POST", "/feedback"),
    ("GET", "/model/report.json"),
    ("GET", "/ui"),
    ("GET", "/ui/page.js"),
    ("GET", "/ui/page.css"),
    ("GET", "/ui/"),
    ("GET", "/metrics"),
    ("GET", "/v2"),
    ("GET", "/v2/models/linear"),
    ("GET", "/v2/models/linear/ready"),
    ("POST", "/v2/models/linear/infer"),
    ("GET", "/v2/models/other"),
    ("GET", "/docs.json"),
    ("GET", "/nowhere"),
    ("OPTIONS", "/predict"),
    ("POST", "/livez/"),
    ("GET", "//livez"),
    ("GET", "/livez/../predict"),
]


@pytest.fixture
def guarded(artifacts, tmp_path):
    """A client of a closed service: keys, one of them expired, and JWT."""
    file = tmp_path / "access.json"
    file.write_text(access(keys=[entry(), entry("old", EXPIRED, expires=PAST)], jwt=JWT))
    file.chmod(0o600)
    app = App(load_model(artifacts["linear"]), Settings(access=str(file)))
    app.file = file
    return app


def client(app, **options):
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, **options), base_url="http://service")


@pytest.mark.parametrize("shown", BAD.values(), ids=BAD)
async def test_no_route_but_health_answers_to_bad_credentials(shown, guarded):
    async with client(guarded) as ask:
        for method, path in ROUTES:
            response = await ask.request(method, path, headers=shown)
            assert response.status_code == 401, (method, path)
            assert response.headers["www-authenticate"] == "Bearer"
            assert response.headers["x-request-id"]
            assert KEY not in response.text
        for path in HEALTH:
            assert (await ask.get(path, headers=shown)).status_code == 200


@pytest.mark.parametrize(
    "shown",
    [
        bearer(KEY),
        [("authorization", f"bearer {KEY}")],
        bearer(token()),
        bearer(token(EC, "ES256", "ec")),
        bearer(token(aud=["other", "slipway"])),
    ],
    ids=["key", "small letters", "RSA token", "EC token", "audience among others"],
)
async def test_good_credentials_open_every_route(shown, guarded):
    async with client(guarded) as ask:
        answer = await ask.post("/predict", json={"inputs": EXAMPLES["linear"]}, headers=shown)
        assert answer.json() == {"outputs": {"y": [5.0]}}
        for path in ("/", "/openapi.json", "/v2", "/v2/models/linear"):
            assert (await ask.get(path, headers=shown)).status_code == 200
        assert "access-control-allow-origin" not in answer.headers


async def test_clocks_may_be_apart_by_the_leeway(guarded):
    async with client(guarded) as ask:
        assert (await ask.get("/", headers=bearer(token(exp=int(time.time()) - 5)))).status_code == 200
        assert (await ask.get("/", headers=bearer(token(exp=int(time.time()) - 40)))).status_code == 401


async def test_codes_tell_what_is_wrong_with_credentials(guarded):
    codes = {}
    async with client(guarded) as ask:
        for name, shown in BAD.items():
            codes[name] = (await ask.get("/", headers=shown)).json()["error"]["code"]
    assert codes["none"] == "no_credentials"
    assert codes["key twice"] == "doubled_credentials"
    assert codes["expired key"] == codes["token expired"] == "expired_credentials"
    assert codes["token for another audience"] == "wrong_audience"
    assert codes["token of another issuer"] == "wrong_issuer"
    assert codes["wrong key"] == codes["token cut off"] == "wrong_credentials"


async def test_a_service_that_was_told_nothing_answers_health_alone(artifacts):
    async with client(App(load_model(artifacts["linear"]), Settings())) as ask:
        for method, path in ROUTES:
            assert (await ask.request(method, path, headers=HEADERS)).status_code == 401
        assert (await ask.get("/readyz")).status_code == 200


async def test_who_shows_nothing_takes_no_place_in_the_queue_and_is_not_read(artifacts, tmp_path):
    file = tmp_path / "access.json"
    file.write_text(access())
    file.chmod(0o600)
    app = App(load_model(artifacts["linear"]), Settings(access=str(file), max_queue=0))
    done = []

    async def receive():
        done.append("read")
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        done.append(message.get("status", "body"))

    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": [], "query_string": b""}
    await app(scope, receive, send)
    assert done[:2] == [401, "body"]  # answered first; what still comes is read to be dropped
    async with client(app) as ask:
        assert (await ask.post("/predict", content=b"{")).status_code == 401
        assert (await ask.post("/predict", content=b"{", headers=HEADERS)).status_code != 401


async def test_a_guesser_finds_nothing(guarded):
    async with client(guarded) as ask:
        statuses = {(await ask.get("/", headers=bearer(f"{number:040x}"))).status_code for number in range(300)}
        assert statuses == {401}
        assert (await ask.get("/", headers=HEADERS)).status_code == 200


async def test_keys_change_without_a_restart_and_a_broken_file_changes_nothing(guarded):
    new = "another-key-of-a-test-0123456789-0123456789"
    async with client(guarded) as ask:

        async def status(key):
            return (await ask.get("/", headers=bearer(key))).status_code

        guarded.file.write_text(access(keys=[entry(), entry("new", new)]))
        assert guarded.access.look()
        assert (await status(KEY), await status(new)) == (200, 200)
        guarded.file.write_text("{")
        assert not guarded.access.look()
        assert (await status(KEY), await status(new)) == (200, 200)
        guarded.file.write_text(access(keys=[entry("new", new)]))
        assert guarded.access.look()
        assert (await status(KEY), await status(new)) == (401, 200)
        assert not guarded.access.look()


async def test_a_link_that_points_elsewhere_is_a_change(artifacts, tmp_path):
    """As Kubernetes changes a mounted Secret."""
    for name, key in (("one", KEY), ("two", "another-key-of-a-test-0123456789-0123456789")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "access.json").write_text(access(keys=[entry(key=key)]))
        (tmp_path / name / "access.json").chmod(0o400)
    (tmp_path / "data").symlink_to("one")
    guard = Access(str(tmp_path / "data" / "access.json"))
    assert not guard.look()
    (tmp_path / "new").symlink_to("two")
    (tmp_path / "new").rename(tmp_path / "data")
    assert guard.look()


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
    app.access.look()
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


def test_the_client_is_the_last_hop_that_is_no_proxy():
    proxies = parse_rules({"keys": [entry()], "trustedProxies": ["10.0.0.0/8"]}).proxies
    assert client_address("1.1.1.1", "", proxies) == "1.1.1.1"
    assert client_address("10.0.0.1", "3.3.3.3,2.2.2.2, 10.0.0.2", proxies) == "2.2.2.2"


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


def test_a_process_without_its_access_file_does_not_start(start, artifacts, tmp_path):
    worker = start(artifacts["linear"], SLIPWAY_ACCESS=str(tmp_path / "gone.json"))
    code, errors = worker.end()
    assert (code, worker.ready) == (1, b"")
    assert errors.startswith("slipway: ") and "gone.json can't be read" in errors and errors.count("\n") == 1


def test_an_open_service_is_for_this_machine_alone(artifacts, tmp_path):
    import subprocess
    import sys

    from tests.service.conftest import ROOT

    command = [sys.executable, "-m", "service", "--artifact", str(artifacts["linear"]), "--access", "open"]
    done = subprocess.run([*command, "--host", "0.0.0.0"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "--access open is for this machine alone" in done.stderr


def test_an_issuers_keys_come_by_url_and_change_there(tmp_path):
    import http.server
    import threading

    answers = {"keys": JWKS["keys"][:1]}

    class Issuer(http.server.BaseHTTPRequestHandler):
        """Stands for an issuer's key server."""

        def do_GET(self):
            body = json.dumps(answers).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    from service.tokens import Tokens

    with http.server.HTTPServer(("127.0.0.1", 0), Issuer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        rules = parse_rules({"jwt": {**JWT, "jwks": f"http://127.0.0.1:{server.server_port}/"}}).jwt
        tokens = Tokens(rules)
        assert tokens.due()
        with pytest.raises(Refused) as refusal:
            tokens.check(token().encode(), b"1")
        assert refusal.value.status == 503
        tokens.load()
        assert tokens.check(token().encode(), b"1") == "jwt:somebody"
        with pytest.raises(Refused):
            tokens.check(token(EC, "ES256", "ec").encode(), b"2")
        answers["keys"] = JWKS["keys"][1:]
        tokens.load()
        assert tokens.check(token(EC, "ES256", "ec").encode(), b"2") == "jwt:somebody"
        with pytest.raises(Refused):
            tokens.check(token().encode(), b"1")
        server.shutdown()
    tokens.load()  # nobody answers: the keys so far stay
    assert tokens.check(token(EC, "ES256", "ec").encode(), b"2") == "jwt:somebody"


async def test_a_remembered_token_still_expires(guarded, monkeypatch):
    short = bearer(token())
    async with client(guarded) as ask:
        assert (await ask.get("/", headers=short)).status_code == 200
        later = time.time() + 4000
        monkeypatch.setattr("service.tokens.time.time", lambda: later)
        assert (await ask.get("/", headers=short)).json()["error"]["code"] == "expired_credentials"


def test_an_expiry_has_a_time_zone_or_is_utc():
    rules = parse_rules({"keys": [entry(expires="2030-01-01T00:00:00"), entry(expires="2030-01-01T01:00:00+01:00")]})
    at = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC).timestamp()
    assert [key.expires for key in rules.keys] == [at, at]
