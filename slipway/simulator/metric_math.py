"""CloudWatch's metric maths: which expressions an alarm can have, by the types of operands and functions.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any

SCALAR, SERIES, ARRAY = "Scalar", "TimeSeries", "Array"
EACH = ("ABS", "CEIL", "FLOOR", "LOG", "LOG10", "DIFF", "DIFF_TIME", "RATE", "RUNNING_SUM")
# Of a series a scalar, of an array of series a series.
SUMMED = ("AVG", "MAX", "MIN", "STDDEV", "SUM", "DATAPOINT_COUNT")
ID = re.compile(r"[a-z][A-Za-z0-9_]{0,254}")


class Refused(Exception):
    """CloudWatch would answer ValidationError; the message is its reason."""


def alarm_problems(queries: list[dict[str, Any]]) -> Iterator[str]:
    """What CloudWatch would refuse of an alarm's metric queries."""
    named = [str(each.get("id", "")) for each in queries]
    if wrong := [each for each in named if not ID.fullmatch(each) or named.count(each) > 1]:
        yield f"the id {wrong[0]!r} has to begin with a lower-case letter and be there once"
        return
    returned = [each for each in queries if each.get("returnData")]
    if len(returned) != 1:
        yield f"{len(returned)} queries return data, an alarm takes exactly one"
    known: dict[str, str] = {each["id"]: SERIES for each in queries if not each.get("expression")}
    waiting = [each for each in queries if each.get("expression")]
    while waiting:
        # An expression may use others, in any order.
        ready = [each for each in waiting if not _names(each["expression"]) & {one["id"] for one in waiting}] or waiting
        for each in ready:
            try:
                known[each["id"]] = _kind(_parsed(each["expression"]), known)
            except Refused as why:
                yield f"{each['expression']}: {why}"
                known[each["id"]] = SERIES
        waiting = [each for each in waiting if each not in ready]
    for each in returned:
        if known[each["id"]] != SERIES:
            yield f"{each['expression']}: is {known[each['id']]}, an alarm takes one TimeSeries"


def _parsed(expression: str) -> ast.expr:
    text = re.sub(r"\bAND\b|&&", " and ", re.sub(r"\bOR\b|\|\|", " or ", expression)).replace("^", "**")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise Refused(f"Error in expression: {error.msg}") from None


def _names(expression: str) -> set[str]:
    return set(re.findall(r"\b[a-z]\w*", expression))


def _kind(node: ast.expr, known: Mapping[str, str]) -> str:
    match node:
        case ast.Constant(value=int() | float()):
            return SCALAR
        case ast.Name(id=name) if name in known:
            return known[name]
        case ast.Name(id=name):
            raise Refused(f"no query has the id {name!r}")
        case ast.List(elts=parts):
            kinds = [_kind(each, known) for each in parts]
            if set(kinds) - {SERIES}:
                raise Refused(f"Unsupported operand type(s): 'Array[{', '.join(kinds)}]'")
            return ARRAY
        case ast.UnaryOp(operand=part):
            return _kind(part, known)
        case ast.BinOp(left=left, right=right):
            return _joined([_kind(left, known), _kind(right, known)])
        case ast.BoolOp(values=parts):
            return _joined([_kind(each, known) for each in parts])
        case ast.Compare(left=left, comparators=parts):
            return _joined([_kind(each, known) for each in (left, *parts)])
        case ast.Call(func=ast.Name(id=function), args=args):
            return _called(function, args, known)
        case _:
            raise Refused(f"Error in expression: {ast.unparse(node)}")


def _joined(kinds: list[str]) -> str:
    return ARRAY if ARRAY in kinds else SERIES if SERIES in kinds else SCALAR


def _called(function: str, args: list[ast.expr], known: Mapping[str, str]) -> str:
    if function == "FILL":
        if len(args) != 2:
            raise Refused("FILL takes a metric and what fills it")
        word = args[1].id if isinstance(args[1], ast.Name) else ""
        filler = SCALAR if word in ("REPEAT", "LINEAR") else _kind(args[1], known)
        return _of(function, [(_kind(args[0], known), (SERIES, ARRAY)), (filler, (SCALAR, SERIES))])[0]
    kinds = [_kind(each, known) for each in args]
    if function == "IF":
        if len(kinds) not in (2, 3):
            raise Refused("IF takes a condition, a value and, else, another")
        return _joined(_of(function, [(each, (SCALAR, SERIES)) for each in kinds]))
    if function == "TIME_SERIES":
        _of(function, [(each, (SCALAR,)) for each in kinds])
        return SERIES
    if function in (*EACH, *SUMMED, "PERIOD", "FIRST", "LAST"):
        if len(kinds) != 1:
            raise Refused(f"{function} takes one operand, a list for several")
        one = _of(
            function,
            [(kinds[0], {"PERIOD": (SERIES,), "FIRST": (ARRAY,), "LAST": (ARRAY,)}.get(function, (SERIES, ARRAY)))],
        )[0]
        if function in EACH:
            return one
        return SERIES if one == ARRAY else SCALAR
    raise Refused(f"{function} is no function that an alarm can have")


def _of(function: str, given: list[tuple[str, tuple[str, ...]]]) -> list[str]:
    if any(kind not in allowed for kind, allowed in given):
        raise Refused(f"Unsupported operand type(s) for {function}: '{[kind for kind, _ in given]}'")
    return [kind for kind, _ in given]
