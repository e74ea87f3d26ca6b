"""FastAPI with ONNX Runtime as its documentation has one write it: a pydantic body with types; raw bytes too."""

import os
from typing import Any

import numpy as np
import onnxruntime
from fastapi import FastAPI, Request
from pydantic import BaseModel

app = FastAPI()
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])
NAME, SHAPE = session.get_inputs()[0].name, session.get_inputs()[0].shape[1:]
Nested: Any = float
for _ in SHAPE:
    Nested = list[Nested]


class Sample(BaseModel):
    inputs: dict[str, Nested]


@app.post("/predict")
async def predict(sample: Sample) -> dict[str, list[float]]:
    array = np.array(sample.inputs[NAME], np.float32)[np.newaxis]
    return {"outputs": session.run(None, {NAME: array})[0][0].tolist()}


@app.post("/raw")
async def raw(request: Request) -> dict[str, list[float]]:
    array = np.frombuffer(await request.body(), np.float32).reshape(1, *SHAPE)
    return {"outputs": session.run(None, {NAME: array})[0][0].tolist()}
