"""F5 to F8 and the soak, at their full size."""

import asyncio
import gzip
import json
import shutil
import signal
import statistics
import time
from collections import Counter

import httpx
import psutil
import pytest
from slipway.service.artifact import seal

from bench.client import load, request
from tests.callers import HEADERS
from tests.faults.conftest import asked, minutes, port_of
from tests.service import abuse
from tests.service.test_process import FAULTS

GIGABYTE = 1_000_000_000


def test_nothing_that_can_not_be_trusted_is_served(start, artifacts, tmp_path, found):
    from tests.service.conftest import make_artifact

    old = start(artifacts["classifier"])
    longest, good = 0.0, Counter()
    for number, (fault, reason) in enumerate(FAULTS.values()):
        folder = make_artifact(tmp_path / str(number), "classifier")
        fault(folder)
        begin = time.monotonic()
        code, errors = start(folder).end()
        longest = max(longest, time.monotonic() - begin)
        good += asyncio.run(load(port_of(old), abuse.GOOD, 4, 1)).statuses
        assert code == 1 and reason in errors
    found(
        "F5 model damaged, missing, other than recorded",
        f"{len(FAULTS)} kinds, beside a worker that serves",
        f"all {len(FAULTS)} exit with 1 and the reason, within {longest:.1f} s; the old worker: {ok(good)}",
    )
    assert longest < 10
    assert set(good) == {200}


def test_generated_requests_find_no_failure(start, artifacts, peers, found, access_file):
    worker = start(artifacts["classifier"], SLIPWAY_ACCESS=access_file)
    httpx.get(f"{worker.url}/docs.json", headers=HEADERS)  # BentoML is loaded at the first request for it
    cases, seeds, begin = 0, 0, time.monotonic()
    before, _, _ = abuse.resources(worker.process.pid)
    while cases < 10_000:
        seeds += 1
        more, _ = abuse.fuzz(peers, worker.url, 60, seed=seeds)
        cases += more
    after, _, _ = abuse.resources(worker.process.pid)
    found(
        "F6 requests generated from the OpenAPI document",
        f"Schemathesis, all checks, {seeds} seeds, {time.monotonic() - begin:.0f} s",
        f"{cases:,} cases: 0 answers 5xx, 0 differences from the document; memory {after / before - 1:+.1%}",
    )


def test_one_bad_request_fails_no_other(start, artifacts, found):
    worker = start(artifacts["lookup"])
    good, failed = asyncio.run(abuse.poison(port_of(worker), 100))
    found(
        "F7 one poisoned request in 24", "100 rounds, 6 kinds of poison", f"{failed} of {good:,} good requests failed"
    )
    assert failed == 0


def test_a_thousand_slow_sockets_harm_nobody(start, artifacts, found):
    worker = start(artifacts["classifier"])
    quiet = asyncio.run(load(port_of(worker), abuse.GOOD, 4, 5, rate=10))
    good, closed, longest = asyncio.run(abuse.slow_sockets(port_of(worker), 1000, 20))
    found(
        "F8 slow sockets",
        f"1,000, of {len(abuse.SLOW)} kinds, a byte a second, 20 s",
        f"good requests: {ok(good.statuses)}, p99 {good.percentile(0.99) * 1e3:.1f} ms "
        f"(quiet {quiet.percentile(0.99) * 1e3:.1f} ms); {closed} closed, the last after {longest:.0f} s",
    )
    assert set(good.statuses) == {200}
    assert closed == 1000
    assert longest <= 15


@pytest.mark.parametrize(("times", "turns"), [(2, 4000), (5, 4000), (10, 4000), (10, 400)])
def test_overload_is_refused_and_the_work_goes_on(times, turns, start, artifacts, tmp_path, found):
    worker = start(_one_at_a_time(artifacts["loop"], tmp_path / "artifact", turns), "--max-queue", "32")
    port, text = port_of(worker), request("/predict", asked({"turns": [turns]}))
    peaks, goodputs, statuses = [], [], Counter()
    for _ in range(5):  # taken in turns, so that both meet one machine
        peak = asyncio.run(load(port, text, 32, 3))
        peaks.append(peak.statuses[200] / peak.elapsed)
        over = asyncio.run(load(port, text, 200, 3, rate=times * peaks[-1]))
        goodputs.append(over.statuses[200] / over.elapsed)
        statuses += over.statuses
    rate, goodput = statistics.median(peaks), statistics.median(goodputs)
    found(
        f"F8 overload {times:>2} times, {turns} turns",
        f"{times} x the peak of {rate:,.0f} requests/s, 5 times 3 s in turn with it, 200 connections, queue of 32",
        f"goodput {goodput / rate:.0%} of the peak; {statuses[429]:,} answers 429 with Retry-After, 0 others",
    )
    assert set(statuses) <= {200, 429}
    if turns == 4000:  # shorter runs than that cost no more than ten refusals: there is less left for them
        assert goodput > 0.9 * rate


