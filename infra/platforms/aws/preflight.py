"""Asks AWS, through its own command line, what the preflight wants to know."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
from slipway.infra.config.base import PROJECT
from slipway.infra.config.stack import StackConfig
from slipway.infra.names import STACK_TAG, name_of
from slipway.infra.platforms.answers import Answers, Said
from slipway.infra.platforms.aws.boundary import boundary_of
from slipway.infra.platforms.aws.config import AwsConfig
from slipway.infra.platforms.aws.permissions import ATTACHED, asked, passed_to
from slipway.infra.platforms.aws.policies import AWS_POLICY
from slipway.infra.platforms.aws.quotas import ADDRESSES, VPCS, quotas
from slipway.infra.platforms.aws.support import rank, supported
from slipway.infra.platforms.connectivity import WAIT, address, delegated, reason
from slipway.infra.platforms.quota import Machine, Quota

SECONDS, CONNECT, READ = 30, 3, 20
# An answer that comes late is none: without them the command waits for minutes where there is no network.
QUICK = {"AWS_MAX_ATTEMPTS": "1", "AWS_PAGER": "", "AWS_METADATA_SERVICE_TIMEOUT": "1"}
NOBODY = r"could not connect|timeout|timed out|name or service not known|failed to resolve|proxy|is not on PATH"
# What the command says of credentials, and what helps; the first that fits is told.
REMEDIES = (
    (r"expired", "the credentials have expired: log in again (aws sso login, or take new keys)"),
    (r"unable to locate credentials|no credentials", "there are no credentials: aws configure sso, or set AWS_PROFILE"),
    (r"config profile|could not be found", "there is no such profile: look at AWS_PROFILE and ~/.aws/config"),
    (r"invalidclienttoken|unrecognizedclient|signaturedoesnotmatch|authfailure|invalid security token",
     "AWS does not know these credentials: log in again, or take new keys"),
)  # fmt: skip
SOON = timedelta(days=14)
# docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-verify-jwt.html
MOST_KEYS = 10


@dataclass(frozen=True)
class Answer:
    """What AWS says; `content` None where it refused or nobody could be asked, and `why`."""

    content: Any
    why: str = ""

    @property
    def is_silence(self) -> bool:
        return self.content is None and bool(re.search(NOBODY, self.why, re.IGNORECASE))


def ask_aws(region: str | None, *arguments: str) -> Answer:
    """Runs `aws ARGUMENTS` and reads its JSON."""
    place = ["--region", region] if region else []
    waits = ["--cli-connect-timeout", str(CONNECT), "--cli-read-timeout", str(READ)]
    command = ["aws", *arguments, *place, "--output", "json", *waits]
    try:
        done = subprocess.run(
            command, env={**os.environ, **QUICK}, capture_output=True, text=True, timeout=SECONDS,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except FileNotFoundError:
        return Answer(None, "aws is not on PATH")
    except subprocess.TimeoutExpired:
        return Answer(None, "aws timed out")
    if done.returncode:
        return Answer(None, done.stderr.strip()[-500:] or "aws failed without a word")
    return Answer(json.loads(done.stdout or "{}"))


def answers(config: StackConfig, stack: str) -> Answers:
    """Everything that the account tells about whether the stack could come up."""
    own = config.of(AwsConfig)
    who = ask_aws(own.region, "sts", "get-caller-identity")
    if who.content is None:
        refusal = next((told for said, told in REMEDIES if re.search(said, who.why, re.IGNORECASE)), who.why)
        if who.is_silence:
            refusal = f"nobody to ask: {who.why.splitlines()[-1]}"
        return Answers(refusal=refusal, refused=not who.is_silence)
    if own.account and who.content["Account"] != own.account:
        return Answers(account=who.content["Account"], who=_short(who.content["Arn"]))
    questions: dict[str, Callable[[], Any]] = {
        "lacking": lambda: _lacking(config, stack, who.content),
        "machines": lambda: _machines(config),
        "there": lambda: _there(config, stack),
        "versions": lambda: ask_aws(own.region, "eks", "describe-cluster-versions").content,
        "domain": lambda: _domain(config),
        "certificate": lambda: _certificate(config),
        "running": lambda: _running(config, stack),
        "billing": lambda: _billing(config),
        "tokens": lambda: _tokens(config),
        "boundary": lambda: _boundary(config, stack, who.content["Account"]),
    }
    with ThreadPoolExecutor(len(questions)) as threads:
        asked = {key: threads.submit(question) for key, question in questions.items()}
        found = {key: each.result() for key, each in asked.items()}
        machines: dict[str, Machine] | None = found["machines"]
        is_new, used = found["there"]
        wanted = quotas(own, machines or {}, is_new)
        given = list(threads.map(lambda item: _given(own.region, item, used), wanted.items()))
    deployer, lacking = found["lacking"]
    versions = found["versions"]
    return Answers(
        account=who.content["Account"],
        who=_short(deployer),
        lacking=lacking,
        machines=machines,
        quotas=given,
        versions=versions and [each["clusterVersion"] for each in versions["clusterVersions"]],
        said={
            **{key: found[key] for key in ("domain", "certificate", "billing", "tokens", "boundary")},
            "support": _support(config, found["running"], versions),
        },
    )


def _lacking(config: StackConfig, stack: str, who: Mapping[str, str]) -> tuple[str, list[str] | None]:
    """Who deploys, and what IAM says it may not; None where it says nothing. The account's root may do all."""
    own, account = config.of(AwsConfig), who["Account"]
    deployer = own.cluster.deployer or _principal(own.region, who["Arn"])
    if deployer.endswith(":root"):
        return deployer, []
    name = name_of(PROJECT, stack)
    context = {
        "iam:PassedToService": passed_to()[0],
        "iam:PermissionsBoundary": boundary_of(own, account, name),
        "iam:PolicyARN": f"{AWS_POLICY}{ATTACHED[0]}",
        "ec2:CreateAction": "Create",
        "elasticloadbalancing:CreateAction": "Create",
    }
    entries = [f"ContextKeyName={key},ContextKeyType=string,ContextKeyValues={each}" for key, each in context.items()]
    wanted = asked(own, account, name)
    denied: list[str] = []
    # AWS answers for each action on each resource; asked of all of a kind at once, as each question is a process.
    for places in (["*"], [each for each in wanted if each != "*"]):
        names = sorted({action for place in places for action in wanted[place]})
        command = ["simulate-principal-policy", "--policy-source-arn", deployer, "--action-names", *names]
        command += ["--context-entries", *entries, *(["--resource-arns", *places] if places != ["*"] else [])]
        answer = ask_aws(own.region, "iam", *command)
        if answer.content is None:
            return deployer, None
        denied += [
            each["EvalActionName"]
            for each in answer.content["EvaluationResults"]
            if each["EvalDecision"] != "allowed" and each["EvalActionName"] in wanted[each["EvalResourceName"]]
        ]
    return deployer, sorted({*denied})


