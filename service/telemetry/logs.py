"""Structured logs: one JSON object a line on standard error, with personal data masked.

What callers send is not logged: exceptions are told by type and place, as their messages often quote an input. Where
`log_inputs` samples inputs on purpose, they are masked as everything else.
"""

import hashlib
import json
import logging
import re
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from slipway.service.exchange import TRACE_ID
from slipway.service.settings import Settings

if TYPE_CHECKING:
    from slipway.service.exchange import Exchange

MASK = "[masked]"
# E-mail addresses, payment cards and IBANs, telephone numbers, network addresses, credentials. None looks at all that
# follows from each place of a text, or a long one would take the process's time.
PATTERNS = (
    r"(?<![\w.+-])[\w.+-]+@[\w-]+\.[\w.-]+",
    r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b",
    r"\b(?:\d[ -]?){13,19}\b",
    r"(?<![\w.])(?!\d{4}-\d\d-\d\d)\+?\(?\d{1,4}\)?(?:[ ./-]\(?\d{2,5}\)?){2,5}\b",
    r"\b\d{1,3}(?:\.\d{1,3}){3}\b",
    r"\b(?:[0-9a-fA-F]{1,4}:){3,7}[0-9a-fA-F:]{1,4}\b",
    r"(?i:bearer\s+)\S+",
    r"\beyJ[\w.-]+",
    r"\b[0-9a-f]{64}\b",
)
FIELDS = (
    "name",
    "firstname",
    "lastname",
    "surname",
    "email",
    "phone",
    "address",
    "birthday",
    "ssn",
    "iban",
    "password",
)
_MOST_CHARACTERS = 2000
_MOST_BYTES = 100_000  # of an input that is looked at: much more than is written
# Masked where the line is made, if callers chose them: a process's own would now and then look like a card.
_IDS = ("requestId", "traceId")
# What programs make up as ids: UUIDs and hex numbers, with a letter and no 13 digits in a row, as cards have.
_UUID = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
_RANDOM = re.compile(rf"(?=.*[a-f])(?!.*\d{{13}})(?:{_UUID}|[0-9a-f]{{16,64}})", re.ASCII | re.IGNORECASE)


class SettingError(Exception):
    """A setting that can't be used; the message names it."""


class Masker:
    """Takes personal data out of values: whole fields by name, and in texts whatever matches a pattern."""

    def __init__(self, fields: Sequence[str] = (), patterns: Sequence[str] = ()) -> None:
        """Raises ValueError naming a pattern that is no regular expression."""
        self._fields = {_folded(name) for name in (*FIELDS, *fields)}
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
        self._pattern = re.compile("|".join(f"(?:{each})" for each in (*patterns, *PATTERNS)))

    def text(self, text: str) -> str:
        return self._pattern.sub(MASK, text)

    def value(self, value: Any) -> Any:
        """The same structure without what has to be masked; names of fields are kept."""
        if isinstance(value, dict):
            # The Open Inference Protocol has a field's name beside its data.
            whole = "data" in value and self._is_named(value.get("name"))
            return {
                self.text(str(name)): MASK if whole or self._is_named(name) else self.value(each)
                for name, each in value.items()
            }
        if isinstance(value, list):
            return [self.value(each) for each in value]
        if isinstance(value, int | float) and float(value).is_integer():  # a card may come as a number
            return value if self.text(text := f"{value:.0f}") == text else MASK
        return self.text(value) if isinstance(value, str) else value

    def id(self, text: str) -> str:
        """An id that a caller chose, where it is a random one and tells nothing."""
        return text if _RANDOM.fullmatch(text) and self.text(text) == text else MASK

    def _is_named(self, name: object) -> bool:
        return _folded(str(name)) in self._fields


class JsonLines(logging.Formatter):
    """A record as one line of JSON; `extra={"data": {...}}` adds to it."""

    def __init__(self, masker: Masker) -> None:
        super().__init__()
        self._masker = masker

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": self._masker.text(record.getMessage()),
        }
        data = getattr(record, "data", {})
        line |= {name: value if name in _IDS else self._masker.value(value) for name, value in data.items()}
        if record.exc_info and record.exc_info[0]:
            line["error"] = {"type": record.exc_info[0].__name__, "at": _places(record.exc_info[2])}
        return json.dumps(line, ensure_ascii=False, default=str)


