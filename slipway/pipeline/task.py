"""What is built: a model folder's settings, metric and data, checked before anything is trained."""

from dataclasses import dataclass
from pathlib import Path

from slipway.pipeline import judge
from slipway.pipeline.checks import overlap
from slipway.pipeline.classes import check_words
from slipway.pipeline.data import Dataset
from slipway.pipeline.metrics import Metric, check_labels
from slipway.pipeline.model_folder import UserModel
from slipway.pipeline.progress import Progress
from slipway.pipeline.settings import Settings
from slipway.pipeline.tolerance import Tolerance


@dataclass(frozen=True)
class Task:
    """What is built: the folder, its settings, metric and data, and the labels of the classes. `seen`: how many
    held-out samples are in the training data as well."""

    folder: Path
    settings: Settings
    metric: Metric
    training: Dataset
    evaluation: Dataset
    labels: tuple[str, ...] | None
    seen: int

    @property
    def classifies(self) -> bool:
        return self.settings.task == "classification"

    @property
    def highest(self) -> int:
        """The highest class in either set, 0 where there are no classes."""
        return int(max(self.evaluation.labels.max(), self.training.labels.max())) if self.classifies else 0

    def tolerance(self, variant: str) -> Tolerance:
        return Tolerance(variant, self.settings.task, self.metric, self.settings.budget)


def task_of(folder: Path, settings: Settings, user: UserModel, progress: Progress) -> Task:
    """Reads the data. Raises BadInput where they can't decide anything."""
    metric, training, evaluation = user.metric(), user.training_data(), user.evaluation_data()
    labels = user.labels()
    for each in (training, evaluation):
        check_words(each, labels)
        check_labels(metric.name, each.labels, each.where)
    judge.require_enough(evaluation.labels, metric, settings.budget, evaluation.where)
    seen = overlap(training, evaluation)
    for each in (training, evaluation):
        if each.from_file:
            progress.phase(f"read {len(each)} samples from {each.where}")
    if seen == len(evaluation):
        progress.phase(f"all {seen} held-out samples are in the training data as well: they have few distinct rows")
    return Task(folder, settings, metric, training, evaluation, labels, seen)
