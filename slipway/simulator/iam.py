"""What IAM says to a call: explicit denials, grants, conditions and a permissions boundary.

docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html, for one account and one principal.
Not known: policies of resources, organizations and sessions, variables, operators that no policy of ours has.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

Context = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Call:
    """`resource`: its ARN; `*` of a call that has none that is known. `context`: values of condition keys."""

    action: str
    resource: str = "*"
    context: Context = field(default_factory=dict)


def allows(policies: Sequence[str], call: Call, boundary: str | None = None) -> bool:
    """Whether a principal with these policies, as JSON, may do it.

    Raises:
        ValueError: a statement has a condition operator that is not known.
    """
    if _said("Deny", policies, call) or not _said("Allow", policies, call):
        return False
    return boundary is None or (_said("Allow", [boundary], call) and not _said("Deny", [boundary], call))


def _said(effect: str, policies: Sequence[str], call: Call) -> bool:
    statements = (each for policy in policies for each in _statements(policy))
    return any(each["Effect"] == effect and _is_about(each, call) for each in statements)


@cache
def _statements(policy: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(policy)["Statement"]
    return found


def _is_about(statement: Mapping[str, Any], call: Call) -> bool:
    return (
        _named(statement, "Action", call.action.lower(), str.lower)
        and _named(statement, "Resource", call.resource, str)
        and all(
            _holds(operator, key, _listed(wanted), call.context)
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def _named(statement: Mapping[str, Any], kind: str, value: str, form: Callable[[str], str]) -> bool:
    if f"Not{kind}" in statement:
        return not any(_like(form(each), value) for each in _listed(statement[f"Not{kind}"]))
    return any(_like(form(each), value) for each in _listed(statement[kind]))


def _holds(operator: str, key: str, wanted: Sequence[str], context: Context) -> bool:
    lowered = {name.lower(): value for name, value in context.items()}
    has = _listed(lowered[key.lower()]) if key.lower() in lowered else None
    if operator == "Null":
        return (has is None) == (wanted[0] == "true")
    plain = operator.removesuffix("IfExists")
    if has is None:  # a negated operator holds of a key that is not there
        return plain != operator or plain in NEGATED
    if plain in NEGATED:
        return not any(OPERATORS[NEGATED[plain]](one, value) for one in wanted for value in has)
    if plain not in OPERATORS:
        raise ValueError(f"the condition operator {operator} is not known: add it to {__name__}")
    return any(OPERATORS[plain](one, value) for one in wanted for value in has)


def _like(pattern: str, value: str) -> bool:
    return _compiled(pattern).fullmatch(value) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."))


def _listed(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": str.__eq__,
    "StringLike": _like,
    "ArnEquals": _like,
    "ArnLike": _like,
    "Bool": str.__eq__,
}
NEGATED = {"StringNotEquals": "StringEquals", "StringNotLike": "StringLike", "ArnNotLike": "ArnLike"}
