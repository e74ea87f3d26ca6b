"""What a Prometheus outside of a cluster is given of a stack on one host: files that its configuration names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml
from slipway.infra.monitoring.rules import KEPT, rules


def monitoring_files(namespace: str, targets: dict[str, Any], relabel: Sequence[dict[str, Any]] = ()) -> dict[str, str]:
    """`scrape.yaml` for `scrape_config_files`, `rules.yaml` for `rule_files`, by name.

    `namespace`: what stands for one in the rules; every series gets it as a label, so that two stacks stay apart.
    `targets`: of the scrape configuration, how Prometheus finds what to scrape. `relabel`: what happens to a target.
    """
    job = {
        "job_name": namespace,
        "scrape_interval": "30s",
        **targets,
        "relabel_configs": [*relabel, {"target_label": "namespace", "replacement": namespace}],
        "metric_relabel_configs": [{"source_labels": ["__name__"], "regex": KEPT, "action": "keep"}],
    }
    return {"scrape.yaml": _text({"scrape_configs": [job]}), "rules.yaml": _text(rules(namespace))}


def _text(content: dict[str, Any]) -> str:
    return str(yaml.safe_dump(content, sort_keys=False, width=1000))
