"""Resources of a stack as a Terraform plan, which is what checkov reads."""

from __future__ import annotations

import re
from collections import abc
from collections.abc import Iterator
from typing import Any, get_args, get_origin

from pulumi import _types

from slipway.simulator.sdk import arguments_of, resource_type

# Where Terraform's name is not package_module_type.
MODULES = {
    "aws:ec2": "aws", "aws:amp": "aws_prometheus",
    "gcp:projects": "google_project", "gcp:serviceaccount": "google_service",
    "gcp:artifactregistry": "google_artifact_registry", "gcp:certificatemanager": "google_certificate_manager",
}  # fmt: skip
TYPES = {
    "aws:lb/loadBalancer:LoadBalancer": "aws_lb",
    "aws:s3/bucketObjectv2:BucketObjectv2": "aws_s3_object",
    "gcp:compute/sSLPolicy:SSLPolicy": "google_compute_ssl_policy",
}
Resource = dict[str, Any]


def plan(resources: list[Resource]) -> dict[str, Any]:
    """The plan that would create the AWS and Google resources of a state: values, changes and references."""
    planned = [each for each in resources if each["type"].startswith(("aws:", "gcp:"))]
    addresses = {each["urn"]: address(each) for each in planned}
    values, changes, configuration = [], [], []
    for each in planned:
        kind, name = addresses[each["urn"]].split(".")
        place = {"address": f"{kind}.{name}", "mode": "managed", "type": kind, "name": name}
        after = terraform_values(each)
        values.append({**place, "values": after})
        changes.append(
            {**place, "change": {"actions": ["create"], "before": None, "after": after, "after_unknown": {}}}
        )
        configuration.append({**place, "expressions": _references(each, addresses)})
    return {
        "format_version": "1.2",
        "terraform_version": "1.9.0",
        "planned_values": {"root_module": {"resources": values}},
        "resource_changes": changes,
        "configuration": {"root_module": {"resources": configuration}},
    }


def address(resource: Resource) -> str:
    """`aws_s3_bucket.models`."""
    return f"{terraform_type(resource['type'])}.{re.sub(r'[^A-Za-z0-9_]', '_', resource['urn'].rsplit('::', 1)[-1])}"


def terraform_type(token: str) -> str:
    """Terraform's name of a type."""
    if token in TYPES:
        return TYPES[token]
    package, module, kind = re.split(r"[:/]", token)[:3]
    prefix = MODULES.get(f"{package}:{module}") or f"{package.replace('gcp', 'google')}_{module}"
    return f"{prefix}_{_snake(kind.replace('iAM', 'iam').replace('IAM', 'Iam'))}"


def terraform_values(resource: Resource) -> dict[str, Any]:
    """The inputs by Terraform's names; nested objects are blocks, and a block is a list."""
    known = resource_type(resource["type"])
    hints = {name: argument.hint for name, argument in known.arguments.items()} if known else {}
    return dict(_named(resource["inputs"], hints))


def _named(values: dict[str, Any], hints: abc.Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if key.startswith("__"):
            continue
        block = _block(hints.get(key))
        if block and isinstance(value, list):
            yield _singular(_snake(key)), [_object(each, block) for each in value]
        elif block and isinstance(value, dict):
            yield _snake(key), [_object(value, block)]
        else:
            yield _snake(key), value


def _object(value: Any, cls: type) -> Any:
    if not isinstance(value, dict):
        return value
    return dict(_named(value, {name: each.hint for name, each in arguments_of(cls).items()}))


def _block(hint: Any) -> type | None:
    """The `*Args` class in a type, through unions and sequences; maps are plain values."""
    if isinstance(hint, type) and _types.is_input_type(hint):
        return hint
    if get_origin(hint) in (abc.Mapping, dict):
        return None
    return next((found for each in get_args(hint) if (found := _block(each))), None)


def _references(resource: Resource, addresses: dict[str, str]) -> dict[str, Any]:
    expressions = {}
    for key, urns in (resource.get("propertyDependencies") or {}).items():
        found = [addresses[urn] for urn in urns or () if urn in addresses]
        if found:
            expressions[_snake(key)] = {"references": [text for each in found for text in (f"{each}.id", each)]}
    return expressions


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _singular(name: str) -> str:
    if name.endswith("ies"):
        return name[:-3] + "y"
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name
