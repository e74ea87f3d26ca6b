"""Every mistake in model.yaml is told at once, with its key and what to write."""

import pytest

from slipway.ops.models import scaffold
from slipway.pipeline.errors import BadInput
from slipway.pipeline.settings import read_settings

GOOD = {"task": "classification", "metric": "accuracy", "minimum": "0.9", "budget": "0.01"}


@pytest.fixture
def read(tmp_path):
    def read(text: str):
        (tmp_path / "model.yaml").write_text(text)
        return read_settings(tmp_path)

    return read


def text(**changes: str | None) -> str:
    return "\n".join(f"{key}: {value}" for key, value in (GOOD | changes).items() if value is not None)


def test_settings_are_read_and_the_target_is_cpu_unless_said(read):
    settings = read(text())
    assert (settings.limit, settings.budget, settings.target) == (0.9, 0.01, "cpu")


def test_rmse_is_limited_by_a_maximum(read):
    assert read(text(task="regression", metric="rmse", minimum=None, maximum="2")).limit == 2


@pytest.mark.parametrize("metric", ["top-5", "f2", "f0.5", "auc"])
def test_a_metric_may_say_its_number(read, metric):
    assert read(text(metric=metric)).metric == metric


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"minimun": "1"}, "minimun: unknown key; did you mean minimum?"),
        ({"shade": "red"}, "shade: unknown key; the keys are task, metric"),
        ({"task": None}, "task: missing; classification, regression or embedding"),
        ({"task": "guess"}, "task: 'guess' is not known; write 'classification', 'regression' or 'embedding'"),
        (
            {"metric": "rmse"},
            "rmse does not go with task classification; write metric: accuracy or top-K or f1 or fBETA or",
        ),
        ({"metric": "auroc"}, "metric: 'auroc' is not known; write for classification accuracy, top-K, f1, fBETA"),
        ({"metric": "f0"}, "metric: 'f0' is not known"),
        ({"metric": "log-loss"}, "minimum: log-loss is limited by maximum; rename the key"),
        ({"budget": None}, "budget: missing; how much worse"),
        ({"budget": "0"}, "budget: 0 does not fit"),
        ({"budget": ".nan"}, "budget: nan does not fit"),
        ({"budget": "small"}, "budget: 'small' does not fit"),
        ({"minimum": None}, "minimum: missing; the minimum accuracy"),
        ({"minimum": "96"}, "minimum: 96 does not fit"),
        ({"minimum": None, "maximum": "1"}, "maximum: accuracy is limited by minimum; rename the key"),
        ({"target": "tpu"}, "target: 'tpu' is not known; write 'cpu' or 'nvidia'"),
    ],
)
def test_a_mistake_is_told_with_its_key_and_the_fix(read, changes, message):
    with pytest.raises(BadInput) as caught:
        read(text(**changes))
    assert message in str(caught.value)
    assert "model.yaml" in str(caught.value)


def test_all_mistakes_come_in_one_message(read):
    with pytest.raises(BadInput) as caught:
        read(text(task="guess", budget="-1", colour="red"))
    assert all(f"\n  {key}: " in str(caught.value) for key in ("task", "budget", "colour"))


@pytest.mark.parametrize("content", ["", "- task", "task: [", "\x00", "just words"])
def test_what_is_no_mapping_is_told_with_the_file(read, content):
    with pytest.raises(BadInput, match=r"model\.yaml"):
        read(content)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(BadInput, match=r"model\.yaml is missing: it says task, metric"):
        read_settings(tmp_path)


def test_names_of_classes_that_yaml_reads_as_something_else_are_told_to_be_quoted(read):
    with pytest.raises(BadInput, match=r'labels\.0: YAML reads it as False.*quote it, as in labels: \["no", "yes"\]'):
        read(text(labels="[no, yes]"))
    assert read(text(labels='["no", "yes"]')).labels == ["no", "yes"]


@pytest.mark.parametrize("task", scaffold.LIMITS)
def test_what_a_new_folder_says_in_comments_is_right_when_it_is_taken_in(read, task):
    lines = (scaffold.SETTINGS + scaffold.FILES).format(task=task, limit=scaffold.LIMITS[task]).splitlines()
    assert read("\n".join(line.removeprefix("# ") for line in lines)).labels == ["no", "yes"]
