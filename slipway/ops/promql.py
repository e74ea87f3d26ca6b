"""The part of PromQL that the rules use, over a few looks at services' metrics: no Prometheus is needed to ask them.

Tests hold it to the answers of Prometheus itself.
"""

from __future__ import annotations

import itertools
import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d[\d.]*)|(?P<word>[a-zA-Z_:][\w:]*)|(?P<text>\"[^\"]*\")|(?P<range>\[\d+[smhd]\])"
    r"|(?P<sign>[=!]~|[!<>=]=|[-+*/<>(){},=]))"
)
_COMPARED = {"<": operator.lt, ">": operator.gt}
_CALCULATED: dict[str, Callable[[float, float], float]] = {
    "*": operator.mul,
    "/": lambda a, b: a / b if b else math.nan,
}
_MATCHED: dict[str, Callable[[str, str], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "=~": lambda value, pattern: re.fullmatch(pattern, value) is not None,
    "!~": lambda value, pattern: re.fullmatch(pattern, value) is None,
}
# What two looks a minute apart can stand for; a day is longer than anybody watches.
_LONGEST = 3600


class NotSeen(Exception):
    """What is asked of is not in the looks; the message says why."""


@dataclass(frozen=True)
class Look:
    """What services told at a moment: samples by metric name and labels; `instances`: who answered."""

    at: float
    samples: Mapping[str, Mapping[Labels, float]]
    instances: frozenset[str]


Looks = list[Look]
Query = Callable[[Looks], "Vector | float"]


def compiled(text: str) -> Query:
    """What an expression is over looks, the oldest first: an instant vector, or a number.

    The query raises NotSeen for series that are in no look, and for what only a longer memory has. Ranges are as long
    as the looks at most. Raises ValueError for what is none of this part of PromQL.
    """
    parser = _Parser(text)
    query = parser.both()
    if parser.part:
        raise ValueError(f"{text}: {parser.part!r} was not expected")
    return query


class _Parser:
    """Recursive descent, from what binds least to what binds most."""

    def __init__(self, text: str) -> None:
        self._text, self._tokens = text, self._split(text)
        self.kind = self.part = ""
        self._next()

    def _split(self, text: str) -> Iterator[tuple[str, str]]:
        at, text = 0, text.rstrip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if not found:
                raise ValueError(f"{text}: what is {text[at:][:20]!r}")
            at = found.end()
            yield str(found.lastgroup), found[str(found.lastgroup)]

    def _next(self) -> str:
        before = self.part
        self.kind, self.part = next(self._tokens, ("", ""))
        return before

    def _take(self, wanted: str) -> None:
        if self.part != wanted:
            raise ValueError(f"{self._text}: {wanted!r} was expected, not {self.part!r}")
        self._next()

    def both(self) -> Query:
        found = self._comparison()
        while self.part == "and":
            self._next()
            found = _and(found, self._comparison())
        return found

    def _comparison(self) -> Query:
        found = self._product()
        if self.part in _COMPARED:
            found = _where(_COMPARED[self._next()], found, self._product())
        return found

    def _product(self) -> Query:
        found = self._single()
        while self.part in _CALCULATED:
            found = _each(_CALCULATED[self._next()], found, self._single())
        return found

    def _single(self) -> Query:
        if self.kind == "number":
            number = float(self._next())
            return lambda _: number
        if self.part == "(":
            self._next()
            inner = self.both()
            self._take(")")
            return inner
        if self.kind != "word":
            raise ValueError(f"{self._text}: {self.part!r} was not expected")
        name = self._next()
        match name:
            case "sum" | "max":
                self._take("by")
                by = frozenset(self._names())
                return _grouped(sum if name == "sum" else max, by, self._single())
            case "rate" | "increase":
                self._take("(")
                series, seconds = self._selector(self._next())
                self._take(")")
                if not seconds:
                    raise ValueError(f"{self._text}: {name} without a range")
                return _grown(series, seconds, per_second=name == "rate")
            case "histogram_quantile":
                self._take("(")
                share = float(self._next())
                self._take(",")
                buckets = self.both()
                self._take(")")
                return lambda looks: _quantile(share, _vector(buckets, looks))
        series, seconds = self._selector(name)
        if seconds:
            raise ValueError(f"{self._text}: a range outside of rate and increase")
        return lambda looks: series(looks, looks[-1])

    def _names(self) -> Iterator[str]:
        self._take("(")
        while self.part != ")":
            yield self._next()
            if self.part == ",":
                self._next()
        self._next()

    def _selector(self, name: str) -> tuple[_Series, int]:
        """What picks a metric's series out of a look, and the seconds of its range, 0 for none."""
        wanted: list[tuple[str, str, str]] = []
        if self.part == "{":
            self._next()
            while self.part != "}":
                label, sign, value = self._next(), self._next(), self._next()
                wanted.append((label, sign, value.strip('"')))
                if self.part == ",":
                    self._next()
            self._next()
        seconds, offset = 0, False
        if self.kind == "range":
            text = self._next()[1:-1]
            seconds = int(text[:-1]) * _SECONDS[text[-1]]
        if self.part == "offset":
            self._next()
            self._next()  # the number, and its unit
            self._next()
            offset = True
        return _Series(name, wanted, past=offset or seconds > _LONGEST), seconds


class _Series:
    """Series of one metric whose labels are as wanted."""

    def __init__(self, name: str, wanted: list[tuple[str, str, str]], past: bool) -> None:
        self.name, self._wanted, self._past = name, wanted, past

    def __call__(self, looks: Looks, look: Look) -> Vector:
        if self._past:
            raise NotSeen("it compares with days that only a Prometheus remembers")
        if not any(self.name in each.samples for each in looks):
            raise NotSeen(f"the service has told of no {self.name} yet")
        return {labels: value for labels, value in look.samples.get(self.name, {}).items() if self._fits(dict(labels))}

    def _fits(self, labels: dict[str, str]) -> bool:
        return all(_MATCHED[sign](labels.get(label, ""), value) for label, sign, value in self._wanted)


def _grown(series: _Series, seconds: int, per_second: bool) -> Query:
    """By how much counters grew over the range. A counter that falls began again at 0, as one does that is new of an
    instance that was there before."""

    def query(looks: Looks) -> Vector:
        kept = [look for look in looks if look.at >= looks[-1].at - seconds]
        found: Vector = {}
        for before, after in itertools.pairwise(kept):
            old = series(looks, before)
            for labels, value in series(looks, after).items():
                if labels not in old and dict(labels).get("instance") not in before.instances:
                    continue
                was = old.get(labels, 0.0)
                found[labels] = found.get(labels, 0.0) + (value - was if value >= was else value)
        span = kept[-1].at - kept[0].at
        return {labels: grown / span if per_second else grown for labels, grown in found.items()}

    return query


def _grouped(whole: Callable[[list[float]], float], by: frozenset[str], inner: Query) -> Query:
    def query(looks: Looks) -> Vector:
        groups: dict[Labels, list[float]] = {}
        for labels, value in _vector(inner, looks).items():
            groups.setdefault(frozenset((name, each) for name, each in labels if name in by), []).append(value)
        return {labels: float(whole(values)) for labels, values in groups.items()}

    return query


def _each(what: Callable[[float, float], float], left: Query, right: Query) -> Query:
    """Of two numbers, a number and each series, or the series that have the same labels."""

    def query(looks: Looks) -> Vector | float:
        one, two = left(looks), right(looks)
        if not isinstance(one, dict):
            return {key: what(one, each) for key, each in two.items()} if isinstance(two, dict) else what(one, two)
        if not isinstance(two, dict):
            return {labels: what(value, two) for labels, value in one.items()}
        return {labels: what(value, two[labels]) for labels, value in one.items() if labels in two}

    return query


def _where(fits: Callable[[float, float], bool], left: Query, right: Query) -> Query:
    """The series on the left that fit, as they are."""

    def query(looks: Looks) -> Vector:
        one, two = _vector(left, looks), right(looks)
        if not isinstance(two, dict):
            return {labels: value for labels, value in one.items() if fits(value, two)}
        return {labels: value for labels, value in one.items() if labels in two and fits(value, two[labels])}

    return query


def _and(left: Query, right: Query) -> Query:
    def query(looks: Looks) -> Vector:
        one, two = _vector(left, looks), _vector(right, looks)
        return {labels: value for labels, value in one.items() if labels in two}

    return query


def _quantile(share: float, buckets: Vector) -> Vector:
    """As Prometheus has it: linear within the bucket, and the last bound where it is above all of them."""
    groups: dict[Labels, list[tuple[float, float]]] = {}
    for labels, count in buckets.items():
        bound = float(dict(labels)["le"].replace("+Inf", "inf"))
        groups.setdefault(frozenset(each for each in labels if each[0] != "le"), []).append((bound, count))
    return {labels: _within(share, sorted(each)) for labels, each in groups.items()}


def _within(share: float, buckets: list[tuple[float, float]]) -> float:
    rank, lower, below = share * buckets[-1][1], 0.0, 0.0
    if not rank:
        return math.nan
    for bound, count in buckets:
        if count >= rank:
            return lower if math.isinf(bound) else lower + (bound - lower) * (rank - below) / (count - below)
        lower, below = bound, count
    return math.nan


def _vector(query: Query, looks: Looks) -> Vector:
    found = query(looks)
    if not isinstance(found, dict):
        raise ValueError("a number where series were expected")
    return found
