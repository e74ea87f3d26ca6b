"""The user's `model.py`: what it must define, and errors that point at its own lines."""

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from service.pipeline.data import Dataset, checked
from service.pipeline.errors import BadInput, PipelineError, shown

FILE = "model.py"
FUNCTIONS = {
    "train": "train(log_dir) returns the model",
    "training_data": "training_data() returns inputs by name, and labels",
    "evaluation_data": "evaluation_data() returns held-out inputs by name, and labels",
}


class UserModel:
    """`model.py` of one folder, imported. Raises BadInput for whatever is wrong with it."""

    def __init__(self, folder: Path, task: str) -> None:
        self.folder = folder
        self._task = task
        self._file = folder / FILE
        if not self._file.is_file():
            raise BadInput(f"{shown(self._file)} is missing: it defines {', '.join(FUNCTIONS)}")
        self._module = self._guarded("import", self._import)
        for name, meaning in FUNCTIONS.items():
            if not callable(getattr(self._module, name, None)):
                raise BadInput(f"{shown(self._file)} defines no function {name}: {meaning}")
        if len(inspect.signature(self._module.train).parameters) != 1:
            raise BadInput(f"{shown(self._file)}: train takes one argument, the folder for TensorBoard logs")

    def train(self, log_dir: Path) -> Any:
        return self._call("train", log_dir)

    def training_data(self) -> Dataset:
        return self._data("training_data")

    def evaluation_data(self) -> Dataset:
        return self._data("evaluation_data")

    def labels(self) -> tuple[str, ...] | None:
        """The names of the classes in order, or None where model.py does not name them."""
        if not hasattr(self._module, "labels"):
            return None
        labels = self._call("labels")
        if labels is None:
            return None
        names = tuple(str(each) for each in labels)
        if len(set(names)) != len(names):
            raise BadInput(f"{shown(self._file)}: labels() names a class twice")
        return names

    def _data(self, name: str) -> Dataset:
        where = f"{shown(self._file)}: {name}()"
        data = self._call(name)
        if not (isinstance(data, tuple | list) and len(data) == 2):
            raise BadInput(f"{where} must return two things, inputs by name and labels; got {type(data).__name__}")
        return checked(*data, task=self._task, where=where)

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
