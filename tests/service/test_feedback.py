"""Feedback: planted accuracy comes out, tokens of any replica count once, and nothing else counts."""

import base64
import time

import httpx
import numpy as np
import pytest
from slipway.service.errors import Refused
from slipway.service.http.app import App
from slipway.service.inference.model import load_model
from slipway.service.settings import Settings
from slipway.service.telemetry import feedback as module
from slipway.service.telemetry.feedback import Feedback, accuracy, recalls

from tests.callers import HEADERS, access
from tests.service.conftest import EXAMPLES

pytestmark = pytest.mark.anyio
KEY, LABELS = bytes.fromhex("5" * 64), ("low", "middle", "high")


@pytest.fixture
def app_of(artifacts, tmp_path):
    """Makes replicas: applications with the same keys and memories of their own, or a shared one."""
    file = tmp_path / "access.json"
    file.write_text(access())
    file.chmod(0o600)

    def make(name="classifier", **settings):
        return App(load_model(artifacts[name]), Settings(access=str(file), **settings))

    return make


def client(app):
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service", headers=HEADERS)


async def test_planted_accuracy_and_recall_come_out(app_of):
    rng, app = np.random.default_rng(5), app_of()
    planted, right = {name: [0, 0] for name in LABELS}, 0
    async with client(app) as ask:
        for number in range(300):
            answer = await ask.post("/predict", json={"inputs": {"features": rng.uniform(-5, 5, 4).tolist()}})
            made = answer.json()["label"]
            truth = made if number % 10 else LABELS[(LABELS.index(made) + 1) % 3]
            token = answer.headers["x-prediction-token"]
            scored = await ask.post("/feedback", json={"token": token, "label": truth})
            assert scored.json() == {"counted": 1, "right": int(truth == made)}
            planted[truth][0] += 1
            planted[truth][1] += truth == made
            right += truth == made
    counts = app.monitor.feedback.counts()
    assert accuracy(counts) == right / 300 == 0.9
    assert dict(recalls(counts)) == {name: found / true for name, (true, found) in planted.items() if true}
    text = app.metrics.text().decode()
    assert "slipway_online_accuracy{" in text and "} 0.9\n" in text


async def test_a_batch_and_bytes_carry_a_token_too(app_of):
    async with client(app_of()) as ask:
        rows = np.random.default_rng(2).uniform(-5, 5, (7, 4)).astype(np.float32)
        answer = await ask.post("/predict", json={"inputs": {"features": rows.tolist()}})
        labels = [*answer.json()["label"][:-1], None]
        scored = await ask.post("/feedback", json={"token": answer.headers["x-prediction-token"], "label": labels})
        assert scored.json() == {"counted": 6, "right": 6}
        raw = await ask.post(
            "/predict", content=rows[0].tobytes(), headers={"content-type": "application/octet-stream"}
        )
        token = raw.headers["x-prediction-token"]
        assert (await ask.post("/feedback", json={"token": token, "label": labels[0]})).json()["right"] == 1
        many = await ask.post("/predict", json={"inputs": {"features": rows.tolist() * 20}})
        assert "x-prediction-token" not in many.headers


def test_a_wide_output_is_told_by_its_class_alone(artifacts, monkeypatch):
    narrow = maker(artifacts)
    monkeypatch.setattr(module, "_MOST_OUTPUT", 11)
    wide = maker(artifacts)
    tokens = [made.token(OUTPUTS, KEY).decode() for made in (narrow, wide)]
    assert len(tokens[1]) < len(tokens[0])
    for token in tokens:
        assert wide.score({"token": token, "label": "high"}, KEY) == {"counted": 1, "right": 1}
        assert narrow.score({"token": token, "label": "low"}, KEY) == {"counted": 1, "right": 0}


async def test_a_regressions_errors_are_summed(app_of):
    app = app_of("linear")
    async with client(app) as ask:
        for truth in (5.5, 4.0):
            answer = await ask.post("/predict", json={"inputs": {"x": [3]}})
            await ask.post("/feedback", json={"token": answer.headers["x-prediction-token"], "label": truth})
    counts = app.monitor.feedback.counts()
    assert (counts["count"], counts["error"], counts["square"]) == (2, 1.5, 1.25)


async def test_any_replica_scores_and_those_that_share_a_memory_score_once(app_of, tmp_path):
    shared = str(tmp_path / "seen.db")
    one, two = app_of(seen=shared), app_of(seen=shared)
    async with client(one) as ask, client(two) as other:
        answer = await ask.post("/predict", json={"inputs": EXAMPLES["classifier"]})
        body = {"token": answer.headers["x-prediction-token"], "label": "high"}
        assert (await other.post("/feedback", json=body)).status_code == 200
        for each in (ask, other):
            again = await each.post("/feedback", json=body)
            assert (again.status_code, again.json()["error"]["code"]) == (409, "replayed")
    assert two.monitor.feedback.counts()["true"]["high"] == 1


