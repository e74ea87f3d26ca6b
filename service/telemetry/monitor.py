"""What is watched of the answers: stages, predictions, drift and feedback. Most of it happens beside the requests."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from slipway.service.access.access import Access
from slipway.service.artifact import Artifact, ArtifactError
from slipway.service.samples.validation import Samples
from slipway.service.settings import Settings
from slipway.service.telemetry.drift import Drift, Feature
from slipway.service.telemetry.feedback import OUTCOMES, Feedback, accuracy, recalls
from slipway.service.telemetry.timings import Timings

# Of one second: enough for drift and the distribution of predictions, and little to look at.
_SAMPLES = 50
_BYTES = 4_000_000

_Noted = tuple[dict[str, np.ndarray], dict[str, np.ndarray]]  # inputs and outputs of a request

_log = logging.getLogger("slipway.watch")


class Monitor:
    """What one process has seen of its answers.

    `answered` is on the hot path and only notes; `tick`, about once a second, looks at what was noted.
    """

    def __init__(self, artifact: Artifact, settings: Settings, access: Access) -> None:
        self.stages = Timings(artifact.signature)
        self.feedback = Feedback(
            artifact.signature, artifact.digest, Path(settings.seen) if settings.seen else None, settings.feedback_days
        )
        self._drift = Drift(_statistics(artifact))
        self._access = access
        self._noted: list[_Noted] = []
        self._samples, self._bytes = _SAMPLES, _BYTES

    def answered(
        self, samples: Samples, outputs: dict[str, np.ndarray], begun: float, parsed: float, ran: float, encoded: float
    ) -> bytes | None:
        """Note an answer; its token, for the header x-prediction-token, where it gets one."""
        self.stages.answered(begun, parsed, ran, encoded)
        if self._samples > 0 and self._bytes > 0:
            self._samples -= samples.count
            self._bytes -= sum(array.nbytes for array in samples.inputs.values())
            self._noted.append((samples.inputs, outputs))
        return self.feedback.token(outputs, self._access.rules.signing)

    def tick(self) -> None:
        """Count what was noted since the last time."""
        noted, self._noted = self._noted, []
        for inputs, outputs in _together(noted):
            try:
                self._drift.add(inputs)
                self.stages.predicted(outputs)
            except Exception:  # whatever it is: the service goes on
                _log.exception("answers could not be counted")
        self._samples, self._bytes = _SAMPLES, _BYTES
        self.stages.tick()
        self.feedback.tick()

    def forget(self) -> None:
        """Drop what was noted since the last time: a process's proof to itself is no answer to anybody."""
        self._noted, self._samples, self._bytes = [], _SAMPLES, _BYTES
        self.stages.forget()

    def drift(self) -> list[Feature]:
        """Every watched feature, of all workers."""
        return self._drift.report()

    def collect(self, labels: tuple[str, str]) -> Iterator[Any]:
        """The metric families, with the labels service_name and service_version."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        service = ("service_name", "service_version")
        yield from self.stages.collect(labels)
        psi = GaugeMetricFamily(
            "slipway_input_drift_psi", "Of inputs from training", labels=(*service, "input", "feature")
        )
        ks = GaugeMetricFamily("slipway_input_drift_ks", "The same as KS", labels=(*service, "input", "feature"))
        other = GaugeMetricFamily(
            "slipway_input_other_share",
            "Of texts in no category that training knows",
            labels=(*service, "input", "feature"),
        )
        drifted = GaugeMetricFamily("slipway_input_drifted", "Features that have drifted", labels=service)
        found = self.drift()
        for each in found:
            psi.add_metric((*labels, each.input, each.name), each.psi if each.samples else 0.0)
            ks.add_metric((*labels, each.input, each.name), each.ks if each.samples else 0.0)
            if each.other is not None:
                other.add_metric((*labels, each.input, each.name), each.other)
        drifted.add_metric(labels, sum(each.drifted for each in found))
        yield from (psi, ks, other, drifted)
        counts = self.feedback.counts(gross=True)
        outcomes = CounterMetricFamily("slipway_feedback", "Answers to /feedback", labels=(*service, "outcome"))
        for name in OUTCOMES:
            outcomes.add_metric((*labels, name), counts["outcomes"][name])
        yield outcomes
        if "true" in counts:
            yield from _by_class(counts, self.feedback.counts(), labels)
        else:
            for name, text in (("count", "Scored values"), ("error", "Their |errors|"), ("square", "Their errors²")):
                family = CounterMetricFamily(f"slipway_feedback_{name}", f"{text}, summed", labels=service)
                family.add_metric(labels, counts.get(name, 0.0))
                yield family


def _together(noted: list[_Noted]) -> list[_Noted]:
    """All samples in one batch: one look at fifty costs little more than at one. Each apart where shapes differ."""
    if not noted:
        return []
    try:
        inputs, outputs = (
            {name: np.concatenate([pair[side][name][:_SAMPLES] for pair in noted]) for name in noted[0][side]}
            for side in (0, 1)
        )
        return [(inputs, outputs)]
    except ValueError:
        return noted


def _by_class(counts: dict[str, Any], left: dict[str, Any], labels: tuple[str, str]) -> Iterator[Any]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    service = ("service_name", "service_version")
    for kind, text in (("true", "Truths"), ("predicted", "Predictions"), ("right", "Right predictions")):
        family = CounterMetricFamily(f"slipway_feedback_{kind}", f"{text} by class", labels=(*service, "label"))
        for name, count in counts[kind].items():
            family.add_metric((*labels, name), count)
        yield family
    online = GaugeMetricFamily("slipway_online_accuracy", "Share of right predictions so far", labels=service)
    if (share := accuracy(left)) is not None:
        online.add_metric(labels, share)
    recall = GaugeMetricFamily("slipway_online_recall", "Found share of a class so far", labels=(*service, "label"))
    for name, share in recalls(left):
        recall.add_metric((*labels, name), share)
    yield from (online, recall)


def _statistics(artifact: Artifact) -> dict[str, Any]:
    try:
        return artifact.read("statistics")
    except ArtifactError:  # an artifact without them is served and not watched
        return {}
