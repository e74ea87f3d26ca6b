"""Packed bodies: requests are unpacked within their limit, answers packed where that is asked for and worth it."""

import gzip
import json
import zlib

import numpy as np
import psutil
import pytest
from slipway.service.compression import WORTH, is_asked, is_worth

from tests.service.abuse import resources
from tests.service.conftest import EXAMPLES

pytestmark = pytest.mark.anyio
JSON = "application/json"
GOOD = json.dumps({"inputs": EXAMPLES["classifier"]}).encode()
MANY = json.dumps({"inputs": {"features": [[1, 2, 3, 4]] * 1000}}).encode()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(GOOD)),
        ("GZip", gzip.compress(GOOD)),
        ("x-gzip", gzip.compress(GOOD)),
        ("gzip", gzip.compress(GOOD[:9]) + gzip.compress(b"") + gzip.compress(GOOD[9:])),
        ("deflate", zlib.compress(GOOD)),
        ("identity", GOOD),
    ],
    ids=["gzip", "capitals", "old name", "in parts", "deflate", "not packed"],
)
async def test_a_packed_request_is_answered_as_it_is_unpacked(coding, body, client_of):
    async with client_of("classifier") as client:
        plain = await client.post("/predict", content=GOOD, headers={"content-type": JSON})
        headers = {"content-type": JSON, "content-encoding": coding}
        packed = await client.post("/predict", content=body, headers=headers)
        assert packed.status_code == 200 and packed.content == plain.content


async def test_explanations_and_feedback_come_packed_as_well(client_of):
    headers = {"content-type": JSON, "content-encoding": "gzip"}
    async with client_of("classifier") as client:
        for path in ("/explain", "/feedback"):
            refused = await client.post(path, content=gzip.compress(b"{}"), headers=headers)
            assert refused.json()["error"]["code"] == "missing_field"


async def test_every_wire_takes_packed_bodies(client_of):
    one = np.float32(EXAMPLES["classifier"]["features"])
    entry = {"name": "features", "datatype": "FP32", "shape": [1, 4], "parameters": {"binary_data_size": 16}}
    head = json.dumps({"inputs": [entry]}).encode()
    length = {"inference-header-content-length": str(len(head))}
    async with client_of("classifier") as client:
        for path, body, headers in (
            ("/predict", one.tobytes(), {}),
            ("/v2/models/classifier/infer", head + one.tobytes(), length),
        ):
            headers |= {"content-type": "application/octet-stream"}
            plain = await client.post(path, content=body, headers=headers)
            packed = await client.post(
                path, content=gzip.compress(body), headers=headers | {"content-encoding": "gzip"}
            )
            assert plain.status_code == 200 and packed.content == plain.content
        alone = await client.post(path, content=gzip.compress(body), headers=length | {"content-encoding": "gzip"})
        assert alone.status_code == 200  # Triton's clients name no content type


async def test_a_packing_that_is_not_known_is_refused_with_those_that_are(client_of):
    async with client_of("classifier") as client:
        for coding in ("zstd", "br", "compress", "gzip, gzip", "nonsense"):
            headers = {"content-type": JSON, "content-encoding": coding}
            for path in ("/predict", "/v2/models/classifier/infer", "/explain", "/feedback"):
                refused = await client.post(path, content=GOOD, headers=headers)
                assert (refused.status_code, refused.headers["accept-encoding"]) == (415, "gzip, deflate")
        other = await client.post("/predict", content=GOOD, headers={"content-type": "text/plain"})
        assert other.status_code == 415 and "accept-encoding" not in other.headers


async def test_an_answer_is_packed_where_that_is_asked_for_and_worth_it(client_of):
    async with client_of("classifier") as client:
        answers = {}
        for accepted in ("gzip", "br;q=1.0, gzip;q=0.2", "identity", "gzip;q=0", ""):
            headers = {"content-type": JSON, "accept-encoding": accepted}
            answers[accepted] = await client.post("/predict", content=MANY, headers=headers)
            small = await client.post("/predict", content=GOOD, headers=headers)
            assert "content-encoding" not in small.headers and "vary" not in small.headers
            binary = await client.post("/predict", content=MANY, headers=headers | {"accept": "application/x-npy"})
            assert "content-encoding" not in binary.headers
    packed = [accepted for accepted, answer in answers.items() if answer.headers.get("content-encoding") == "gzip"]
    assert packed == ["gzip", "br;q=1.0, gzip;q=0.2"]
    assert len({answer.content for answer in answers.values()}) == 1
    assert {answer.headers["vary"] for answer in answers.values()} == {"accept-encoding"}
    sizes = {accepted: int(answer.headers["content-length"]) for accepted, answer in answers.items()}
    assert sizes["gzip"] < sizes["identity"] / 2


@pytest.mark.parametrize(
    ("accepted", "asked"),
    [
        (None, False), (b"", False), (b"gzip", True), (b"GZIP", True), (b"*", True), (b"deflate, gzip", True),
        (b"gzip;q=0", False), (b"gzip; q=0.000", False), (b"gzip;q=0.001", True), (b"*;q=0, gzip", True),
        (b"gzip;q=0, *", False), (b"identity, *;q=0", False), (b"br, zstd", False), (b"gzipped", False),
    ],
)  # fmt: skip
def test_accept_encoding_is_read_with_its_weights(accepted, asked):
    assert is_asked(accepted) == asked


def test_what_gains_nothing_is_not_packed():
    long = b" " * (WORTH + 1)
    assert is_worth(long, b"application/json") and is_worth(long, b"text/markdown; charset=utf-8")
    assert not is_worth(long, b"application/octet-stream") and not is_worth(long, b"image/png")
    assert not is_worth(long[1:], b"application/json")


async def test_a_bomb_takes_no_more_than_the_limit(client_of):
    bomb = gzip.compress(b" " * 100_000_000, 1)
    headers = {"content-type": JSON, "content-encoding": "gzip"}
    async with client_of("classifier", max_body=5_000_000) as client:
        await client.post("/predict", content=gzip.compress(b" " * 6_000_000), headers=headers)
        before, _, _ = resources(psutil.Process().pid)
        assert (await client.post("/predict", content=bomb, headers=headers)).status_code == 413
        after, _, _ = resources(psutil.Process().pid)
    assert after - before < 20_000_000
