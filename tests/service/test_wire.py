"""Tensors in every form that /predict and the Open Inference Protocol take: all give the same answer."""

import io
import json
import subprocess

import numpy as np
import pytest
from slipway.service.access.access import PAGE
from slipway.service.artifact import seal
from slipway.service.http.app import App
from slipway.service.inference.model import load_model
from slipway.service.settings import Settings

from tests.service.conftest import EXAMPLES, ROOT, runtime

pytestmark = pytest.mark.anyio
RAW, NPY = "application/octet-stream", "application/x-npy"
ONE = np.float32([0.5, 1, -0.25, 2])
BATCH = np.random.default_rng(7).uniform(-5, 5, (5, 4)).astype(np.float32)


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def shaped(shape, content=b"", descr="'<f4'"):
    """An .npy file whose header says what it likes."""
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content


@pytest.mark.parametrize("array", [ONE, BATCH, np.asfortranarray(BATCH)], ids=["one", "batch", "column-major"])
async def test_every_form_gives_the_answer_of_onnx_runtime(array, artifacts, client_of):
    expected = runtime(artifacts["classifier"], {"features": np.atleast_2d(array)})[0].reshape(*array.shape[:-1], 3)
    shape = ",".join(map(str, array.shape))
    async with client_of("classifier") as client:
        raw = await client.post("/predict", content=array.tobytes(), headers={"content-type": RAW})
        shaped = await client.post(
            "/predict", content=array.tobytes(), headers={"content-type": RAW, "x-tensor-shape": shape}
        )
        saved = await client.post("/predict", content=npy(array), headers={"content-type": NPY})
        mixed = await client.post(
            "/predict", content=npy(array), headers={"content-type": NPY, "accept": "application/json"}
        )
        other = await client.post("/predict", json={"inputs": {"features": array.tolist()}}, headers={"accept": NPY})
    for response in (raw, shaped):
        assert response.headers["content-type"] == RAW
        assert response.headers["x-tensor-dtype"] == "float32"
        assert response.headers["x-tensor-shape"] == ",".join(map(str, expected.shape))
        assert response.content == expected.tobytes()
    for response in (saved, other):
        assert response.headers["content-type"] == NPY
        found = np.load(io.BytesIO(response.content))
        assert found.shape == expected.shape
        assert np.array_equal(found, expected)
    assert np.array_equal(np.float32(mixed.json()["outputs"]["probabilities"]), expected)


