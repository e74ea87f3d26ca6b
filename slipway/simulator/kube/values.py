"""Property values on the wire: what is secret, what is not known yet, and manifests without either."""

from __future__ import annotations

from typing import Any

from google.protobuf import json_format
from pulumi.runtime.rpc import UNKNOWN

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a marker, no secret
Object = dict[str, Any]


def received(struct: Any) -> Object:
    """A property bag with its secrets as they came, and whole numbers as such: the wire knows only floats."""
    return dict(_whole(json_format.MessageToDict(struct)))


def plain(value: Any) -> Any:
    """Without the wrapping of secrets, and without what is null."""
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            return plain(value.get("value"))
        return {key: plain(each) for key, each in value.items() if each is not None}
    return [plain(each) for each in value] if isinstance(value, list) else value


def secret(value: Any) -> Object:
    return {SIGNATURE: SECRET, "value": plain(value)}


def is_secret(value: Any) -> bool:
    """Whether it is a secret or holds one."""
    if isinstance(value, dict):
        return value.get(SIGNATURE) == SECRET or any(map(is_secret, value.values()))
    return isinstance(value, list) and any(map(is_secret, value))


def is_known(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(is_known, value.values()))
    return all(map(is_known, value)) if isinstance(value, list) else value != UNKNOWN


def sealed(value: Any, like: Any) -> Any:
    """`value` with everything secret that is secret in `like`."""
    if isinstance(like, dict) and like.get(SIGNATURE) == SECRET:
        return secret(value)
    if isinstance(like, dict) and isinstance(value, dict):
        return {key: sealed(each, like.get(key)) for key, each in value.items()}
    if isinstance(like, list) and is_secret(like):
        same = isinstance(value, list) and len(value) == len(like)
        return [sealed(one, other) for one, other in zip(value, like, strict=True)] if same else secret(value)
    return value


def pruned(live: Any, inputs: Any) -> Any:
    """Of what is there, the fields that the inputs name; a list of another length is taken whole."""
    if isinstance(live, dict) and isinstance(inputs, dict):
        # What is empty the server does not keep, and so it is still as the inputs say.
        kept = {key: each for key, each in inputs.items() if key in live or not each}
        return {key: pruned(live[key], each) if key in live else each for key, each in kept.items()}
    if isinstance(live, list) and isinstance(inputs, list) and len(live) == len(inputs):
        return [pruned(one, other) for one, other in zip(live, inputs, strict=True)]
    return live


def changes(old: Any, new: Any, path: str = "") -> list[tuple[str, str]]:
    """(path, add | delete | update) of every leaf that differs, as the engine shows them."""
    if old == new:
        return []
    if isinstance(old, dict) and isinstance(new, dict):
        found = []
        for key in sorted(old.keys() | new.keys()):
            where = _joined(path, key)
            if key not in old:
                found.append((where, "add"))
            elif key not in new:
                found.append((where, "delete"))
            else:
                found += changes(old[key], new[key], where)
        return found
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [each for index, pair in enumerate(zip(old, new, strict=True))
                for each in changes(*pair, f"{path}[{index}]")]  # fmt: skip
    return [(path, "update")]


def _joined(path: str, key: str) -> str:
    if not key.replace("_", "a").replace("-", "a").isalnum():
        return f'{path}["{key}"]'
    return f"{path}.{key}" if path else key


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_whole(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
