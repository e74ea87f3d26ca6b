"""Memory for a build: what it will take, and what this machine or container has left."""

from pathlib import Path

from slipway.pipeline.errors import BadInput

LARGEST = 2**31 - 2**26  # bytes of weights; protobuf's 2 GiB hold the graph as well
PEAK = 2.5  # of the model's size: FP32 alone, measured on 2.3 GB
ALL = 8.0  # every variant side by side, to be timed in turns
BESIDE = 500_000_000  # bytes of the process itself, with its libraries
CGROUPS = (
    ("memory.max", "memory.current", "memory.stat"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"),
)
CACHED = ("inactive_file", "active_file")  # of what a container uses: the kernel gives it back when memory is short


def lean(size: int, free: int | None) -> str:
    """Why a model of `size` bytes is built as FP32 (or FP16) alone, one file at a time; nothing where it need not be.

    Raises BadInput where even that takes more than the `free` bytes; None: unknown.
    """
    if free is not None and PEAK * size + BESIDE > free:
        raise BadInput(
            f"a model of {_gb(size)} takes about {_gb(PEAK * size + BESIDE)} of memory to build; {_gb(free)} are free"
        )
    if size >= LARGEST:
        return f"its {_gb(size)} are more than quantizers can hold in one piece"
    if free is not None and ALL * size + BESIDE > free:
        return f"it would take about {_gb(ALL * size + BESIDE)} of memory; {_gb(free)} are free"
    return ""


def free(proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Bytes that this process may still take: of the machine, and of the container's limit; None where neither is
    told."""
    found = []
    try:
        lines = (proc / "meminfo").read_text().splitlines()
        found += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    except OSError:
        pass
    for limit, used, stat in CGROUPS:
        try:
            left = int((cgroup / limit).read_text()) - int((cgroup / used).read_text())
            counts = dict(line.split() for line in (cgroup / stat).read_text().splitlines())
            found.append(left + sum(int(counts.get(each, 0)) for each in CACHED))
        except (OSError, ValueError):  # "max" is no number
            continue
    return min(found, default=None)


def _gb(count: float) -> str:
    return f"{count / 1e9:.1f} GB"
