"""What a stack asks of a cloud's stock: GPU pools in order of preference, and quotas. No SDK."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine type, and the zones that offer it."""

    cpus: int
    gpus: int
    zones: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Pool:
    """GPU nodes of one kind. `machines`: types or whole families. `zones`: those it may be in; empty: any. `most`:
    nodes, or GPUs where `by_gpu`."""

    name: str
    spot: bool
    machines: tuple[str, ...]
    zones: frozenset[str] = frozenset()
    most: int
    by_gpu: bool = False

    def types(self, known: Mapping[str, Machine]) -> dict[str, Machine]:
        """Those of the known machine types that the pool takes and its zones have."""
        found = {}
        for kind, machine in sorted(known.items()):
            zones = machine.zones & self.zones if self.zones else machine.zones
            if zones and (kind in self.machines or kind.partition(".")[0] in self.machines):
                found[kind] = Machine(cpus=machine.cpus, gpus=machine.gpus, zones=zones)
        return found

    def nodes(self, machine: Machine) -> int:
        """How many of this type the pool can have, at least one."""
        return max(1, self.most // max(1, machine.gpus)) if self.by_gpu else self.most


@dataclass(frozen=True, kw_only=True)
class Quota:
    """`asked`: what the stack takes of it at most; `one`: what one node of each pool takes. `given` None: nobody could
    be asked. `used`: by all that runs, this stack's own included, where that is told."""

    name: str
    asked: float
    one: Mapping[str, float] = field(default_factory=dict)
    given: float | None = None
    used: float | None = None