def _boundary(config: StackConfig, stack: str, account: str) -> list[Said]:
    """Whether what bounds the stack's roles is there: no role is made without."""
    own = config.of(AwsConfig)
    arn = boundary_of(own, account, name_of(PROJECT, stack))
    answer = ask_aws(own.region, "iam", "get-policy", "--policy-arn", arn)
    if answer.content is not None:
        return [(True, f"{_short(arn)} bounds the stack's roles")]
    if "NoSuchEntity" not in answer.why:
        return [(None, f"nobody to ask for {_short(arn)}")]
    fix = f"add {stack} to slipway-bootstrap:stacks and run `pulumi up` in bootstrap/aws, or set slipway:aws.boundary"
    return [(False, f"the account has no {_short(arn)}, which bounds the stack's roles: {fix}")]


def _principal(region: str | None, arn: str) -> str:
    """The role behind a session, with the path that the session's ARN leaves out; anyone else is who it is."""
    found = re.fullmatch(r"arn:([\w-]+):sts::(\d+):assumed-role/([^/]+)/.*", arn)
    if not found:
        return arn
    told = ask_aws(region, "iam", "get-role", "--role-name", found[3])
    return str(told.content["Role"]["Arn"]) if told.content else f"arn:{found[1]}:iam::{found[2]}:role/{found[3]}"


