"""Logs: lines of JSON that find a request again, and in which no canary sings."""

import json
import logging
import re
import time

import httpx
import pytest
from slipway.service.http.app import App
from slipway.service.inference.model import load_model
from slipway.service.settings import Settings
from slipway.service.telemetry.logs import (
    MASK,
    JsonLines,
    Masker,
    RequestLog,
    SettingError,
    masker_of,
    set_up,
    trace_id,
)

from tests.callers import HEADERS, KEY, access, entry

pytestmark = pytest.mark.anyio
CANARIES = {
    "e-mail": "canary.bird+1@example.org",
    "telephone": "+49 (30) 1234-5678",
    "telephone, plain": "030/1234/5678",
    "IBAN": "DE89 3704 0044 0532 0130 00",
    "card": "4111 1111 1111 1111",
    "card, plain": "4111111111111111",
    "address": "192.0.2.17",
    "address, version 6": "2001:db8:0:0:1:0:0:1",
    "key": "Bearer " + KEY,
    "token": "eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl",
    "stored key": entry()["sha256"],
}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def lines():
    """The lines that are written, as the process writes them."""
    written, masker = [], masker_of(Settings(mask_fields='["diagnosis"]', mask_patterns='["PATIENT-\\\\d+"]'))

    class Collect(logging.Handler):
        def emit(self, record):
            written.append(self.format(record))

    handler = Collect()
    handler.setFormatter(JsonLines(masker))
    logging.getLogger("slipway").addHandler(handler)
    yield written
    logging.getLogger("slipway").removeHandler(handler)


@pytest.mark.parametrize("canary", CANARIES.values(), ids=CANARIES)
def test_a_canary_is_masked_wherever_it_is(canary):
    masker = Masker()
    value = {"a": [f"before {canary} after", {canary: 1}], "b": canary}
    text = json.dumps(masker.value(value))
    assert canary not in text
    assert text.count(MASK) >= 3
    assert "before" in text and "after" in text


@pytest.mark.parametrize(
    "text", ["accuracy 0.9922 of 898 samples", "features[1][2]: expected a number", "1.23456789", "2026-11-21"]
)
def test_what_is_not_personal_stays(text):
    assert Masker().text(text) == text


def test_fields_are_masked_by_name_however_it_is_written():
    masker = Masker(["customer_id"])
    given = {"first-name": "A", "First_Name": "B", "EMAIL": {"x": 1}, "customerId": 7, "features": [1.5]}
    assert masker.value(given) == {
        "first-name": MASK, "First_Name": MASK, "EMAIL": MASK, "customerId": MASK, "features": [1.5],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"mask_patterns": '["("]'}, "mask_patterns: '(' is no regular expression"),
        ({"mask_patterns": "PATIENT"}, "mask_patterns: a JSON array"),
        ({"mask_fields": "[1]"}, "mask_fields: a JSON array"),
    ],
)
def test_a_wrong_setting_is_refused_naming_it(settings, named):
    with pytest.raises(SettingError) as refusal:
        set_up(Settings(**settings))
    assert named in str(refusal.value)


async def ask(app, body, **headers):
    return await post(app, "/predict", body, **headers)


