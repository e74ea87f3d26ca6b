"""JSON Web Tokens: checked against an issuer's public keys, which may change meanwhile."""

import asyncio
import contextlib
import json
import logging
import math
import ssl
import time
from typing import Any

import jwt
from slipway.service.access.access_file import Jwt
from slipway.service.errors import Refused

# Public keys alone: with a shared secret among them, the public key would pass for it.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_MOST_BYTES = 8192
_REMEMBERED = 1000
_AGAIN_SECONDS, _SOON_SECONDS = 300.0, 30.0
_FETCH_SECONDS, _MOST_JWKS_BYTES = 5.0, 500_000

_log = logging.getLogger("slipway.access")


class Tokens:
    """The tokens of one issuer.

    Owns the public keys. A token that was found good is remembered until it expires or the keys change, as a signature
    costs more to check than a small model to run.
    """

    def __init__(self, rules: Jwt) -> None:
        """Raises ValueError where the JWKS holds no usable key; `load` has to be called where it is a URL."""
        self._rules = rules
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._good: dict[bytes, tuple[str, float]] = {}
        self._url = rules.jwks if isinstance(rules.jwks, str) else None
        self._loaded = -math.inf
        self._soon = False
        if isinstance(rules.jwks, dict):
            self._keys = _usable(rules.jwks)

    @property
    def by_url(self) -> bool:
        return self._url is not None

    def due(self) -> bool:
        """Whether `load` should be called: now and then, sooner once it failed or a token named an unknown key."""
        wait = _SOON_SECONDS if self._soon or not self._keys else _AGAIN_SECONDS
        return self._url is not None and time.monotonic() - self._loaded > wait

    async def load(self) -> bool:
        """Fetch the JWKS in at most 5 seconds; whether that went well. Else the keys so far stay, and the log says why.

        Not from a thread: a token checked meanwhile would be remembered beside keys that no longer have its own.
        """
        assert self._url is not None
        self._loaded, self._soon = time.monotonic(), False
        try:
            async with asyncio.timeout(_FETCH_SECONDS):
                found = _usable(await _fetched(self._url))
        except Exception as error:  # an issuer may answer anything
            self._soon = True
            _log.warning("the JWKS can't be had: %s", type(error).__name__)
            return False
        self._keys, self._good = found, {}
        return True

    def check(self, token: bytes, digest: bytes) -> str:
        """The subject of a token that is good; `digest` is the token's. Raises Refused (401; 503 without keys)."""
        found = self._good.get(digest)
        now = time.time()
        if found is None:
            found = self._check(token)
            if len(self._good) >= _REMEMBERED:
                self._good.clear()
            self._good[digest] = found
        if found[1] + self._rules.leeway < now:
            raise _wrong("expired_credentials", "the token has expired")
        return found[0]

    def _check(self, token: bytes) -> tuple[str, float]:
        if not self._keys:
            raise Refused(503, "no_issuer_keys", "the issuer's keys can't be had now", retry_after=5)
        if len(token) > _MOST_BYTES:
            raise _wrong("wrong_credentials", "the token is too long")
        try:
            name = jwt.get_unverified_header(token).get("kid")
            key = self._keys.get(name) or (next(iter(self._keys.values())) if len(self._keys) == 1 else None)
            if key is None or (name is not None and key.key_id not in (name, None)):
                self._soon = True
                raise _wrong("wrong_credentials", "the token is signed with a key that its issuer does not have")
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self._rules.audience,
                issuer=self._rules.issuer,
                leeway=self._rules.leeway,
                options={"require": ["exp", "aud", "iss"]},
            )
            found = f"jwt:{claims.get('sub', '')}"[:200], float(claims["exp"])
        except jwt.ExpiredSignatureError:
            raise _wrong("expired_credentials", "the token has expired") from None
        except jwt.InvalidAudienceError:
            raise _wrong("wrong_audience", "the token is for another audience") from None
        except jwt.InvalidIssuerError:
            raise _wrong("wrong_issuer", "the token is of another issuer") from None
        except jwt.ImmatureSignatureError:
            raise _wrong("early_credentials", "the token is not valid yet") from None
        # A header may be nested as deep as it is long, and a time be written without end.
        except (jwt.PyJWTError, ValueError, OverflowError, RecursionError):
            raise _wrong("wrong_credentials", "the token is not valid") from None
        return found


async def _fetched(url: str) -> Any:
    """The JSON at a URL. Raises httpx.HTTPError and ValueError."""
    import httpx  # comes with BentoML

    async def stays(request: httpx.Request) -> None:
        if not str(request.url).startswith(url.partition("//")[0]):
            raise ValueError("it leads from https to elsewhere")

    content = b""
    async with (
        httpx.AsyncClient(
            verify=ssl.create_default_context(),
            follow_redirects=True,
            max_redirects=3,
            event_hooks={"request": [stays]},
        ) as client,
        client.stream("GET", url, headers={"accept": "application/json", "accept-encoding": "identity"}) as answer,
    ):
        answer.raise_for_status()
        async for piece in answer.aiter_raw():
            content += piece
            if len(content) > _MOST_JWKS_BYTES:
                raise ValueError(f"more than {_MOST_JWKS_BYTES} bytes")
    return json.loads(content)


def _usable(jwks: Any) -> dict[str | None, jwt.PyJWK]:
    found: dict[str | None, jwt.PyJWK] = {}
    for each in jwks["keys"] if isinstance(jwks, dict) and isinstance(jwks.get("keys"), list) else ():
        if not isinstance(each, dict) or each.get("use", "sig") != "sig" or each.get("kty") == "oct":
            continue
        name = each.get("kid")
        # Of a kind that this library does not know, or damaged in whatever way: the others are good all the same.
        with contextlib.suppress(Exception):
            key = jwt.PyJWK.from_dict(each)
            if key.algorithm_name in ALGORITHMS and (name is None or isinstance(name, str)):
                found[name] = key
    if not found:
        names = json.dumps(ALGORITHMS)
        raise ValueError(f"jwt.jwks: no public key for signatures with one of {names}")
    return found


def _wrong(code: str, message: str) -> Refused:
    return Refused(401, code, message)
