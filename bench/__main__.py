"""`make bench`: the service beside what others would serve the same models with.

Takes about twelve minutes and writes docs/benchmarks.md and docs/benchmarks.png. `--seconds` and `--rounds` change how
long and how often each case is measured.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.cost import watching_cost
from bench.measure import Case, rounds, turn
from bench.report import Bench, write
from bench.servers import ROOT, Pythons, code_folder, environment, peer, pythons, supervised
from bench.start import start_ratio

PEERS = {
    "noop": ["starlette", "fastapi"],
    "cnn": ["bentoml", "fastapi", "litserve", "flask-keras"],
    "ms1": ["fastapi"],
    "ms5": ["fastapi"],
    "image": ["fastapi"],
}
CONNECTIONS = {"cnn": (1, 8, 32), "noop": (8,), "ms1": (8,), "ms5": (8,), "image": (8,)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", nargs="*", choices=PEERS, default=list(PEERS))
    options = parser.parse_args()
    used = pythons()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(seconds=options.seconds, rounds=options.rounds)
        artifacts = _artifacts(Path(folder), used)
        code = code_folder(Path(folder) / "code", used.service)
        for model in options.models:
            print(model, file=sys.stderr)
            _measure(bench, model, artifacts[model], code, used, Path(folder))
        for model in sorted({"cnn", "noop"} & set(options.models)):
            cases = _cases(model, artifacts[model], Path(folder))
            bench.watching[model] = watching_cost(model, artifacts[model], cases, used)
        bench.start = start_ratio(artifacts["cnn"], str(code), used.service)
        write(bench, used)


def _artifacts(folder: Path, used: Pythons) -> dict[str, Path]:
    subprocess.run([used.peers, "bench/models.py", str(folder / "models")], cwd=ROOT, env=environment(), check=True)
    build = [sys.executable, "-m", "slipway.cli", "model", "build", "models/digits", "--json"]
    built = json.loads(subprocess.run(build, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout)
    made = {name: folder / "models" / name for name in PEERS if name != "cnn"}
    return made | {"cnn": Path(built["path"])}


def _measure(bench: Bench, model: str, artifact: Path, code: Path, used: Pythons, folder: Path) -> None:
    onnx = artifact / "model.onnx"
    with ExitStack() as stack:
        servers = {"slipway": stack.enter_context(supervised(artifact, code, used.service))}
        cases = _cases(model, artifact, folder)
        if model == "cnn":
            first = next(case for case in cases if case.server == "slipway" and case.connections == 8)
            bench.first_statuses = turn(servers["slipway"], first, 30, most=1000)["statuses"]  # type: ignore[assignment]
        for name in PEERS[model]:
            servers[name] = stack.enter_context(peer(name, used, onnx))
        results, raw = rounds(servers, cases, bench.rounds, bench.seconds, used.service, onnx)
        bench.results |= results
        bench.raw[model] = raw


def _cases(model: str, artifact: Path, folder: Path) -> list[Case]:
    """Every server's request for the artifact's example."""
    example = json.loads((artifact / "example.json").read_text())
    (sample,) = example["inputs"].values()
    bodies = {
        "json": json.dumps(example, separators=(",", ":")).encode(),
        "bento": json.dumps({"x": sample}, separators=(",", ":")).encode(),
        "binary": _float32(sample),
    }
    files = {}
    for form, body in bodies.items():
        files[form] = folder / f"{model}.{form}"
        files[form].write_bytes(body)
    cases = []
    for connections in CONNECTIONS[model]:
        for server in ["slipway", *PEERS[model]]:
            sent = files["bento" if server == "bentoml" else "json"]
            cases.append(Case(server=server, model=model, form="json", connections=connections, body=sent))
        raw = {"form": "binary", "model": model, "connections": connections, "body": files["binary"]}
        raw["kind"] = "application/octet-stream"
        cases.append(Case(server="slipway", **raw))  # type: ignore[arg-type]
        if "fastapi" in PEERS[model] and model in ("cnn", "image"):
            cases.append(Case(server="fastapi", path="/raw", **raw))  # type: ignore[arg-type]
    return cases


def _float32(sample: list) -> bytes:  # type: ignore[type-arg]
    import numpy as np

    return np.array(sample, np.float32).tobytes()


if __name__ == "__main__":
    main()
