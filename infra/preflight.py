"""What can be known to fail before anything is spent: checks by name, each with the fix."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from infra.config import StackConfig

OK, FAILED, UNKNOWN = "ok", "failed", "unknown"
# vCPUs of G and VT machines, on-demand and spot: https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html
GPU_QUOTAS = {"on-demand": "L-DB2E81BA", "spot": "L-3819A6DF"}
CLOUD = {"aws": "aws", "gcp": "gcloud"}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """`outcome` unknown: nobody could be asked, which is no failure."""

    check: str
    outcome: str
    says: str


Check = Callable[["StackConfig", Mapping[str, Any]], Iterator[Finding]]


def checks(answers: Mapping[str, Any]) -> dict[str, Check]:
    """All checks by name. `answers`: what was found out of the cloud; what is not in it is unknown."""
    return {name: check for name, check in CHECKS.items() if name not in answers.get("skipped", ())}


def run(config: StackConfig, answers: Mapping[str, Any]) -> list[Finding]:
    """Every check that is not skipped, in the order in which things would fail."""
    return [finding for check in checks(answers).values() for finding in check(config, answers)]


def _credentials(config: StackConfig, answers: Mapping[str, Any]) -> Iterator[Finding]:
    if config.platform not in CLOUD:
        return
    found = answers.get("account")
    if found is None:
        yield Finding(
            check="credentials", outcome=answers.get("offline", FAILED), says=answers.get("whyNot", "no answer")
        )
        return
    wanted = getattr(getattr(config, config.platform), "account" if config.platform == "aws" else "project", None)
    if wanted and found != wanted:
        says = (
            f"the credentials are of {found}, the stack belongs to {wanted}: log in there, or change {config.platform}"
        )
        yield Finding(check="credentials", outcome=FAILED, says=says)
    else:
        yield Finding(check="credentials", outcome=OK, says=f"of {found}")


def _gpu_offer(config: StackConfig, answers: Mapping[str, Any]) -> Iterator[Finding]:
    """Each pool in its order of preference: what of it the zones have. The first that can be had is taken."""
    offered = answers.get("offered")
    for rank, (pool, machines) in enumerate(gpu_pools(config).items(), 1):
        if offered is None:
            yield Finding(
                check="gpu-offer", outcome=UNKNOWN, says=f"{rank}. {pool}: nobody to ask for {', '.join(machines)}"
            )
            continue
        zones = {each: sorted(offered.get(each, ())) for each in machines}
        found = "; ".join(f"{each} in {', '.join(names)}" for each, names in zones.items() if names)
        says = f"{rank}. {pool}: {found or 'no zone has ' + ', '.join(machines)}"
        yield Finding(check="gpu-offer", outcome=OK if found else FAILED, says=says)


def _quota(config: StackConfig, answers: Mapping[str, Any]) -> Iterator[Finding]:
    for name, (asked, given) in (answers.get("quotas") or {}).items():
        enough = given >= asked
        says = f"{name}: {given:g} of {asked:g} that the pools may use" + (
            "" if enough else ": ask for more, or lower max"
        )
        yield Finding(check="quota", outcome=OK if enough else FAILED, says=says)


def _versions(config: StackConfig, answers: Mapping[str, Any]) -> Iterator[Finding]:
    wanted, known = _version(config), answers.get("versions")
    if wanted is None:
        return
    if known is None:
        yield Finding(check="version", outcome=UNKNOWN, says=f"nobody to ask whether Kubernetes {wanted} is offered")
    else:
        good = wanted in known
        says = f"Kubernetes {wanted}" + ("" if good else f" is not offered; there are {', '.join(sorted(known))}")
        yield Finding(check="version", outcome=OK if good else FAILED, says=says)


def _tools(config: StackConfig, answers: Mapping[str, Any]) -> Iterator[Finding]:
    """What the kubeconfigs call, and what builds images."""
    for tool, there in (answers.get("tools") or {}).items():
        says = f"{tool} is on PATH" if there else f"{tool} is not on PATH: install it"
        yield Finding(check="tools", outcome=OK if there else FAILED, says=says)


def _domain(config: StackConfig, answers: Mapping[str, Any]) -> Iterator[Finding]:
    for host, found in (answers.get("hosts") or {}).items():
        yield Finding(check="domain", outcome=OK if found else UNKNOWN, says=f"{host} {found or 'has no address yet'}")


def _lock(config: StackConfig, answers: Mapping[str, Any]) -> Iterator[Finding]:
    if held := answers.get("lock"):
        says = f"{held} is updating this stack: wait, or `pulumi cancel` if that process is dead"
        yield Finding(check="lock", outcome=FAILED, says=says)


CHECKS: dict[str, Check] = {
    "lock": _lock,
    "tools": _tools,
    "credentials": _credentials,
    "gpu-offer": _gpu_offer,
    "quota": _quota,
    "version": _versions,
    "domain": _domain,
}


def gpu_pools(config: StackConfig) -> dict[str, list[str]]:
    """The machines of each GPU pool, the preferred pool first."""
    match config.platform:
        case "aws":
            return {each.name: list(each.instances) for each in config.aws.cluster.gpu}
        case "gcp":  # pragma: no branch
            pools = getattr(config, "gcp").gpu_pools  # noqa: B009 - the platform may not be there
            return {name: [pool.machine] for name, pool in pools.items()}
    return {}


def _version(config: StackConfig) -> str | None:
    return config.aws.cluster.version if config.platform == "aws" else None
