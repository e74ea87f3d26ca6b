"""Each model's variants beside plain quantize_dynamic, default quantize_static and OpenVINO INT8, in one run.

    python bench/variants.py models/digits tests/models/patches ...

prints a Markdown table. Every speed is a ratio to ONNX Runtime FP32 on one thread, in interleaved rounds of one
process (two for OpenVINO, which has an environment of its own and times FP32 anew beside itself).
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PEERS = Path(__file__).with_suffix(".txt")
HEADINGS = ("model", "source", "metric", "FP32", "chosen", "its figure", "speed", "size", "quantize_dynamic")
HEADINGS += ("quantize_static", "OpenVINO FP32", "OpenVINO INT8")


def main(folders: list[str]) -> None:
    from cli.env import environment
    from cli.home import home
    from cli.models import lock_of

    print("| " + " | ".join(HEADINGS) + " |\n|" + " --- |" * len(HEADINGS))
    for folder in (Path(each).absolute() for each in folders):
        with tempfile.TemporaryDirectory() as work:
            ours = _process(environment([lock_of(folder)], home() / "envs"), "ours", folder, work)
            peers = _process(environment([PEERS], home() / "envs"), "openvino", folder, work)
        print(_row(folder.name, ours, peers), flush=True)


def ours(folder: Path, work: Path) -> dict[str, Any]:
    """Trains, makes all variants and the two plain peers, and judges all on the same data."""
    import numpy as np
    from onnxruntime.quantization import quantize_dynamic, quantize_static

    from service.pipeline import build, judge, measure, runtime
    from service.pipeline.quantize import _Reader
    from service.pipeline.settings import read_settings
    from service.pipeline.sources import source_of
    from service.pipeline.usermodel import UserModel
    from service.pipeline.variants import make_variants

    settings = read_settings(folder)
    user = UserModel(folder, settings)
    metric = user.metric()
    task = build.Task(folder, settings, metric, user.training_data(), user.evaluation_data(), user.labels())
    (work / "logs").mkdir()
    source = source_of(user.train(work / "logs"), folder, task.training.inputs)
    inputs, _ = runtime.specs(runtime.session(source.proto.SerializeToString()))
    task = build._fitted(task, source, inputs)
    made = make_variants(source.proto, task.training.inputs, work, "cpu", lambda fp32: build._trial(task, fp32))
    paths = {each.name: each.path for each in made if each.path}
    plain = work / "source.onnx"
    plain.write_bytes(source.proto.SerializeToString())
    notes = {}
    for name, make in {
        "quantize_dynamic": lambda target: quantize_dynamic(plain, target),
        "quantize_static": lambda target: quantize_static(plain, target, _Reader(task.training.inputs)),
    }.items():
        try:
            make(work / f"{name}.onnx")
            runtime.predict(
                runtime.session(work / f"{name}.onnx"), {k: v[:2] for k, v in task.evaluation.inputs.items()}
            )
            paths[name] = work / f"{name}.onnx"
        except Exception as error:
            notes[name] = f"fails: {type(error).__name__}"
    answers = {name: runtime.predict(runtime.session(path), task.evaluation.inputs)[0] for name, path in paths.items()}
    timings = measure.measure(paths, task.evaluation.inputs)
    candidates = [
        judge.Candidate(
            name=name,
            scores=metric.scores(answers[name], task.evaluation.labels),
            rounds=timings[name].rounds,
            size=path.stat().st_size,
        )
        for name, path in paths.items()
    ]
    verdicts = {each.name: judge.verdict(each, candidates[0], metric, settings.budget) for each in candidates}
    own = [each.name for each in made if each.path]
    choice = judge.choose([verdicts[n] for n in own], [each for each in candidates if each.name in own])
    for name, data in (("training", task.training), ("evaluation", task.evaluation)):
        arrays = {key: array for key, array in data.inputs.items() if array.dtype != object}
        np.savez(work / f"{name}.npz", **arrays, **{"labels:": data.labels})
    return {
        "framework": source.framework,
        "metric": metric.name,
        "choice": choice.variant,
        "reason": choice.reason,
        "notes": notes,
        "verdicts": {n: {"figure": v.figure, "speed": 1 / v.ratio[1], "size": v.size} for n, v in verdicts.items()},
    }


def openvino(folder: Path, work: Path) -> dict[str, Any]:
    """OpenVINO on one thread in FP32 and INT8 (NNCF's defaults) beside ONNX Runtime FP32."""
    import time

    import numpy as np
    import onnxruntime
    import openvino as ov

    with np.load(work / "training.npz") as arrays:
        training = {name: arrays[name] for name in arrays.files if name != "labels:"}
    with np.load(work / "evaluation.npz") as arrays:
        evaluation = {name: arrays[name] for name in arrays.files if name != "labels:"}
        labels = arrays["labels:"]
    try:
        core = ov.Core()
        core.set_property("CPU", {"INFERENCE_NUM_THREADS": 1})
        model = core.read_model(work / "fp32.onnx")
        import nncf

        samples = [{n: a[at : at + 1] for n, a in training.items()} for at in range(min(300, len(labels)))]
        samples = [each for each in samples if all(len(array) for array in each.values())]
        quantized = nncf.quantize(model, nncf.Dataset(samples), subset_size=len(samples))
        ov.save_model(quantized, work / "openvino.xml")
        runs = {}
        for name, each in (("fp32", core.read_model(work / "fp32.onnx")), ("int8", quantized)):
            request = core.compile_model(each, "CPU").create_infer_request()
            runs[name] = lambda sample, request=request: request.infer(sample)[0]
    except Exception as error:
        return {"note": f"fails: {type(error).__name__}"}
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(work / "fp32.onnx", options)
    runs["ort"] = lambda sample: session.run(None, sample)[0]
    singles = [{n: a[at : at + 1] for n, a in evaluation.items()} for at in range(min(64, len(labels)))]
    rounds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(31):
        for name, run in runs.items():
            started, count = time.perf_counter(), 0
            while count < 5 or time.perf_counter() - started < 0.01:
                run(singles[count % len(singles)])
                count += 1
            rounds[name].append((time.perf_counter() - started) / count)
    speed = {n: float(np.median(np.array(rounds["ort"]) / np.array(rounds[n]))) for n in ("fp32", "int8")}
    answers = np.concatenate(
        [runs["int8"]({n: a[at : at + 1] for n, a in evaluation.items()}) for at in range(len(labels))]
    )
    size = sum((work / f"openvino.{each}").stat().st_size for each in ("xml", "bin"))
    return {
        "speed": speed,
        "size": size,
        "accuracy": float((answers.argmax(1) == labels).mean()) if labels.ndim == 1 else None,
    }


def _process(python: Path, part: str, folder: Path, work: str) -> dict[str, Any]:
    import os

    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [str(python), __file__, f"--{part}", str(folder), work]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    result: dict[str, Any] = json.loads((Path(work) / f"{part}.json").read_bytes())
    return result


def _row(name: str, ours: dict[str, Any], peers: dict[str, Any]) -> str:
    verdicts = ours["verdicts"]
    fp32, chosen = verdicts["fp32"], verdicts[ours["choice"]]

    def peer(key: str) -> str:
        if key not in verdicts:
            return ours["notes"][key]
        return f"{verdicts[key]['speed']:.2f}x, {verdicts[key]['figure']:.4f}"

    if note := peers.get("note"):
        vino = [note, note]
    else:
        accuracy = (
            f", {peers['accuracy']:.4f}" if peers["accuracy"] is not None and ours["metric"] == "accuracy" else ""
        )
        vino = [f"{peers['speed']['fp32']:.2f}x", f"{peers['speed']['int8']:.2f}x{accuracy}"]
    cells = [
        name,
        ours["framework"],
        ours["metric"],
        f"{fp32['figure']:.4f}",
        ours["choice"],
        f"{chosen['figure']:.4f}",
    ]
    cells += [f"{chosen['speed']:.2f}x", f"{fp32['size'] / chosen['size']:.2f}x smaller"]
    return "| " + " | ".join([*cells, peer("quantize_dynamic"), peer("quantize_static"), *vino]) + " |"


if __name__ == "__main__":
    if sys.argv[1] in ("--ours", "--openvino"):
        folder, work = Path(sys.argv[2]), Path(sys.argv[3])
        part = {"--ours": ours, "--openvino": openvino}[sys.argv[1]]
        (work / f"{sys.argv[1][2:]}.json").write_text(json.dumps(part(folder, work)))
    else:
        sys.path.insert(0, str(ROOT))
        main(sys.argv[1:])
