"""The docker command: what it is asked, and what its refusals mean for who asked."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections import deque
from collections.abc import Sequence

from slipway.pipeline.errors import PipelineError

# What docker, BuildKit and registries say, and what helps; the first that fits is told.
REMEDIES = (
    (
        r"cannot connect to the docker daemon|error during connect|is the docker daemon running",
        "no Docker daemon answers{where}: start it, or name another with DOCKER_HOST or `docker context use`",
    ),
    (
        r"permission denied.*docker|docker.*permission denied",
        "you may not use the Docker daemon{where}: join its group (docker), or name another with DOCKER_HOST",
    ),
    (
        r"buildkit is enabled but the buildx|buildx component is missing|unknown flag: --(secret|progress|platform)",
        "docker can't build with BuildKit: install its buildx plugin",
    ),
    (
        r"no space left on device|disk quota exceeded",
        "the disk is full{where}: `docker system df` shows of what, `docker system prune` makes room",
    ),
    (
        r"exec format error|exec user process caused",
        "what builds has another kind of processor than the image: set slipway:image.packages: copied, name in "
        "slipway:image.base an image for several platforms, or install QEMU for binfmt",
    ),
    (
        r"toomanyrequests|rate limit",
        "the registry has answered enough for now: docker login to it, or name a mirror in slipway:image.base",
    ),
    (
        r"no basic auth|unauthorized|authentication required|incorrect username or password|token has expired",
        "{registry} does not know you: docker login {registry}; for ECR and Artifact Registry with the cloud's own "
        "helper (aws ecr get-login-password, gcloud auth configure-docker {registry})",
    ),
    (r"denied|403 forbidden", "you may not write {image}: ask for the right to, or docker login {registry} as another"),
    (
        r"name unknown|name_unknown|repository .*(not exist|not found)",
        "{registry} has no repository for {image}: make it there, or name one that it has",
    ),
    (
        r"x509:|certificate signed by unknown|tls: ",
        "{registry}'s certificate is not trusted{where}: give its authority to the Docker daemon",
    ),
    (
        r"no such host|connection refused|i/o timeout|network is unreachable|deadline exceeded|dial tcp|: EOF$",
        "{registry} can't be reached{where}: look at its name and at the network",
    ),
)
ABSENT = r"no such manifest|manifest unknown|not found|name unknown|no such image|repository .*not (exist|found)"


class DockerError(PipelineError):
    """What docker refused, with what helps; `said` is its own last words."""

    def __init__(self, message: str, said: str) -> None:
        super().__init__(message)
        self.said = said


class Docker:
    """The docker command of this machine on its current daemon, or on the one at `host` (`ssh://user@machine`)."""

    def __init__(self, host: str | None = None) -> None:
        self.host = host

    def __call__(self, *arguments: str, image: str = "", env: dict[str, str] | None = None, stdin: str = "") -> str:
        """What `docker ARGUMENTS` prints; what it says meanwhile is passed on. Raises DockerError."""
        command = ["docker", *(["--host", self.host] if self.host else []), *arguments]
        environment = {**os.environ, "DOCKER_BUILDKIT": "1", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1", **(env or {})}
        said: deque[str] = deque(maxlen=30)
        try:
            with subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                text=True, errors="replace",
            ) as process:  # fmt: skip
                assert process.stdout and process.stderr
                for line in process.stderr:
                    said.append(line)
                    if arguments[0] == "build":
                        sys.stderr.write(line)
                answer = process.stdout.read()
        except FileNotFoundError:
            raise DockerError("docker is not on PATH: install Docker, or its command line alone", "") from None
        if process.returncode:
            raise _told("".join(said).strip() or answer.strip(), image, self.host)
        return answer

    def digest(self, image: str) -> str | None:
        """What the registry holds under a name, as `sha256:...`; None where there is none. Raises DockerError."""
        inspect = ("manifest", "inspect", *_plain(image))
        try:
            found = json.loads(self(*inspect, "--verbose", image, image=image))
        except DockerError as error:
            if re.search(ABSENT, error.said, re.IGNORECASE):
                return None
            raise
        if "@" in image:
            return image.partition("@")[2]
        if isinstance(found, dict):
            return str(found["Descriptor"]["digest"])
        # Of an image for several processors docker tells everything but its digest, the hash of what it prints; whether
        # that is so, the registry knows.
        printed = self(*inspect, image, image=image).rstrip("\n")
        digest = f"sha256:{hashlib.sha256(printed.encode()).hexdigest()}"
        self(*inspect, f"{image.rpartition(':')[0]}@{digest}", image=image)
        return digest

    def join(self, image: str, parts: Sequence[str]) -> None:
        """Puts one image for several processors into the registry, which has each part. Raises DockerError."""
        plain = _plain(image)
        self("manifest", "create", "--amend", *plain, image, *parts, image=image)
        self("manifest", "push", "--purge", *plain, image, image=image)

    def id(self, image: str) -> str | None:
        """The id of an image that the daemon holds. Raises DockerError."""
        try:
            return self("image", "inspect", "--format", "{{.Id}}", image, image=image).strip()
        except DockerError as error:
            if re.search(ABSENT, error.said, re.IGNORECASE):
                return None
            raise


def registry_of(image: str) -> str:
    """The registry's address in an image's name, as docker reads it."""
    first = image.partition("/")[0]
    return first if "/" in image and ("." in first or ":" in first or first == "localhost") else "docker.io"


def is_on_this_machine(image: str) -> bool:
    """Whether the registry is on this machine: docker takes plain http for it."""
    return registry_of(image).partition(":")[0] in ("localhost", "127.0.0.1")


def _plain(image: str) -> list[str]:
    return ["--insecure"] if is_on_this_machine(image) else []


def _told(said: str, image: str, host: str | None) -> DockerError:
    last = said.splitlines()[-1] if said else "docker failed without a word"
    for pattern, remedy in REMEDIES:
        if re.search(pattern, said, re.IGNORECASE):
            where = f" at {host}" if host else ""
            told = remedy.format(image=image or "the image", registry=registry_of(image), where=where)
            return DockerError(f"{told}\n  docker said: {last}", said)
    return DockerError("\n  ".join(["docker failed:", *said.splitlines()[-12:]]), said)
