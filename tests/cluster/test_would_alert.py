"""What `slipway doctor --watch` makes of metrics, beside what Prometheus makes of the same series."""

import subprocess

import pytest
import yaml
from slipway.infra.monitoring.rules import alerts, rules

from slipway.ops.promql import Look, NotSeen, compiled
from slipway.ops.would_alert import HERE, summary
from tests.cluster.debian import watching

MINUTES = 90
COUNTED = "bentoml_service_request_total{slipway_endpoint='/predict',http_response_code='%s',instance='%s'}"
TOOK = "bentoml_service_request_duration_seconds_bucket{slipway_endpoint='/predict',http_response_code='200',le='%s'}"
AGES = ("slipway_access_rules_age_seconds{instance='%s'}", "slipway_issuer_keys_age_seconds{instance='%s'}")
# Series by what each is at the start and by how much it grows in a minute.
CASES = {
    "failing on one of two": {COUNTED % (200, 0): (0, 600), COUNTED % (500, 0): (0, 60), COUNTED % (200, 1): (50, 300)},
    "failing, and hardly asked": {COUNTED % (200, 0): (0, 2), COUNTED % (500, 0): (0, 2)},
    "slow": {
        COUNTED % (200, 0): (0, 100), TOOK % "0.5": (0, 10), TOOK % "1.0": (0, 50), TOOK % "2.5": (0, 100),
        TOOK % "+Inf": (0, 100),
    },
    "slower than the last bound": {COUNTED % (200, 0): (0, 100), TOOK % "10.0": (0, 10), TOOK % "+Inf": (0, 100)},
    "turning away": {COUNTED % (200, 0): (0, 600), COUNTED % (429, 0): (0, 60)},
    "drifting": {"slipway_input_drifted{instance='0'}": (2, 0), "slipway_input_drifted{instance='1'}": (3, 0)},
    "old": {each % 0: (100_000, 60) for each in AGES} | {each % 1: (7, 0) for each in AGES},
    "full": {"slipway_gpu_memory_used_bytes{gpu='0'}": (97, 0), "slipway_gpu_memory_bytes{gpu='0'}": (100, 0)},
    "well": {COUNTED % (200, 0): (0, 600), TOOK % "1.0": (0, 600), TOOK % "+Inf": (0, 600)},
}  # fmt: skip


def series(case):
    """{metric: {labels: value at a minute}} of a case."""
    found = {}
    for text, (start, step) in case.items():
        name, labels = text.rstrip("}").split("{")
        pairs = [each.split("=") for each in labels.split(",")]
        labels = {key: value.strip("'") for key, value in pairs} | {"namespace": HERE, "service_name": "a"}
        found[name, frozenset(labels.items())] = lambda minute, start=start, step=step: float(start + step * minute)
    return found


def looks(case):
    """Of the last five minutes."""
    found = series(case)
    kept = []
    for minute in range(MINUTES - 5, MINUTES + 1):
        samples = {}
        for (name, labels), value in found.items():
            samples.setdefault(name, {})[labels] = value(minute)
        kept.append(Look(60.0 * minute, samples, frozenset("01")))
    return kept


def told(rule, case):
    """The alerts that we would raise, as promtool expects them."""
    try:
        found = compiled(rule["expr"])(looks(case))
    except NotSeen:
        return []
    return [
        {"exp_labels": {**dict(labels), **rule["labels"]},
         "exp_annotations": {**rule["annotations"], "summary": summary(rule, dict(labels), value)}}
        for labels, value in found.items()
    ]  # fmt: skip


def test_what_would_alert_is_what_prometheus_alerts_of_in_the_same_words(tmp_path):
    every = alerts(rules(HERE))
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules(HERE)))
    tests, raised = [], set()
    for case in CASES.values():
        expected = {rule["alert"]: told(rule, case) for rule in every}
        raised |= {name for name, found in expected.items() if found}
        own = ",namespace='here',service_name='a'}"
        tests.append(
            {"interval": "1m",
             "input_series": [{"series": name.replace("}", own), "values": f"{start}+{step}x{MINUTES}"}
                              for name, (start, step) in case.items()],
             "alert_rule_test": [{"eval_time": f"{MINUTES}m", "alertname": name, "exp_alerts": found}
                                 for name, found in expected.items()]}
        )  # fmt: skip
    assert raised == {rule["alert"] for rule in every} - {"SlipwayAccuracyLost"}
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": tests}))
    command = [watching() / "usr" / "bin" / "promtool", "test", "rules", tmp_path / "tests.yaml"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_files_for_a_prometheus_on_a_host_are_ones_that_it_takes(tmp_path):
    from slipway.infra.monitoring.files import monitoring_files
    from slipway.infra.platforms.docker.monitoring import RELABEL, discovery

    tool = watching() / "usr" / "bin" / "promtool"
    local = monitoring_files("slipway-dev", {"static_configs": [{"targets": ["127.0.0.1:9001"]}]})
    for files in (local, monitoring_files("slipway-dev", discovery("slipway/dev"), RELABEL)):
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        for kind, name in (("config", "scrape.yaml"), ("rules", "rules.yaml")):
            done = subprocess.run([tool, "check", kind, tmp_path / name], capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
    (tmp_path / "scrape.yaml").write_text(files["scrape.yaml"].replace("docker_sd_configs", "docker_configs"))
    assert subprocess.run([tool, "check", "config", tmp_path / "scrape.yaml"], capture_output=True).returncode


@pytest.mark.parametrize("text", ["a +", "sum(a)", "sum by (a) (b", "rate(a)", "a[5m]", "a > 1 or b > 1", "a ! 1"])
def test_what_is_none_of_our_promql_is_refused(text):
    with pytest.raises((ValueError, KeyError)):
        compiled(text)
