"""F9, drift and feedback at their full size: guesses, keys that change under load, false alarms, planted accuracy."""

import asyncio
import http.client
import time
from collections import Counter

import httpx
import numpy as np
from slipway.service.access.access import HEALTH, PAGE
from slipway.service.telemetry.drift import Drift
from slipway.service.telemetry.features import reference

from bench.client import load, request
from tests.callers import HEADERS, KEY, access, entry
from tests.faults.conftest import asked, port_of
from tests.service.credentials import BAD, EXPIRED, JWT, PAST
from tests.service.test_access import ROUTES
from tests.service.test_drift import COLUMNS, table

GUESSES = 10_000


def closed(tmp_path, **more):
    file = tmp_path / "access.json"
    file.write_text(access(**more))
    file.chmod(0o600)
    return file


def status_of(port, method, path, headers):
    """Headers as they are: repeated, empty or with a space at the end."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest(method, path)
    for name, value in headers:
        connection.putheader(name, value)
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status


def test_ten_thousand_guesses_find_nothing_and_harm_nobody(start, artifacts, tmp_path, found):
    worker = start(artifacts["classifier"], SLIPWAY_ACCESS=str(closed(tmp_path)))
    port, body = port_of(worker), asked({"features": [1, 2, 3, 4]})
    rng, statuses, connections = np.random.default_rng(9), Counter(), 8

    async def guess(share):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in range(share):
            # Half are random, half are the key with a character changed.
            at = int(rng.integers(len(KEY)))
            near = KEY[:at] + chr(97 + int(rng.integers(26))) + KEY[at + 1 :]
            secret = rng.bytes(20).hex() if number % 2 or near == KEY else near
            writer.write(f"GET / HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {secret}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
            await reader.readexactly(length)
            statuses[int(head[9:12])] += 1
        writer.close()

    async def both():
        good = asyncio.create_task(load(port, request("/predict", body, **HEADERS), 2, 60, rate=50))
        begin = time.monotonic()
        await asyncio.gather(*(guess(GUESSES // connections) for _ in range(connections)))
        taken = time.monotonic() - begin
        await good
        return good.result(), taken

    good, taken = asyncio.run(both())
    found(
        "F9 guesses",
        f"{GUESSES:,} wrong keys, half of them one character from a right one, beside 50 good requests/s",
        f"{statuses[401]:,} answers 401 in {taken:.0f} s, {sum(statuses.values()) - statuses[401]} others; "
        f"good requests: {good.statuses[200]:,} of {sum(good.statuses.values()):,} answered with 200",
    )
    assert statuses == {401: GUESSES}
    assert set(good.statuses) == {200}


def test_every_route_refuses_every_bad_credential(start, artifacts, tmp_path, found):
    rules = closed(tmp_path, keys=[entry(), entry("old", EXPIRED, expires=PAST)], jwt=JWT)
    worker = start(artifacts["linear"], SLIPWAY_ACCESS=str(rules))
    answers, page = Counter(), Counter()
    for shown in BAD.values():
        for method, path in ROUTES:
            # This listener is for this machine alone: its page's files are open to who shows nothing.
            kind = page if path in PAGE and not any(name == "authorization" for name, _ in shown) else answers
            kind[status_of(port_of(worker), method, path, shown)] += 1
    health = {status_of(port_of(worker), "GET", path, ()) for path in HEALTH}
    found(
        "F9 routes and credentials",
        f"{len(ROUTES)} routes and methods x {len(BAD)} kinds of missing or bad credentials, over HTTP",
        f"{answers[401]} of {sum(answers.values())} answered 401; without the header, on a loopback listener, "
        f"the page: {sorted(page)}; health: {sorted(health)}",
    )
    assert set(answers) == {401} and set(page) == health == {200}


def test_keys_change_under_load_without_a_failed_good_request(start, artifacts, tmp_path, found):
    file = closed(tmp_path, keys=[entry("0", "0" * 40)])
    worker = start(artifacts["classifier"], SLIPWAY_ACCESS=str(file))
    port, body = port_of(worker), asked({"features": [1, 2, 3, 4]})
    tallies, late, rounds = Counter(), [], 8

    def write(*keys):
        temporary = file.with_suffix(".new")
        temporary.write_text(access(keys=[entry(key[0], key) for key in keys]))
        temporary.chmod(0o600)
        temporary.replace(file)

    async def rotate():
        for number in range(rounds):
            old, new = str(number % 10) * 40, str((number + 1) % 10) * 40
            using = asyncio.create_task(load(port, request("/predict", body, authorization=f"Bearer {old}"), 4, 5))
            await asyncio.sleep(1)
            write(old, new)  # both, until everybody has moved on
            await asyncio.sleep(2)
            moved = await load(port, request("/predict", body, authorization=f"Bearer {new}"), 4, 1)
            tallies.update((await using).statuses + moved.statuses)
            begin = time.monotonic()
            write(new)
            while (await load(port, request("/predict", body, authorization=f"Bearer {old}"), 1, 1, most=1)).statuses[
                200
            ]:
                await asyncio.sleep(0.02)
            late.append(time.monotonic() - begin)

    asyncio.run(rotate())
    found(
        "F9 rotation under load",
        f"{rounds} times a new key, both for a while, the old one away; 4 to 8 connections all the time",
        f"{tallies[200]:,} of {sum(tallies.values()):,} good requests answered with 200; "
        f"the old key ended within {max(late):.1f} s",
    )
    assert set(tallies) == {200}
    assert max(late) < 3


def test_false_alarms_are_as_rare_as_said(found):
    """Every look at every window of data like the training data's, over many seeds."""
    looks = alarms = missed = 0
    windows, seeds = 20, 100
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        drift = Drift({"inputs": {"x": {"features": reference(table(rng, 5000))}}})
        for number in range(2 * windows):
            drift.add({"x": table(rng, 250)})
            if number:
                looks += 1
                alarms += any(each.drifted for each in drift.report())
        for _ in range(4):
            drift.add({"x": table(rng, 250, shift=0.5)})
        missed += sum(each.drifted for each in drift.report()) < COLUMNS - 3
    found(
        "O1 drift",
        f"{seeds} seeds, {COLUMNS} columns of several kinds, a look every 250 samples; then half a deviation up",
        f"{alarms} of {looks:,} looks at unshifted data raised an alarm ({alarms / looks:.3%}); "
        f"{seeds - missed} of {seeds} shifts were found",
    )
    assert alarms / looks < 0.002
    assert missed == 0


