"""Google's Cloud Billing Catalog, with an API key or the program's own credentials.

https://cloud.google.com/billing/docs/reference/rest/v1/services.skus/list
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from slipway.infra.cost.price_list import Figure, json_of
from slipway.infra.errors import Unanswered
from slipway.infra.platforms.gcp.preflight import token

BASE = "https://cloudbilling.googleapis.com"
COMPUTE = "Compute Engine"
# The item, its unit in the table, and which SKUs of a service are it, by what they are called.
ITEMS: dict[str, list[tuple[str, str, str]]] = {
    COMPUTE: [
        ("gcp/pd-standard", "GB-month", r"Storage PD Capacity( in .*)?"),
        ("gcp/pd-balanced", "GB-month", r"Balanced PD Capacity( in .*)?"),
        ("gcp/pd-ssd", "GB-month", r"SSD backed PD Capacity( in .*)?"),
        ("gcp/nat-vm", "hour", r".*NAT Gateway: Uptime charge.*"),
        ("gcp/nat-data", "GB", r".*NAT Gateway: Data processing charge.*"),
    ],
    "Kubernetes Engine": [("gcp/gke-cluster", "hour", r"Regional Kubernetes Clusters")],
    "Cloud Storage": [("gcp/storage", "GB-month", r"(Regional |Standard )+Storage (?!.*(Early Delete|Dual)).*")],
    "Artifact Registry": [("gcp/artifact-registry", "GB-month", r"Artifact Registry Storage")],
    "Cloud Key Management Service (KMS)": [
        ("gcp/kms-key-version", "month", r"Active software symmetric key versions.*")
    ],
    "Cloud Logging": [("gcp/logs", "GB", r"Log Volume")],
    "Secret Manager": [("gcp/secret-version", "month", r"Secret version replica storage")],
}
# What families are called; GB of memory for each CPU; of accelerated machines CPUs, GB, GPUs and what those are called:
# https://cloud.google.com/compute/docs/machine-resource. Those with disks of their own (a2-ultragpu, a3) are left out.
FAMILIES = {"e2": "E2", "n1": "N1 Predefined", "n2": "N2", "n4": "N4", "c3": "C3", "g2": "G2", "a2": "A2"}
GB_PER_CPU = {"n1": Decimal("3.75")}
L4 = {4: 1, 8: 1, 12: 1, 16: 1, 24: 2, 32: 1, 48: 4, 96: 8}


def figures(region: str, machines: Collection[str]) -> Iterator[Figure]:
    """What the catalog has of a region: machines, on demand and spot, and the items above. Raises Unanswered."""
    headers = _asking()
    services = {str(each["displayName"]): str(each["name"]) for each in _all(headers, "v1/services", "services")}
    for service, items in ITEMS.items():
        if service not in services:
            raise Unanswered(f"Google's catalog has no service {service}: the price table is as it was")
        at = f"{BASE}/v1/{services[service]}/skus"
        skus = [each for each in _all(headers, f"v1/{services[service]}/skus", "skus") if _is_of(each, region)]
        prices = {str(each["description"]): (each, _usd(each)) for each in skus}
        dated = max((str(each["pricingInfo"][0]["effectiveTime"])[:10] for each in skus), default=_today())
        here = {"region": region, "dated": dated, "at": at}
        for item, per, pattern in items:
            found = {usd for sku, usd in prices.values() if usd and re.fullmatch(pattern, sku["description"])}
            if len(found) == 1:  # of two figures nobody knows which is meant
                yield Figure(item=item, per=per, usd=found.pop().normalize(), **here)
        for machine in machines if service == COMPUTE else ():
            for kind, spot in (("instance", False), ("spot", True)):
                if usd := _machine(machine, spot, {name: usd for name, (_, usd) in prices.items()}):
                    yield Figure(item=f"gcp/{kind}/{machine}", per="hour", usd=usd.normalize(), **here)


def _machine(machine: str, spot: bool, prices: Mapping[str, Decimal]) -> Decimal | None:
    """A machine is billed by its parts: CPUs, memory, GPUs. None where one of them has no single price."""
    family = machine.partition("-")[0]
    if not (shape := _shape(machine)) or family not in FAMILIES:
        return None
    cpus, memory, gpus, gpu = shape
    before = "Spot Preemptible " if spot else ""
    where = "attached to Spot Preemptible VMs " if spot else ""
    parts = [
        (cpus, rf"{before}{FAMILIES[family]} Instance Core running in .*"),
        (memory, rf"{before}{FAMILIES[family]} Instance Ram running in .*"),
        (gpus, rf"{gpu} {where}running in .*"),
    ]
    total = Decimal()
    for amount, pattern in parts:
        found = {usd for name, usd in prices.items() if usd and re.fullmatch(pattern, name)} if amount else {Decimal()}
        if len(found) != 1:
            return None
        total += amount * found.pop()
    return total


def _shape(machine: str) -> tuple[Decimal, Decimal, Decimal, str] | None:
    """(CPUs, GB, GPUs, what they are called)"""
    family, kind, size = (*machine.split("-"), "")[:3]
    if machine == "e2-medium":  # billed as one CPU of the two that it shares
        return Decimal(1), Decimal(4), Decimal(), ""
    if family == "a2" and kind == "highgpu" and size.rstrip("g").isdigit():
        count = Decimal(size.rstrip("g"))
        return 12 * count, 85 * count, count, "Nvidia Tesla A100 GPU"
    if kind != "standard" or not size.isdigit():
        return None
    gpus = L4.get(int(size), 0) if family == "g2" else 0
    memory = int(size) * GB_PER_CPU.get(family, Decimal(4))
    return Decimal(size), memory, Decimal(gpus), "Nvidia L4 GPU"


def _asking() -> dict[str, str]:
    """The headers of who may ask: the key is not part of an address, as errors tell those."""
    if key := os.environ.get("GOOGLE_API_KEY"):
        return {"x-goog-api-key": key}
    given, why = token()
    if not given:
        raise Unanswered(
            "Google's catalog wants to know who asks: set GOOGLE_API_KEY, or log in with gcloud auth "
            "application-default login, "
            f"or name AWS's regions alone with --region ({why})"
        )
    return {"authorization": f"Bearer {given}"}


def _all(headers: Mapping[str, str], path: str, key: str) -> Iterator[dict[str, Any]]:
    page = ""
    while True:
        content: dict[str, Any] = json_of(f"{BASE}/{path}?pageSize=5000{page}", headers)
        yield from content.get(key, ())
        if not content.get("nextPageToken"):
            return
        page = f"&pageToken={content['nextPageToken']}"


def _is_of(sku: Mapping[str, Any], region: str) -> bool:
    return sku["category"]["usageType"] in ("OnDemand", "Preemptible") and bool(
        {region, "global"} & {*sku.get("serviceRegions", ())}
    )


def _usd(sku: Mapping[str, Any]) -> Decimal:
    """Of the first tier that costs something; what is free at first is not the price."""
    rates = sku["pricingInfo"][0]["pricingExpression"]["tieredRates"]
    for rate in sorted(rates, key=lambda each: float(each["startUsageAmount"])):
        price = rate["unitPrice"]
        if usd := Decimal(price.get("units") or 0) + Decimal(price.get("nanos", 0)) / 10**9:
            return usd
    return Decimal()


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
