"""Right: the service answers as many detections as the model file."""

import sys

import numpy as np
import onnxruntime
from client import evaluation, predict

folder, port = sys.argv[1:]
samples, _ = evaluation(folder)
session = onnxruntime.InferenceSession(folder + "/model.onnx")
name = session.get_outputs()[1].name
cut = 0
for i in range(20):
    (wanted,) = session.run([name], {"x": samples[i : i + 1]})
    got = np.array(predict(port, {"x": samples[i].tolist()})[name])
    if got.size != wanted.size:
        cut += 1
        if cut == 1:
            print(name, "of one sample, model:", wanted.tolist(), "service:", got.tolist())
print(cut, "of 20 answers are cut")
sys.exit(cut > 0)
