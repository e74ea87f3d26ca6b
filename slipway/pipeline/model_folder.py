"""What the user brings: functions of `model.py`, or files that `model.yaml` names, and errors that point at them."""

import dataclasses
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from slipway.pipeline.data import Dataset, checked
from slipway.pipeline.errors import BadInput, PipelineError, shown
from slipway.pipeline.files import described, read_samples
from slipway.pipeline.metrics import Metric, custom, named
from slipway.pipeline.settings import Settings

FILE = "model.py"
FUNCTIONS = {
    "train": ("model", "train(log_dir) returns the model"),
    "training_data": ("training", "training_data() returns inputs by name, and labels"),
    "evaluation_data": ("evaluation", "evaluation_data() returns held-out inputs by name, and labels"),
}


class UserModel:
    """One model folder: `model.py`, imported, and the files of its settings. Raises BadInput for what is wrong."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder, self._settings = folder, settings
        self._file = folder / FILE
        in_files = [key for key, _ in FUNCTIONS.values() if getattr(settings, key)]
        if not self._file.is_file() and len(in_files) < len(FUNCTIONS):
            raise BadInput(
                f"{shown(self._file)} is missing: it defines {', '.join(FUNCTIONS)}, "
                f"or model.yaml names files for {', '.join(key for key, _ in FUNCTIONS.values())}"
            )
        self._module = self._guarded("import", self._import) if self._file.is_file() else ModuleType("model")
        for name, (key, meaning) in FUNCTIONS.items():
            if not getattr(settings, key) and not callable(getattr(self._module, name, None)):
                raise BadInput(f"{shown(self._file)} defines no function {name}: {meaning}")
        if not settings.model and len(inspect.signature(self._module.train).parameters) != 1:
            raise BadInput(f"{shown(self._file)}: train takes one argument, the folder for TensorBoard logs")
        if settings.metric == "custom" and not callable(getattr(self._module, "metric", None)):
            raise BadInput(
                f"{shown(self._file)} defines no function metric: with metric: custom "
                "metric(outputs, labels) returns one number for each sample, or one for all of them; outputs are "
                "by name where the model has several"
            )

    def train(self, log_dir: Path) -> Any:
        """What train() returned, or the path of the file that model.yaml names."""
        return Path(self._settings.model) if self._settings.model else self._call("train", log_dir)

    def training_data(self) -> Dataset:
        return self._data("training_data", self._settings.training)

    def evaluation_data(self) -> Dataset:
        return self._data("evaluation_data", self._settings.evaluation)

    def metric(self) -> Metric:
        if self._settings.metric != "custom":
            return named(self._settings.metric)
        return custom(self._own, higher_is_better=self._settings.minimum is not None)

    def labels(self) -> tuple[str, ...] | None:
        """The names of the classes in order, or None where nothing names them."""
        where = f"{shown(self._file)}: labels()" if hasattr(self._module, "labels") else "model.yaml: labels"
        labels = self._call("labels") if hasattr(self._module, "labels") else self._settings.labels
        if labels is None:
            return None
        names = tuple(str(each) for each in labels)
        if len(set(names)) != len(names):
            raise BadInput(f"{where} names a class twice")
        return names

    def _data(self, name: str, file: str | None) -> Dataset:
        settings = self._settings
        if file:
            where = described(self.folder / file)
            inputs, labels = read_samples(self.folder / file, settings.label)
            if labels is None and settings.task != "embedding":
                raise BadInput(f"{where} has no labels: no array or column is called {settings.label}")
        else:
            where = f"{shown(self._file)}: {name}()"
            data = self._call(name)
            if not (isinstance(data, tuple | list) and len(data) == 2):
                raise BadInput(f"{where} must return two things, inputs by name and labels; got {type(data).__name__}")
            inputs, labels = data
        data = checked(inputs, labels, task=settings.task, where=where, missing=settings.missing)
        return dataclasses.replace(data, from_file=bool(file))

    def _own(self, outputs: np.ndarray | dict[str, np.ndarray], labels: np.ndarray) -> np.ndarray:
        found = np.asarray(self._call("metric", outputs, labels))
        if found.shape not in ((), (len(labels),)) or found.dtype.kind not in "fiub" or not np.isfinite(found).all():
            raise BadInput(
                f"{shown(self._file)}: metric() must return one finite number for each of {len(labels)} samples, "
                f"or one for all of them; got {found.dtype} {list(found.shape)}"
            )
        return found

    def _call(self, name: str, *arguments: Any) -> Any:
        function = getattr(self._module, name)
        return self._guarded(f"{name}()", lambda: function(*arguments))

    def _import(self) -> ModuleType:
        sys.path.insert(0, str(self.folder))
        spec = importlib.util.spec_from_file_location("model", self._file)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["model"] = module
        spec.loader.exec_module(module)
        return module

    def _guarded(self, what: str, run: Callable[[], Any]) -> Any:
        try:
            return run()
        except PipelineError:
            raise
        except (Exception, SystemExit) as error:
            raise BadInput(f"{self._place(error)}: {what} failed: {_words(error)}{self._remedy(error)}") from error

    def _place(self, error: BaseException) -> str:
        if isinstance(error, SyntaxError) and error.filename:
            return f"{shown(Path(error.filename))}:{error.lineno}"
        frames = traceback.extract_tb(error.__traceback__)
        own = [each for each in frames if Path(each.filename).is_relative_to(self.folder)]
        return f"{shown(Path(own[-1].filename))}:{own[-1].lineno}" if own else shown(self._file)

    def _remedy(self, error: BaseException) -> str:
        if not isinstance(error, ModuleNotFoundError):
            return ""
        return (
            f". Add the package to {shown(self.folder / 'requirements.in')} "
            f"and run: slipway model lock {self.folder.name}"
        )


def _words(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:500]}" if text else type(error).__name__
