"""Online accuracy: an answer carries a signed token with what was predicted, and the truth comes back with it.

Any replica with the same signing key can score it. Tokens count once: their numbers are kept until they are too old,
in a file that the workers of one machine share where there is one, else in this process. So is what was said of them,
for whoever has it deleted.
"""

import hmac
import itertools
import json
import logging
import math
import os
import struct
import time
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterable
from contextlib import closing
from hashlib import blake2s
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from slipway.service.artifact import Signature, TensorSpec
from slipway.service.errors import Refused
from slipway.service.telemetry.shared_counters import SharedCounters

MOST_SAMPLES = 100  # of one token: it travels in a header
MOST_CLASSES = 100  # have series of their own; the rest share one
MOST_TOKENS = 200_000
# A token: issued at, the model's digest and the process, all the same for a second and so made once (15 bytes: base64
# goes on behind them without padding); a number; from _PREDICTIONS on predictions, below it one sample's output as it
# is, which on the hot path costs a third of finding its class; the signature.
_HEAD, _NUMBER, _PREDICTIONS = struct.Struct(">I5s6s"), struct.Struct(">Q"), 1 << 63
_MOST_OUTPUT = 64  # bytes of it
# The signature is of this form of tokens alone: one from a release with another is not read as if it were this one's.
_MAC, _FORM = 16, b"token-2"
_CLASSES, _VALUES = b"c", b"v"
OUTCOMES = ("scored", "wrong_token", "replayed", "too_old", "other_version", "deleted")

_log = logging.getLogger("slipway.watch")
_T = TypeVar("_T")


