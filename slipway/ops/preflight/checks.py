"""What can be known to fail before anything is spent: checks by name, each with the fix."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.platforms.aws.quotas import pools as aws_pools
from infra.platforms.gcp.quotas import pools as gcp_pools
from infra.pools import Machine, Pool, Quota

if TYPE_CHECKING:
    from infra.config import StackConfig

OK, FAILED, UNKNOWN = "ok", "failed", "unknown"
CLOUDS = ("aws", "gcp")
NAMED = 6


@dataclass(frozen=True, kw_only=True)
class Finding:
    """`outcome` unknown: nobody could be asked, which is no failure."""

    check: str
    outcome: str
    says: str


# Whether something is as it has to be, None where nobody could be asked; and what to say of it.
Said = tuple[bool | None, str]


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What was found out from this machine. None: nobody could be asked.

    `lock`: who holds the stack. `account`: whose the credentials are; where there is none, `refusal` says why, and
    `refused` that it was the credentials' fault. `who`: that is asked about in `lacking`, the permissions it has not.
    `machines`: the machine types that the pools may take. `quotas`: with what is given. `versions`: of Kubernetes.
    `said`: by the name of a check, what it found itself.
    """

    lock: str = ""
    account: str | None = None
    refusal: str = "nobody was asked"
    refused: bool = False
    who: str = ""
    lacking: Sequence[str] | None = None
    machines: Mapping[str, Machine] | None = None
    quotas: Sequence[Quota] = ()
    versions: Sequence[str] | None = None
    said: Mapping[str, Sequence[Said]] = field(default_factory=dict)


Check = Callable[["StackConfig", Answers], Iterator[tuple[str, str]]]


def run(config: StackConfig, answers: Answers, skipped: frozenset[str] = frozenset()) -> list[Finding]:
    """Every check that is not skipped, in the order in which things would fail."""
    return [
        Finding(check=name, outcome=outcome, says=says)
        for name, check in CHECKS.items()
        if name not in skipped
        for outcome, says in check(config, answers)
    ]


def pools_of(config: StackConfig) -> list[Pool]:
    """The GPU pools of the stack, the preferred one first."""
    match config.platform:
        case "aws":
            return aws_pools(config.aws)
        case "gcp":
            return gcp_pools(config.gcp)
    return []


def _lock(_config: StackConfig, answers: Answers) -> Iterator[tuple[str, str]]:
    if answers.lock:
        yield FAILED, f"{answers.lock} is updating this stack: wait, or `pulumi cancel` if that process is dead"


def _credentials(config: StackConfig, answers: Answers) -> Iterator[tuple[str, str]]:
    if config.platform not in CLOUDS:
        return
    if answers.account is None:
        yield FAILED if answers.refused else UNKNOWN, answers.refusal
        return
    key = "aws.account" if config.platform == "aws" else "gcp.project"
    wanted = config.aws.account if config.platform == "aws" else config.gcp.project
    if wanted and answers.account != wanted:
        said = f"the credentials are of {answers.account}, the stack belongs to {wanted}"
        yield FAILED, f"{said}: log in there, or change slipway:{key}"
    else:
        yield OK, f"{answers.who or 'known'} of {answers.account}"


def _permissions(config: StackConfig, answers: Answers) -> Iterator[tuple[str, str]]:
    if config.platform not in CLOUDS or answers.account is None:
        return
    if answers.lacking is None:
        yield UNKNOWN, "nobody to ask what the deployer may do"
    elif answers.lacking:
        rest = f" and {len(answers.lacking) - NAMED} more" if len(answers.lacking) > NAMED else ""
        names = ", ".join(answers.lacking[:NAMED])
        yield (
            FAILED,
            f"{answers.who} may not {names}{rest}: grant what docs/{config.platform}.md names under 'In order'",
        )
    else:
        yield OK, f"{answers.who} may make what the stack has"


