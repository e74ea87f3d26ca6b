"""Whether registries and their images can be reached from this machine."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import httpx

from slipway.infra.platforms.answers import Said
from slipway.infra.platforms.connectivity import WAIT, reason
from slipway.ops.images.docker import is_on_this_machine, registry_of

HUB = "registry-1.docker.io"
MANIFESTS = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.index.v1", "oci.image.manifest.v1", "docker.distribution.manifest.list.v2",
        "docker.distribution.manifest.v2",
    )
)  # fmt: skip


def base_image(ref: str) -> Said:
    """Whether a registry has an image (`name:tag@sha256:...`), for whoever asks it without a login."""
    name, _, digest = ref.partition("@")
    registry = registry_of(name)
    repository = re.sub(r":[^/]*$", "", name.removeprefix(f"{registry}/"))
    if registry == "docker.io":
        repository = repository if "/" in repository else f"library/{repository}"
    url = f"{_address(HUB if registry == 'docker.io' else registry, name)}/v2/{repository}/manifests/{digest}"
    try:
        with httpx.Client(timeout=WAIT, follow_redirects=True) as client:
            answer = client.head(url, headers={"accept": MANIFESTS})
            if answer.status_code == 401 and (token := _token(client, answer.headers.get("www-authenticate", ""))):
                answer = client.head(url, headers={"accept": MANIFESTS, "authorization": f"Bearer {token}"})
    except (httpx.HTTPError, ValueError) as error:
        return None, f"{registry} can't be asked from here for {name}: {reason(error)}"
    match answer.status_code:
        case 200:
            return True, f"{registry} has {name}"
        case 404:
            return False, f"{registry} has no {name} of this digest: name another in slipway:image.base"
        case 401 | 403:
            return None, f"{registry} tells nobody without a login whether it has {name}"
    return None, f"{registry} answered {answer.status_code} for {name}"


def registry(host: str, login: str) -> Said:
    """Whether docker can push there, as far as is seen without a push. `login`: what gives it a login."""
    if not is_on_this_machine(f"{host}/") and not _has_login(host):
        return False, f"docker has no login for {host}: {login}"
    try:
        httpx.get(f"{_address(host, f'{host}/')}/v2/", timeout=WAIT)
    except httpx.HTTPError as error:
        return None, f"{host} can't be reached from here: {reason(error)}"
    return True, f"{host} answers, and docker has a login for it"


def _address(host: str, image: str) -> str:
    return f"{'http' if is_on_this_machine(image) else 'https'}://{host}"


def _token(client: httpx.Client, challenge: str) -> str:
    """What the registry's own service gives to anyone; empty where it wants more than that."""
    asked = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    if not challenge.lower().startswith("bearer") or "realm" not in asked:
        return ""
    answer = client.get(asked.pop("realm"), params=asked)
    given: dict[str, Any] = answer.json() if answer.status_code == 200 else {}
    return str(given.get("token") or given.get("access_token") or "")


def _has_login(host: str) -> bool:
    """Whether docker's configuration has one, or a store or helper that may."""
    folder = os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker"
    try:
        config = json.loads(Path(folder, "config.json").read_text())
    except (OSError, ValueError):
        return False
    return bool(config.get("credsStore")) or any(
        host in each for key in ("auths", "credHelpers") for each in config.get(key) or ()
    )
