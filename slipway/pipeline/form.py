"""Model and data in the form in which they are judged and served, before anything is optimized."""

from dataclasses import dataclass, replace

from slipway.pipeline import onnx_file
from slipway.pipeline.batch import with_rows
from slipway.pipeline.classes import in_order
from slipway.pipeline.data import Columns, fitted
from slipway.pipeline.errors import BadInput
from slipway.pipeline.graph import Reference, reference
from slipway.pipeline.guard import Failed, guarded
from slipway.pipeline.metrics import of_all
from slipway.pipeline.probabilities import with_probabilities
from slipway.pipeline.runs import few
from slipway.pipeline.sources.base import Source
from slipway.pipeline.task import Task


@dataclass(frozen=True)
class Form:
    """`task`: its data as the model takes them, with labels in the model's order. `source`: with one row a sample in
    each output. `like`: what every later step has to leave as it is. `softmax`: whether one was added."""

    task: Task
    source: Source
    like: Reference
    softmax: bool


def in_form(task: Task, source: Source) -> Form:
    """Changes the source's file. Raises BadInput where data and model do not fit, or it can't be served."""
    inputs, outputs = source.specs
    columns = _columns(task, source)
    training = fitted(task.training, inputs, columns)
    evaluation = fitted(task.evaluation, inputs, training.columns)
    rows = with_rows(source.path, inputs, training.inputs)
    if rows.dropped:
        source = source.keeping([at for at in range(len(outputs)) if at not in rows.dropped])
    source = replace(source, notes=(*source.notes, *rows.notes))
    if task.classifies:
        known = source.classes
        if known and outputs[0].shape[-1:] not in ((len(known),), (None,)):
            known = None
        (training, evaluation), labels = in_order((training, evaluation), task.labels, known)
        task = replace(task, labels=labels)
    soft = with_probabilities(source, task.settings, evaluation.inputs)
    if task.settings.task == "embedding" and not evaluation.labels.size:  # the source's own answers are the measure
        training = replace(training, labels=soft.predict(training.inputs)[0])
        evaluation = replace(evaluation, labels=soft.predict(evaluation.inputs)[0])
    names = [each.name for each in onnx_file.graph_of(soft.path).graph.output]
    metric = of_all(task.metric, task.settings, names)
    task = replace(task, training=training, evaluation=evaluation, metric=metric)
    try:
        like = guarded(reference, soft.path, few(training.inputs))
    except Failed as failed:
        raise BadInput(f"ONNX Runtime can't run the model as it is to be served: {failed}") from failed
    return Form(task, soft, like, soft is not source)


def _columns(task: Task, source: Source) -> Columns:
    """The names of the model's columns in its own order: as model.yaml says, or as the model was trained. Raises
    BadInput where they can't be those of its one input."""
    named, (spec, *more) = task.settings.columns, source.specs[0]
    if named is None:
        return {} if source.columns is None else {spec.name: source.columns}
    if more or len(spec.shape) != 2 or spec.shape[1] not in (None, len(named)):
        takes = ", ".join(f"{each.name} of shape {list(each.shape[1:])}" for each in (spec, *more))
        raise BadInput(f"model.yaml: columns: names {len(named)} columns of one input; the model takes {takes}")
    return {spec.name: tuple(named)}
