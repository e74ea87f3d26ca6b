"""What can be known to fail before anything is spent: checks by name, each with the fix."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from slipway.infra.platforms.answers import WARNED, Answers
from slipway.infra.platforms.quota import Pool
from slipway.infra.platforms.table import row_of

if TYPE_CHECKING:
    from slipway.infra.config.stack import StackConfig

OK, FAILED, UNKNOWN = "ok", "failed", "unknown"
NAMED = 6


@dataclass(frozen=True, kw_only=True)
class Finding:
    """`outcome` unknown: nobody could be asked, which is no failure; warned: it is none yet."""

    check: str
    outcome: str
    says: str


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
    cloud = row_of(config).cloud
    return cloud.gpu_pools(config) if cloud else []


def _lock(_config: StackConfig, answers: Answers) -> Iterator[tuple[str, str]]:
    if answers.lock:
        yield FAILED, f"{answers.lock} is updating this stack: wait, or `pulumi cancel` if that process is dead"


def _credentials(config: StackConfig, answers: Answers) -> Iterator[tuple[str, str]]:
    if (cloud := row_of(config).cloud) is None:
        return
    if answers.account is None:
        yield FAILED if answers.refused else UNKNOWN, answers.refusal
        return
    key, wanted = cloud.account(config)
    if wanted and answers.account != wanted:
        said = f"the credentials are of {answers.account}, the stack belongs to {wanted}"
        yield FAILED, f"{said}: log in there, or change slipway:{key}"
    else:
        yield OK, f"{answers.who or 'known'} of {answers.account}"


def _permissions(config: StackConfig, answers: Answers) -> Iterator[tuple[str, str]]:
    if row_of(config).cloud is None or answers.account is None:
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
    cloud = row_of(config).cloud
    if cloud is None or answers.account is None or (asked := cloud.version(config)) is None:
        return
    wanted, what = asked
    if answers.versions is None:
        yield UNKNOWN, f"nobody to ask whether {what} is offered"
    elif wanted in answers.versions:
        yield OK, f"{what} is offered"
    else:
        yield FAILED, f"{what} is not offered; there are {', '.join(sorted(answers.versions))}"


def _told(name: str) -> Check:
    def check(_config: StackConfig, answers: Answers) -> Iterator[tuple[str, str]]:
        for good, says in answers.said.get(name, ()):
            yield {True: OK, False: FAILED, None: UNKNOWN, WARNED: WARNED}[good], says

    return check


CHECKS: dict[str, Check] = {
    "lock": _lock,
    "tools": _told("tools"),
    "secrets": _told("secrets"),
    "credentials": _credentials,
    "billing": _told("billing"),
    "permissions": _permissions,
    "boundary": _told("boundary"),
    "cluster": _told("cluster"),
    "rights": _told("rights"),
    "named": _told("named"),
    "gpu-offer": _gpu_offer,
    "driver": _told("driver"),
    "quota": _quota,
    "fallback": _fallback,
    "version": _version,
    "support": _told("support"),
    "image": _told("image"),
    "registry": _told("registry"),
    "domain": _told("domain"),
    "certificate": _told("certificate"),
    "tokens": _told("tokens"),
}