def test_planted_accuracy_comes_back_through_two_replicas(start, artifacts, tmp_path, counters, found):
    environment = {
        "SLIPWAY_ACCESS": str(closed(tmp_path)),
        "SLIPWAY_SEEN": str(tmp_path / "seen.db"),
    }
    workers = [start(artifacts["classifier"], counters=counters, **environment) for _ in range(2)]
    rng, labels, right, replayed, count = np.random.default_rng(3), ("low", "middle", "high"), 0, Counter(), 3000
    fresh = httpx.Limits(max_keepalive_connections=0)  # each request meets whichever worker
    with httpx.Client(base_url=workers[0].url, headers=HEADERS, limits=fresh) as client:
        for _ in range(count):
            answer = client.post("/predict", json={"inputs": {"features": rng.uniform(-5, 5, 4).tolist()}})
            made = answer.json()["label"]
            truth = made if rng.random() < 0.87 else labels[(labels.index(made) + 1) % 3]
            right += truth == made
            told = {"token": answer.headers["x-prediction-token"], "label": truth}
            assert client.post("/feedback", json=told).status_code == 200
            if rng.random() < 0.1:
                replayed[client.post("/feedback", json=told).status_code] += 1
        status = client.get("/status").json()
    found(
        "O1 feedback",
        f"{count:,} labels, two workers, {right / count:.4f} planted right; {sum(replayed.values())} tokens twice",
        f"online accuracy {status['feedback']['accuracy']:.4f}; {replayed[409]} replays refused, "
        f"{sum(replayed.values()) - replayed[409]} counted",
    )
    assert status["feedback"]["accuracy"] == right / count
    assert set(replayed) == {409}
