"""Who may ask: every route is closed but health, whatever is wrong with what a caller shows."""

import pytest
from slipway.service.access.access import HEALTH
from slipway.service.http.app import App
from slipway.service.inference.model import load_model
from slipway.service.settings import Settings

from tests.callers import HEADERS, KEY, access, entry
from tests.service.conftest import EXAMPLES
from tests.service.credentials import BAD, EC, bearer, client, token

pytestmark = pytest.mark.anyio


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
        assert await guarded.access.look()
        assert (await status(KEY), await status(new)) == (200, 200)
        guarded.file.write_text("{")
        assert not await guarded.access.look()
        assert (await status(KEY), await status(new)) == (200, 200)
        guarded.file.write_text(access(keys=[entry("new", new)]))
        assert await guarded.access.look()
        assert (await status(KEY), await status(new)) == (401, 200)
        assert not await guarded.access.look()


@pytest.mark.parametrize("key", ["a", "k" * 31])
async def test_a_key_that_is_quickly_guessed_lets_nobody_in_whatever_the_file_says(guarded, key):
    guarded.file.write_text(access(keys=[entry(), entry("short", key)]))
    assert await guarded.access.look()
    async with client(guarded) as ask:
        assert [(await ask.get("/", headers=bearer(each))).status_code for each in (key, KEY)] == [401, 200]


def test_a_process_without_its_access_file_does_not_start(start, artifacts, tmp_path):
    worker = start(artifacts["linear"], SLIPWAY_ACCESS=str(tmp_path / "gone.json"))
    code, errors = worker.end()
    assert (code, worker.ready) == (1, b"")
    assert errors.startswith("slipway: ") and "gone.json can't be read" in errors and errors.count("\n") == 1


def test_an_open_service_is_for_this_machine_alone(artifacts, tmp_path):
    import subprocess
    import sys

    from tests.service.conftest import ROOT

    command = [sys.executable, "-m", "slipway.service", "--artifact", str(artifacts["linear"]), "--access", "open"]
    done = subprocess.run([*command, "--host", "0.0.0.0"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "--access open is for this machine alone" in done.stderr
