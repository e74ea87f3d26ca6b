"""A stand-in for the docker command: builds and pushes images in books of its own, $SLIPWAY_DOCKER_BOOKS.

It knows the calls of `slipway image` and refuses all others. SLIPWAY_DOCKER_FAULT='push=no space left on device' makes
a call fail with these words, as docker would; 'push+=...' after it has done its work.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# What the Dockerfile copies, whatever the settings.
CONTEXT = ("bento/bento.yaml", "bento/src/service/__main__.py", "settle.py")


class Refused(Exception):
    """What docker would say on standard error."""


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--host"]:
        arguments = arguments[2:]
    call = next((name for name in CALLS if arguments[: len(name.split())] == name.split()), None)
    try:
        if call is None:
            raise Refused(f"docker {' '.join(arguments[:2])}: the stand-in does not know it")
        kind, _, words = os.environ.get("SLIPWAY_DOCKER_FAULT", "").partition("=")
        if call == kind:
            raise Refused(words)
        with _books() as books:
            books["calls"].append(call)
            answer = CALLS[call](books, arguments[len(call.split()) :])
        if f"{call}+" == kind:
            raise Refused(words)
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    if answer:
        print(answer)
    return 0


def _build(books: dict[str, Any], arguments: list[str]) -> str:
    parser = argparse.ArgumentParser()
    for name in ("progress", "platform", "file", "tag", "cache-from"):
        parser.add_argument(f"--{name}")
    for name in ("build-arg", "label", "secret"):
        parser.add_argument(f"--{name}", action="append", default=[])
    parser.add_argument("context", type=Path)
    options = parser.parse_args(arguments)
    given = dict(each.partition("=")[::2] for each in options.build_arg)
    labels = dict(each.partition("=")[::2] for each in options.label)
    parts = [*CONTEXT, *(["packages/numpy/__init__.py"] if given["PACKAGES"] == "copied" else [])]
    parts += ["model/model/manifest.json"] if labels["slipway.model"] else []
    if lacks := [name for name in parts if not (options.context / name).is_file()]:
        raise Refused(f"failed to compute cache key: {lacks[0]}: not found")
    content = hashlib.sha256(Path(options.file).read_bytes() + json.dumps([given, options.platform]).encode())
    for file in sorted(each for each in options.context.rglob("*") if each.is_file()):
        content.update(f"{file.relative_to(options.context)} {hashlib.sha256(file.read_bytes()).hexdigest()}".encode())
    image = {
        "id": f"sha256:{content.hexdigest()}",
        "platform": options.platform,
        "labels": labels,
        "arguments": given,
        "cache": options.cache_from,
        "secrets": sorted(each.partition(",")[0] for each in options.secret),
    }
    books["daemon"][options.tag] = image
    books["built"].append(options.tag)
    return ""


def _push(books: dict[str, Any], arguments: list[str]) -> str:
    (tag,) = (each for each in arguments if not each.startswith("-"))
    if tag not in books["daemon"]:
        raise Refused(f"An image does not exist locally with the tag: {tag.rpartition(':')[0]}")
    image = books["daemon"][tag]
    books["registry"][tag] = {**image, "digest": _hash(image["id"])}
    return tag


def _manifest(books: dict[str, Any], arguments: list[str]) -> str:
    (wanted,) = (each for each in arguments if not each.startswith("-"))
    for tag, image in books["registry"].items():
        if wanted in (tag, f"{tag.rpartition(':')[0]}@{image['digest']}"):
            if "parts" not in image:
                return json.dumps({"Ref": wanted, "Descriptor": {"digest": image["digest"]}})
            described = [{"Ref": each, "Descriptor": {"digest": each.partition("@")[2]}} for each in image["parts"]]
            return json.dumps(described) if "--verbose" in arguments else json.dumps(image["parts"])
    raise Refused(f"no such manifest: {wanted}")


def _list(books: dict[str, Any], arguments: list[str]) -> str:
    name, *parts = (each for each in arguments if not each.startswith("-"))
    if lacks := [each for each in parts if each not in books["registry"]]:
        raise Refused(f"no such manifest: {lacks[0]}")
    books["lists"] = {name: [f"{each}@{books['registry'][each]['digest']}" for each in parts]}
    return f"Created manifest list {name}"


def _push_list(books: dict[str, Any], arguments: list[str]) -> str:
    (name,) = (each for each in arguments if not each.startswith("-"))
    parts = books["lists"].pop(name)
    books["registry"][name] = {"parts": parts, "digest": _hash(json.dumps(parts))}
    return str(books["registry"][name]["digest"])


def _inspect(books: dict[str, Any], arguments: list[str]) -> str:
    wanted = arguments[-1]
    for tag, image in books["daemon"].items():
        if wanted in (tag, image["id"]):
            return str(image["id"])
    raise Refused(f"Error: No such image: {wanted}")


def _remove(books: dict[str, Any], arguments: list[str]) -> str:
    if books["daemon"].pop(arguments[-1], None) is None:
        raise Refused(f"Error: No such image: {arguments[-1]}")
    return f"Untagged: {arguments[-1]}"


CALLS = {
    "version": lambda _books, _arguments: "20.10.24",
    "build": _build,
    "push": _push,
    "manifest inspect": _manifest,
    "manifest create": _list,
    "manifest push": _push_list,
    "image inspect": _inspect,
    "image rm": _remove,
}


@contextmanager
def _books() -> Iterator[dict[str, Any]]:
    """Read, and written where the call succeeds; one call at a time."""
    file = Path(os.environ["SLIPWAY_DOCKER_BOOKS"])
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.seek(0)
        books = json.loads(stream.read() or '{"daemon": {}, "registry": {}, "built": [], "calls": []}')
        yield books
        stream.seek(0)
        stream.truncate()
        json.dump(books, stream, indent=1)


def _hash(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
