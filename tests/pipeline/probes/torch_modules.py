"""Run where torch is: a network with two inputs, and one whose operator ONNX does not have."""

import json
from pathlib import Path

import numpy as np
import torch

from slipway.pipeline import runtime
from slipway.pipeline.errors import BadInput
from tests.pipeline.probes.sources import source_of


class Two(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rows, self.kinds = torch.nn.Linear(4, 3), torch.nn.Embedding(5, 3)

    def forward(self, row, kind):
        return torch.relu(self.rows(row)) + self.kinds(kind)


class Odd(torch.nn.Module):
    def forward(self, row):
        return torch.linalg.eigvals(row.reshape(-1, 2, 2)).real


class Around(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.turned = torch.nn.Linear(4, 4), Odd()

    def forward(self, row):
        return self.turned(self.first(row))


def main(folder: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(70, 4)).astype("float32")
    inputs = {"row": rows, "kind": np.arange(70) % 5}
    source = source_of(Two(), folder, inputs)
    running = runtime.session(source.path)
    specs, outputs = runtime.specs(running)
    worst = np.abs(runtime.predict(running, inputs)[0] - source.predict(inputs)[0]).max()
    names = {spec.name: [spec.dtype, list(spec.shape)] for spec in specs}
    print(
        json.dumps(
            {
                "inputs": names,
                "outputs": [each.name for each in outputs],
                "worst": float(worst),
                "odd": refusal(Odd(), folder, {"row": rows}),
                "around": refusal(Around(), folder, {"row": rows}),
                "narrow": refusal(Two(), folder, inputs | {"row": rows[:, :3]}),
                "doubles": refusal(Two(), folder, inputs | {"row": rows.astype("float64")}),
            }
        )
    )


def refusal(model: torch.nn.Module, folder: Path, inputs: dict[str, np.ndarray]) -> str:
    try:
        source_of(model, folder, inputs)
        return "taken"
    except BadInput as error:
        return str(error)
