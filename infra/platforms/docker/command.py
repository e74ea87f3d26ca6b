"""Docker's command line on the stack's host."""

from __future__ import annotations

import subprocess

from slipway.infra.errors import Unanswered

SECONDS = 60


class DockerRefused(Unanswered):
    """Docker did not do it; the message is what it says."""


def docker(host: str | None, *arguments: str) -> str:
    """What `docker` prints. Raises DockerRefused."""
    command = ["docker", *(["--host", host] if host else []), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        raise DockerRefused("docker is not on PATH: install Docker, or its command line alone") from None
    except subprocess.TimeoutExpired:
        raise DockerRefused(f"no answer in {SECONDS} s") from None
    if done.returncode:
        raise DockerRefused((done.stderr.strip().splitlines() or ["docker failed without a word"])[-1])
    return done.stdout