async def post(app, path, body, **headers):
    transport = httpx.ASGITransport(app, client=("192.0.2.17", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        return await client.post(path, json=body, headers=HEADERS | headers)


@pytest.fixture
def app_of(artifacts, tmp_path):
    file = tmp_path / "access.json"
    file.write_text(access())
    file.chmod(0o600)
    return lambda name, **settings: App(load_model(artifacts[name]), Settings(access=str(file), **settings))


async def test_nothing_is_written_about_good_and_refused_requests_unless_asked_for(app_of, lines):
    app = app_of("echo")
    assert (await ask(app, {"inputs": {"text": ["canary"]}})).status_code == 200
    assert (await ask(app, {"inputs": {"text": 5}})).status_code == 400
    assert lines == []


async def test_a_failure_is_written_with_its_id_and_place_and_without_the_input(app_of, lines, monkeypatch):
    app = app_of("echo")

    def fail(inputs, options=None):
        raise RuntimeError(f"can't take {inputs}")

    monkeypatch.setattr(app.model, "run", fail)
    answer = await ask(app, {"inputs": {"text": ["canary"]}}, traceparent=TRACE)
    assert answer.status_code == 500 and "canary" not in answer.text
    told = answer.json()["error"]["requestId"]
    assert told == answer.headers["x-request-id"]
    (line,) = map(json.loads, lines)
    assert (line["requestId"], line["status"], line["endpoint"], line["caller"]) == (told, 500, "/predict", "test")
    assert line["traceId"] == "0af7651916cd43dd8448eb211c80319c"
    assert line["error"]["type"] == "RuntimeError" and any("fail" in place for place in line["error"]["at"])
    assert "canary" not in lines[0] and "192.0.2.17" not in lines[0]


async def test_a_share_of_requests_and_inputs_is_written_masked(app_of, lines):
    app = app_of(
        "echo", log_requests=0.5, log_inputs=0.5, mask_fields='["diagnosis"]', mask_patterns='["PATIENT-\\\\d+"]'
    )
    for canary in CANARIES.values():
        for _ in range(2):
            assert (await ask(app, {"inputs": {"text": [f"{canary} PATIENT-77 seen"]}})).status_code == 200
    written = [json.loads(line) for line in lines]
    inputs = [line for line in written if line["message"] == "input"]
    assert len(inputs) == len(written) / 2 == len(CANARIES)
    assert all(re.fullmatch(r"(\[masked\] ?)+seen", line["input"]["inputs"]["text"][0]) for line in inputs)
    assert not [canary for canary in [*CANARIES.values(), "PATIENT-77", KEY] if canary in "\n".join(lines)]
    answered = next(line for line in written if line["message"] == "answered")
    assert answered.keys() >= {"time", "level", "requestId", "method", "endpoint", "status", "seconds", "caller"}


UUID = "550e8400-e29b-41d4-a716-446655440000"
MADE_UP = [
    "canary@example.org", "4111111111111111", "4111-1111-1111-1111", "41111111-1111-1111-8111-111111111111",
    "a4111111111111111", "4111111111111111ffffffffffffffff", "030-1234-5678", "12345678", "123-45-6789",
    "PATIENT-77", "DE89370400440532013000", "ab12cd34-78-ef56-78-90", KEY,
]  # fmt: skip


@pytest.mark.parametrize("made_up", MADE_UP)
async def test_an_id_that_may_tell_something_is_written_nowhere(made_up, app_of, lines):
    app = app_of("echo", log_requests=1.0, log_inputs=1.0)
    trace = f"00-{made_up}-b7ad6b7169203331-01"
    answer = await ask(app, {"inputs": {"text": ["x"]}}, **{"x-request-id": made_up, "traceparent": trace})
    assert answer.headers["x-request-id"] == made_up
    assert (await ask(app, {"inputs": {"text": 5}}, **{"x-request-id": made_up})).status_code == 400
    assert [json.loads(line)["requestId"] for line in lines] == [MASK, MASK]
    assert made_up not in "".join(lines)
    assert [each.request_id for each in app.log.failures] == [MASK]


@pytest.mark.parametrize("random", [UUID, UUID.upper(), "0af7651916cd43dd", TRACE[3:35]])
async def test_an_id_that_a_program_made_up_finds_a_request_again(random, app_of, lines):
    app = app_of("echo", log_requests=1.0)
    await ask(app, {"inputs": {"text": ["x"]}}, **{"x-request-id": random, "traceparent": TRACE})
    (line,) = map(json.loads, lines)
    assert (line["requestId"], line["traceId"]) == (random, TRACE[3:35])


async def test_a_processs_own_id_is_written_even_if_it_looks_like_a_card(app_of, lines):
    app = app_of("echo", log_requests=1.0)
    app._ids = iter([b"411111111111-1111"])
    await ask(app, {"inputs": {"text": ["x"]}})
    assert json.loads(lines[0])["requestId"] == "411111111111-1111"


async def test_a_field_of_the_open_inference_protocol_is_masked_by_its_name(app_of, lines):
    app = app_of("echo", log_inputs=1.0, mask_fields='["text"]')
    tensor = {"name": "text", "datatype": "BYTES", "shape": [1, 1], "data": ["canary"]}
    answer = await post(app, "/v2/models/echo/infer", {"inputs": [tensor], "parameters": {"card": 4111111111111111}})
    assert answer.status_code == 200
    assert "canary" not in lines[0] and "4111111111111111" not in lines[0]


def test_numbers_are_masked_as_texts_are():
    given = {"a": [4111111111111111, 4111111111111111.0, 0.1234567890123456, 7, 1e300, True, None]}
    assert Masker().value(given) == {"a": [MASK, MASK, 0.1234567890123456, 7, 1e300, True, None]}


@pytest.mark.parametrize("text", ["a", "1", "12-", "eyJ-", "eyJa.", "bearer ", "AA11", "AA11 BBBB", "a@b-", "1.", "("])
def test_a_long_text_takes_no_long_look(text):
    begin = time.process_time()
    Masker().text(text * (100_000 // len(text)))
    assert time.process_time() - begin < 2  # 100 s and more where each character starts a look at all others


def test_a_tokens_subject_is_not_written(lines):
    class Asked:
        request_id, id_is_given, caller = b"0123456789ab-1", False, "jwt:canary@example.org"
        given, scope = {}, {"method": "GET"}

    RequestLog(Settings(log_requests=1.0)).answered(Asked(), "/", 200, 0.1, b"")
    assert json.loads(lines[0])["caller"].startswith("jwt:") and "canary" not in lines[0]


@pytest.mark.parametrize(
    "header", [None, b"", b"junk", TRACE.encode() + b"x", b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01"]
)
def test_a_traceparent_that_is_none_is_left_out(header):
    assert trace_id(header) == ""


def test_the_last_failures_are_remembered_and_no_more():
    class Asked:
        request_id, id_is_given = b"1", False

    log = RequestLog(Settings())
    for number in range(50):
        log.failed(Asked(), "/predict", 400, f"code{number}")
    assert [each.code for each in log.failures] == [f"code{number}" for number in range(30, 50)]
    for each in log.failures:  # /status reads them in a thread, and requests fail meanwhile
        log.failed(Asked(), "/predict", 400, each.code)


def test_a_process_writes_lines_of_json(start, artifacts):
    worker = start(artifacts["linear"], "--log-requests", "1")
    assert httpx.post(f"{worker.url}/predict", json={"inputs": {"x": [3]}}).status_code == 200
    worker.process.terminate()
    code, errors = worker.end()
    assert code == 0
    assert [json.loads(line)["endpoint"] for line in errors.splitlines()] == ["/predict", "/readyz", "/predict"]