class Feedback:
    """Makes tokens and scores them. Owns the counts and the memory of what was scored."""

    def __init__(self, signature: Signature, digest: str, seen: Path | None, days: float) -> None:
        self._model = bytes.fromhex(digest.removeprefix("sha256:"))[:5]
        self._key: bytes | None = None
        self._process = os.urandom(6)
        self._numbers, self._more_numbers = (map(_NUMBER.pack, itertools.count(at)) for at in (0, _PREDICTIONS))
        self._oldest = days * 86400
        output = signature.outputs[0]
        self.classes = signature.labels
        self._kind = b""
        if signature.task == "classification" and len(output.shape) == 2 and output.shape[1] != 1:
            size = output.shape[1] if self.classes is None else len(self.classes)
            self.classes = self.classes or (tuple(map(str, range(size))) if size else None)
            self._kind = _CLASSES if self.classes and len(self.classes) < 65536 else b""
        elif signature.task == "regression" and output.shape[1:] in ((), (1,)) and output.dtype.startswith("float"):
            self._kind = _VALUES
        self._series = min(len(self.classes or ()), MOST_CLASSES) + 1
        # Outcomes; then for each class how often it was true, predicted and both; else count, |error| and error²; and
        # the same of what was deleted, as counters never fall.
        self._cells = SharedCounters(len(OUTCOMES) + 2 * 3 * self._series)
        self._seen = _Seen(seen)
        self._output, self._dtype = output.name, output.dtype
        self._small = _bytes_of_one(output) if self._kind else None
        self.tick()

    def token(self, outputs: dict[str, np.ndarray], key: bytes | None) -> bytes | None:
        """The token of an answer, for the header x-prediction-token; None where none can be made."""
        values = outputs[self._output]
        if key is not self._key:
            self._key = key
            self.tick()
        if values.nbytes == self._one:
            text = next(self._numbers) + values.tobytes()
        elif key is None or not self._kind or len(values) > MOST_SAMPLES:
            return None
        else:
            made = values.astype(">f4") if self._kind is _VALUES else values.argmax(axis=1).astype(">u2")
            text = next(self._more_numbers) + made.tobytes()
        mac = self._begun.copy()
        mac.update(text)
        return self._head + b2a_base64(text + mac.digest(), newline=False)

    def tick(self) -> None:
        """Tokens have the time of the last call as theirs."""
        head = _HEAD.pack(int(time.time()), self._model, self._process)
        self._head = b2a_base64(head, newline=False)
        self._begun = blake2s(head, key=self._key or b"", person=_FORM, digest_size=_MAC)
        self._one = self._small if self._key else None  # so that one look tells whether there is such a token

    def score(self, body: object, key: bytes | None) -> dict[str, int | float]:
        """Count the truth that came back, or delete what came back before; what was counted. Blocks on a file.

        Raises Refused: 400 and 422 for what is wrong with the request, 409 for a token that was scored already, 503
        where the file of those can't be written.
        """
        if isinstance(body, dict) and "delete" in body:
            return self._delete(_deleted(body), key)
        token, truth = _parts(body)
        issued, number, predicted = self._open(token, key)
        if predicted is None:
            raise self._refuse("other_version", 409, "the token is another version's of the model")
        truths = truth if isinstance(truth, list) else [truth]
        if len(truths) != len(predicted):
            message = f"label: {len(truths)} of them, the answer had {len(predicted)} predictions"
            raise Refused(400, "wrong_batch", message, field="label")
        checked = [None if each is None else self._truth(each, index) for index, each in enumerate(truths)]
        if time.time() - issued > self._oldest:
            raise self._refuse("too_old", 422, f"the token is older than {self._oldest / 86400:g} days")
        added = self._seen.add(number, issued, self._oldest, json.dumps(checked))
        if added is None:
            raise self._refuse("too_old", 422, "the token is older than others that had to be forgotten")
        if not added:
            raise self._refuse("replayed", 409, "the token was scored already")
        self._cells.mine[0] += 1
        pairs = [(each, made) for each, made in zip(checked, predicted, strict=True) if each is not None]
        return self._count(pairs)

    def tidy(self) -> None:
        """Forget tokens that are too old, and what was said of them. Blocks on a file; raises Refused as `score`."""
        self._seen.tidy(self._oldest)

    def counts(self, *, gross: bool = False) -> dict[str, Any]:
        """All workers' counts: `outcomes`, and by class `true`, `predicted`, `right`, or `count`, `error`, `square`.

        `gross`: with what was deleted.
        """
        summed = self._cells.sum()
        found: dict[str, Any] = {"outcomes": dict(zip(OUTCOMES, summed, strict=False))}
        scored, deleted = summed[len(OUTCOMES) :].reshape(2, 3, self._series)
        rest = scored if gross else scored - deleted
        if self._kind == _VALUES:
            return found | {"count": rest[0, 0], "error": rest[1, 0], "square": rest[2, 0]}
        names = [*(self.classes or ())[:MOST_CLASSES], "other"]
        return found | {
            name: dict(zip(names, row, strict=True))
            for name, row in zip(("true", "predicted", "right"), rest, strict=True)
        }

    def _delete(self, token: str, key: bytes | None) -> dict[str, int | float]:
        """Whatever version the token is of: what was said of it is forgotten, and it is not taken again."""
        issued, number, predicted = self._open(token, key)
        truths = json.loads(self._seen.delete(number, issued) or "[]")
        self._cells.mine[OUTCOMES.index("deleted")] += 1
        pairs = [(true, made) for true, made in zip(truths, predicted or (), strict=False) if true is not None]
        self._count(pairs, len(OUTCOMES) + 3 * self._series)
        return {"deleted": sum(true is not None for true in truths)}

    def _count(self, pairs: list[tuple[Any, Any]], start: int = len(OUTCOMES)) -> dict[str, int | float]:
        size, mine = self._series, self._cells.mine
        if self._kind is _VALUES:
            for true, made in pairs:
                for cell, value in enumerate((1.0, abs(true - made), (true - made) ** 2)):
                    mine[start + cell * size] += value
            return {"counted": len(pairs)}
        for true, made in pairs:
            mine[start + min(true, size - 1)] += 1
            mine[start + size + min(made, size - 1)] += 1
            mine[start + 2 * size + min(true, size - 1)] += true == made
        return {"counted": len(pairs), "right": sum(true == made for true, made in pairs)}

    def _open(self, token: str, key: bytes | None) -> tuple[int, bytes, list[Any] | None]:
        """When it was issued, its number, and what was predicted; None of another version. Raises Refused."""
        wrong = "the token is not one that this service made"
        try:
            raw = a2b_base64(token, strict_mode=True)
        except ValueError:
            raise self._refuse("wrong_token", 422, wrong) from None
        text, mac = raw[:-_MAC], raw[-_MAC:]
        if (
            key is None
            or len(text) < _HEAD.size + _NUMBER.size
            or not hmac.compare_digest(mac, blake2s(text, key=key, person=_FORM, digest_size=_MAC).digest())
        ):
            raise self._refuse("wrong_token", 422, wrong)
        issued, model, process = _HEAD.unpack_from(text)
        number, told = text[_HEAD.size :][: _NUMBER.size], text[_HEAD.size + _NUMBER.size :]
        if model != self._model:
            return issued, process + number, None
        if _NUMBER.unpack(number)[0] >= _PREDICTIONS:
            made = np.frombuffer(told, ">u2" if self._kind is _CLASSES else ">f4")
        else:
            output = np.frombuffer(told, self._dtype)
            made = output[None].argmax(axis=1) if self._kind is _CLASSES else output
        return issued, process + number, made.tolist()

    def _truth(self, value: object, index: int) -> Any:
        if self._kind is _VALUES:
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e30:
                raise Refused(400, "wrong_type", "label: a number is expected", field="label", index=index)
            return float(value)
        name = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(name, str) or name not in (self.classes or ()):
            raise Refused(400, "unknown_label", "label: no class of this model", field="label", index=index)
        return (self.classes or ()).index(name)

    def _refuse(self, outcome: str, status: int, message: str) -> Refused:
        self._cells.mine[OUTCOMES.index(outcome)] += 1
        return Refused(status, outcome, message, field="token")


