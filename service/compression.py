"""Packed bodies: a request's is unpacked within its limit, an answer is packed where that is asked for and worth it."""

import re
import zlib
from collections.abc import Mapping

from slipway.service.errors import Refused

# What a refusal tells. zstd would take a library.
TAKEN = b"gzip, deflate"
_WINDOWS = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}
_MOST_MEMBERS = 100  # of one gzip body: what follows each of them is copied
# Bytes that fit into the first round trip of a connection (RFC 6928: ten segments): a shorter answer arrives no sooner.
WORTH = 14_600
# Level 1 takes 10 ns a byte of JSON, four times what encoding it took, and leaves 0.45 of it; 6 takes 3 to 20 times as
# long and leaves 0.40. Numbers as bytes lose 6 % at most.
_LEVEL = 1
_REFUSING = re.compile(rb"q=0(\.0*)?")


def coding_of(headers: Mapping[bytes, bytes]) -> bytes:
    """How a request's body is packed; empty where it is not. Raises Refused (415) for what is not unpacked here."""
    coding = headers.get(b"content-encoding", b"").lower()
    if coding in (b"", b"identity"):
        return b""
    if coding not in _WINDOWS:
        raise Refused(415, "wrong_content_encoding", f"send the body as it is, or packed with {TAKEN.decode()}")
    return coding


def unpacked(body: bytes, coding: bytes, limit: int) -> bytes:
    """What `body` holds, at most `limit` bytes of which are ever unpacked. Blocks. Raises Refused (400, 413)."""
    parts: list[bytes] = []
    for _ in range(_MOST_MEMBERS):
        reader = zlib.decompressobj(_WINDOWS[coding])
        try:
            parts.append(reader.decompress(body, limit + 1))
        except zlib.error:
            break
        limit -= len(parts[-1])
        if limit < 0:
            raise Refused(413, "body_too_large", "the body is larger than is taken, once it is unpacked")
        body = reader.unused_data
        if not reader.eof or (body and coding == b"deflate"):
            break
        if not body:
            return b"".join(parts)
    raise Refused(400, "malformed_encoding", f"the body is not {coding.decode()}")


def is_worth(body: bytes, kind: bytes) -> bool:
    """Whether an answer gains by packing, if its client takes it packed."""
    return len(body) > WORTH and (kind == b"application/json" or kind.startswith(b"text/"))


def is_asked(accepted: bytes | None) -> bool:
    """Whether a request's accept-encoding takes gzip."""
    pairs = (each.partition(b";") for each in (accepted or b"").lower().split(b","))
    weights = {coding.strip(): weight.replace(b" ", b"") for coding, _, weight in pairs}
    weight = weights.get(b"gzip", weights.get(b"*"))
    return weight is not None and not _REFUSING.fullmatch(weight)


def packed(body: bytes) -> bytes:
    """`body` as gzip. Blocks."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOWS[b"gzip"])
    return packer.compress(body) + packer.flush()
