"""Keys and tokens that callers show, good and bad ones, and a service that is closed to the bad."""

import json
import time

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.utils import base64url_encode

from tests.callers import KEY

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
JWKS = {
    "keys": [
        {**jwt.algorithms.RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True), "kid": "rsa", "use": "sig"},
        {**jwt.algorithms.ECAlgorithm.to_jwk(EC.public_key(), as_dict=True), "kid": "ec"},
    ]
}
JWT = {"jwks": JWKS, "audience": "slipway", "issuer": "https://issuer.example", "leewaySeconds": 30}
EXPIRED = "an-expired-key-0123456789-0123456789"
PAST = "2020-01-01T00:00:00Z"


def token(key=RSA, algorithm="RS256", kid="rsa", **claims):
    now = int(time.time())
    good = {"aud": "slipway", "iss": "https://issuer.example", "sub": "somebody", "exp": now + 3600, "iat": now}
    wanted = {name: value for name, value in {**good, **claims}.items() if value is not None}
    return jwt.encode(wanted, key, algorithm, headers={"kid": kid} if kid else None)


def bearer(secret):
    return [("authorization", f"Bearer {secret}")]


def unsigned():
    """`alg: none`, which PyJWT would not make without being asked to."""
    return jwt.encode(jwt.decode(token(), options={"verify_signature": False}), None, "none")


def confused():
    """Signed with the public key as if it were a shared secret."""
    import hashlib
    import hmac

    head = base64url_encode(b'{"alg":"HS256","kid":"rsa","typ":"JWT"}')
    body = token().split(".")[1].encode()
    secret = json.dumps(JWKS["keys"][0]).encode()
    signature = base64url_encode(hmac.digest(secret, head + b"." + body, hashlib.sha256))
    return b".".join((head, body, signature)).decode()


def headed(head):
    """A token with this for its header."""
    return f"{base64url_encode(head).decode()}.e30.eA"


now = int(time.time())
BAD = {
    "none": [],
    "wrong key": bearer("x" * 40),
    "key cut off": bearer(KEY[:-1]),
    "expired key": bearer(EXPIRED),
    "key twice": bearer(KEY) * 2,
    "good and bad key": bearer(KEY) + bearer("x" * 40),
    "basic": [("authorization", "Basic dXNlcjpwYXNz")],
    "no scheme": [("authorization", KEY)],
    "empty": [("authorization", "")],
    "bearer alone": [("authorization", "Bearer ")],
    "key in another header": [("x-api-key", KEY)],
    "key in a cookie": [("cookie", f"authorization=Bearer {KEY}")],
    "token expired": bearer(token(exp=now - 60)),
    "token for another audience": bearer(token(aud="other")),
    "token of another issuer": bearer(token(iss="https://other.example")),
    "token not valid yet": bearer(token(nbf=now + 3600)),
    "token without expiry": bearer(token(exp=None)),
    "token without audience": bearer(token(aud=None)),
    "token with another's key": bearer(token(OTHER)),
    "token with an unknown kid": bearer(token(OTHER, kid="other")),
    "token without a signature": bearer(unsigned()),
    "token with the public key as secret": bearer(confused()),
    "token with one kid and another key": bearer(token(EC, "ES256", "rsa")),
    "token cut off": bearer(token()[:-4]),
    "token too long": bearer(token(more="x" * 9000)),
    "token nested deep": bearer(headed(b'{"alg":' + b"[" * 5900)),
    "token with a number of 5,000 digits": bearer(headed(b'{"alg":' + b"9" * 5000 + b"}")),
    "token without end": bearer(token(exp=float("inf"))),
    "token with a huge time": bearer(token(exp=10**400)),
    "dots": bearer(".."),
}


def client(app, **options):
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, **options), base_url="http://service")