def _one_at_a_time(artifact, folder, turns):
    """The same model with a batch of one: requests can't share a run, so the peak is the runs that fit in a second."""
    shutil.copytree(artifact, folder)
    signature = json.loads((folder / "signature.json").read_text())
    for spec in (*signature["inputs"], *signature["outputs"]):
        spec["shape"][0] = 1
    (folder / "signature.json").write_text(json.dumps(signature))
    (folder / "example.json").write_text(json.dumps({"inputs": {"turns": [turns]}}))
    (folder / "example.response.json").write_text(json.dumps({"outputs": {"y": [float(turns)]}}))
    seal(folder)
    return folder


def test_bodies_over_the_cap_cost_nothing(start, artifacts, found):
    worker = start(artifacts["classifier"])
    port = port_of(worker)
    before, _, _ = abuse.resources(worker.process.pid)
    status, sent = asyncio.run(abuse.too_large(port, GIGABYTE))
    bomb = gzip.compress(b" " * 50_000_000)
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    packed = httpx.post(f"{worker.url}/predict", content=bomb, headers=headers).status_code
    announced = httpx.post(
        f"{worker.url}/predict", content=b" " * 20_000_000, headers={"content-type": "application/json"}
    )
    probe = asyncio.run(load(port, abuse.GOOD, 1, 1))
    after, _, _ = abuse.resources(worker.process.pid)
    found(
        "F8 bodies over the cap of 1 MB",
        "1 GB in chunks without length; 20 MB announced; a 1000:1 gzip bomb",
        f"{status} after {sent / 1e6:.1f} MB, {announced.status_code}, {packed}; +{(after - before) / 1e6:.0f} MB",
    )
    assert (status, announced.status_code, packed) == (413, 413, 413)
    assert after - before < 10_000_000
    assert abuse.only_ok(probe)


def test_sigterm_under_load_loses_nothing(start, artifacts, found):
    answered = []
    for _ in range(5):
        worker = start(artifacts["loop"])
        answered.append(asyncio.run(_terminate(worker, request("/predict", asked({"turns": [3000]})))))
        assert worker.end() == (0, "")
    found(
        "F8 SIGTERM",
        "5 times, 100 requests in flight each",
        f"{', '.join(map(str, answered))} answered with 200, exit 0",
    )
    assert answered == [100] * 5


async def _terminate(worker, text):
    pairs = [await asyncio.open_connection("127.0.0.1", port_of(worker)) for _ in range(100)]
    for _, writer in pairs:
        writer.write(text)
    await asyncio.sleep(0.3)
    worker.process.send_signal(signal.SIGTERM)
    answers = await asyncio.gather(*(reader.read() for reader, _ in pairs))
    for _, writer in pairs:
        writer.close()
    return sum(answer.startswith(b"HTTP/1.1 200") for answer in answers)


def test_a_soak_leaves_memory_and_descriptors_flat(start, artifacts, found):
    worker = start(artifacts["classifier"])
    port, pid = port_of(worker), worker.process.pid
    peak = asyncio.run(load(port, abuse.GOOD, 8, 5))
    rate = len(peak.seconds) / peak.elapsed / 2
    end, seen, counted = time.monotonic() + minutes(30) * 60, [], Counter()
    while time.monotonic() < end:
        counted += asyncio.run(load(port, abuse.GOOD, 8, min(30, max(1, end - time.monotonic())), rate=rate)).statuses
        seen.append(abuse.resources(pid))
    # The first tenth is the process settling.
    settled = seen[len(seen) // 10 :]
    first, last = (statistics.mean(rss for rss, _, _ in part) for part in (settled[:5], settled[-5:]))
    found(
        "Soak at half load",
        f"{minutes(30):.0f} min at {rate:,.0f} requests/s, 8 connections that are made anew every 30 s",
        f"{ok(counted)}; memory {last / first - 1:+.2%} ({last / 1e6:.0f} MB), "
        f"descriptors {seen[0][1]} to {seen[-1][1]}, threads {seen[0][2]} to {seen[-1][2]}",
    )
    assert set(counted) == {200}
    assert last < 1.02 * first
    assert seen[-1][1:] == seen[0][1:]
    assert psutil.pid_exists(pid)


def ok(statuses):
    return f"{statuses[200]:,} of {sum(statuses.values()):,} answered with 200"
