"""Who can reach what."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from rules.reading import UNKNOWN, Item, containers

EVERYONE = ("0.0.0.0/0", "::/0")
BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
PUBLIC_MEMBERS = ("allUsers", "allAuthenticatedUsers")
WEB = (80, 443)


def no_public_bucket(item: Item) -> Iterator[str]:
    match item.type:
        case "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock":
            for key in BLOCKS:
                if item.get(key) is not True and item.get(key) is not UNKNOWN:
                    yield f"{key} is not true: set all four of {', '.join(BLOCKS)}"
        case "aws:s3/bucket:Bucket" | "aws:s3/bucketAcl:BucketAcl":
            if str(item.get("acl")).startswith("public"):
                yield f"its ACL is {item.get('acl')}: remove it"
        case "aws:s3/bucketPolicy:BucketPolicy":
            if _allows_everyone(item.get("policy")):
                yield "its policy allows everyone: name who may read, or add a condition"
        case "gcp:storage/bucket:Bucket":
            if item.get("publicAccessPrevention") not in ("enforced", UNKNOWN):
                yield "publicAccessPrevention is not enforced"
            if item.get("uniformBucketLevelAccess") not in (True, UNKNOWN):
                yield "uniformBucketLevelAccess is not true, so single objects can be made public"
        case kind if kind.startswith("gcp:") and kind.lower().endswith(("iammember", "iambinding")):
            members = [item.get("member"), *item.each("members")]
            for member in set(PUBLIC_MEMBERS) & {str(each) for each in members}:
                yield f"grants {item.get('role')} to {member}: name an account"


def buckets_are_blocked(items: Sequence[Item]) -> Iterator[tuple[Item | None, str]]:
    """Every bucket of AWS has its block: found by bucket name where it is known, else by logical name."""
    blocks = [each for each in items if each.type == "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"]
    blocked = {each.name for each in blocks} | {str(each.get("bucket")) for each in blocks}
    for item in items:
        if item.type == "aws:s3/bucket:Bucket" and not {item.name, str(item.get("bucket"))} & blocked:
            yield item, "has no BucketPublicAccessBlock"


def authenticated(item: Item) -> Iterator[str]:
    """Nothing that answers predictions without asking for a key, and nothing that goes round the edge."""
    for container in containers(item):
        words = [str(each) for each in (*(container.get("command") or ()), *(container.get("args") or ()))]
        named = {str(each.get("name")): each.get("value") for each in container.get("env") or ()}
        if "open" in words[words.index("--access") + 1 :][:1] if "--access" in words else False:
            yield "serves without keys (--access open)"
        if named.get("SLIPWAY_ACCESS") == "open":
            yield "serves without keys (SLIPWAY_ACCESS=open)"
    if item.type == "kubernetes:core/v1:Service" and item.get("spec", "type") in ("LoadBalancer", "NodePort"):
        yield f"is a {item.get('spec', 'type')}: the edge alone leads to a service; make it ClusterIP"


def tls(item: Item) -> Iterator[str]:
    match item.type:
        case "aws:lb/listener:Listener":
            redirects = item.get("defaultActions", 0, "redirect", "protocol") == "HTTPS"
            if item.get("protocol") == "HTTP" and not redirects:
                yield "takes plain HTTP: redirect it to HTTPS"
            policy = item.get("sslPolicy")
            if item.get("protocol") == "HTTPS" and policy is not UNKNOWN and "TLS13-1-" not in str(policy):
                yield f"sslPolicy is {policy}: use one of TLS 1.2 and 1.3, as ELBSecurityPolicy-TLS13-1-2-2021-06"
            if "TLS13-1-0" in str(policy) or "TLS13-1-1" in str(policy):
                yield f"sslPolicy {policy} takes TLS older than 1.2"
        case "gcp:compute/sSLPolicy:SSLPolicy":
            if item.get("minTlsVersion") not in ("TLS_1_2", "TLS_1_3", UNKNOWN):
                yield f"minTlsVersion is {item.get('minTlsVersion')}: set TLS_1_2"


def redirected(items: Sequence[Item]) -> Iterator[tuple[Item | None, str]]:
    """A Gateway's listener that is not HTTPS does nothing but lead there: all its routes redirect, and it has one."""
    routes = [each for each in items if each.type.endswith(":HTTPRoute")]
    for item in items:
        for listener in item.each("spec", "listeners") if item.type.endswith(":Gateway") else ():
            if listener.get("protocol") in ("HTTPS", "TLS", UNKNOWN):
                continue
            name = listener.get("name")
            own = [
                each for each in routes if name in [ref.get("sectionName") for ref in each.each("spec", "parentRefs")]
            ]
            if not own or not all(_redirects(each) for each in own):
                yield item, f"listener {name} speaks {listener.get('protocol')}: make it HTTPS, or redirect all of it"


def no_open_cidr(item: Item) -> Iterator[str]:
    for what, networks, web in _sources(item):
        if (found := sorted({str(each) for each in networks} & set(EVERYONE))) and not web:
            yield f"{what} is open to {', '.join(found)}: name the networks"


def _sources(item: Item) -> Iterator[tuple[str, list[Any], bool]]:
    """What may be reached, by which networks, and whether it is the edge: a load balancer's web ports alone."""
    match item.type:
        case "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule":
            ports = [item.get("fromPort"), item.get("toPort")]
            yield "it", [item.get("cidrIpv4"), item.get("cidrIpv6")], _web(*ports)
        case "aws:ec2/securityGroup:SecurityGroup" | "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup":
            for rule in item.each("ingress"):
                networks = [*(rule.get("cidrBlocks") or ()), *(rule.get("ipv6CidrBlocks") or ())]
                yield "ingress", networks, _web(rule.get("fromPort"), rule.get("toPort"))
        case "aws:eks/cluster:Cluster":
            if item.get("vpcConfig", "endpointPublicAccess") is not False:
                # Left out, AWS opens it to everyone.
                yield "the API server", item.get("vpcConfig", "publicAccessCidrs") or ["0.0.0.0/0"], False
        case "gcp:container/cluster:Cluster":
            blocks = item.each("masterAuthorizedNetworksConfig", "cidrBlocks")
            yield "the API server", [each.get("cidrBlock") for each in blocks], False
        case "gcp:compute/firewall:Firewall":
            if item.each("allows") and item.get("direction") in (None, "INGRESS"):
                yield "the network", item.each("sourceRanges"), False


def _redirects(route: Item) -> bool:
    filters = [each for rule in route.each("spec", "rules") for each in rule.get("filters") or ()]
    return any((each.get("requestRedirect") or {}).get("scheme") == "https" for each in filters)


def _web(first: Any, last: Any) -> bool:
    return first == last and first in WEB


def _allows_everyone(policy: Any) -> bool:
    try:
        statements = json.loads(policy)["Statement"]
    except (TypeError, ValueError, KeyError):
        return False
    return any(
        each.get("Effect") == "Allow" and each.get("Principal") in ("*", {"AWS": "*"}) and not each.get("Condition")
        for each in ([statements] if isinstance(statements, dict) else statements)
    )
