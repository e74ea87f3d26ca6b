"""What the service takes and answers, as an OpenAPI document made from the artifact's signature."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from slipway.service.access.access import HEALTH
from slipway.service.api.openinference import DATATYPES
from slipway.service.artifact import Artifact, Signature, TensorSpec
from slipway.service.explain.queue import explains
from slipway.service.explain.shapley import METHODS
from slipway.service.settings import Settings

Schema = dict[str, Any]

_ERROR: Schema = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "field", "message"],
            "properties": {
                "code": {"type": "string"},
                "field": {"type": ["string", "null"], "description": "the input or request field at fault"},
                "index": {"type": "integer", "description": "the sample at fault, in a batch"},
                "message": {"type": "string"},
                "requestId": {"type": "string", "description": "names the request in the service's log"},
            },
        }
    },
}
_FLAT_ERROR: Schema = {
    "type": "object",
    "required": ["error", "code"],
    "properties": {
        "error": {"type": "string"},
        "code": {"type": "string"},
        "field": {"type": ["string", "null"]},
        "index": {"type": "integer"},
        "requestId": {"type": "string"},
    },
}
_REFUSALS = {
    "400": "The request does not fit the model; `code`, `field` and `index` say where",
    "401": "Without good credentials; the answer's code says what is wrong with them",
    "403": "This address may not ask",
    "404": "No such path or model",
    "405": "Not with this method; the header Allow has those that are taken",
    "406": "The answer has no such form",
    "408": "The body did not arrive in time",
    "409": "The token was scored already, or is another version's",
    "413": "The body is too large",
    "415": "The body's type, charset or encoding is not taken",
    "422": "The model can't take these values, or gives no finite answer to them",
    "429": "Too many requests are waiting",
    "503": "The process is about to end and another one takes over, or feedback can't be kept now",
    "504": "The model did not answer in time",
}
_TENSOR = {"schema": {"type": "string", "format": "binary"}}


def describe(artifact: Artifact, settings: Settings, version: str, told: Mapping[str, str]) -> Schema:
    """The document for one artifact, with its recorded example. `told`: paths of its files and their content types."""
    signature = artifact.signature
    model = f"/v2/models/{signature.name}"
    paths: dict[str, Schema] = {
        "/predict": {"post": _predict(artifact, settings)},
        **({"/explain": {"post": _explain(artifact, settings)}} if explains(artifact, settings) else {}),
        "/feedback": {"post": _feedback(signature)},
        "/status": {"get": _read("What the service knows of itself", {"type": "object", "required": ["artifact"]})},
        "/livez": {"get": _probe("The process runs", ("200",))},
        "/readyz": {"get": _probe("Requests are taken", ("200", "503"))},
        "/": {"get": _read("Name, digest and task of the model", {"type": "object", "required": ["name", "digest"]})},
        "/v2": {"get": _read("The server and its extensions", {"type": "object", "required": ["name", "extensions"]})},
        "/v2/health/live": {"get": _read("The process runs", {"type": "object"})},
        "/v2/health/ready": {"get": _read("Requests are taken", {"type": "object"}, "503")},
        "/openapi.json": {"get": _read("This document", {"type": "object", "required": ["openapi"]})},
        **{path: {"get": _file(path, kind)} for path, kind in told.items()},
    }
    for base in (model, f"{model}/versions/{version}"):
        paths[base] = {"get": _read("Inputs and outputs", {"type": "object", "required": ["name", "inputs"]})}
        paths[f"{base}/ready"] = {"get": _read("The model takes requests", {"type": "object"}, "503")}
        paths[f"{base}/infer"] = {"post": _infer(artifact, settings)}
    return {
        "openapi": "3.1.0",
        "info": {"title": signature.name, "version": version, "description": f"A {signature.task} model."},
        "paths": {path: {method: _closed(path, each) for method, each in item.items()} for path, item in paths.items()},
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "an API key or a JSON Web Token"}
            }
        },
    }


def _closed(path: str, operation: Schema) -> Schema:
    """An operation with what holds for all but health: it takes credentials, and refuses without."""
    if path in HEALTH:
        return operation
    error = _FLAT_ERROR if path.startswith("/v2") else _ERROR
    refused = _refusals(error, "401", "403", "429")
    return {**operation, "security": [{"bearer": []}], "responses": {**refused, **operation["responses"]}}


def _predict(artifact: Artifact, settings: Settings) -> Schema:
    signature = artifact.signature
    inputs, outputs = signature.inputs, signature.outputs
    content: Schema = {
        "application/json": {
            "schema": {
                "anyOf": [_payload(inputs, settings, batch) for batch in (False, True)],
            },
            "example": artifact.read("example"),
        }
    }
    if len(inputs) == 1 and inputs[0].dtype != "string":
        content |= {"application/octet-stream": _TENSOR, "application/x-npy": _TENSOR}
    answer: Schema = {
        "application/json": {
            "schema": {"anyOf": [_answer(signature, batch) for batch in (False, True)]},
            "example": artifact.read("example.response"),
        }
    }
    if len(outputs) == 1 and outputs[0].dtype != "string":
        answer |= {"application/octet-stream": _TENSOR, "application/x-npy": _TENSOR}
    text = (
        "One sample of each input, or a batch of them; the answer has the same form. Raw bytes are little-endian, "
        "with their sizes in the header x-tensor-shape, such as 2,28,28, where one sample or a batch of them is not "
        "told by the length."
    )
    return {
        "summary": "Predict",
        "description": text,
        "requestBody": {"required": True, "content": content},
        "responses": {
            "200": {"description": "The model's outputs", "content": answer},
            **_refusals(_ERROR, "400", "405", "406", "408", "413", "415", "422", "429", "504"),
        },
    }


def _explain(artifact: Artifact, settings: Settings) -> Schema:
    payload = _payload(artifact.signature.inputs, settings, batch=False)
    more = {"target": {"type": ["string", "integer", "null"]}, "method": {"enum": list(METHODS)}}
    schema = payload | {"properties": payload["properties"] | more}
    fields: Schema = {"value": {"type": "number"}, "baseline": {"type": "number"}, "attributions": {"type": "object"}}
    fields |= {"standardError": {"type": ["number", "null"], "minimum": 0}}
    answer = {"type": "object", "required": list(fields), "properties": fields}
    return {
        "summary": "Explain the answer to one sample",
        "description": "For each value of the sample how much of the answer comes from it: of the probability of "
        "`target`, which is the predicted class if left out. Shapley values add up to `value` less `baseline`. "
        "`standardError` is their noise; null if unknown, as there was no time for more than one pair of walks, or as "
        "the method is occlusion.",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema, "example": artifact.read("example")}},
        },
        "responses": {
            "200": {"description": "The attributions", "content": {"application/json": {"schema": answer}}},
            **_refusals(_ERROR, "400", "404", "405", "408", "413", "415", "422", "429", "504"),
        },
    }


def _feedback(signature: Signature) -> Schema:
    truth: Schema = {"type": ["string", "integer"]} if signature.task == "classification" else {"type": "number"}
    several = {"type": "array", "items": {"anyOf": [truth, {"type": "null"}]}}
    schema = {
        "type": "object",
        "required": ["token", "label"],
        "properties": {"token": {"type": "string", "maxLength": 1000}, "label": {"anyOf": [truth, several]}},
        "additionalProperties": False,
    }
    deletion = {
        "type": "object",
        "required": ["token", "delete"],
        "properties": {"token": {"type": "string", "maxLength": 1000}, "delete": {"const": True}},
        "additionalProperties": False,
    }
    counted: Schema = {"type": "object", "properties": {"counted": {"type": "integer"}, "deleted": {"type": "integer"}}}
    return {
        "summary": "Tell what was true",
        "description": "`token` came with a prediction, in the header x-prediction-token; `label` is the true class or "
        "value, an array of them for a batch, null where it is not known. A token counts once. `delete` takes back "
        "what was said of it.",
        "requestBody": {"required": True, "content": {"application/json": {"schema": {"oneOf": [schema, deletion]}}}},
        "responses": {
            "200": {"description": "What was counted", "content": {"application/json": {"schema": counted}}},
            **_refusals(_ERROR, "400", "405", "408", "409", "413", "415", "422", "503"),
        },
    }


def _payload(inputs: tuple[TensorSpec, ...], settings: Settings, batch: bool) -> Schema:
    fields = {spec.name: _nested(spec, settings, batch) for spec in inputs}
    given = {"type": "object", "required": list(fields), "properties": fields, "additionalProperties": False}
    return {"type": "object", "required": ["inputs"], "properties": {"inputs": given}, "additionalProperties": False}


def _nested(spec: TensorSpec, settings: Settings, batch: bool) -> Schema:
    schema = _value(spec, settings)
    for size in reversed(spec.shape[1:]):
        schema = {"type": "array", "items": schema, **_sizes(size, None)}
    return {"type": "array", "items": schema, **_sizes(spec.shape[0], settings.max_batch)} if batch else schema


def _value(spec: TensorSpec, settings: Settings) -> Schema:
    if spec.dtype == "string":
        return {"type": "string", "maxLength": settings.max_text}
    if spec.dtype == "bool":
        return {"type": "boolean"}
    dtype = np.dtype(spec.dtype)
    if dtype.kind == "f":
        largest = np.finfo(dtype).max
        # Up to half a step above the largest number rounds down to it.
        bound = (
            float(largest)
            if dtype.itemsize == 8
            else float(largest) + float(np.spacing(np.nextafter(largest, dtype.type(0)))) / 2
        )
        schema: Schema = {"type": "number", "exclusiveMinimum": -bound, "exclusiveMaximum": bound}
    else:
        schema = {"type": "integer", "minimum": int(np.iinfo(dtype).min), "maximum": int(np.iinfo(dtype).max)}
    if settings.limit_range:
        schema |= {} if spec.minimum is None else {"minimum": spec.minimum}
        schema |= {} if spec.maximum is None else {"maximum": spec.maximum}
    return schema | ({"type": [schema["type"], "null"]} if spec.nullable and dtype.kind == "f" else {})


def _sizes(size: int | None, most: int | None) -> Schema:
    if size is not None:
        return {"minItems": size, "maxItems": size}
    return {"minItems": 1} if most is None else {"minItems": 1, "maxItems": most}


def _answer(signature: Signature, batch: bool) -> Schema:
    fields = {spec.name: _output(spec, batch) for spec in signature.outputs}
    properties: Schema = {"outputs": {"type": "object", "required": list(fields), "properties": fields}}
    if signature.task == "classification" and signature.labels:
        label: Schema = {"type": "string", "enum": list(signature.labels)}
        probability: Schema = {"type": "number"}
        properties["label"] = {"type": "array", "items": label} if batch else label
        properties["probability"] = {"type": "array", "items": probability} if batch else probability
    return {"type": "object", "required": list(properties), "properties": properties}


def _output(spec: TensorSpec, batch: bool) -> Schema:
    kinds = {"string": "string", "bool": "boolean"}
    schema: Schema = {"type": kinds.get(spec.dtype, "integer" if "int" in spec.dtype else "number")}
    for size in reversed(spec.shape[1:]):
        schema = {"type": "array", "items": schema} | ({} if size is None else {"minItems": size, "maxItems": size})
    return {"type": "array", "items": schema} if batch else schema


def _infer(artifact: Artifact, settings: Settings) -> Schema:
    inputs = artifact.signature.inputs
    tensors = [
        {
            "type": "object",
            "required": ["name", "datatype", "shape", "data"],
            "properties": {
                "name": {"const": spec.name},
                "datatype": {"const": DATATYPES[spec.dtype]},
                "shape": {
                    "type": "array",
                    "prefixItems": [_size(size) for size in spec.shape],
                    "minItems": len(spec.shape),
                    "maxItems": len(spec.shape),
                },
                "data": {"type": "array", "items": _value(spec, settings), "description": "flat, in row-major order"},
                "parameters": {"type": "object", "properties": {"binary_data_size": {"type": "integer"}}},
            },
        }
        for spec in inputs
    ]
    names = [spec.name for spec in artifact.signature.outputs]
    binary = {"type": "object", "properties": {"binary_data": {"type": "boolean"}}}
    wanted = {
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"type": "string", "enum": names}, "parameters": binary},
    }
    schema = {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string", "maxLength": 1000},
            "inputs": {"type": "array", "prefixItems": tensors, "minItems": len(tensors), "maxItems": len(tensors)},
            "outputs": {"type": "array", "items": wanted, "maxItems": len(names)},
            "parameters": {"type": "object", "properties": {"binary_data_output": {"type": "boolean"}}},
        },
    }
    example = artifact.read("example")["inputs"]
    listed = [
        {
            "name": spec.name,
            "datatype": DATATYPES[spec.dtype],
            "shape": list(np.shape([example[spec.name]])),
            "data": np.array([example[spec.name]]).ravel().tolist(),
        }
        for spec in inputs
    ]
    required = ["model_name", "model_version", "outputs"]
    answered = {"application/json": {"schema": {"type": "object", "required": required}}}
    return {
        "summary": "Infer, by the Open Inference Protocol",
        "description": "Every tensor has the batch first. Tensors may follow the JSON as bytes; the header "
        "Inference-Header-Content-Length then tells the JSON's length.",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema, "example": {"inputs": listed}}},
        },
        "responses": {
            "200": {"description": "The model's outputs", "content": answered | {"application/octet-stream": _TENSOR}},
            **_refusals(_FLAT_ERROR, "400", "405", "408", "413", "415", "422", "429", "504"),
        },
    }


def _size(size: int | None) -> Schema:
    return {"type": "integer", "minimum": 1} if size is None else {"const": size}


def _read(summary: str, schema: Schema, *refused: str) -> Schema:
    content = {"application/json": {"schema": schema}}
    responses = {code: {"description": _REFUSALS[code], "content": content} for code in refused}
    return {
        "summary": summary,
        "responses": {"200": {"description": summary, "content": content}, **responses, **_refusals({}, "405")},
    }


def _file(path: str, kind: str) -> Schema:
    schema = {} if kind == "application/json" else {"type": "string"}
    content = {kind: {"schema": schema | ({"format": "binary"} if kind.startswith("image/") else {})}}
    told = {"description": f"The model's {path.rpartition('/')[2]}", "content": content}
    return {"summary": "What is told about the model", "responses": {"200": told, **_refusals(_ERROR, "405")}}


def _probe(summary: str, codes: tuple[str, ...]) -> Schema:
    content = {"text/plain": {"schema": {"type": "string"}}}
    responses = {code: {"description": _REFUSALS.get(code, summary), "content": content} for code in codes}
    return {"summary": summary, "responses": responses | _refusals(_ERROR, "405")}


def _refusals(schema: Schema, *codes: str) -> Schema:
    responses: Schema = {
        code: {"description": _REFUSALS[code], "content": {"application/json": {"schema": schema}}} for code in codes
    }
    if "429" in responses:
        seconds = {"description": "seconds after which to come again", "schema": {"type": "integer"}}
        responses["429"]["headers"] = {"Retry-After": seconds}
    return responses