def _machines(config: StackConfig) -> dict[str, Machine] | None:
    """The machine types that the pools may take, with the zones that offer them."""
    kinds = {each for pool in config.of(AwsConfig).cluster.gpu for each in pool.instances}
    if config.of(AwsConfig).cluster.compute == "managed":
        kinds |= {*config.of(AwsConfig).cluster.cpu.instances}
    if not kinds:
        return {}
    wanted = f"Values={','.join(sorted(each if '.' in each else f'{each}.*' for each in kinds))}"
    offers = ask_aws(
        config.of(AwsConfig).region, "ec2", "describe-instance-type-offerings", "--location-type", "availability-zone",
        "--filters", f"Name=instance-type,{wanted}",
    )  # fmt: skip
    types = ask_aws(
        config.of(AwsConfig).region, "ec2", "describe-instance-types", "--filters", f"Name=instance-type,{wanted}"
    )
    if offers.content is None or types.content is None:
        return None
    zones: dict[str, set[str]] = {}
    for each in offers.content["InstanceTypeOfferings"]:
        zones.setdefault(each["InstanceType"], set()).add(each["Location"])
    return {
        each["InstanceType"]: Machine(
            cpus=int(each["VCpuInfo"]["DefaultVCpus"]),
            gpus=sum(gpu.get("Count", 0) for gpu in each.get("GpuInfo", {}).get("Gpus", ())),
            zones=frozenset(zones.get(each["InstanceType"], ())),
        )
        for each in types.content["InstanceTypes"]
    }


def _there(config: StackConfig, stack: str) -> tuple[bool, dict[str, int]]:
    """Whether the stack's network is still to be made, and how many networks and addresses the region has."""
    if config.of(AwsConfig).network.vpc is not None:
        return False, {}
    vpcs = ask_aws(config.of(AwsConfig).region, "ec2", "describe-vpcs").content
    addresses = ask_aws(config.of(AwsConfig).region, "ec2", "describe-addresses").content
    if vpcs is None or addresses is None:
        return False, {}
    tags = [tag for each in vpcs["Vpcs"] for tag in each.get("Tags", ())]
    mine = any((tag["Key"], tag["Value"]) == (STACK_TAG, f"{PROJECT}/{stack}") for tag in tags)
    return not mine, {VPCS: len(vpcs["Vpcs"]), ADDRESSES: len(addresses["Addresses"])}


def _given(region: str | None, wanted: tuple[str, Quota], used: Mapping[str, int]) -> Quota:
    """The quota with what the account has; what was never raised is answered by AWS's default."""
    (service, code), quota = wanted[0].split("/"), wanted[1]
    named = ["--service-code", service, "--quota-code", code]
    answer = ask_aws(region, "service-quotas", "get-service-quota", *named)
    if answer.content is None and "NoSuchResource" in answer.why:
        answer = ask_aws(region, "service-quotas", "get-aws-default-service-quota", *named)
    given = float(answer.content["Quota"]["Value"]) if answer.content else None
    now = used.get(wanted[0])
    return replace(quota, given=given, used=now, asked=quota.asked + (now or 0))


def _domain(config: StackConfig) -> list[Said]:
    """Whether the hosted zone is of the domain, and the internet asks it."""
    edge = config.of(AwsConfig).endpoint
    if edge.domain is None:
        return []
    if edge.zone is None:
        return [address(each.host) for each in config.services.values() if each.host]
    answer = ask_aws(config.of(AwsConfig).region, "route53", "get-hosted-zone", "--id", edge.zone)
    if answer.content is None:
        if "NoSuchHostedZone" in answer.why:
            return [(False, f"slipway:aws.endpoint.zone: the account has no hosted zone {edge.zone}")]
        return [(None, f"nobody to ask for the hosted zone {edge.zone}")]
    name = str(answer.content["HostedZone"]["Name"]).rstrip(".")
    if edge.domain != name and not edge.domain.endswith(f".{name}"):
        return [(False, f"slipway:aws.endpoint.zone: {edge.zone} is of {name}, and {edge.domain} is not in it")]
    servers = (answer.content.get("DelegationSet") or {}).get("NameServers") or []
    return [(True, f"{edge.zone} is of {name}"), *([delegated(name, servers)] if servers else [])]


