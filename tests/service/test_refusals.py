"""Bad requests: each is refused with a 4xx and a reason for machines, and none is answered or breaks anything."""

import gzip
import json
import zlib

import pytest

pytestmark = pytest.mark.anyio
JSON = {"content-type": "application/json"}
GZIP, DEFLATE = JSON | {"content-encoding": "gzip"}, JSON | {"content-encoding": "deflate"}
DEEP = "[" * 900 + "1" + "]" * 900


def features(text: str) -> bytes:
    return b'{"inputs":{"features":' + text.encode() + b"}}"


GOOD = features("[1,2,3,4]")
ABUSES = {
    # name: (body, headers, status, code, field, index)
    "empty body": (b"", JSON, 400, "malformed_json", None, None),
    "not JSON": (b"{nope", JSON, 400, "malformed_json", None, None),
    "cut off": (GOOD[:-3], JSON, 400, "malformed_json", None, None),
    "two documents": (GOOD + GOOD, JSON, 400, "malformed_json", None, None),
    "invalid UTF-8": (b'{"inputs":"\xff"}', JSON, 400, "malformed_json", None, None),
    "byte order mark": (b"\xef\xbb\xbf" + GOOD, JSON, 400, "malformed_json", None, None),
    "UTF-16": (GOOD.decode().encode("utf-16"), JSON, 400, "malformed_json", None, None),
    "NaN": (features("[NaN,2,3,4]"), JSON, 400, "malformed_json", None, None),
    "Infinity": (features("[-Infinity,2,3,4]"), JSON, 400, "malformed_json", None, None),
    "beyond float64": (features("[1e999,2,3,4]"), JSON, 400, "malformed_json", None, None),
    "deep nesting": (features("[" * 100_000 + "]" * 100_000), JSON, 400, "malformed_json", None, None),
    "list body": (b"[1,2,3,4]", JSON, 400, "wrong_type", None, None),
    "string body": (b'"features"', JSON, 400, "wrong_type", None, None),
    "null body": (b"null", JSON, 400, "wrong_type", None, None),
    "no inputs": (b"{}", JSON, 400, "missing_field", "inputs", None),
    "inputs a list": (b'{"inputs":[1]}', JSON, 400, "wrong_type", "inputs", None),
    "inputs null": (b'{"inputs":null}', JSON, 400, "wrong_type", "inputs", None),
    "input missing": (b'{"inputs":{}}', JSON, 400, "missing_field", "features", None),
    "input misspelt": (b'{"inputs":{"feature":[1,2,3,4]}}', JSON, 400, "missing_field", "features", None),
    "unknown input": (b'{"inputs":{"features":[1,2,3,4],"x":1}}', JSON, 400, "unknown_field", "x", None),
    "unknown field": (GOOD[:-1] + b',"debug":true}', JSON, 400, "unknown_field", "debug", None),
    "beyond float32": (features("[1e39,2,3,4]"), JSON, 400, "not_finite", "features", None),
    "huge integer": (features("[1" + "0" * 60 + ",2,3,4]"), JSON, 400, "not_finite", "features", None),
    "above the range": (features("[1,2,3,10.5]"), JSON, 400, "out_of_range", "features", None),
    "below the range": (features("[[1,2,3,4],[1,2,3,-11]]"), JSON, 400, "out_of_range", "features", 1),
    "input null": (features("null"), JSON, 400, "wrong_shape", "features", None),
    "input a number": (features("5"), JSON, 400, "wrong_shape", "features", None),
    "input a string": (features('"1234"'), JSON, 400, "wrong_shape", "features", None),
    "input an object": (features('{"0":1}'), JSON, 400, "wrong_shape", "features", None),
    "input true": (features("true"), JSON, 400, "wrong_shape", "features", None),
    "too few": (features("[1,2,3]"), JSON, 400, "wrong_shape", "features", None),
    "too many": (features("[1,2,3,4,5]"), JSON, 400, "wrong_shape", "features", None),
    "same size, other shape": (features("[[1,2],[3,4]]"), JSON, 400, "wrong_shape", "features", 0),
    "a rank too deep": (features("[[[1,2,3,4]]]"), JSON, 400, "wrong_shape", "features", None),
    "far too deep": (features(DEEP), JSON, 400, "wrong_shape", "features", None),
    "deep in one row": (features(f"[[1,2,3,4],{DEEP}]"), JSON, 400, "wrong_shape", "features", 1),
    "deep in one value": (features(f"[1,2,3,{DEEP}]"), JSON, 400, "wrong_type", "features", None),
    "empty": (features("[]"), JSON, 400, "wrong_shape", "features", None),
    "empty rows": (features("[[],[]]"), JSON, 400, "wrong_shape", "features", 0),
    "one wrong row": (features("[[1,2,3,4],[1,2,3,4],[1,2,3]]"), JSON, 400, "wrong_shape", "features", 2),
    "null row": (features("[[1,2,3,4],null]"), JSON, 400, "wrong_shape", "features", 1),
    "object row": (features('[[1,2,3,4],{"a":1}]'), JSON, 400, "wrong_shape", "features", 1),
    "string row": (features('[[1,2,3,4],"1234"]'), JSON, 400, "wrong_shape", "features", 1),
    "object of the right size": (features('[{"a":1,"b":2,"c":3,"d":4}]'), JSON, 400, "wrong_shape", "features", None),
    "null element": (features("[1,2,null,4]"), JSON, 400, "wrong_type", "features", None),
    "string element": (features('[1,2,"3",4]'), JSON, 400, "wrong_type", "features", None),
    "boolean element": (features("[1,2,true,4]"), JSON, 400, "wrong_type", "features", None),
    "object element": (features("[[1,2,3,4],[1,2,3,{}]]"), JSON, 400, "wrong_type", "features", 1),
    "list element": (features("[1,2,3,[4]]"), JSON, 400, "wrong_type", "features", None),
    "too many samples": (features(str([[1, 2, 3, 4]] * 9)), JSON, 400, "batch_too_large", "features", None),
    "no content type": (GOOD, {}, 415, "wrong_content_type", None, None),
    "form": (GOOD, {"content-type": "application/x-www-form-urlencoded"}, 415, "wrong_content_type", None, None),
    "text": (GOOD, {"content-type": "text/plain"}, 415, "wrong_content_type", None, None),
    "pickle": (GOOD, {"content-type": "application/vnd.bentoml+pickle"}, 415, "wrong_content_type", None, None),
    "multipart": (GOOD, {"content-type": "multipart/form-data"}, 415, "wrong_content_type", None, None),
    "latin-1": (GOOD, {"content-type": "application/json; charset=latin-1"}, 415, "wrong_charset", None, None),
    "zstd": (GOOD, JSON | {"content-encoding": "zstd"}, 415, "wrong_content_encoding", None, None),
    "packed twice": (GOOD, JSON | {"content-encoding": "gzip, gzip"}, 415, "wrong_content_encoding", None, None),
    "gzip in name only": (GOOD, JSON | {"content-encoding": "gzip"}, 400, "malformed_encoding", None, None),
    "gzip cut off": (gzip.compress(GOOD)[:-1], GZIP, 400, "malformed_encoding", None, None),
    "gzip of a wrong sum": (gzip.compress(GOOD)[:-8] + bytes(8), GZIP, 400, "malformed_encoding", None, None),
    "gzip and more": (gzip.compress(GOOD) + b"x", GZIP, 400, "malformed_encoding", None, None),
    "gzip of nothing, many times": (gzip.compress(b"") * 5000, GZIP, 400, "malformed_encoding", None, None),
    "deflate and more": (zlib.compress(GOOD) * 2, DEFLATE, 400, "malformed_encoding", None, None),
    "deflate in name only": (GOOD, DEFLATE, 400, "malformed_encoding", None, None),
    "gzip of what is not JSON": (gzip.compress(b"{"), GZIP, 400, "malformed_json", None, None),
    "gzip bomb": (gzip.compress(b" " * 50_000_000), GZIP, 413, "body_too_large", None, None),
    "gzip bomb in parts": (gzip.compress(b" " * 200_000) * 3, GZIP, 413, "body_too_large", None, None),
    "deflate bomb": (zlib.compress(b" " * 50_000_000), DEFLATE, 413, "body_too_large", None, None),
    "too large": (features("[1,2,3,4]" + " " * 300_000), JSON, 413, "body_too_large", None, None),
    "length of 5,000 zeros": (GOOD, JSON | {"content-length": "0" * 5000}, 413, "body_too_large", None, None),
    "length a lie": (GOOD, JSON | {"content-length": "-1"}, 413, "body_too_large", None, None),
}


