"""`slipway predict`, `explain`, `feedback`, `load` against real servers: every row once, whatever is killed."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time

import httpx
import numpy as np
import pytest
from slipway.infra.home import ROOT

from slipway.pipeline.errors import BadInput
from tests.service.conftest import access_file, artifacts, listener, runtime, start

__all__ = ["access_file", "artifacts", "listener", "start"]


def slipway(*words, **more):
    environment = {**os.environ, "SLIPWAY_KEY": "x", "COLUMNS": "120"}
    command = [sys.executable, "-m", "slipway.cli", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, **more)


def rows_of(path):
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.fixture
def table(tmp_path):
    """A csv of 2,000 rows, and its numbers."""
    values = np.random.default_rng(3).normal(size=(2000, 4)).astype(np.float32)
    with (tmp_path / "rows.csv").open("w") as file:
        csv.writer(file).writerows([["a", "b", "c", "d"], *values.tolist()])
    return tmp_path / "rows.csv", values


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_every_row_is_answered_in_order(form, start, artifacts, table, tmp_path):
    worker = start(artifacts["classifier"])
    file, values = table
    output = tmp_path / f"out.{form}"
    done = slipway("predict", file, "--url", worker.url, "-o", output, "--batch", 7)
    assert done.returncode == 0, done.stderr
    found = rows_of(output)
    expected = runtime(artifacts["classifier"], {"features": values.tolist()})[0]
    assert [int(row["row"]) for row in found] == list(range(2000))
    assert [row["label"] for row in found] == [("low", "middle", "high")[best] for best in expected.argmax(axis=1)]
    if form == "csv":
        given = [[float(row[f"probabilities[{at}]"]) for at in range(3)] for row in found]
        assert np.array_equal(np.float32(given), expected)
    assert sorted(path.name for path in tmp_path.glob("out*")) == [output.name]


def test_a_killed_run_goes_on_and_rows_are_neither_lost_nor_doubled(start, artifacts, table, tmp_path):
    worker = start(artifacts["classifier"])
    file, values = table
    output, part = tmp_path / "out.csv", tmp_path / "out.csv.part"
    command = [sys.executable, "-m", "slipway.cli", "predict", file, "--url", worker.url, "-o", output, "--batch", "3"]
    rng, kills = random.Random(5), 0
    while kills < 3:
        before = part.stat().st_size if part.exists() else 0
        process = subprocess.Popen([*map(str, command), "--concurrency", "2"], cwd=ROOT, stderr=subprocess.PIPE)
        while process.poll() is None and (part.stat().st_size if part.exists() else 0) <= before + 3000:
            time.sleep(0.002)
        time.sleep(rng.random() * 0.02)
        assert process.poll() is None, process.stderr.read()
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += 1
        assert not output.exists()
        with part.open("ab") as torn:  # as a write is that a kill cut in two
            torn.write(b"1,lo")
    done = slipway(*command[3:])
    assert done.returncode == 0 and "going on after" in done.stderr
    expected = runtime(artifacts["classifier"], {"features": values.tolist()})[0]
    found = rows_of(output)
    assert [int(row["row"]) for row in found] == list(range(2000))
    assert [row["label"] for row in found] == [("low", "middle", "high")[best] for best in expected.argmax(axis=1)]


def test_what_does_not_belong_together_is_not_gone_on_with(start, artifacts, table, tmp_path):
    worker = start(artifacts["classifier"])
    file, _ = table
    output = tmp_path / "out.csv"
    bad = tmp_path / "bad.csv"
    bad.write_text(file.read_text() + "1,2,3,nan\n")
    done = slipway("predict", bad, "--url", worker.url, "-o", output, "--batch", 100)
    assert done.returncode == 2 and "row 2000" in done.stderr and "--keep-going" in done.stderr
    assert (tmp_path / "out.csv.state").exists()
    done = slipway("predict", file, "--url", worker.url, "-o", output)
    assert done.returncode == 2 and "differs in files" in done.stderr and "--restart" in done.stderr
    done = slipway("predict", bad, "--url", worker.url, "-o", output, "--keep-going")
    found = rows_of(output)
    assert done.returncode == 0 and len(found) == 2001
    assert [row["row"] for row in found if row["error"]] == ["2000"] and "not_finite" in found[2000]["error"]
    done = slipway("predict", file, "--url", worker.url, "-o", output)
    assert done.returncode == 2 and "is there already" in done.stderr
    assert slipway("predict", file, "--url", worker.url, "-o", output, "--restart").returncode == 0
    assert len(rows_of(output)) == 2000


def test_files_of_every_kind_are_read(start, artifacts, tmp_path):
    worker = start(artifacts["classifier"])
    values = np.float32([[1, 2, 3, 4], [5, 6, 7, 8], [0, 0, 1, 0]])
    np.save(tmp_path / "rows.npy", values)
    np.savez(tmp_path / "rows.npz", features=values)
    (tmp_path / "rows.json").write_text(json.dumps({"inputs": {"features": values.tolist()}}))
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in values.tolist()))
    header = "z,a,b,c,d\n"
    (tmp_path / "rows.csv").write_text(header + "".join(f"x,{','.join(map(str, row))}\n" for row in values.tolist()))
    european = (tmp_path / "rows.csv").read_text().replace(",", ";").replace(".", ",")
    (tmp_path / "european.csv").write_text(european, encoding="utf-8-sig")
    files = [*(f"rows.{kind}" for kind in ("npy", "npz", "json", "jsonl", "csv")), "european.csv"]
    answers = {
        name: slipway("predict", tmp_path / name, "--url", worker.url, "--columns", "a,b,c,d").stdout for name in files
    }
    assert len(answers["rows.npy"].splitlines()) == 3
    assert set(answers.values()) == {answers["rows.npy"]}
    together = slipway("predict", tmp_path / "rows.npy", tmp_path / "rows.jsonl", "--url", worker.url)
    assert [json.loads(line)["row"] for line in together.stdout.splitlines()] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("a.csv", "a,b\n1,2\n", "2 columns, the model takes features of 4"),
        ("a.csv", "a,b,c,d\n1,2,3\n", "row 0 has 3 columns, the header 4"),
        ("a.csv", "a,b,c,d\n1,2,3,4\n1,2,x,4\n", "row 1, column 3: 'x' is no number"),
        ("a.csv", "", "no header"),
        ("a.jsonl", "[1,2,3,4]\n{\n", "line 1 is not JSON"),
        ("a.json", '{"inputs": {"other": []}}', "the model takes features"),
        ("a.npy", "no array", "can't be read as .npy"),
        ("a.npy", "", "can't be read as .npy"),
        ("a.npz", "no archive", "can't be read as .npz"),
        ("a.csv", b"a,b,c,d\n1,2,3,\xff\n", "is not UTF-8"),
        ("a.json", '{"inputs": {"features": [[1, 2], [3]]}}', "can't be read as .json"),
        ("a.json", '{"inputs": {"features": 5}}', "can't be read as .json"),
        ("a.jsonl", '{"inputs": 5}\n', "can't be read as .jsonl"),
        ("a.xml", "", "expected one of .csv"),
        ("a.png", "no image", "the model takes no images"),
    ],
)
def test_files_that_do_not_fit_are_refused_by_name_and_row(name, text, reason, start, artifacts, tmp_path):
    worker = start(artifacts["classifier"])
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    done = slipway("predict", tmp_path / name, "--url", worker.url)
    assert done.returncode == 2 and reason in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_a_file_without_a_sample_is_told(start, artifacts, tmp_path):
    worker = start(artifacts["classifier"])
    (tmp_path / "a.csv").write_text("a,b,c,d\n")
    for command, reason in (("load", "there is no sample in it"), ("explain", "there is no row 0")):
        done = slipway(command, tmp_path / "a.csv", "--url", worker.url)
        assert done.returncode and reason in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_images_become_what_the_model_takes(tmp_path):
    from PIL import Image

    from slipway.ops.predict.samples import batches, image

    Image.fromarray(np.uint8(np.arange(256).reshape(16, 16))).save(tmp_path / "a.png")
    spec = {"shape": [None, 8, 8, 1], "minimum": 0.0, "maximum": 1.0, "dtype": "float32"}
    small = image(tmp_path / "a.png", spec)
    assert small.shape == (8, 8, 1) and small.dtype == np.float32
    assert 0 <= small.min() < 0.1 < 0.9 < small.max() <= 1
    assert image(tmp_path / "a.png", spec | {"shape": [None, 3, 4, 6]}).shape == (3, 4, 6)
    assert image(tmp_path / "a.png", spec | {"shape": [None, 16, 16], "maximum": 255.0}).max() == 255
    Image.fromarray(np.uint8(np.zeros((8, 8)))).save(tmp_path / "b.png")
    free = [spec | {"name": "image", "shape": [None, None, None, 1]}]
    with pytest.raises(BadInput, match="different sizes.*--batch 1"):
        list(batches([tmp_path], free, (), 2))
    assert len(list(batches([tmp_path], free, (), 1))) == 2


def test_explain_feedback_and_load_say_what_came_back(start, artifacts, access_file, tmp_path):
    from tests.callers import HEADERS, KEY

    worker = start(artifacts["classifier"], SLIPWAY_ACCESS=access_file)
    (tmp_path / "key").write_text(KEY)
    asked = ("--url", worker.url, "--key-file", tmp_path / "key")
    (tmp_path / "a.json").write_text('{"inputs": {"features": [1, 2, 3, 4]}}')
    shown = slipway("explain", tmp_path / "a.json", *asked, "--target", "low")
    assert shown.returncode == 0 and "probability of low" in shown.stdout and "features[0]" in shown.stdout
    told = json.loads(slipway("explain", tmp_path / "a.json", *asked, "--json").stdout)
    assert sum(told["attributions"]["features"]) == pytest.approx(told["value"] - told["baseline"], abs=1e-6)
    answer = json.loads(slipway("predict", tmp_path / "a.json", *asked).stdout)
    assert slipway("feedback", answer["token"], answer["label"], *asked).stdout == "counted 1, right 1\n"
    again = slipway("feedback", answer["token"], answer["label"], *asked)
    assert again.returncode == 1 and "409 replayed" in again.stderr
    assert slipway("feedback", answer["token"], "--delete", *asked).stdout == "deleted 1\n"
    both = slipway("feedback", answer["token"], "low", "--delete", *asked)
    assert both.returncode == 2 and "give LABELS, or --delete alone" in both.stderr
    result = json.loads(slipway("load", *asked, "--seconds", "0.5", "--json").stdout)
    assert set(result["outcomes"]) == {"200"} and result["latencyMs"]["50"] <= result["latencyMs"]["99"]
    assert sum(count for _, count in result["histogram"]) == result["outcomes"]["200"]
    assert "p99" in slipway("load", *asked, "--seconds", "0.3", "--rate", "50").stdout
    wrong = slipway("predict", tmp_path / "a.json", "--url", worker.url)
    assert wrong.returncode == 1 and "401 wrong_credentials" in wrong.stderr and KEY not in wrong.stderr
    assert httpx.get(f"{worker.url}/status", headers=HEADERS).json()["answers"]["/feedback"] == {"200": 2, "409": 1}


def test_nobody_there_is_one_line(free_port, tmp_path):
    (tmp_path / "a.json").write_text('{"inputs": {"features": [1, 2, 3, 4]}}')
    done = slipway("load", tmp_path / "a.json", "--url", f"http://127.0.0.1:{free_port}")
    assert done.returncode == 1 and "does not answer" in done.stderr and "Traceback" not in done.stderr