class _Seen:
    """The numbers of the tokens that were scored, about 200,000 of them, and the truths that came with them, as JSON.

    Where more come the oldest go, and no token as old as those is taken again: it might be one of them. That holds for
    the too old as well, as the clock that says so may have been wrong.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = str(path) if path else _IN_MEMORY
        self._database: Any = None
        self._added = 0

    def add(self, number: bytes, issued: int, oldest: float, truth: str = "[]") -> bool | None:
        """True for a new one, False for one that is known, None for one that can't be told.

        Raises Refused (503) where the file can't be used: its disk is full or read-only, no descriptor is left.
        """
        return self._safely(lambda cursor: self._add(cursor, number, issued, oldest, truth))

    def delete(self, number: bytes, issued: int) -> str | None:
        """The truth of a token, which is forgotten; its number is not. Raises Refused (503)."""

        def work(cursor: Any) -> str | None:
            found = cursor.execute("SELECT truth FROM truths WHERE number = ?", (number,)).fetchone()
            cursor.execute("DELETE FROM truths WHERE number = ?", (number,))
            cursor.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (number, issued))
            return found and str(found[0])

        return self._safely(work)

    def tidy(self, oldest: float) -> None:
        """Forget what is older than `oldest` seconds, and the oldest of too many. Raises Refused (503)."""
        self._safely(lambda cursor: self._tidy(cursor, oldest))

    def _safely(self, work: Callable[[Any], _T]) -> _T:
        import sqlite3

        try:
            for heal in (self._reopen, self._begin_anew):
                try:
                    return self._tried(work)
                except sqlite3.DatabaseError as error:
                    if isinstance(error, sqlite3.OperationalError) and "no such table" not in str(error):
                        raise  # it is busy, or the disk is full: the file is whole
                    heal()
            return self._tried(work)
        except (OSError, sqlite3.Error) as error:
            _log.error("feedback can't be kept: %s", error)
            if self._database and self._path == _IN_MEMORY:
                self._database.rollback()
            else:
                self._reopen()
            raise Refused(503, "feedback_unavailable", "feedback can't be kept now", retry_after=60) from error

    def _reopen(self) -> None:
        """Another process may have begun anew."""
        self._database = None

    def _begin_anew(self) -> None:
        """A damaged file no longer says which tokens were scored: none from before is taken again."""
        self._database = None
        Path(self._path).unlink(missing_ok=True)
        self._connected().execute("INSERT INTO horizon VALUES (?)", (int(time.time()),))

    def _connected(self) -> Any:
        import sqlite3

        if self._database is None:
            self._database = sqlite3.connect(self._path, timeout=5, isolation_level=None, check_same_thread=False)
            for statement in _TABLES:
                self._database.execute(statement)
        return self._database

    def _tried(self, work: Callable[[Any], _T]) -> _T:
        with closing(self._connected().cursor()) as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            found = work(cursor)
            cursor.execute("COMMIT")
            return found

    def _add(self, cursor: Any, number: bytes, issued: int, oldest: float, truth: str) -> bool | None:
        if cursor.execute("SELECT 1 FROM seen WHERE number = ?", (number,)).fetchone():
            return False
        (horizon,) = cursor.execute("SELECT coalesce(max(issued), -1) FROM horizon").fetchone()
        if issued <= horizon:
            return None
        cursor.execute("INSERT INTO seen VALUES (?, ?)", (number, issued))
        cursor.execute("INSERT INTO truths VALUES (?, ?, ?)", (number, issued, truth))
        self._added += 1
        if self._added % _TIDY == 0:
            self._tidy(cursor, oldest)
        return True

    def _tidy(self, cursor: Any, oldest: float) -> None:
        (last,) = cursor.execute("SELECT max(issued) FROM seen WHERE issued < ?", (time.time() - oldest,)).fetchone()
        (count,) = cursor.execute("SELECT count(*) FROM seen").fetchone()
        if count > MOST_TOKENS:
            oldest_first = "SELECT issued FROM seen ORDER BY issued LIMIT 1 OFFSET ?"
            (last,) = cursor.execute(oldest_first, (count - MOST_TOKENS,)).fetchone()
        if last is not None:
            cursor.execute("DELETE FROM seen WHERE issued <= ?", (last,))
            cursor.execute("DELETE FROM truths WHERE issued <= ?", (last,))
            cursor.execute("INSERT INTO horizon VALUES (?)", (last,))


_TIDY, _IN_MEMORY = 1000, ":memory:"
_TABLES = (
    "PRAGMA journal_mode = MEMORY",
    "PRAGMA synchronous = OFF",
    "PRAGMA secure_delete = ON",  # what is deleted is overwritten
    "CREATE TABLE IF NOT EXISTS seen (number BLOB PRIMARY KEY, issued INTEGER) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS by_time ON seen (issued)",
    "CREATE TABLE IF NOT EXISTS truths (number BLOB PRIMARY KEY, issued INTEGER, truth TEXT) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS truths_by_time ON truths (issued)",
    "CREATE TABLE IF NOT EXISTS horizon (issued INTEGER)",
)


def _bytes_of_one(output: TensorSpec) -> int | None:
    """Of one sample's output, where that is known and small enough for a token."""
    sizes = [size for size in output.shape[1:] if size is not None]
    if not output.dtype.startswith("float") or len(sizes) < len(output.shape) - 1:
        return None
    found = np.dtype(output.dtype).itemsize * math.prod(sizes)
    return found if found <= _MOST_OUTPUT else None


