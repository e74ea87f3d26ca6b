"""`model.yaml`: what a model is judged by."""

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from service.pipeline.errors import BadInput, shown

FILE = "model.yaml"


class Settings(BaseModel):
    """The settings of one model. Unknown keys are refused.

    `minimum` (of accuracy) or `maximum` (of rmse) is the worst held-out figure that may be deployed at all;
    `budget` is how much worse than FP32, in the metric's own unit, a faster variant may be.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: Literal["classification", "regression"]
    metric: Literal["accuracy", "rmse"]
    minimum: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    maximum: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    budget: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    target: Literal["cpu"] = "cpu"

    @model_validator(mode="after")
    def _metric_fits(self) -> Self:
        fitting = {"classification": "accuracy", "regression": "rmse"}[self.task]
        if self.metric != fitting:
            raise ValueError(f"metric: {self.metric} does not go with task {self.task}; write metric: {fitting}")
        wanted, other = ("minimum", "maximum") if self.metric == "accuracy" else ("maximum", "minimum")
        if getattr(self, other) is not None:
            raise ValueError(f"{other}: {self.metric} is limited by {wanted}; rename the key")
        if getattr(self, wanted) is None:
            raise ValueError(f"{wanted}: missing; the {wanted} {self.metric} that may be deployed")
        return self

    @property
    def limit(self) -> float:
        limit = self.minimum if self.metric == "accuracy" else self.maximum
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


def _line(error: Any) -> str:
    key = ".".join(str(part) for part in error["loc"])
    given = error["input"]
    match error["type"]:
        case "missing":
            return f"{key}: missing; {_MEANING[key]}"
        case "extra_forbidden":
            near = difflib.get_close_matches(key, Settings.model_fields, n=1)
            hint = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(Settings.model_fields)}"
            return f"{key}: unknown key; {hint}"
        case "literal_error":
            return f"{key}: {given!r} is not known; write {error['ctx']['expected']}"
        case "value_error":
            return str(error["ctx"]["error"])
        case _:
            return f"{key}: {given!r} does not fit ({error['msg']}); {_MEANING.get(key, 'correct it')}"


_MEANING = {
    "task": "classification or regression",
    "metric": "accuracy or rmse",
    "minimum": "the lowest accuracy that may be deployed, from 0 to 1, such as 0.95",
    "maximum": "the highest rmse that may be deployed, above 0",
    "budget": "how much worse than FP32 a faster variant may be, above 0, such as 0.01 for one point of accuracy",
}
