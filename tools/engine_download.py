"""The official release of the engine, used only if its published checksum matches."""

import hashlib
import os
import tarfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, Any

from engine_cache import NAMES, VERSION, progress, say, staged

ARCHIVES = "https://get.pulumi.com/releases/sdk"
# Another host than the archive's, so that one of them alone can't vouch for a changed file.
CHECKSUMS = f"https://github.com/pulumi/pulumi/releases/download/v{VERSION}"
KEPT = {*NAMES, "pulumi-language-python", "pulumi-analyzer-policy-python"}
CONNECT_S, READ_S = 3, 30
LARGEST_LIST, LARGEST = 1 << 20, 2 << 30  # bytes: of the checksums, and of the archive


def fetch(platform: str) -> str | None:
    """Put the official engine into the cache; None if that worked, else the reason why it did not.

    SLIPWAY_PULUMI_RELEASES names a mirror that holds both the archive and the checksums file.
    """
    mirror = os.environ.get("SLIPWAY_PULUMI_RELEASES", "").rstrip("/")
    name = f"pulumi-v{VERSION}-{platform}.tar.gz"
    try:
        url = f"{mirror or CHECKSUMS}/pulumi-{VERSION}-checksums.txt"
        with opened(url, CONNECT_S) as answer:
            wanted = checksum(answer.read(LARGEST_LIST).decode(), name)
        if wanted is None:
            return f"{name} has no published checksum"
        with staged() as staging:
            archive = staging / name
            say(f"Fetching {mirror or ARCHIVES}/{name}")
            with opened(f"{mirror or ARCHIVES}/{name}", READ_S) as answer:
                found = save(answer, archive, int(answer.headers.get("Content-Length") or 0))
            if found != wanted:
                raise ValueError(f"{name} does not match its published checksum, so it is not used")
            unpack(archive, staging)
            archive.unlink()
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        return f"the official release can't be fetched ({getattr(error, 'reason', error)})"
    except (ValueError, tarfile.TarError, EOFError) as error:
        return str(error)
    return None


def opened(url: str, timeout: float) -> Any:
    """The answer to a GET; the mirror's name comes from outside, so other schemes than these are refused."""
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"{url} is not an http or https address")
    return urllib.request.urlopen(url, timeout=timeout)  # noqa: S310


def checksum(listing: str, name: str) -> str | None:
    """The SHA-256 that a checksums file gives for `name`."""
    for line in listing.splitlines():
        digest, _, listed = line.partition(" ")
        if listed.strip().lstrip("*") == name and len(digest) == 64:
            return digest.lower()
    return None


def save(source: IO[bytes], target: Path, size: int) -> str:
    """Write `source` to `target` and return its SHA-256."""
    digest, done, shown = hashlib.sha256(), 0, 0
    with target.open("wb") as file:
        while block := source.read(1 << 20):
            if done + len(block) > LARGEST:
                raise ValueError(f"{target.name} has more than {LARGEST >> 30} GiB, so it is not used")
            file.write(block)
            digest.update(block)
            done += len(block)
            if size and done * 10 // size > shown:
                shown = done * 10 // size
                progress(f"{done >> 20} of {size >> 20} MiB", last=done == size)
    return digest.hexdigest()


def unpack(archive: Path, folder: Path) -> None:
    """Take the command and the Python parts out of the archive; the other languages' hosts stay behind."""
    with tarfile.open(archive) as tar:
        for member in tar:
            name = Path(member.name).name
            if member.isfile() and name in KEPT:
                source = tar.extractfile(member)
                assert source is not None
                (folder / name).write_bytes(source.read())
                (folder / name).chmod(0o755)
    missing = {*NAMES, "pulumi-language-python"} - {path.name for path in folder.iterdir()}
    if missing:
        raise ValueError(f"{archive.name} lacks {', '.join(sorted(missing))}")
