"""Who may ask: every request passes here before its body is read, and takes no place in the queue until it has."""

import asyncio
import hmac
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slipway.service.access.access_file import AccessError, Rules, digest_of, read_rules
from slipway.service.access.hops import UNKNOWN, client_address, neighbourhood, within
from slipway.service.access.rate_limit import RateLimit
from slipway.service.errors import Refused
from slipway.service.telemetry.shared_counters import SharedCounters
from slipway.service.watch import every

if TYPE_CHECKING:
    from slipway.service.access.jwt import Tokens
    from slipway.service.exchange import Exchange

OPEN = "open"
# What probes ask, which bring no credentials and have addresses of their own.
HEALTH = frozenset(("/livez", "/readyz", "/v2/health/live", "/v2/health/ready"))
PAGE = frozenset(("/ui", *(f"/ui/{name}" for name in ("page.css", "page.js", "dom.js", "inputs.js", "views.js"))))
LOOK_SECONDS = 0.5  # a key that is taken out of the file is refused within a second
_MOST_KNOWN = 256
_SHORTEST_KEY = 32  # characters: a shorter one is quickly guessed, so none is taken, whatever the file says

_FILE, _ISSUER = range(2)
_State = tuple[int, int, int]

_log = logging.getLogger("slipway.access")


class Access:
    """The rules of an access file, which may change while the process runs.

    `source`: the file, or OPEN for a service that asks for no credentials, or nothing: then only health is answered.
    Owns the watch over the file. Limits are counted in this process alone.
    """

    def __init__(self, source: str) -> None:
        """Raises AccessError where the file can't be used."""
        self._path = Path(source) if source not in ("", OPEN) else None
        self.open = source == OPEN
        # The page's files are no secret: they are open on these ports, which reach this machine alone.
        self.page_ports: set[int] = set()
        self.rules = Rules()
        # Headers of keys that were let in, by which the next request is: a lookup goes by a secret hash of the whole
        # header, so how long it takes says nothing of a key, as with the comparison that it saves.
        self._known: dict[bytes | None, tuple[str, float]] = {}
        self._seen: _State | None = None
        self._tokens: Tokens | None = None
        self._per_key: RateLimit | None = None
        self._per_address: RateLimit | None = None
        self._keys_alone = True  # no limits beside them
        self._watching: list[asyncio.Task[None]] = []
        self._problem = ""
        # When the file was last found good, and when the issuer's keys were had, as every process's monotonic clock
        # has it; 0: nothing to look at.
        self._good = SharedCounters(2)
        self._good.array[:] = 0
        if self._path:
            self._seen = _state_or_none(self._path)
            self._take(read_rules(self._path))
            self._good.mine[_FILE] = time.monotonic()

    def check(self, exchange: "Exchange") -> str:
        """The name of who asks. Raises Refused: 401 without good credentials, 403 from elsewhere, 429 too often."""
        given, headers = exchange.given.get(b"authorization"), exchange.scope["headers"]
        known, single = self._known.get(given), len(exchange.given) == len(headers)
        if known and single and self._keys_alone and known[1] > time.time():
            return known[0]  # most requests, so nothing else is looked at before
        if self.open or exchange.scope["path"] in HEALTH:
            return ""
        if self.rules.allow or self._per_address:
            self._check_address(exchange)
        doubled = not single and sum(name == b"authorization" for name, _ in headers) > 1
        if known and known[1] > time.time() and not doubled:
            return self._limited(known[0])
        if given is None and self.is_page(exchange):
            return ""
        if given is None or doubled:
            what = "several authorization headers" if doubled else "no authorization header"
            code = "doubled_credentials" if doubled else "no_credentials"
            raise _unauthorized(exchange, Refused(401, code, f"the request has {what}; send one: Bearer <key>"))
        kind, _, secret = given.partition(b" ")
        try:
            if kind.lower() != b"bearer" or not secret:
                raise Refused(401, "wrong_credentials", "the authorization header is not: Bearer <key>")
            name = self._name(secret, given)
        except Refused as refused:
            raise _unauthorized(exchange, refused) from None
        return self._limited(name)

    def is_page(self, exchange: "Exchange") -> bool:
        """Whether a request is for one of the page's files, on a port that has it."""
        scope = exchange.scope
        return scope["path"] in PAGE and (scope.get("server") or ("", None))[1] in self.page_ports

    async def watch(self) -> None:
        """Take changes of the file from now on, and get an issuer's keys; a file that can't be used is not taken."""
        await self._ask_issuer()
        if self._path:
            # Apart, so that an issuer that is slow keeps no key valid that is taken out of the file.
            turns = {"the access file": self.look, "the issuer's keys": self._ask_issuer}
            self._watching = [
                asyncio.create_task(every(LOOK_SECONDS, turn, f"the watch of {what}")) for what, turn in turns.items()
            ]

    async def close(self) -> None:
        for watching in self._watching:
            watching.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)

    def ages(self) -> dict[str, float]:
        """Seconds since the file was last found good (`rules`) and the issuer's keys were had (`issuerKeys`), of the
        living worker with the oldest; only what this service has."""
        now = time.monotonic()
        found: dict[str, float] = {}
        for _, good in self._good.workers(living=True):
            for at, name in ((_FILE, "rules"), (_ISSUER, "issuerKeys")):
                if good[at]:
                    found[name] = max(found.get(name, 0.0), now - good[at])
        return found

    def collect(self, labels: tuple[str, str]) -> Iterator[Any]:
        """The metric families, with the labels service_name and service_version."""
        from prometheus_client.core import GaugeMetricFamily

        ages = self.ages()
        for key, name, text in (
            ("rules", "slipway_access_rules_age_seconds", "Since the access file was last found good"),
            ("issuerKeys", "slipway_issuer_keys_age_seconds", "Since the issuer's keys were last had"),
        ):
            family = GaugeMetricFamily(name, text, labels=("service_name", "service_version"))
            if key in ages:
                family.add_metric(labels, ages[key])
            yield family

    async def look(self) -> bool:
        """Take the file's rules if it has changed; whether it had.

        It is read in a thread, as a disk may hang. The rules change here, or a key checked meanwhile would be
        remembered beside rules that no longer have it.
        """
        if self._path is None:
            return False
        state, rules = await asyncio.to_thread(_changed, self._path, self._seen)
        try:
            if isinstance(rules, AccessError):
                raise rules
            if rules:
                self._take(rules)
        except AccessError as error:
            if str(error) != self._problem:
                _log.error("the rules so far go on: %s", error)
            self._problem = str(error)
            return False  # it is read again in any case: what failed may be the disk
        self._seen, self._problem, self._good.mine[_FILE] = state, "", time.monotonic()
        return rules is not None

    async def _ask_issuer(self) -> None:
        tokens = self._tokens
        if tokens is None or not tokens.by_url:
            self._good.mine[_ISSUER] = 0.0
        # Of keys that were never had, the age is that of this process.
        elif tokens.due() and (await tokens.load() or not self._good.mine[_ISSUER]):
            self._good.mine[_ISSUER] = time.monotonic()

    def _take(self, rules: Rules) -> None:
        tokens = None
        if rules.jwt:
            from slipway.service.access.jwt import Tokens

            try:
                same = self._tokens if rules.jwt == self.rules.jwt else None
                tokens = same or Tokens(rules.jwt)
            except ValueError as error:
                raise AccessError(f"{self._path} can't be used: {error}") from None
        if (rules.per_key, rules.per_address) != (self.rules.per_key, self.rules.per_address):
            self._per_key = RateLimit(rules.per_key) if rules.per_key else None
            self._per_address = RateLimit(rules.per_address) if rules.per_address else None
        self.rules, self._tokens, self._known = rules, tokens, {}
        self._keys_alone = not (rules.allow or self._per_key or self._per_address)

    def _limited(self, name: str) -> str:
        if self._per_key and (wait := self._per_key.take(name)):
            raise Refused(429, "too_many_requests", f"{name} asks too often", retry_after=wait)
        return name

    def _name(self, secret: bytes, given: bytes) -> str:
        digest = digest_of(secret)
        found = None
        for key in self.rules.keys:  # all of them, and each in constant time: how long it takes tells nothing
            if hmac.compare_digest(key.digest, digest):
                found = key
        if found is None and self._tokens and secret.count(b".") == 2:
            return self._tokens.check(secret, digest)
        if found is None or len(secret) < _SHORTEST_KEY:
            raise Refused(401, "wrong_credentials", "the key is not known")
        if found.expires <= time.time():
            raise Refused(401, "expired_credentials", "the key has expired")
        if len(self._known) < _MOST_KNOWN:  # `bearer` may be spelled in many ways
            self._known[given] = (found.name, found.expires)
        return found.name

    def _check_address(self, exchange: "Exchange") -> None:
        peer = (exchange.scope.get("client") or ("",))[0]
        address = client_address(peer, exchange.scope["headers"], self.rules.proxies)
        if self.rules.allow and not within(address, self.rules.allow):
            what = "the proxies' headers name no one address" if address == UNKNOWN else "this address may not ask"
            raise Refused(403, "address_not_allowed", what)
        if self._per_address and (wait := self._per_address.take(neighbourhood(address))):
            raise Refused(429, "too_many_requests", "this address asks too often", retry_after=wait)


def _unauthorized(exchange: "Exchange", refused: Refused) -> Refused:
    if refused.status == 401:
        exchange.headers.append((b"www-authenticate", b"Bearer"))
    return refused


def _changed(path: Path, seen: "_State | None") -> "tuple[_State | None, Rules | AccessError | None]":
    """The file's state, and its rules where that is another than `seen`, or why there are none."""
    state = _state_or_none(path)
    if state is not None and state == seen:
        return state, None
    try:
        return state, read_rules(path)
    except AccessError as error:
        return state, error


def _state_or_none(path: Path) -> "_State | None":
    try:
        return _state(path)
    except OSError:
        return None


def _state(path: Path) -> _State:
    found = os.stat(path)  # follows links: a Secret on Kubernetes changes by a link that points elsewhere
    # Docker gives what it unpacks the time that the archive has, and a file system a freed number to the next file.
    return found.st_ctime_ns, found.st_ino, found.st_size
