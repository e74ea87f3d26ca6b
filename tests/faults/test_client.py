"""F11 and the batch job at their full size: our client while workers are killed, 100,000 rows while it is killed."""

import csv
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import psutil

from tests.service import faults11
from tests.service.conftest import ROOT, make_artifact, runtime

ROWS, KILLS = 100_000, 5


def test_workers_are_killed_and_our_client_loses_nothing(slipway_home, free_port, tmp_path, found):
    artifact = make_artifact(tmp_path / "artifact", "classifier")
    with_retries = faults11.kill_workers(free_port, artifact, seconds=120, every=5)
    without = faults11.kill_workers(free_port, artifact, seconds=120, every=5, retry=None)
    found(
        "F11 workers killed, our client",
        f"one of {faults11.WORKERS} workers every 5 s for 2 min, {faults11.CALLERS} callers without pause; "
        "then the same without retries",
        f"{with_retries.lost} of {with_retries.answered:,} lost in {with_retries.kills} kills, {with_retries.wrong} "
        f"wrong, the longest {with_retries.longest:.1f} s; without retries {without.lost} of "
        f"{without.answered + without.lost:,} in {without.kills} kills, {without.lost / without.kills:.1f} a kill",
    )
    assert with_retries.kills > 10 and without.kills > 10
    assert (with_retries.lost, with_retries.wrong, without.wrong) == (0, 0, 0)
    assert without.lost <= without.kills * faults11.CALLERS


def test_a_batch_of_a_hundred_thousand_rows_is_killed_five_times(start, artifacts, tmp_path, found):
    worker = start(artifacts["classifier"])
    values = np.random.default_rng(3).normal(size=(ROWS, 4)).astype(np.float32)
    source, output = tmp_path / "rows.csv", tmp_path / "out.csv"
    with source.open("w") as file:
        csv.writer(file).writerows([["a", "b", "c", "d"], *values.tolist()])
    command = [sys.executable, "-m", "slipway.cli", "predict", str(source), "--url", worker.url, "-o", str(output)]
    command += ["--batch", "32"]
    part, rng, most, kills = tmp_path / "out.csv.part", random.Random(5), 0, 0
    while not output.exists():
        goal = size_of(part) + rng.uniform(0.5, 1.0) * 900_000 if kills < KILLS else float("inf")
        with subprocess.Popen(command, cwd=ROOT, env=os.environ | {"SLIPWAY_KEY": "x"}) as process:
            while process.poll() is None and size_of(part) < goal:
                most = max(most, memory_of(process.pid))
                time.sleep(0.01)
            kills += process.poll() is None
            process.kill()
        assert process.returncode in (0, -signal.SIGKILL)
    expected = runtime(artifacts["classifier"], {"features": values.tolist()})[0].argmax(axis=1)
    with output.open() as file:
        rows = list(csv.DictReader(file))
    right = sum(row["label"] == ("low", "middle", "high")[best] for row, best in zip(rows, expected, strict=True))
    numbers = [int(row["row"]) for row in rows]
    found(
        "Batch of 100,000 rows, killed",
        f"slipway predict, kill -9 {kills} times at random moments, started again each time",
        f"{len(rows):,} rows out, {len(rows) - len(set(numbers))} doubled, {ROWS - len(set(numbers))} lost, "
        f"{right:,} with the model's own label; at most {most / 1e6:.0f} MB",
    )
    assert kills == KILLS
    assert numbers == list(range(ROWS))
    assert right == ROWS
    assert most < 250_000_000


def size_of(path):
    return path.stat().st_size if path.exists() else 0


def memory_of(pid):
    try:
        return psutil.Process(pid).memory_info().rss
    except psutil.Error:  # it has ended
        return 0