BAD = {
    "empty": (b"", RAW, {}, 400, "wrong_size"),
    "half a number": (b"123", RAW, {}, 400, "wrong_size"),
    "no whole sample": (b"1234" * 5, RAW, {}, 400, "wrong_size"),
    "NaN": (np.float32([1, 2, 3, np.nan]).tobytes(), RAW, {}, 400, "not_finite"),
    "Infinity in a batch": (np.float32([[1] * 4, [np.inf] * 4]).tobytes(), RAW, {}, 400, "not_finite"),
    "other shape": (ONE.tobytes(), RAW, {"x-tensor-shape": "2,2"}, 400, "wrong_shape"),
    "shape too large": (ONE.tobytes(), RAW, {"x-tensor-shape": "99999999,99999999,4"}, 400, "wrong_shape"),
    "shape too large beside nothing": (b"", RAW, {"x-tensor-shape": "0,999999999999,4"}, 400, "wrong_shape"),
    "shape of many axes": (b"1234", RAW, {"x-tensor-shape": ",".join("1" * 33)}, 400, "wrong_shape"),
    "shape of many digits": (ONE.tobytes(), RAW, {"x-tensor-shape": "0" * 5000 + "4"}, 400, "wrong_shape"),
    "shape negative": (ONE.tobytes(), RAW, {"x-tensor-shape": "-1,4"}, 400, "wrong_shape"),
    "shape nonsense": (ONE.tobytes(), RAW, {"x-tensor-shape": "a"}, 400, "wrong_shape"),
    "too many samples": (np.float32([[1] * 4] * 9).tobytes(), RAW, {}, 400, "batch_too_large"),
    "not npy": (b"nonsense", NPY, {}, 400, "malformed_npy"),
    "npy cut off": (npy(ONE)[:-1], NPY, {}, 400, "wrong_size"),
    "npy header cut off": (npy(ONE)[:40], NPY, {}, 400, "malformed_npy"),
    "npy header too long": (b"\x93NUMPY\x02\x00\x00\x00\x10\x00" + b"(" * 1048576, NPY, {}, 400, "malformed_npy"),
    "npy of version 9": (b"\x93NUMPY\x09\x00" + npy(ONE)[8:], NPY, {}, 400, "malformed_npy"),
    "npy of huge axes beside nothing": (shaped(f"(0,{2**62},4)"), NPY, {}, 400, "wrong_shape"),
    "npy of true": (shaped("(True,4)", ONE.tobytes()), NPY, {}, 400, "wrong_shape"),
    "npy of many axes": (shaped(f"({'1,' * 70})", b"1234"), NPY, {}, 400, "wrong_shape"),
    "npy of a number of 900 digits": (shaped(f"({'9' * 900},)", b"1234"), NPY, {}, 400, "wrong_shape"),
    "npy of many brackets": (shaped("(" * 900), NPY, {}, 400, "malformed_npy"),
    "npy of many signs": (shaped("-" * 900 + "1"), NPY, {}, 400, "malformed_npy"),
    "npy of half a character": (shaped("(4,)", descr="'\\ud800'"), NPY, {}, 400, "malformed_npy"),
    "npy of objects": (npy(np.array([{}], object)), NPY, {}, 400, "wrong_type"),
    "npy of doubles": (npy(ONE.astype(np.float64)), NPY, {}, 400, "wrong_type"),
    "npy big-endian": (npy(ONE.astype(">f4")), NPY, {}, 400, "wrong_type"),
    "npy other shape": (npy(ONE.reshape(2, 2)), NPY, {}, 400, "wrong_shape"),
    "npy of nothing": (npy(np.zeros((0, 4), np.float32)), NPY, {}, 400, "wrong_shape"),
    "npy a number": (npy(np.float32(1)), NPY, {}, 400, "wrong_shape"),
    "npy NaN": (npy(np.float32([[1, 2, 3, 4], [1, 2, 3, np.nan]])), NPY, {}, 400, "not_finite"),
    "packed as br": (ONE.tobytes(), RAW, {"content-encoding": "br"}, 415, "wrong_content_encoding"),
    "packed in name only": (ONE.tobytes(), RAW, {"content-encoding": "gzip"}, 400, "malformed_encoding"),
}


@pytest.mark.parametrize(("body", "kind", "headers", "status", "code"), BAD.values(), ids=BAD)
async def test_bytes_that_are_no_sample_are_refused(body, kind, headers, status, code, client_of):
    async with client_of("classifier", max_batch=8, max_body=2_000_000) as client:
        response = await client.post("/predict", content=body, headers={"content-type": kind, **headers})
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


async def test_models_of_several_inputs_or_texts_take_json_alone(client_of):
    for name in ("pair", "echo"):
        async with client_of(name) as client:
            response = await client.post("/predict", content=b"1234", headers={"content-type": RAW})
            assert response.status_code == 415
    async with client_of("echo") as client:
        response = await client.post("/predict", json={"inputs": EXAMPLES["echo"]}, headers={"accept": RAW})
        assert response.status_code == 406


async def test_texts_and_whole_numbers_are_held_to_their_types(client_of):
    async with client_of("echo", max_text=8) as client:
        batch = await client.post("/predict", json={"inputs": {"text": [["a"], ["ä€"]]}})
        assert batch.json() == {"outputs": {"same": [["a"], ["ä€"]]}}
        for value, code in (
            ([1], "wrong_type"),
            (["123456789"], "text_too_long"),
            ("a", "wrong_shape"),
            ([["a"], "b"], "wrong_shape"),
        ):
            response = await client.post("/predict", json={"inputs": {"text": value}})
            assert (response.status_code, response.json()["error"]["code"]) == (400, code)
    async with client_of("lookup") as client:
        for value, status, code in (
            ([1.0, 2], 400, "wrong_type"),
            ([2**70, 1], 400, "wrong_type"),
            ([99, 1], 422, "model_refused"),
        ):
            response = await client.post("/predict", json={"inputs": {"ids": value}})
            assert (response.status_code, response.json()["error"]["code"]) == (status, code)


def v2(data, shape=(1, 4), datatype="FP32", name="features", **more):
    shape = shape if isinstance(shape, str) else list(shape)
    return {"inputs": [{"name": name, "datatype": datatype, "shape": shape, "data": data}], **more}