def set_up(settings: Settings) -> None:
    """Have everything that logs in this process write JSON lines. Raises SettingError."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(masker_of(settings)))
    logging.basicConfig(level="WARNING", handlers=[handler], force=True)
    logging.getLogger("slipway").setLevel(settings.log)
    logging.getLogger("uvicorn.error").setLevel("ERROR")  # its warnings are about what strangers send
    logging.captureWarnings(True)


def masker_of(settings: Settings) -> Masker:
    """Raises SettingError."""
    lists = []
    for name, text in (("mask_fields", settings.mask_fields), ("mask_patterns", settings.mask_patterns)):
        try:
            found = json.loads(text or "[]")
        except ValueError:
            found = None
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            raise SettingError(f"{name}: a JSON array of texts is expected")
        lists.append(found)
    try:
        return Masker(*lists)
    except ValueError as error:
        raise SettingError(f"mask_patterns: {error}") from None


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A request that was refused or failed, as `/status` and `slipway doctor` tell it."""

    at: float
    request_id: str
    endpoint: str
    status: int
    code: str


class RequestLog:
    """What is written about requests: every failure of the service, of the others a share.

    Owns the memory of the last failures.
    """

    def __init__(self, settings: Settings) -> None:
        self._log = logging.getLogger("slipway.request")
        self._masker = masker_of(settings)
        self._requests, self._inputs = _every(settings.log_requests), _every(settings.log_inputs)
        self._number = 0
        self._failures: deque[Failure] = deque(maxlen=20)
        self.quiet = not self._requests and not self._inputs

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The last ones as they are now: a thread reads them while others are added."""
        return tuple(self._failures)

    def answered(self, exchange: "Exchange", endpoint: str, status: int, seconds: float, body: bytes) -> None:
        """Write a line about one in so many requests; call it unless `quiet`."""
        self._number += 1
        if self._requests and self._number % self._requests == 0:
            line = self._about(exchange, endpoint, status) | {"seconds": round(seconds, 6)}
            self._log.warning("answered", extra={"data": line})
        if self._inputs and self._number % self._inputs == 0 and body:
            line = {"requestId": self._id(exchange), "input": self._told(body)}
            self._log.warning("input", extra={"data": line})

    def failed(self, exchange: "Exchange", endpoint: str, status: int, code: str, exception: bool = False) -> None:
        """Remember a refusal; write a line where the service is at fault."""
        failure = Failure(at=time.time(), request_id=self._id(exchange), endpoint=endpoint, status=status, code=code)
        self._failures.append(failure)
        if status >= 500:
            line = self._about(exchange, endpoint, status) | {"code": code}
            self._log.error("failed", exc_info=exception, extra={"data": line})

    def _told(self, body: bytes) -> Any:
        if len(body) > _MOST_BYTES:
            return f"{len(body)} bytes"
        try:
            masked = self._masker.value(json.loads(body))
            text = json.dumps(masked, ensure_ascii=False)
        except (ValueError, RecursionError, OverflowError):
            return f"{len(body)} bytes"
        return masked if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}..."

    def _about(self, exchange: "Exchange", endpoint: str, status: int) -> dict[str, Any]:
        line: dict[str, Any] = {
            "requestId": self._id(exchange),
            "method": exchange.scope["method"][:10],
            "endpoint": endpoint,
            "status": status,
        }
        caller = exchange.caller
        if caller:  # a token's subject is often a person
            digest = hashlib.sha256(caller.encode("utf-8", "replace")).hexdigest()[:12]
            line["caller"] = f"jwt:{digest}" if caller[:4] == "jwt:" else caller
        if trace := trace_id(exchange.given.get(b"traceparent")):
            line["traceId"] = self._masker.id(trace)
        elif own := exchange.scope.get(TRACE_ID):  # the trace begins here
            line["traceId"] = own
        return line

    def _id(self, exchange: "Exchange") -> str:
        text = exchange.request_id.decode()
        return self._masker.id(text) if exchange.id_is_given else text


def trace_id(header: bytes | None) -> str:
    """The trace of a W3C traceparent header; empty where it is none."""
    found = re.fullmatch(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?", header or b"")
    return found[1].decode() if found and found[1] != b"0" * 32 else ""


def _every(share: float) -> int:
    return round(1 / share) if share > 0 else 0


def _folded(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def _places(trace: TracebackType | None) -> list[str]:
    places = []
    while trace:
        code = trace.tb_frame.f_code
        places.append(f"{Path(code.co_filename).name}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return places[-12:]
