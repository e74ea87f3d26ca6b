"""Asks Google Cloud's REST interfaces what the preflight wants to know, as the program's own credentials."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import httpx
from slipway.infra.config.image import DRIVERS
from slipway.infra.config.stack import StackConfig
from slipway.infra.platforms.answers import Answers, Said
from slipway.infra.platforms.connectivity import WAIT, address, delegated
from slipway.infra.platforms.gcp.config import GcpConfig
from slipway.infra.platforms.gcp.permissions import roles
from slipway.infra.platforms.gcp.quotas import quotas
from slipway.infra.platforms.quota import Machine, Quota

SECONDS = 30
# What GKE has installed where a pool says `default`: cloud.google.com/kubernetes-engine/docs/how-to/gpus
DEFAULT_DRIVER = 535
OLDER = next(cuda for cuda, least in DRIVERS.items() if least <= DEFAULT_DRIVER)
BASE = "https://{}.googleapis.com"
NOBODY = r"unable to reach|failed to establish|could not resolve|timed out|timeout|transporterror|is not on PATH"
LOGIN = "gcloud auth application-default login"
REMEDIES = (
    (r"could not be found|were not found|could not automatically", f"there are no credentials: {LOGIN}"),
    (r"reauth|expired|invalid_grant|invalid_rapt|revoked", f"the credentials have expired: {LOGIN}"),
)


@dataclass(frozen=True)
class Google:
    """The interfaces, with a token; `base` takes a service's name."""

    token: str
    base: str = BASE

    def __call__(self, service: str, path: str, **body: Any) -> tuple[Any, int, str]:
        """(content, status, what it says): content None and status 0 where nobody could be asked."""
        url = f"{self.base.format(service)}/{path}"
        headers = {"authorization": f"Bearer {self.token}"}
        try:
            if body:
                answer = httpx.post(url, json=body, headers=headers, timeout=WAIT)
            else:
                answer = httpx.get(url, headers=headers, timeout=WAIT)
            content = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            return None, 0, str(error)
        if answer.status_code == 200:
            return content, 200, ""
        return None, answer.status_code, str((content.get("error") or {}).get("message", answer.text))[:300]


