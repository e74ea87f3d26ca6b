"""What keys, counts, drift and signed tokens cost the server: the service as it is beside one without them.

`python -m bench.cost` measures that alone. Many short turns alternate, and the quietest quarter of each side's counts:
neighbours only ever add to a turn, and the difference looked for is smaller than what they add.
"""

import argparse
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.client import load, request
from bench.measure import HEADERS, Case
from bench.servers import ROOT, Pythons, Server, code_folder, pythons, supervised

FORMS = ("json", "binary")


def watching_cost(
    model: str, artifact: Path, cases: list[Case], used: Pythons, pairs: int = 300, seconds: float = 0.15
) -> dict[str, tuple[float, float, float]]:
    """By form: the share of the server's CPU that watching takes, and µs a request with and without it."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        whole = code_folder(Path(folder) / "whole", used.service)
        bare = code_folder(Path(folder) / "bare", used.service)
        (bare / "service" / "__main__.py").rename(bare / "service" / "real_main.py")
        (bare / "service" / "__main__.py").write_text((ROOT / "bench" / "peers" / "unwatched.py").read_text())
        servers = [stack.enter_context(supervised(artifact, code, used.service)) for code in (whole, bare)]
        found = {}
        for form in FORMS:
            case = next(each for each in cases if (each.server, each.form, each.connections) == ("slipway", form, 8))
            taken: list[tuple[float, float]] = []
            for number in range(pairs):
                order = servers if number % 2 else servers[::-1]
                cpu = {id(server): _turn(server, case, seconds) for server in order}
                taken.append((cpu[id(servers[0])], cpu[id(servers[1])]))
            with_, without = (1e6 * _quietest(each) for each in zip(*taken, strict=True))
            found[form] = (1 - without / with_, with_, without)
            middle = statistics.median(1 - second / first for first, second in taken)
            said = f"{found[form][0]:.1%} of {with_:.1f} µs ({without:.1f} without), median of pairs {middle:.1%}"
            print(f"  {model} {form}: {said}", file=sys.stderr)
        return found


def _turn(server: Server, case: Case, seconds: float) -> float:
    """The server's processor seconds for an answer. `measure.turn` starts a client, which takes longer than a turn."""
    import uvloop

    asked = request(case.path, case.body.read_bytes(), case.kind, **HEADERS)
    before = server.cpu()
    tally = uvloop.run(load(server.port, asked, case.connections, seconds))
    if set(tally.statuses) != {200}:
        raise RuntimeError(f"{server.name} answered {dict(tally.statuses)}")
    return (server.cpu() - before) / tally.statuses[200]


def _quietest(figures: tuple[float, ...]) -> float:
    return statistics.mean(sorted(figures)[: max(1, len(figures) // 4)])


def main() -> None:
    from bench.__main__ import _artifacts, _cases

    parser = argparse.ArgumentParser(prog="python -m bench.cost", description=__doc__)
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=0.15)
    parser.add_argument("--models", nargs="*", default=["cnn", "noop"])
    options = parser.parse_args()
    used = pythons()
    with tempfile.TemporaryDirectory() as folder:
        artifacts = _artifacts(Path(folder), used)
        for model in options.models:
            cases = _cases(model, artifacts[model], Path(folder))
            watching_cost(model, artifacts[model], cases, used, options.pairs, options.seconds)


if __name__ == "__main__":
    main()
