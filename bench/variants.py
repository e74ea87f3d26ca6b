"""Each model's variants beside plain quantize_dynamic, default quantize_static and OpenVINO, in one run.

    make variants     or     python -m bench.variants models/digits tests/models/patches ...

prints two Markdown tables; without arguments it takes all of MODELS and writes the tables into docs/models.md. Every
speed is a ratio to ONNX Runtime FP32 on one thread, in interleaved rounds of one process. OpenVINO and ONNX Runtime's
OpenVINO provider have environments and processes of their own, and time FP32 anew beside themselves.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PARTS = {"openvino": ROOT / "bench" / "variants.txt", "provider": ROOT / "bench" / "openvino.txt"}
PAGE = ROOT / "docs" / "models.md"
MODELS = {
    "tests/models/patches": "4 convolutions, 64 to 128 channels",
    "models/digits": "1 convolution on one channel, 2 dense",
    "tests/models/transfer": "EfficientNet-Lite0, pre-trained, own head",
    "tests/models/sentences": "encoder all-MiniLM-L6-v2, pre-trained",
    "models/linear": "y = 2x - 1",
    "models/tumours": "gaps, slips, copies; small network",
    "models/language": "sentences, TF-IDF, linear",
    "models/progression": "model.onnx with two tables",
}
CHOSEN = ("model", "source", "metric", "FP32", "chosen", "its figure", "speed", "size")
BESIDE = ("model", "ours", "`quantize_dynamic`", "`quantize_static`, defaults", "OpenVINO FP32")
BESIDE += ("OpenVINO INT8 (NNCF)", "OpenVINO provider FP32", "on our choice")
ROUNDS, ROUND_SECONDS = 31, 0.01


def main(folders: list[str]) -> None:
    from slipway.infra.home import home

    from slipway.ops.models.refs import lock_of
    from slipway.ops.models.virtualenvs import environment

    chosen, beside, hardware = [CHOSEN, ("---",) * len(CHOSEN)], [BESIDE, ("---",) * len(BESIDE)], {}
    for folder in (Path(each).absolute() for each in folders or MODELS):
        with tempfile.TemporaryDirectory() as work:
            ours = _process(environment([lock_of(folder)], home() / "envs"), "ours", folder, work)
            peers = {
                part: _process(environment([lock], home() / "envs"), part, folder, work) for part, lock in PARTS.items()
            }
            chosen.append(_chosen_row(folder, ours))
            beside.append(_beside_row(folder, ours, peers, Path(work)))
            hardware = ours["hardware"]
        print(_table([chosen[-1]]), _table([beside[-1]]), sep="\n", flush=True)
    tables = {"chosen": _table(chosen), "beside": _table(beside), "machine": _machine(hardware)}
    print("\n\n".join(tables.values()))
    if not folders:
        page = PAGE.read_text(encoding="utf-8")
        for name, text in tables.items():
            between = re.compile(rf"(<!-- {name}: make variants -->\n).*?(<!-- end -->)", re.DOTALL)
            page = between.sub(lambda found, text=text: f"{found[1]}\n{text}\n\n{found[2]}", page)
        PAGE.write_text(page, encoding="utf-8")


def ours(folder: Path, work: Path) -> dict[str, Any]:
    """Trains, makes all variants and the two plain peers, and judges all on the same data."""
    import shutil

    import numpy as np
    from onnxruntime.quantization import quantize_dynamic, quantize_static

    from slipway.pipeline import judge, measure, onnx_file, runtime
    from slipway.pipeline.form import in_form
    from slipway.pipeline.model_folder import UserModel
    from slipway.pipeline.progress import Progress
    from slipway.pipeline.quantize import _Reader, calibration
    from slipway.pipeline.report import hardware
    from slipway.pipeline.settings import read_settings
    from slipway.pipeline.sources import source_of
    from slipway.pipeline.task import task_of
    from slipway.pipeline.trial import trial
    from slipway.pipeline.variants import make_variants

    settings = read_settings(folder)
    user = UserModel(folder, settings)
    task = task_of(folder, settings, user, Progress(folder.name, sys.stderr))
    metric = task.metric
    (work / "logs").mkdir()
    source = source_of(user.train(work / "logs"), folder, task.training.inputs, work, settings.task, settings.output)
    form = in_form(task, source)
    task, source = form.task, form.source
    made = make_variants(source.path, form.like, task.training.inputs, "cpu", lambda fp32: trial(task, fp32))
    paths = {each.name: each.path for each in made if each.path}
    plain = source.path
    notes = {}
    for name, make in {
        "quantize_dynamic": lambda target: quantize_dynamic(plain, target),
        "quantize_static": lambda target: quantize_static(plain, target, _Reader(calibration(task.training.inputs))),
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
            size=onnx_file.size(path),
        )
        for name, path in paths.items()
    ]
    verdicts = {each.name: judge.verdict(each, candidates[0], metric, settings.budget) for each in candidates}
    own = [each.name for each in made if each.path]
    choice = judge.choose([verdicts[n] for n in own], [each for each in candidates if each.name in own])
    shutil.copyfile(paths[choice.variant], work / "chosen.onnx")
    for name, data in (("training", task.training), ("evaluation", task.evaluation)):
        arrays = {key: array for key, array in data.inputs.items() if array.dtype != object}
        np.savez(work / f"{name}.npz", **arrays, **{"labels:": data.labels})
    return {
        "framework": source.framework,
        "metric": metric.name,
        "hardware": hardware(),
        "choice": choice.variant,
        "reason": choice.reason,
        "notes": notes,
        "verdicts": {n: {"figure": v.figure, "speed": 1 / v.ratio[1], "size": v.size} for n, v in verdicts.items()},
    }


def openvino(folder: Path, work: Path) -> dict[str, Any]:
    """OpenVINO on one thread in FP32 and INT8 (NNCF's defaults) beside ONNX Runtime FP32; INT8's answers in a file."""
    import numpy as np
    import openvino as ov

    training, _ = _samples(work / "training.npz")
    evaluation, labels = _samples(work / "evaluation.npz")
    try:
        core = ov.Core()
        core.set_property("CPU", {"INFERENCE_NUM_THREADS": 1})
        model = core.read_model(work / "fp32.onnx")
        import nncf

        samples = [_single(training, at) for at in range(min(300, len(next(iter(training.values())))))]
        quantized = nncf.quantize(model, nncf.Dataset(samples), subset_size=len(samples))
        runs = {"ort": _runtime(work / "fp32.onnx", ["CPUExecutionProvider"])}
        for name, each in (("fp32", core.read_model(work / "fp32.onnx")), ("int8", quantized)):
            request = core.compile_model(each, "CPU").create_infer_request()
            runs[name] = lambda sample, request=request: request.infer(sample)[0]
        speed = _speeds(runs, evaluation)
    except Exception as error:
        return {"note": _reason(error)}
    np.save(work / "answers.npy", np.concatenate([runs["int8"](_single(evaluation, at)) for at in range(len(labels))]))
    return {"speed": speed}


def provider(folder: Path, work: Path) -> dict[str, Any]:
    """ONNX Runtime's OpenVINO provider on FP32 and on our choice, beside the same runtime's CPU provider on FP32."""
    inputs, _ = _samples(work / "evaluation.npz")
    vino = [("OpenVINOExecutionProvider", {"device_type": "CPU", "num_of_threads": "1"})]
    try:
        runs = {"ort": _runtime(work / "fp32.onnx", ["CPUExecutionProvider"])}
        runs |= {name: _runtime(work / f"{name}.onnx", vino) for name in ("fp32", "chosen")}
        return {"speed": _speeds(runs, inputs)}
    except Exception as error:
        return {"note": _reason(error)}


def _samples(file: Path) -> tuple[dict[str, Any], Any]:
    import numpy as np

    with np.load(file) as arrays:
        return {name: arrays[name] for name in arrays.files if name != "labels:"}, arrays["labels:"]


def _single(inputs: dict[str, Any], at: int) -> dict[str, Any]:
    return {name: array[at : at + 1] for name, array in inputs.items()}


def _runtime(path: Path, providers: list[Any]) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(path, options, providers=providers)
    asked = providers[0] if isinstance(providers[0], str) else providers[0][0]
    if session.get_providers()[0] != asked:
        raise RuntimeError(f"runs on {session.get_providers()[0]}")
    return lambda sample: session.run(None, sample)[0]


def _speeds(runs: dict[str, Any], inputs: dict[str, Any]) -> dict[str, float]:
    """How many times as fast as `ort` each is, the median of interleaved rounds."""
    import numpy as np

    singles = [_single(inputs, at) for at in range(min(64, len(next(iter(inputs.values())))))]
    rounds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            started, count = time.perf_counter(), 0
            while count < 5 or time.perf_counter() - started < ROUND_SECONDS:
                run(singles[count % len(singles)])
                count += 1
            rounds[name].append((time.perf_counter() - started) / count)
    return {n: float(np.median(np.array(rounds["ort"]) / np.array(rounds[n]))) for n in runs if n != "ort"}


def _reason(error: Exception) -> str:
    if isinstance(error, StopIteration):
        return "not tried: texts"
    text = str(error)
    return (
        "does not load it" if "onnx" in text.lower() and "convert" in text.lower() else f"fails: {type(error).__name__}"
    )


def _process(python: Path, part: str, folder: Path, work: str) -> dict[str, Any]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [str(python), "-m", "bench.variants", f"--{part}", str(folder), work]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    result: dict[str, Any] = json.loads((Path(work) / f"{part}.json").read_bytes())
    return result


def _chosen_row(folder: Path, ours: dict[str, Any]) -> tuple[str, ...]:
    fp32, chosen = (ours["verdicts"][name] for name in ("fp32", ours["choice"]))
    words = MODELS.get(folder.relative_to(ROOT).as_posix()) if folder.is_relative_to(ROOT) else None
    smaller = fp32["size"] / chosen["size"]
    return (
        f"{folder.name}: {words}" if words else folder.name,
        ours["framework"],
        ours["metric"],
        f"{fp32['figure']:.4f}",
        ours["choice"],
        f"{chosen['figure']:.4f}",
        f"{chosen['speed']:.2f}x",
        "1.00x" if ours["choice"] == "fp32" else f"{smaller:.2f}x smaller",
    )


def _beside_row(folder: Path, ours: dict[str, Any], peers: dict[str, Any], work: Path) -> tuple[str, ...]:
    def own(key: str) -> str:
        found = ours["verdicts"].get(key)
        return f"{found['speed']:.2f}x, {found['figure']:.4f}" if found else ours["notes"][key]

    def peer(part: str, key: str, figure: str = "") -> str:
        found = peers[part]
        return found.get("note") or f"{found['speed'][key]:.2f}x{figure}"

    figure = ""
    if (work / "answers.npy").exists():
        figure = f", {_figure(ours['metric'], work):.4f}"
    on_choice = "-" if ours["choice"] == "fp32" else peer("provider", "chosen")
    return (
        folder.name,
        own(ours["choice"]),
        own("quantize_dynamic"),
        own("quantize_static"),
        peer("openvino", "fp32"),
        peer("openvino", "int8", figure),
        peer("provider", "fp32"),
        on_choice,
    )


def _figure(name: str, work: Path) -> float:
    import numpy as np

    from slipway.pipeline.metrics import named

    metric, (_, labels) = named(name), _samples(work / "evaluation.npz")
    return metric.total(metric.scores(np.load(work / "answers.npy"), labels))


def _table(rows: list[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _machine(hardware: dict[str, Any]) -> str:
    locks = "".join(lock.read_text() for lock in [*PARTS.values(), ROOT / "slipway/pipeline/requirements.txt"])
    versions = [
        f"{name} {re.search(rf'^{name}==([^ ]+)', locks, re.MULTILINE)[1]}"  # type: ignore[index]
        for name in ("onnxruntime", "openvino", "nncf", "onnxruntime-openvino")
    ]
    day = datetime.now(UTC).date().isoformat()
    cpu = f"{hardware['cpu']} ({', '.join(hardware['instructions'])})"
    return f"Measured {day} on one thread of {cpu}, {hardware['cores']} cores; {', '.join(versions)}."


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    if sys.argv[1:2] and sys.argv[1].startswith("--"):
        folder, work, part = Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[1][2:]
        found = {"ours": ours, "openvino": openvino, "provider": provider}[part](folder, work)
        (work / f"{part}.json").write_text(json.dumps(found))
    else:
        main(sys.argv[1:])