def token() -> tuple[str, str]:
    """(token, why there is none): of the credentials that the program itself uses."""
    if given := os.environ.get("GOOGLE_OAUTH_ACCESS_TOKEN"):
        return given, ""
    command = ["gcloud", "auth", "application-default", "print-access-token", "--quiet"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        return "", "gcloud is not on PATH"
    except subprocess.TimeoutExpired:
        return "", "gcloud timed out"
    return (done.stdout.strip(), "") if done.returncode == 0 else ("", done.stderr.strip()[-500:])


def answers(config: StackConfig, base: str = BASE) -> Answers:
    """Everything that the project tells about whether the stack could come up, and what nobody need be asked for."""
    found = _asked(config, base)
    return replace(found, said={"driver": list(_drivers(config)), **found.said})


def _drivers(config: StackConfig) -> Iterator[Said]:
    """Whether the pools' drivers are new enough for the CUDA that images have."""
    least = DRIVERS[config.image.cuda]
    for pool in config.of(GcpConfig).cluster.gpu:
        needs = f"{pool.name}: CUDA {config.image.cuda} needs a driver of {least} or newer"
        if pool.driver == "latest":
            yield True, f"{needs}; GKE installs its latest"
        elif least > DEFAULT_DRIVER:
            fix = f"set driver: latest in slipway:gcp.cluster.gpu, or slipway:image.cuda: '{OLDER}'"
            yield False, f"{needs}, and GKE's default has been {DEFAULT_DRIVER}: {fix}"
        else:
            yield True, f"{needs}; GKE's default has been {DEFAULT_DRIVER}"


def _asked(config: StackConfig, base: str) -> Answers:
    own = config.of(GcpConfig)
    found, why = token()
    if not found:
        if re.search(NOBODY, why, re.IGNORECASE):
            return Answers(refusal=f"nobody to ask: {why.splitlines()[-1]}")
        refusal = next((told for said, told in REMEDIES if re.search(said, why, re.IGNORECASE)), why)
        return Answers(refusal=refusal, refused=True)
    google = Google(found, base)
    project, status, why = google("cloudresourcemanager", f"v1/projects/{own.project}")
    if project is None:
        return _no_project(own.project, status, why)
    if project.get("lifecycleState", "ACTIVE") != "ACTIVE":
        return Answers(refusal=f"project {own.project} is {project['lifecycleState']}", refused=True)
    with ThreadPoolExecutor(8) as threads:
        lacking = threads.submit(_lacking, google, config)
        machines = threads.submit(_machines, google, config)
        given = threads.submit(_quotas, google, config)
        versions = threads.submit(_channels, google, config)
        domain = threads.submit(_domain, google, config)
        billing = threads.submit(_billing, google, config)
    return Answers(
        account=str(project["projectId"]),
        who="the credentials",
        lacking=lacking.result(),
        machines=machines.result(),
        quotas=given.result(),
        versions=versions.result(),
        said={"domain": domain.result(), "billing": billing.result()},
    )


def _no_project(project: str | None, status: int, why: str) -> Answers:
    match status:
        case 0:
            return Answers(refusal=f"nobody to ask: {why}")
        case 401:
            return Answers(refusal=f"the credentials have expired: {LOGIN}", refused=True)
        case 403 | 404:
            said = f"these credentials see no project {project}: look at its id, log in as another, or enable"
            return Answers(refusal=f"{said} cloudresourcemanager.googleapis.com ({why})", refused=True)
    return Answers(refusal=f"Google answered {status}: {why}")


def _lacking(google: Google, config: StackConfig) -> list[str] | None:
    """The roles whose telling permission is not there."""
    wanted = roles(config.of(GcpConfig))
    path = f"v1/projects/{config.of(GcpConfig).project}:testIamPermissions"
    answer, _, _ = google("cloudresourcemanager", path, permissions=sorted(wanted.values()))
    if answer is None:
        return None
    held = set(answer.get("permissions", ()))
    return [f"{permission} ({role})" for role, permission in wanted.items() if permission not in held]


def _machines(google: Google, config: StackConfig) -> dict[str, Machine] | None:
    """The machine types of the pools, with the zones of the region that offer them."""
    kinds = sorted({pool.machine for pool in config.of(GcpConfig).cluster.gpu})
    named = " OR ".join(f"(name={each})" for each in kinds)
    if not kinds:
        return {}
    path = f"compute/v1/projects/{config.of(GcpConfig).project}/aggregated/machineTypes"
    answer, _, _ = google("compute", f"{path}?{httpx.QueryParams(filter=named)}")
    if answer is None:
        return None
    found: dict[str, Machine] = {}
    for place, listed in answer.get("items", {}).items():
        zone = place.removeprefix("zones/")
        for each in listed.get("machineTypes", ()) if zone.startswith(f"{config.of(GcpConfig).region}-") else ():
            gpus = sum(int(gpu["guestAcceleratorCount"]) for gpu in each.get("accelerators", ()))
            before = found[each["name"]].zones if each["name"] in found else frozenset[str]()
            found[each["name"]] = Machine(cpus=int(each["guestCpus"]), gpus=gpus, zones=before | {zone})
    return found


def _quotas(google: Google, config: StackConfig) -> list[Quota]:
    """With what region and project have. A metric that neither lists stays unknown."""
    project = f"compute/v1/projects/{config.of(GcpConfig).project}"
    places = (google("compute", f"{project}/regions/{config.of(GcpConfig).region}")[0], google("compute", project)[0])
    listed = {each["metric"]: each for place in places for each in (place or {}).get("quotas", ())}
    return [
        replace(quota, given=float(listed[name]["limit"]), used=float(listed[name].get("usage", 0)))
        if name in listed
        else quota
        for name, quota in quotas(config.of(GcpConfig)).items()
    ]


def _channels(google: Google, config: StackConfig) -> list[str] | None:
    path = f"v1/projects/{config.of(GcpConfig).project}/locations/{config.of(GcpConfig).location}/serverConfig"
    answer, _, _ = google("container", path)
    return answer and [each["channel"] for each in answer.get("channels", ())]


def _billing(google: Google, config: StackConfig) -> list[Said]:
    answer, _, _ = google("cloudbilling", f"v1/projects/{config.of(GcpConfig).project}/billingInfo")
    if answer is None:
        return [(None, "nobody to ask whether the project has billing")]
    if not answer.get("billingEnabled"):
        return [
            (
                False,
                f"project {config.of(GcpConfig).project} has no billing: link an account to it, "
                "nothing is made without",
            )
        ]
    return [(True, f"billed to {answer.get('billingAccountName', 'an account')}")]


def _domain(google: Google, config: StackConfig) -> list[Said]:
    """Whether the zone is of the domain, and the internet asks it: else the certificate never becomes valid."""
    edge = config.of(GcpConfig).endpoint
    if edge.domain is None:
        return []
    if edge.zone is None:
        return [address(each.host) for each in config.services.values() if each.host]
    answer, status, _ = google("dns", f"dns/v1/projects/{config.of(GcpConfig).project}/managedZones/{edge.zone}")
    if answer is None:
        if status == 404:
            return [(False, f"slipway:gcp.endpoint.zone: the project has no zone {edge.zone}")]
        return [(None, f"nobody to ask for the zone {edge.zone}")]
    name = str(answer["dnsName"]).rstrip(".")
    if edge.domain != name and not edge.domain.endswith(f".{name}"):
        return [(False, f"slipway:gcp.endpoint.zone: {edge.zone} is of {name}, and {edge.domain} is not in it")]
    servers = answer.get("nameServers") or []
    return [(True, f"{edge.zone} is of {name}"), *([delegated(name, servers)] if servers else [])]