def _gpu_offer(config: StackConfig, answers: Answers) -> Iterator[tuple[str, str]]:
    """Each pool in its order of preference: which zones have it."""
    for rank, pool in enumerate(pools_of(config), 1):
        machines = ", ".join(pool.machines)
        if answers.machines is None:
            yield UNKNOWN, f"{rank}. {pool.name}: nobody to ask for {machines}"
            continue
        zones = sorted({zone for each in pool.types(answers.machines).values() for zone in each.zones})
        if lacking := sorted(pool.zones - set(zones)):
            there = sorted({zone for each in answers.machines.values() for zone in each.zones} - set(lacking))
            yield FAILED, f"{rank}. {pool.name}: no {machines} in {', '.join(lacking)}; {_elsewhere(there)}"
        elif not zones:
            yield FAILED, f"{rank}. {pool.name}: no zone has {machines}: choose others, or another region"
        else:
            yield OK, f"{rank}. {pool.name}: {machines} in {', '.join(zones)}"


def _elsewhere(zones: Sequence[str]) -> str:
    return f"choose from {', '.join(zones)}" if zones else "no zone of the region has it"


def _quota(_config: StackConfig, answers: Answers) -> Iterator[tuple[str, str]]:
    for quota in answers.quotas:
        if quota.given is None:
            yield UNKNOWN, f"{quota.name}: {quota.asked:g} may be taken; nobody to ask what is given"
            continue
        used = f", {quota.used:g} in use now" if quota.used is not None else ""
        says = f"{quota.name}: {quota.given:g} given{used}, {quota.asked:g} may be taken"
        enough = quota.given >= quota.asked
        yield OK if enough else FAILED, says + ("" if enough else ": ask for more, or lower max")


def _fallback(config: StackConfig, answers: Answers) -> Iterator[tuple[str, str]]:
    """In which order the pools are tried, as far as each can have a single node."""
    if not (pools := pools_of(config)):
        return
    if answers.machines is None:
        yield UNKNOWN, f"GPU nodes are tried as {', then '.join(pool.name for pool in pools)}"
        return
    refused = {pool.name: why for pool in pools if (why := _why_not(pool, answers))}
    left = [pool.name for pool in pools if pool.name not in refused]
    why = "".join(f"; not {name}: {each}" for name, each in refused.items())
    if left:
        yield OK, f"GPU nodes are tried as {', then '.join(left)}{why}"
    else:
        yield FAILED, f"no pool can have a single GPU node{why}"


def _why_not(pool: Pool, answers: Answers) -> str:
    if not pool.types(answers.machines or {}):
        return "no zone has its machines"
    mine = [each for each in answers.quotas if pool.name in each.one]
    short = [each for each in mine if each.given is not None and each.given < each.one[pool.name]]
    # Machines of another kind may count towards another quota; all that count here have to be in the way.
    return f"{short[0].name} is {short[0].given:g}" if short and len(short) == len(mine) else ""


def _version(config: StackConfig, answers: Answers) -> Iterator[tuple[str, str]]:
    if config.platform not in CLOUDS or answers.account is None:
        return
    wanted = config.aws.cluster.version if config.platform == "aws" else config.gcp.cluster.channel
    if wanted is None:
        return
    what = f"Kubernetes {wanted}" if config.platform == "aws" else f"channel {wanted}"
    if answers.versions is None:
        yield UNKNOWN, f"nobody to ask whether {what} is offered"
    elif wanted in answers.versions:
        yield OK, f"{what} is offered"
    else:
        yield FAILED, f"{what} is not offered; there are {', '.join(sorted(answers.versions))}"


def _told(name: str) -> Check:
    def check(_config: StackConfig, answers: Answers) -> Iterator[tuple[str, str]]:
        for good, says in answers.said.get(name, ()):
            yield {True: OK, False: FAILED, None: UNKNOWN}[good], says

    return check


CHECKS: dict[str, Check] = {
    "lock": _lock,
    "tools": _told("tools"),
    "credentials": _credentials,
    "billing": _told("billing"),
    "permissions": _permissions,
    "gpu-offer": _gpu_offer,
    "quota": _quota,
    "fallback": _fallback,
    "version": _version,
    "image": _told("image"),
    "registry": _told("registry"),
    "domain": _told("domain"),
    "certificate": _told("certificate"),
}