@pytest.mark.parametrize(("body", "headers", "status", "code", "field", "index"), ABUSES.values(), ids=ABUSES)
async def test_abuse_is_refused_with_a_reason(body, headers, status, code, field, index, client_of):
    async with client_of("classifier", max_batch=8, max_body=250_000, limit_range=1) as client:
        response = await client.post("/predict", content=body, headers=headers)
        after = await client.post("/predict", content=GOOD, headers=JSON)
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["field"], error.get("index")) == (status, code, field, index)
    assert error["message"].startswith(field or "") and len(error["message"]) < 400
    assert after.status_code == 200


@pytest.mark.parametrize(
    ("inputs", "code", "field"),
    [
        ({"a": [1, 2], "b": [[3, 4]]}, "wrong_batch", "b"),
        ({"a": [[1, 2]], "b": [[3, 4], [5, 6]]}, "wrong_batch", "b"),
        ({"a": [[1, 2]]}, "missing_field", "b"),
        ({"a": [1, 2], "b": [1]}, "wrong_shape", "b"),
    ],
)
async def test_inputs_that_disagree_are_refused(inputs, code, field, client_of):
    async with client_of("pair") as client:
        response = await client.post("/predict", json={"inputs": inputs})
    assert (response.status_code, response.json()["error"]["code"]) == (400, code)
    assert response.json()["error"]["field"] == field