def accuracy(counts: dict[str, Any]) -> float | None:
    """The share that was right; None for regressions, and while nothing was scored."""
    known = sum(counts.get("true", {}).values())
    return sum(counts["right"].values()) / known if known else None


def recalls(counts: dict[str, Any]) -> Iterable[tuple[str, float]]:
    """For each class that was true, the share of it that was found."""
    return [(name, counts["right"][name] / true) for name, true in counts.get("true", {}).items() if true]


def _deleted(body: dict[str, Any]) -> str:
    if body.keys() != {"token", "delete"} or body["delete"] is not True:
        raise Refused(400, "wrong_type", "delete: only true, and beside it only a token", field="delete")
    return _text(body["token"])


def _parts(body: object) -> tuple[str, Any]:
    if not isinstance(body, dict):
        raise Refused(400, "wrong_type", "expected an object with token and label")
    for name in ("token", "label"):
        if name not in body:
            raise Refused(400, "missing_field", f"{name}: missing", field=name)
    if unknown := next((name for name in body if name not in ("token", "label")), None):
        raise Refused(
            400, "unknown_field", f"{unknown[:100]}: unknown field; expected token, label", field=unknown[:100]
        )
    return _text(body["token"]), body["label"]


def _text(token: object) -> str:
    if not isinstance(token, str) or len(token) > 1000:
        raise Refused(400, "wrong_type", "token: a text is expected", field="token")
    return token
