"""`model.yaml`: what a model is judged by, and where its parts are when model.py does not give them."""

import difflib
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from slipway.pipeline.errors import BadInput, shown
from slipway.service.manifest import ONNX

FILE = "model.yaml"
FITTING = {
    "classification": ("accuracy", "top-K", "f1", "fBETA", "recall", "auc", "log-loss", "custom"),
    "regression": ("rmse", "mae", "mape", "r2", "custom"),
    "embedding": ("cosine", "custom"),
}
NUMBERED = {  # metrics whose name says a number
    "top-K": re.compile(r"top-([1-9]\d{0,3})"),
    "fBETA": re.compile(r"f((?:\d+\.)?\d*[1-9]\d*)"),
}
LIMITED_ABOVE = ("rmse", "mae", "mape", "log-loss")


class Settings(BaseModel):
    """The settings of one model. Unknown keys are refused.

    `minimum` (where higher is better) or `maximum` (where lower is) is the worst held-out figure that may be deployed
    at all; `budget` is how much worse than FP32, in the metric's own unit, a faster variant may be. `model`,
    `training` and `evaluation` name files in the folder, in place of the functions of model.py. `output`: the one that
    is judged, where it is not the first. `columns`: of the model's one input, in its order. `data`: what model.py reads
    from outside the folder. `scores`: what a classification's judged output is; None where its numbers tell.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: Literal["classification", "regression", "embedding"]
    metric: str
    minimum: Annotated[float, Field(allow_inf_nan=False)] | None = None
    maximum: Annotated[float, Field(allow_inf_nan=False)] | None = None
    budget: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    target: Literal["cpu", "nvidia"] = "cpu"
    scores: Literal["logits", "probabilities", "raw"] | None = None
    missing: bool = False
    model: str | None = None
    training: str | None = None
    evaluation: str | None = None
    output: str | None = None
    label: str = "label"
    columns: Annotated[list[str], Field(min_length=1)] | None = None
    labels: list[str] | None = None
    data: list[Annotated[str, Field(min_length=1)]] = []
    license: str | None = None
    source: str | None = None

    @field_validator("metric")
    @classmethod
    def _metric_is_known(cls, name: str) -> str:
        if not any(_is(name, each) for fitting in FITTING.values() for each in fitting):
            raise ValueError(f"metric: {name!r} is not known; write {MEANING['metric']}")
        return name

    @model_validator(mode="after")
    def _metric_fits(self) -> Self:
        fitting = FITTING[self.task]
        if not any(_is(self.metric, each) for each in fitting):
            raise ValueError(
                f"metric: {self.metric} does not go with task {self.task}; write metric: {' or '.join(fitting)}"
            )
        given = [name for name in ("minimum", "maximum") if getattr(self, name) is not None]
        if self.metric == "custom":
            if len(given) != 1:
                raise ValueError("minimum: for metric custom write minimum where higher is better, else maximum")
            return self
        wanted = "maximum" if self.metric in LIMITED_ABOVE else "minimum"
        if wanted not in given:
            other = f"{given[0]}: {self.metric} is limited by {wanted}; rename the key" if given else None
            raise ValueError(other or f"{wanted}: missing; the {wanted} {self.metric} that may be deployed")
        if len(given) > 1:
            raise ValueError(f"{'minimum' if wanted == 'maximum' else 'maximum'}: {self.metric} has no such limit")
        fits = self.limit <= 1 if wanted == "minimum" else self.limit > 0
        if not fits:
            raise ValueError(f"{wanted}: {self.limit:g} does not fit; {MEANING[wanted]}")
        return self

    @property
    def kind(self) -> str:
        """The kind of service that the model is for."""
        return ONNX

    @property
    def limit(self) -> float:
        limit = self.minimum if self.minimum is not None else self.maximum
        assert limit is not None
        return limit


def read_settings(folder: Path) -> Settings:
    """The settings of the model in `folder`. Raises BadInput with every error of the file in one message."""
    file = folder / FILE
    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(f"{shown(file)} is missing: it says task, metric, minimum and budget") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(f"{shown(file)} can't be read: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        raise BadInput(f"{shown(file)} must be a mapping such as 'task: classification', not {type(data).__name__}")
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        lines = [_line(each) for each in error.errors()]
        raise BadInput("\n  ".join([f"{shown(file)} is not right:", *lines])) from None


def _is(name: str, metric: str) -> bool:
    return name == metric if metric not in NUMBERED else NUMBERED[metric].fullmatch(name) is not None


def _line(error: Any) -> str:
    key = ".".join(str(part) for part in error["loc"])
    given = error["input"]
    match error["type"]:
        case "missing":
            return f"{key}: missing; {MEANING[key]}"
        case "extra_forbidden":
            near = difflib.get_close_matches(key, Settings.model_fields, n=1)
            hint = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(Settings.model_fields)}"
            return f"{key}: unknown key; {hint}"
        case "literal_error":
            return f"{key}: {given!r} is not known; write {error['ctx']['expected']}"
        case "string_type" if key.startswith("labels."):
            return f'{key}: YAML reads it as {given!r}, which is no name; quote it, as in labels: ["no", "yes"]'
        case "value_error":
            return str(error["ctx"]["error"])
        case _:
            return f"{key}: {given!r} does not fit ({error['msg']}); {MEANING.get(key, 'correct it')}"


MEANING = {
    "task": "classification, regression or embedding",
    "metric": "; ".join(f"for {task} {', '.join(names)}" for task, names in FITTING.items()) + " (top-5, f0.5 or f2)",
    "minimum": "the lowest figure that may be deployed, up to 1, such as 0.95",
    "maximum": "the highest figure that may be deployed, above 0",
    "data": "a list of files, folders and URIs that model.py reads, such as [../shared/points.csv, s3://bucket/points]",
    "columns": "a list of the names of the columns in the order in which the model takes them, such as [age, height]",
    "budget": "how much worse than FP32 a faster variant may be, above 0, such as 0.01 for one point of accuracy",
}
