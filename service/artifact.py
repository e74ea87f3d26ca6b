"""The artifact folder: what the pipeline hands to the service. Standard library only, as both import it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway.service.foreign import json_object
from slipway.service.manifest import ONNX, ArtifactError, Manifest, seal, verify

__all__ = ["HELD_OUT", "Artifact", "ArtifactError", "Signature", "TensorSpec", "load", "seal", "verify"]

HELD_OUT = "held_out.npz"  # samples that a process answers before it is ready, where an artifact has them


@dataclass(frozen=True, kw_only=True)
class TensorSpec:
    """One input or output. `shape` has the batch first, None where any size is taken.

    `minimum` and `maximum` are what the training data held: a description, not a limit. `nullable`: a number may be
    missing, null in a request and NaN for the model. `columns`: the names of a table's columns in order, where they
    are known.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    minimum: float | None = None
    maximum: float | None = None
    nullable: bool = False
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Signature:
    """What a model takes and answers. `labels` names the classes in the order of the first output's last axis.

    `steady`: a sample takes as long as any other, whatever its values. `alone`: each sample is run by itself, as its
    answer would depend on the others of a batch.
    """

    name: str
    task: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    labels: tuple[str, ...] | None = None
    steady: bool = False
    alone: bool = False

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Signature":
        return cls(
            name=data["name"],
            task=data["task"],
            inputs=tuple(_tensor_from_json(each) for each in data["inputs"]),
            outputs=tuple(_tensor_from_json(each) for each in data["outputs"]),
            labels=None if data.get("labels") is None else tuple(data["labels"]),
            steady=bool(data.get("steady", False)),
            alone=bool(data.get("alone", False)),
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "task": self.task,
            "inputs": [_tensor_to_json(each, ranged=True) for each in self.inputs],
            "outputs": [_tensor_to_json(each, ranged=False) for each in self.outputs],
            "labels": None if self.labels is None else list(self.labels),
            "steady": self.steady,
            "alone": self.alone,
        }


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A verified artifact folder."""

    path: Path
    digest: str
    signature: Signature

    @property
    def model(self) -> Path:
        return self.path / "model.onnx"

    def read(self, name: str) -> dict[str, Any]:
        """One of the JSON files: report, statistics, example, example.response."""
        return _read_json(self.path / f"{name}.json")


def load(path: Path) -> Artifact:
    """The artifact at `path`, every file checked against the manifest. Raises ArtifactError."""
    digest = verify(path)
    if (kind := Manifest.read(path).kind) != ONNX:
        raise ArtifactError(f"{path} is an artifact of kind {kind}, this service runs {ONNX}")
    try:
        signature = Signature.from_json(_read_json(path / "signature.json"))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{path / 'signature.json'} is not a signature: {error!r}") from error
    return Artifact(path=path, digest=digest, signature=signature)


def _tensor_from_json(data: dict[str, Any]) -> TensorSpec:
    return TensorSpec(
        name=data["name"],
        dtype=data["dtype"],
        shape=tuple(data["shape"]),
        minimum=data.get("minimum"),
        maximum=data.get("maximum"),
        nullable=data.get("nullable", False),
        columns=None if data.get("columns") is None else tuple(data["columns"]),
    )


def _tensor_to_json(tensor: TensorSpec, *, ranged: bool) -> dict[str, Any]:
    data: dict[str, Any] = {"name": tensor.name, "dtype": tensor.dtype, "shape": list(tensor.shape)}
    if ranged:
        data |= {"minimum": tensor.minimum, "maximum": tensor.maximum}
    data |= {"nullable": True} if tensor.nullable else {}
    return data | {"columns": list(tensor.columns)} if tensor.columns else data


def _read_json(file: Path) -> dict[str, Any]:
    try:
        return json_object(file.read_bytes())
    except FileNotFoundError as error:
        raise ArtifactError(f"{file} is missing") from error
    except OSError as error:
        raise ArtifactError(f"{file} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise ArtifactError(f"{file} is not JSON: {error}") from error
