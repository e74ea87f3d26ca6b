"""Raw ONNX Runtime: `python bench/raw.py MODEL.onnx SECONDS` runs one sample on one thread again and again.

Prints {"cpu": processor seconds for each inference, "rate": inferences a second}.
"""

import json
import sys
import time

import numpy as np
import onnxruntime


def main(model: str, seconds: float) -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    node = session.get_inputs()[0]
    sample = {node.name: np.random.default_rng(7).random((1, *node.shape[1:]), np.float32)}
    for _ in range(20):
        session.run(None, sample)
    count, cpu, begin = 0, time.process_time(), time.perf_counter()
    while time.perf_counter() < begin + seconds:
        session.run(None, sample)
        count += 1
    took = time.perf_counter() - begin
    print(json.dumps({"cpu": (time.process_time() - cpu) / count, "rate": count / took}))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
