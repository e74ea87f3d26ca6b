"""The report as rows and as a model card; standard library only, as the command prints the same rows."""

from collections.abc import Iterable
from typing import Any

HEADINGS = (
    "variant",
    "{metric}",
    "drop (at most)",
    "p50 ms",
    "p99 ms",
    "per second",
    "speed",
    "size",
    "memory",
    "note",
)

# By framework that gives gradients: what explains a model with them.
GRADIENTS = {
    "keras": "tf.GradientTape over the steps from the mean input",
    "pytorch": "captum.attr.IntegratedGradients from the mean input",
    "tensorflow": "tf.GradientTape over the steps from the mean input",
}


def headings(report: dict[str, Any]) -> list[str]:
    return [each.format(metric=report["metric"]["name"]) for each in HEADINGS]


def rows(report: dict[str, Any]) -> list[list[str]]:
    """One row of text for each variant, in the order of `headings`."""
    return [_row(each) for each in report["variants"]]


def markdown(report: dict[str, Any]) -> str:
    """The model card."""
    choice, metric = report["choice"], report["metric"]
    table = [headings(report), ["---"] * len(HEADINGS), *rows(report)]
    return "\n".join(
        [
            f"# {report['model']}",
            "",
            f"Served: **{choice['variant']}**{'' if _served(report)['latencyMs'] else ' (unmeasured)'}, "
            f"{choice['reason']}.",
            "",
            *(_line(each) for each in table),
            "",
            f"![{metric['name']} against latency, size as area](variants.png)",
            "",
            *(f"- {each}" for each in _facts(report)),
            "",
            *_recalls(report),
        ]
    )


def _facts(report: dict[str, Any]) -> list[str]:
    hardware, training, served = report["hardware"], report["training"], _served(report)
    metric, conversion, origin = report["metric"], report["conversion"], report["provenance"]
    low, high = served["interval95"]
    facts = [
        f"task {report['task']}; {metric['name']} on {report['samples']} held-out samples "
        f"({report['alsoTrainedOn']} of them in the training data as well) {served['metric']:.4f}, "
        f"95 % interval {low:.4f} to {high:.4f}; limit {_limit(metric)}, budget {metric['budget']:g}; "
        "'at most' is the one-sided 95 % bound of the paired drop",
        f"training: {training['samples']} samples in {training['seconds']:.1f} s, {metric['name']} "
        f"{training['training']:.4f} on them, {training['heldOut']:.4f} held out: a gap of {training['gap']:.4f}",
        f"conversion from {training['framework']}: largest difference {conversion['maxAbsDiff']:.2g}, "
        f"mean {conversion['meanAbsDiff']:.2g}",
        f"hardware: {hardware['cpu']} ({', '.join(hardware['instructions']) or 'instructions unknown'}), "
        f"{hardware['cores']} cores{', ' + hardware['gpu'] if hardware.get('gpu') else ''}, "
        f"target {hardware['target']}",
    ]
    if served["latencyMs"]:
        best = served["bestBatch"]
        facts.append(
            f"throughput: {served['throughputPerSecond']:,.0f} a second one by one on one thread, "
            f"{best['perSecond']:,.0f} in batches of {best['size']}, {served['throughputAllThreads']:,.0f} on all "
            f"threads; balance of accuracy and speed {_figure(served['balance'])} (FP32 is 1)"
        )
        others = [f"{each['name']} {each['tensorrtMs']:.4f}" for each in report["variants"] if each.get("tensorrtMs")]
        if others:
            facts.append(f"p50 in ms with TensorRT, which has to be set for a service: {', '.join(others)}")
    else:
        facts.append(f"speed: unmeasured, as no {hardware['target']} hardware is here")
    if undeclared := report.get("undeclaredReads"):
        facts.append(
            f"read from outside its folder, and not declared as data: {', '.join(undeclared)}; "
            "changes of it are no reason to train again"
        )
    if better := GRADIENTS.get(training["framework"]):
        facts.append(
            "explanations: /explain samples Shapley values from the answers, whatever the model is. This one has "
            f"gradients where it was trained: integrated gradients there ({better}) take some 50 runs, where Shapley "
            "values take thousands, and tell single values apart"
        )
    if report.get("softmaxAdded"):
        facts.append("a softmax was added, as the model answers logits: its first output is probabilities")
    if asked := report.get("served"):
        ways = ", ".join(f"{way} {each['metric']:.4f} ({each['samples']})" for way, each in asked["ways"].items())
        facts.append(f"as the service answers it: {metric['name']} {asked['metric']:.4f}, the worst of {ways} samples")
    return [
        *facts,
        f"size: {_size(served['sizeBytes'])}, {served['compression']:.0%} less than FP32"
        + (f"; zipped {_size(served['compressedBytes'])}" if served["compressedBytes"] else ""),
        f"licence: {origin['license'] or 'not stated'}; source: {origin['source'] or 'not stated'}",
        f"SHA-256 of the training data {origin['trainingDataSha256'][:16]}, of the evaluation data "
        f"{origin['evaluationDataSha256'][:16]}, of the converted model {origin['modelSha256'][:16]}",
        ", ".join(f"{name} {version}" for name, version in report["versions"].items()),
    ]


def _recalls(report: dict[str, Any]) -> list[str]:
    by_variant: dict[str, dict[str, float]] = report.get("recall", {})
    if not by_variant:
        return []
    names = list(by_variant)
    table: list[list[str]] = [["recall of class", *names], ["---"] * (len(names) + 1)]
    for label in by_variant[names[0]]:
        table.append([label, *(f"{by_variant[name].get(label, 0):.4f}" for name in names)])
    table.append(["macro F1", *(f"{report['f1'][name]:.4f}" for name in names)])
    return [*(_line(each) for each in table), ""]


def _served(report: dict[str, Any]) -> dict[str, Any]:
    served: dict[str, Any] = next(each for each in report["variants"] if each["name"] == report["choice"]["variant"])
    return served


def _row(variant: dict[str, Any]) -> list[str]:
    if variant["metric"] is None:
        return [variant["name"], *["-"] * (len(HEADINGS) - 2), variant["note"]]
    judged = [variant["name"], f"{variant['metric']:.4f}", f"{variant['drop']:.4f} ({variant['dropUpper95']:.4f})"]
    latency, size = variant["latencyMs"], _size(variant["sizeBytes"])
    if latency is None:
        return [*judged, *["unmeasured"] * 4, size, "-", variant["note"]]
    return [
        *judged,
        f"{latency['p50']:.4f}",
        f"{latency['p99']:.4f}",
        f"{variant['throughputPerSecond']:,.0f}",
        f"{variant['speedup']:.2f}x",
        size,
        "-" if variant["memoryBytes"] is None else _size(variant["memoryBytes"]),
        variant["note"],
    ]


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _size(count: int) -> str:
    return f"{count / 1e6:.2f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def _limit(metric: dict[str, Any]) -> str:
    return f"{metric['minimum']:g} at least" if metric["minimum"] is not None else f"{metric['maximum']:g} at most"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
