"""The ids by which `pulumi import` finds what a killed update has created."""

from __future__ import annotations

import re
from typing import Any

from slipway.infra.platforms.table import clouds

BY_NAME = {kind: template for cloud in clouds() for kind, template in cloud.recovery.by_name.items()}
BY_TAG = {kind: pattern for cloud in clouds() for kind, pattern in cloud.recovery.by_tag.items()}
REPEATABLE = frozenset[str]().union(*(cloud.recovery.repeatable for cloud in clouds()))


def is_findable(kind: str) -> bool:
    """Whether `import_id` has a rule for the type."""
    return kind in BY_NAME or kind in BY_TAG or kind.startswith("kubernetes:")


def import_id(
    kind: str, name: str, inputs: dict[str, Any], place: dict[str, Any], tagged: list[tuple[str, str]]
) -> str:
    """The id under which a resource would be there; empty where nothing names it yet.

    `place`: account, project and region. `tagged`: (ARN or Google's name, logical name) of what has the stack's tag.
    """
    if kind.startswith("kubernetes:"):
        metadata = inputs.get("metadata") or {}
        return "/".join(metadata[key] for key in ("namespace", "name") if metadata.get(key))
    if template := BY_NAME.get(kind):
        values = {**place, **{key: each for key, each in inputs.items() if isinstance(each, str)}}
        values.setdefault("location", values.get("region", ""))
        named = re.findall(r"{(\w+)}", template)
        return template.format(**values) if all(values.get(each) for each in named) else ""
    for arn, tag in tagged:
        found = re.search(BY_TAG.get(kind, "(?!)"), arn)
        if found and tag == name and "id" in found.groupdict():
            return f"{found['id']}/{found['name']}/REGIONAL"
        if found and tag == name:
            # A pod identity association is imported as `cluster,id`; of AWS nothing else has a slash in its id.
            return found[1] if found[1].startswith(("arn:", "projects/")) else found[1].replace("/", ",")
    return ""
