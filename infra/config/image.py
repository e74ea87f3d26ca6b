"""`slipway:image`: what the images of a stack are made of."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator
from typing import Literal

from pydantic import Field
from slipway.infra.config.base import Settings

# The digest of the official image for all its architectures, as Docker Hub had it in 2026.
PYTHON = (
    "docker.io/library/python:3.12.14-slim-bookworm"
    "@sha256:782412e85d0f0984994c290652577d4018aff08145c85b262bb63dc0c7522254"
)

# The oldest NVIDIA driver that each major of CUDA runs on: docs.nvidia.com/deploy/cuda-compatibility
DRIVERS = {"13": 580, "12": 525}


class ImageConfig(Settings):
    """How the image of every service of the stack is built. Credentials, certificates and proxies are the
    environment's: docker's login, SSL_CERT_FILE, PIP_INDEX_URL, HTTPS_PROXY."""

    base: str = Field(
        default=PYTHON,
        pattern=r"^[\w.:/-]+@sha256:[0-9a-f]{64}$",
        description="a Python image by digest, yours or a mirror's: registry.example.org/python:3.12@sha256:...",
    )
    python: Literal["3.11", "3.12", "3.13"] = Field(default="3.12", description="the base's Python")
    arch: Literal["amd64", "arm64", "amd64,arm64"] = Field(
        default="amd64", description="the nodes' processors; amd64,arm64: one image for both"
    )
    cuda: Literal["13", "12"] = Field(default="13", description="for GPUs: 13 wants a driver of 580, 12 one of 525")
    packages: Literal["copied", "fetched"] = Field(
        default="copied", description="copied: wheels are fetched by who builds; fetched: inside of the build"
    )

    def problems(self, accelerators: Collection[str]) -> Iterator[str]:
        """A sentence for what can't be built for them; it names the key and the fix."""
        if "nvidia" in accelerators and self.cuda == "12" and "arm64" in self.arch:
            yield f'image.arch: {self.arch}: ONNX Runtime for CUDA 12 is there for amd64 alone: set image.cuda: "13"'


def importer(command: str) -> str:
    """The command, if it says what it brings.

    Raises:
        ValueError: it names neither `{image}` nor `{archive}`, or something else in braces, or is no command line.
    """
    named = set(re.findall(r"\{(\w*)\}", command))
    if not named or named - {"image", "archive"}:
        raise ValueError("name what is brought: {image}, or {archive} for a file: kind load docker-image {image}")
    shlex.split(command)
    return command