async def test_what_training_has_not_seen_is_answered_unless_told_otherwise(client_of):
    async with client_of("classifier") as client:
        assert (await client.post("/predict", json={"inputs": {"features": [1, 2, 3, 99]}})).status_code == 200


async def test_the_message_says_what_was_expected_and_what_came(client_of):
    async with client_of("classifier") as client:
        response = await client.post("/predict", json={"inputs": {"features": [[1, 2, 3, 4], [1, 2, "x", 4]]}})
        assert response.json()["error"]["message"] == "features[1][2]: expected a number, got a string"
        response = await client.post("/predict", json={"inputs": {"features": [1, 2, 3]}})
        assert response.json()["error"]["message"] == "features: expected 4 numbers, got 3"


async def test_an_answer_that_is_not_finite_is_not_given(client_of):
    async with client_of("linear") as client:
        response = await client.post("/predict", json={"inputs": {"x": [[1], [3e38]]}})
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["field"], error["index"]) == (422, "not_finite", "y", 1)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/predict", "POST"),
        ("PUT", "/predict", "POST"),
        ("POST", "/livez", "GET, HEAD"),
        ("DELETE", "/", "GET, HEAD"),
    ],
)
async def test_a_wrong_method_is_refused_with_the_right_ones(method, path, allow, client_of):
    async with client_of("linear") as client:
        response = await client.request(method, path)
    assert (response.status_code, response.json()["error"]["code"]) == (405, "wrong_method")
    assert response.headers["allow"] == allow


def test_there_are_enough_abuses():
    assert len(ABUSES) >= 41
    assert all(json.dumps(code) and 400 <= status < 500 for _, _, status, code, _, _ in ABUSES.values())
