"""The artifact folder: what the pipeline hands to the service. Standard library only, as both import it."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"
HELD_OUT = "held_out.npz"  # samples that a process answers before it is ready, where an artifact has them
FORMAT = 1
ONNX = "onnx"  # the kind of artifacts whose manifest names none: there were no others


class ArtifactError(Exception):
    """An artifact that can't be used; the message names the file and what is wrong with it."""


@dataclass(frozen=True, kw_only=True)
class TensorSpec:
    """One input or output. `shape` has the batch first, None where any size is taken.

    `minimum` and `maximum` are what the training data held: a description, not a limit. `nullable`: a number may be
    missing, null in a request and NaN for the model.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    minimum: float | None = None
    maximum: float | None = None
    nullable: bool = False


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
    if (kind := kind_of(path)) != ONNX:
        raise ArtifactError(f"{path} is an artifact of kind {kind}, this service runs {ONNX}")
    try:
        signature = Signature.from_json(_read_json(path / "signature.json"))
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{path / 'signature.json'} is not a signature: {error!r}") from error
    return Artifact(path=path, digest=digest, signature=signature)


def verify(path: Path) -> str:
    """The digest, `sha256:` and the hash of manifest.json, once every listed file has the content it lists.

    Raises ArtifactError naming the file that is missing or damaged.
    """
    manifest = path / MANIFEST
    content = _bytes(manifest)
    try:
        data = json.loads(content)
        files: dict[str, str] = data["files"]
        if data["format"] != FORMAT:
            raise ArtifactError(f"{manifest} has format {data['format']}, this code reads format {FORMAT}")
        listed = [(path / _plain(name), expected) for name, expected in files.items()]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{manifest} is damaged: {error!r}") from error
    for file, expected in listed:
        if hash_of(file) != expected:
            raise ArtifactError(f"{file} is damaged: its SHA-256 is not the one in {MANIFEST}")
    return _digest(content)


def seal(path: Path, kind: str = ONNX) -> str:
    """Writes manifest.json over all files in `path` and returns the digest. `kind`: of service that it is for."""
    files = {each.relative_to(path).as_posix(): hash_of(each) for each in path.rglob("*") if each.is_file()}
    files.pop(MANIFEST, None)
    content = (json.dumps({"format": FORMAT, "kind": kind, "files": files}, sort_keys=True, indent=1) + "\n").encode()
    (path / MANIFEST).write_bytes(content)
    return _digest(content)


def kind_of(path: Path) -> str:
    """The kind of service that an artifact is for. Raises ArtifactError."""
    return str(_read_json(path / MANIFEST).get("kind", ONNX))


def hash_of(file: Path) -> str:
    """SHA-256 of a file's content in hex, read in pieces. Raises ArtifactError where it can't be read."""
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise ArtifactError(f"{file} is missing") from error
    except OSError as error:
        raise ArtifactError(f"{file} can't be read: {error.strerror}") from error


def _tensor_from_json(data: dict[str, Any]) -> TensorSpec:
    return TensorSpec(
        name=data["name"],
        dtype=data["dtype"],
        shape=tuple(data["shape"]),
        minimum=data.get("minimum"),
        maximum=data.get("maximum"),
        nullable=data.get("nullable", False),
    )


def _tensor_to_json(tensor: TensorSpec, *, ranged: bool) -> dict[str, Any]:
    data: dict[str, Any] = {"name": tensor.name, "dtype": tensor.dtype, "shape": list(tensor.shape)}
    if ranged:
        data |= {"minimum": tensor.minimum, "maximum": tensor.maximum}
    return data | {"nullable": True} if tensor.nullable else data


def _read_json(file: Path) -> dict[str, Any]:
    try:
        data: dict[str, Any] = json.loads(_bytes(file))
    except ValueError as error:
        raise ArtifactError(f"{file} is not JSON: {error}") from error
    return data


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError as error:
        raise ArtifactError(f"{file} is missing") from error
    except OSError as error:
        raise ArtifactError(f"{file} can't be read: {error.strerror}") from error


def _plain(name: str) -> str:
    if name.startswith("/") or ".." in name.split("/"):
        raise ValueError(f"{name!r} lies outside the artifact")
    return name


def _digest(manifest: bytes) -> str:
    return f"sha256:{hashlib.sha256(manifest).hexdigest()}"