def _certificate(config: StackConfig) -> list[Said]:
    """Whether a certificate that is named is issued, for the domain, and good for a while."""
    edge = config.of(AwsConfig).endpoint
    if edge.certificate is None or edge.domain is None:
        return []
    answer = ask_aws(config.of(AwsConfig).region, "acm", "describe-certificate", "--certificate-arn", edge.certificate)
    key = "slipway:aws.endpoint.certificate"
    if answer.content is None:
        if "ResourceNotFound" in answer.why:
            return [(False, f"{key}: the account has no such certificate in {config.of(AwsConfig).region}")]
        return [(None, "nobody to ask for the certificate")]
    found = answer.content["Certificate"]
    names = found.get("SubjectAlternativeNames") or [found["DomainName"]]
    if found["Status"] != "ISSUED":
        return [(False, f"{key}: it is {found['Status']}, not ISSUED: validate it first")]
    if f"*.{edge.domain}" not in names:
        return [(False, f"{key}: it is for {', '.join(names)}, not for *.{edge.domain}")]
    if until := found.get("NotAfter"):
        # The command's first version prints seconds, its second a date.
        ends = datetime.fromtimestamp(until, UTC) if isinstance(until, int | float) else datetime.fromisoformat(until)
        if ends - datetime.now(UTC) < SOON:
            return [(False, f"{key}: it ends on {ends:%Y-%m-%d}: renew it, or name another")]
    return [(True, f"the certificate is issued for *.{edge.domain}")]


def _running(config: StackConfig, stack: str) -> str:
    """The version of the stack's cluster, where it is there."""
    own = config.of(AwsConfig)
    name = own.cluster.existing or f"{PROJECT}-{stack}"
    there = ask_aws(own.region, "eks", "describe-cluster", "--name", name).content
    return str(there["cluster"]["version"]) if there else ""


def _support(config: StackConfig, running: str, versions: Any) -> list[Said]:
    """Until when EKS supports what the stack has, or will have: at its first update the newest."""
    ends = {
        each["clusterVersion"]: each.get("endOfStandardSupportDate")
        for each in (versions or {}).get("clusterVersions", ())
    }
    named = config.of(AwsConfig).cluster.version
    if not (version := named or running or max(ends, key=rank, default="")):
        return []
    return [supported(version, datetime.now(UTC).date(), _day(ends.get(version)))]


def _billing(config: StackConfig) -> list[Said]:
    """Whether IAM is let into billing at all, which only the account's root can do, once."""
    own = config.of(AwsConfig)
    if own.budget.monthlyUsd is None or own.account is None:
        return []
    answer = ask_aws(own.region, "budgets", "describe-budgets", "--account-id", own.account, "--max-items", "1")
    if answer.content is not None:
        return [(True, "IAM may see budgets")]
    if "AccessDenied" in answer.why:
        return [
            (
                False,
                "slipway:aws.budget: IAM may not see billing: the account's root user activates 'IAM user and role "
                "access to Billing information' under Account, or leave monthlyUsd out",
            )
        ]
    return [(None, "nobody to ask whether IAM may see billing")]


def _tokens(config: StackConfig) -> list[Said]:
    """Whether the load balancer can check the issuer's tokens: RS256 alone, of ten keys at most."""
    jwt = config.access.jwt
    if not config.of(AwsConfig).endpoint.jwt or jwt is None:
        return []
    try:
        keys = httpx.get(jwt.jwks, timeout=WAIT, follow_redirects=True).raise_for_status().json()["keys"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        return [(None, f"nobody to ask for the keys at {jwt.jwks}: {reason(error)}")]
    other = sorted({str(each.get("alg") or each.get("kty")) for each in keys} - {"RS256", "RSA"})
    why = f"has keys for {', '.join(other)}" if other else f"has {len(keys)} keys" if len(keys) > MOST_KEYS else ""
    if why:
        said = f"{jwt.jwks} {why}, and the load balancer takes RS256 and {MOST_KEYS} keys: set endpoint.jwt: false"
        return [(False, f"slipway:aws.endpoint.jwt: {said}, services check all of them")]
    return [(True, f"the load balancer can check tokens by {jwt.jwks}")]


def _day(told: Any) -> date | None:
    """The command's first version prints seconds, its second a date."""
    if not told:
        return None
    return (datetime.fromtimestamp(told, UTC) if isinstance(told, int | float) else datetime.fromisoformat(told)).date()


def _short(arn: str) -> str:
    """`role/slipway-deploy` of an ARN."""
    return arn.rsplit(":", 1)[-1]
