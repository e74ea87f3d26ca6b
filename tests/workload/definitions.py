"""Holds objects to CustomResourceDefinitions as strictly as the API server does: fields, types, CEL rules.

python definitions.py FOLDER < objects.yaml, in the environment of tools/kubernetes-validate.txt. Prints a JSON list:
what is wrong. FOLDER has the definitions, a YAML file each. Objects of kinds that it does not have are wrong too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cel
import jsonschema
import yaml


def main() -> None:
    schemas = dict(schema for file in sorted(Path(sys.argv[1]).glob("*.yaml")) for schema in _schemas(file))
    problems: list[str] = []
    for each in yaml.safe_load_all(sys.stdin):
        kind, name = (each["apiVersion"], each["kind"]), each["metadata"]["name"]
        found = [*_problems(each, schemas[kind])] if kind in schemas else ["no definition of it"]
        problems += [f"{each['kind']} {name}: {why}" for why in found]
    json.dump(problems, sys.stdout)


def _schemas(file: Path) -> Iterator[tuple[tuple[str, str], Any]]:
    for document in yaml.safe_load_all(file.read_text()):
        spec = document["spec"]
        for version in spec["versions"]:
            yield (f"{spec['group']}/{version['name']}", spec["names"]["kind"]), version["schema"]["openAPIV3Schema"]


def _problems(value: Any, schema: Any) -> Iterator[str]:
    for error in jsonschema.Draft202012Validator(_strict(schema)).iter_errors(value):
        yield f"{error.json_path}: {error.message[:300]}"
    yield from _broken_rules(value, schema, "$")


def _strict(schema: Any, top: bool = True) -> Any:
    """As a strict API server reads it: a field that is not named is an error."""
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    found = {key: each for key, each in schema.items() if not key.startswith("x-") and key != "format"}
    if "properties" in found:
        found["properties"] = {key: _strict(each, False) for key, each in found["properties"].items()}
        # Of metadata a definition says nothing: it is every object's.
        if not (schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in found):
            found["additionalProperties"] = False
    for key in ("items", "additionalProperties"):
        found[key] = _strict(found[key], False) if key in found else None
    if top:
        found["required"] = sorted({*found.get("required", ()), "spec"})
    return {key: each for key, each in found.items() if each is not None}


def _broken_rules(value: Any, schema: Any, path: str) -> Iterator[str]:
    for each in schema.get("x-kubernetes-validations", ()):
        try:
            kept = cel.evaluate(each["rule"], {"self": value}) is True
        except Exception:  # of a field that is not there: the API server refuses such an object too
            kept = False
        if not kept:
            yield f"{path}: {each.get('message', each['rule'])}"
    if isinstance(value, dict):
        for key, one in value.items():
            inner = schema.get("properties", {}).get(key) or schema.get("additionalProperties")
            if isinstance(inner, dict):
                yield from _broken_rules(one, inner, f"{path}.{key}")
    elif isinstance(value, list) and "items" in schema:
        for at, one in enumerate(value):
            yield from _broken_rules(one, schema["items"], f"{path}[{at}]")


if __name__ == "__main__":
    main()
