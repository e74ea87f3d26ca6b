"""Who deploys in the AWS stand-in: the role that `bootstrap/aws` makes. What it lacks is refused, as by AWS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from slipway.infra.config.base import PROJECT
from slipway.infra.names import STACK_TAG
from slipway.infra.platforms.aws.ci_policies import CiArgs, deploying
from slipway.infra.platforms.aws.permissions import PASS, TypeRow, arn_of, table
from slipway.simulator.books import Books, Entry
from slipway.simulator.faults import CloudError
from slipway.simulator.iam import Call, allows

ROLE = "aws:iam/role:Role"


class Deployer:
    """The deploy role of one stack."""

    def __init__(self, account: str, stack: str, books: Books) -> None:
        args = CiArgs(
            account=account, repository="example/models", repository_id="1", environment="production",
            state="example-pulumi-state", project=PROJECT, stacks=[stack],
        )  # fmt: skip
        self._account, self._books, self._policies = account, books, deploying(args)

    def refuse(self, verb: str, entry: Entry, before: Mapping[str, Any] | None = None) -> None:
        """Raises CloudError naming the first action that the role lacks. `entry`: as it is, or is to be; `before`: the
        inputs that an update changes."""
        row = table().types.get(entry["type"])
        if row is None:
            raise self._denied(
                f"anything for {entry['type']}, which infra/platforms/aws/actions.yaml does not have", "*"
            )
        for call in self._calls(verb, row, entry, before or {}):
            if not allows(self._policies, call):
                raise self._denied(call.action, call.resource)

    def _denied(self, action: str, resource: str) -> CloudError:
        who = f"arn:aws:sts::{self._account}:assumed-role/{PROJECT}-deploy/stand-in"
        return CloudError(f"AccessDenied: User: {who} is not authorized to perform: {action} on resource: {resource}")

    def _calls(self, verb: str, row: TypeRow, entry: Entry, before: Mapping[str, Any]) -> Iterator[Call]:
        inputs, known = entry["inputs"], table()
        context = self._context(verb, entry)
        changed = {key for key in inputs.keys() | before.keys() if inputs.get(key) != before.get(key)}
        if verb == "change":
            actions = [each for key, some in row.change.items() if not key or key in changed for each in some]
        else:
            actions = row.actions(verb)
        for action in actions:
            kinds = () if action in known.scopes["*"] else [each for each in row.names if action in known.scopes[each]]
            for kind in kinds:
                name = str(inputs.get(row.names[kind]) or entry["outputs"].get(row.names[kind]))
                yield Call(action=action, resource=arn_of(kind, self._account, name), context=context)
            if not kinds:
                yield Call(action=action, context=context)
        if verb in ("make", "change"):
            for path, services in row.passes.items():
                for role in _texts(inputs, path.split(".")):
                    for service in services:
                        yield Call(action=PASS, resource=role, context={"iam:PassedToService": service})

    def _context(self, verb: str, entry: Entry) -> dict[str, str]:
        tag = entry["tags"].get(STACK_TAG)
        found = {f"aws:ResourceTag/{STACK_TAG}": tag} if tag and verb != "make" else {}
        if verb == "make":
            found = {"ec2:CreateAction": "Create", "elasticloadbalancing:CreateAction": "Create"}
        inputs = entry["inputs"]
        if entry["type"] == ROLE:
            boundary = inputs.get("permissionsBoundary")
        else:
            held = self._books.find(ROLE, str(inputs.get("role"))) if "role" in inputs else None
            boundary = held["inputs"].get("permissionsBoundary") if held else None
        found |= {"iam:PermissionsBoundary": boundary} if boundary else {}
        return found | ({"iam:PolicyARN": inputs["policyArn"]} if "policyArn" in inputs else {})


def _texts(value: Any, path: list[str]) -> Iterator[str]:
    """The texts at a place of nested objects and lists."""
    if isinstance(value, list):
        for each in value:
            yield from _texts(each, path)
    elif path and isinstance(value, dict):
        yield from _texts(value.get(path[0]), path[1:])
    elif not path and isinstance(value, str):
        yield value