REFUSED = {
    "no body": (b"", 400),
    "not JSON": (b"{", 400),
    "a list": (b"[]", 400),
    "no token": (b'{"label": "low"}', 400),
    "no label": (b'{"token": "x"}', 400),
    "more": (b'{"token": "x", "label": "low", "weight": 2}', 400),
    "a number for a token": (b'{"token": 5, "label": "low"}', 400),
    "a made up token": (b'{"token": "AAAA", "label": "low"}', 422),
    "an empty token": (b'{"token": "", "label": "low"}', 422),
    "no base64": (b'{"token": "\xc3\xa4", "label": "low"}', 422),
}


@pytest.mark.parametrize(("body", "status"), REFUSED.values(), ids=REFUSED)
async def test_what_is_no_feedback_is_refused_and_not_counted(body, status, app_of):
    app = app_of()
    async with client(app) as ask:
        answer = await ask.post("/feedback", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status and answer.json()["error"]["code"]
    assert sum(app.monitor.feedback.counts()["true"].values()) == 0


async def test_wrong_labels_are_refused_and_the_token_is_not_used_up(app_of):
    async with client(app_of()) as ask:
        answer = await ask.post("/predict", json={"inputs": EXAMPLES["classifier"]})
        token = answer.headers["x-prediction-token"]
        for label in ("huge", 7, True, {}, ["high", "low"], []):
            refused = await ask.post("/feedback", json={"token": token, "label": label})
            assert refused.status_code == 400, label
        assert (await ask.post("/feedback", json={"token": token, "label": "high"})).status_code == 200


def maker(artifacts, seen=None, digest=None):
    artifact = load_model(artifacts["classifier"]).artifact
    return Feedback(artifact.signature, digest or artifact.digest, seen, 30)


OUTPUTS = {"probabilities": np.array([[0.1, 0.2, 0.7]], np.float32)}


def refusal(made, token, key=KEY):
    with pytest.raises(Refused) as refused:
        made.score({"token": token, "label": "high"}, key)
    return refused.value.code


def test_every_flipped_bit_of_a_token_is_noticed(artifacts):
    made = maker(artifacts)
    raw = base64.b64decode(made.token(OUTPUTS, KEY))
    for bit in range(8 * len(raw)):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        token = base64.b64encode(bytes(changed)).decode()
        assert refusal(made, token) == "wrong_token"
    assert made.counts()["outcomes"]["wrong_token"] == 8 * len(raw)


def test_a_token_of_another_form_is_none_of_ours(artifacts, monkeypatch):
    made = maker(artifacts)
    monkeypatch.setattr(module, "_FORM", b"token-1")
    token = maker(artifacts).token(OUTPUTS, KEY).decode()
    monkeypatch.undo()
    assert refusal(made, token) == "wrong_token"


def test_another_key_or_version_or_age_is_refused(artifacts, monkeypatch):
    made, now = maker(artifacts), time.time()
    token = made.token(OUTPUTS, KEY).decode()
    assert refusal(made, token, bytes(32)) == refusal(made, token, None) == "wrong_token"
    assert refusal(maker(artifacts, digest="sha256:" + "0" * 64), token) == "other_version"
    monkeypatch.setattr(module.time, "time", lambda now=now: now + 31 * 86400)
    assert refusal(made, token) == "too_old"


def test_late_labels_count_and_memory_is_bounded_without_a_replay(artifacts, monkeypatch):
    """Once there are too many the oldest are forgotten, and what is as old as those is not taken."""
    monkeypatch.setattr(module, "MOST_TOKENS", 500)
    monkeypatch.setattr(module, "_TIDY", 50)
    made, now, tokens = maker(artifacts), time.time(), []
    for number in range(1000):
        monkeypatch.setattr(module.time, "time", lambda at=now + number: at)
        made.tick()
        tokens.append(made.token(OUTPUTS, KEY).decode())
    late = tokens.pop(5)  # comes back last of all
    for token in tokens:
        made.score({"token": token, "label": "high"}, KEY)
    codes = [refusal(made, token) for token in tokens]
    assert set(codes) == {"too_old", "replayed"} and codes[-1] == "replayed"
    assert refusal(made, late) == "too_old"
    assert made.counts()["true"]["high"] == 999
    (kept,) = made._seen._database.execute("SELECT count(*) FROM seen").fetchone()
    assert kept <= 550


def test_no_signing_key_no_token(artifacts):
    assert maker(artifacts).token(OUTPUTS, None) is None


def test_replicas_never_make_the_same_token(artifacts):
    made = [maker(artifacts) for _ in range(4)]
    tokens = [each.token(OUTPUTS, KEY) for each in made for _ in range(1000)]
    assert len(set(tokens)) == 4000


def test_a_clock_that_was_ahead_for_a_while_has_no_token_count_twice(artifacts, monkeypatch):
    """By that clock all tokens were too old, so they were forgotten."""
    monkeypatch.setattr(module, "_TIDY", 2)
    made, now = maker(artifacts), time.time()

    def at(moment):
        monkeypatch.setattr(module.time, "time", lambda: moment)
        made.tick()
        return made.token(OUTPUTS, KEY).decode()

    early = at(now)
    made.score({"token": early, "label": "high"}, KEY)
    for later in (1, 2):
        made.score({"token": at(now + 3650 * 86400 + later), "label": "high"}, KEY)
    after = at(now + 60)
    assert refusal(made, early) in ("replayed", "too_old")
    assert made.score({"token": after, "label": "high"}, KEY) == {"counted": 1, "right": 1}


async def test_feedback_that_can_not_be_kept_is_refused_and_its_token_not_used_up(app_of, tmp_path):
    (tmp_path / "gone").mkdir()
    app = app_of(seen=str(tmp_path / "gone" / "seen.db"))
    async with client(app) as ask:
        answer = await ask.post("/predict", json={"inputs": EXAMPLES["classifier"]})
        body = {"token": answer.headers["x-prediction-token"], "label": "high"}
        (tmp_path / "gone").rmdir()
        refused = await ask.post("/feedback", json=body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "feedback_unavailable")
        assert refused.headers["retry-after"] == "60"
        (tmp_path / "gone").mkdir()
        assert (await ask.post("/feedback", json=body)).status_code == 200
    assert app.monitor.feedback.counts()["outcomes"]["scored"] == 1


async def test_one_persons_feedback_is_deleted_by_its_token(app_of, tmp_path):
    app = app_of(seen=str(tmp_path / "seen.db"))
    async with client(app) as ask:
        tokens = []
        for truth in ("high", "low"):
            answer = await ask.post("/predict", json={"inputs": EXAMPLES["classifier"]})
            tokens.append(answer.headers["x-prediction-token"])
            made = answer.json()["label"]
            told = made if truth == "high" else next(each for each in LABELS if each != made)
            assert (await ask.post("/feedback", json={"token": tokens[-1], "label": told})).status_code == 200
        assert accuracy(app.monitor.feedback.counts()) == 0.5
        gone = await ask.post("/feedback", json={"token": tokens[1], "delete": True})
        assert gone.json() == {"deleted": 1}
        assert accuracy(app.monitor.feedback.counts()) == 1.0
        assert sum(app.monitor.feedback.counts()["true"].values()) == 1
        again = await ask.post("/feedback", json={"token": tokens[1], "delete": True})
        assert again.json() == {"deleted": 0}
        taken = await ask.post("/feedback", json={"token": tokens[1], "label": "low"})
        assert (taken.status_code, taken.json()["error"]["code"]) == (409, "replayed")
        assert (await ask.get("/status")).json()["feedback"]["accuracy"] == 1.0
    text = app.metrics.text().decode()
    assert "slipway_online_accuracy{" in text and "} 1.0\n" in text
    assert sum(app.monitor.feedback.counts(gross=True)["true"].values()) == 2  # counters never fall
    assert app.monitor.feedback.counts()["outcomes"]["deleted"] == 2


def test_what_is_deleted_is_in_no_file(artifacts, tmp_path):
    made = maker(artifacts, tmp_path / "seen.db")
    tokens = [made.token(OUTPUTS, KEY).decode() for _ in range(50)]
    for token in tokens:
        made.score({"token": token, "label": "high"}, KEY)
    assert b"[2]" in (tmp_path / "seen.db").read_bytes()
    for token in tokens:
        assert made.score({"token": token, "delete": True}, KEY) == {"deleted": 1}
    assert b"[2]" not in (tmp_path / "seen.db").read_bytes()


def test_what_was_said_of_another_version_is_deleted_too(artifacts, tmp_path):
    old = maker(artifacts, tmp_path / "seen.db", digest="sha256:" + "0" * 64)
    token = old.token(OUTPUTS, KEY).decode()
    old.score({"token": token, "label": "high"}, KEY)
    new = maker(artifacts, tmp_path / "seen.db")
    assert new.score({"token": token, "delete": True}, KEY) == {"deleted": 1}
    assert sum(new.counts()["true"].values()) == 0
    assert refusal(old, token) == "replayed"


@pytest.mark.parametrize("body", [{"delete": True}, {"token": "x", "delete": False}, {"token": 5, "delete": True},
                                  {"token": "x", "delete": True, "label": "low"}])  # fmt: skip
def test_what_is_no_deletion_deletes_nothing(body, artifacts):
    made = maker(artifacts)
    with pytest.raises(Refused) as refused:
        made.score(body, KEY)
    assert refused.value.status == 400
    made.score({"token": made.token(OUTPUTS, KEY).decode(), "label": "high"}, KEY)
    with pytest.raises(Refused, match="not one that this service made"):
        made.score({"token": "AAAA", "delete": True}, KEY)
    assert made.counts()["true"]["high"] == 1


def test_nothing_is_kept_for_longer_than_the_days_that_are_set(artifacts, tmp_path, monkeypatch):
    made, now = maker(artifacts, tmp_path / "seen.db"), time.time()
    made.score({"token": made.token(OUTPUTS, KEY).decode(), "label": "high"}, KEY)
    monkeypatch.setattr(module.time, "time", lambda: now + 31 * 86400)
    made.tidy()
    counts = [made._seen._database.execute(f"SELECT count(*) FROM {table}").fetchone() for table in ("seen", "truths")]
    assert counts == [(0,), (0,)]