async def test_the_open_inference_protocol_says_what_the_model_is(client_of):
    async with client_of("classifier") as client:
        server = (await client.get("/v2")).json()
        assert "binary_tensor_data" in server["extensions"]
        metadata = (await client.get("/v2/models/classifier")).json()
        (version,) = metadata["versions"]
        assert metadata["inputs"] == [{"name": "features", "datatype": "FP32", "shape": [-1, 4]}]
        versioned = f"/v2/models/classifier/versions/{version}"
        for path in (
            "/v2/health/live",
            "/v2/health/ready",
            "/v2/models/classifier/ready",
            versioned,
            f"{versioned}/ready",
        ):
            assert (await client.get(path)).status_code == 200
        missing = await client.get("/v2/models/other")
        assert missing.status_code == 404
        assert missing.json()["error"].startswith("/v2/models/other: this service has the model classifier")


async def test_the_open_inference_protocol_answers_as_predict_does(artifacts, client_of):
    expected = runtime(artifacts["classifier"], {"features": BATCH})[0]
    flat = v2(BATCH.ravel().tolist(), BATCH.shape, id="7", outputs=[{"name": "probabilities"}])
    async with client_of("classifier") as client:
        for request in (flat, v2(BATCH.tolist(), BATCH.shape, id="7")):
            answer = (await client.post("/v2/models/classifier/infer", json=request)).json()
            (output,) = answer["outputs"]
            assert (answer["id"], answer["model_name"]) == ("7", "classifier")
            assert (output["name"], output["datatype"], output["shape"]) == ("probabilities", "FP32", [5, 3])
            assert np.array_equal(np.float32(output["data"]).reshape(5, 3), expected)
        entry = {
            "name": "features",
            "datatype": "FP32",
            "shape": [5, 4],
            "parameters": {"binary_data_size": BATCH.nbytes},
        }
        head = json.dumps({"inputs": [entry], "parameters": {"binary_data_output": True}}).encode()
        length = {"inference-header-content-length": str(len(head)), "content-type": RAW}
        response = await client.post("/v2/models/classifier/infer", content=head + BATCH.tobytes(), headers=length)
        split = int(response.headers["inference-header-content-length"])
        assert json.loads(response.content[:split])["outputs"][0]["parameters"] == {"binary_data_size": 60}
        assert response.content[split:] == expected.tobytes()


GOOD = ONE.tolist()
BAD_V2 = {
    "no inputs": {},
    "inputs null": {"inputs": None},
    "input a number": {"inputs": [1]},
    "no data": {"inputs": [{"name": "features", "datatype": "FP32", "shape": [1, 4]}]},
    "unknown input": v2(GOOD, name="x"),
    "given twice": {"inputs": v2(GOOD)["inputs"] * 2},
    "no batch axis": v2(GOOD, (4,)),
    "other shape": v2(GOOD, (2, 2)),
    "shape of strings": v2(GOOD, ("1", "4")),
    "shape negative": v2(GOOD, (-1, 4)),
    "shape huge": v2(GOOD, (2**39, 4)),
    "shape huge beside nothing": v2([], (0, 2**39, 2**39)),
    "shape a text": v2(GOOD, ""),
    "bytes of a shape huge beside nothing": {
        "inputs": [{**v2([], (0, 2**39, 2**39))["inputs"][0], "parameters": {"binary_data_size": 0}}]
    },
    "shape with true": v2(GOOD, (True, 4)),
    "other datatype": v2([1, 2, 3, 4], datatype="INT64"),
    "unknown datatype": v2(GOOD, datatype="FP8"),
    "strings": v2(["1", "2", "3", "4"]),
    "null": v2([1, 2, 3, None]),
    "true": v2([1, 2, 3, True]),
    "ragged": v2([[1, 2, 3], [4]]),
    "nested otherwise": v2([[1, 2], [3, 4]]),
    "beyond float32": v2([1, 2, 3, 1e39]),
    "huge integer": v2([1, 2, 3, 10**400]),
    "unknown output": v2(GOOD, outputs=[{"name": "x"}]),
    "outputs an object": v2(GOOD, outputs={"name": "x"}),
    "id a number": v2(GOOD, id=7),
    "parameters a list": v2(GOOD, parameters=[1]),
    "bytes that are not there": {
        "inputs": [{"name": "features", "datatype": "FP32", "shape": [1, 4], "parameters": {"binary_data_size": 16}}]
    },
}


@pytest.mark.parametrize("request_", BAD_V2.values(), ids=BAD_V2)
async def test_the_open_inference_protocol_refuses_in_its_own_form(request_, client_of):
    async with client_of("classifier") as client:
        body = json.dumps(request_).encode()
        response = await client.post("/v2/models/classifier/infer", content=body)
    assert response.status_code == 400
    assert isinstance(response.json()["error"], str)
    assert response.json()["code"]


async def test_bytes_behind_the_json_are_held_to_their_lengths(client_of):
    good = {"name": "features", "datatype": "FP32", "shape": [1, 4], "parameters": {"binary_data_size": 16}}
    head = json.dumps({"inputs": [good]}).encode()
    async with client_of("classifier") as client:
        for length, content in (("x", b""), ("999", b""), (len(head), b"1" * 15), (len(head), b"1" * 17), (0, b"")):
            headers = {"inference-header-content-length": str(length), "content-type": RAW}
            response = await client.post("/v2/models/classifier/infer", content=head + content, headers=headers)
            assert response.status_code == 400
    entry = {"name": "text", "datatype": "BYTES", "shape": [1, 1]}
    async with client_of("echo") as client:
        for content, status in (
            (b"\2\0\0\0ab", 200),
            (b"\3\0\0\0ab", 400),
            (b"\1\0\0\0\xff", 400),
            (b"\1\0", 400),
            (b"", 400),
        ):
            described = entry | {"parameters": {"binary_data_size": len(content)}}
            head = json.dumps({"inputs": [described]}).encode()
            headers = {"inference-header-content-length": str(len(head)), "content-type": RAW}
            response = await client.post("/v2/models/echo/infer", content=head + content, headers=headers)
            assert response.status_code == status


@pytest.mark.parametrize("name", EXAMPLES)
async def test_the_examples_of_the_openapi_document_run(name, client_of):
    async with client_of(name) as client:
        document = (await client.get("/openapi.json")).json()
        assert document["openapi"] == "3.1.0"
        for path, operations in document["paths"].items():
            if "get" in operations:
                assert (await client.get(path)).status_code == 200
                continue
            if path == "/feedback":  # takes a token that only an answer brings
                continue
            example = operations["post"]["requestBody"]["content"]["application/json"]["example"]
            response = await client.post(path, json=example)
            assert response.status_code == 200
            recorded = operations["post"]["responses"]["200"]["content"]["application/json"].get("example")
            assert recorded is None or response.json()["outputs"].keys() == recorded["outputs"].keys()


def test_the_openapi_document_tells_every_route_but_the_page(classifier):
    for name in ("card.md", "report.json", "variants.png"):
        (classifier / name).write_text("{}")
    seal(classifier)
    app = App(load_model(classifier), Settings(access="open"))
    paths = json.loads(app._document())["paths"]
    assert paths.keys() == app._routes.keys() - PAGE
    assert paths["/model/variants.png"]["get"]["responses"]["200"]["content"].keys() == {"image/png"}


TRITON = """
import itertools, sys, numpy as np, tritonclient.http as triton
client = triton.InferenceServerClient(sys.argv[1])
assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("classifier")
version = client.get_model_metadata("classifier")["versions"][0]
data = np.float32([[0.5, 1, -0.25, 2], [1, 2, 3, 4]])
found = []
packings = (None, "gzip", "deflate")
for binary, sent, taken in itertools.product((True, False), packings, packings):
    given = triton.InferInput("features", data.shape, "FP32")
    given.set_data_from_numpy(data, binary_data=binary)
    for outputs in (None, [triton.InferRequestedOutput("probabilities", binary_data=not binary)]):
        for named in ("", version):
            packing = {"request_compression_algorithm": sent, "response_compression_algorithm": taken}
            answer = client.infer("classifier", [given], named, outputs, "id", **packing)
            found.append(answer.as_numpy("probabilities"))
assert len(found) == 72 and all(np.array_equal(each, found[0]) for each in found)
try:
    client.infer("other", [given])
except triton.InferenceServerException as error:
    assert error.status() == "404" and "classifier" in error.message()
print(found[0].tolist())
"""


def test_tritons_client_works_unmodified(start, artifacts, peers):
    worker = start(artifacts["classifier"])
    address = worker.url.removeprefix("http://")
    result = subprocess.run([peers, "-c", TRITON, address], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert result.returncode == 0, result.stderr
    expected = runtime(artifacts["classifier"], {"features": [[0.5, 1, -0.25, 2], [1, 2, 3, 4]]})[0]
    assert np.array_equal(np.float32(json.loads(result.stdout)), expected)
