"""Right: no subnet is in use1-az3, whatever the account calls that zone."""

import sys
from typing import Any

from paths import Scenario, aws, run_program

IDS = {"us-east-1a": "use1-az3", "us-east-1b": "use1-az1", "us-east-1c": "use1-az2", "us-east-1d": "use1-az4"}
answer = Scenario.answer


def with_zones(self: Scenario, token: str, args: dict[str, Any]) -> dict[str, Any]:
    """The scenario's answer, with the zones of IDS that the caller does not exclude."""
    found = answer(self, token, args)
    if not token.endswith(":getAvailabilityZones"):
        return found
    excluded = {*(args.get("excludeZoneIds") or []), *(args.get("excludeNames") or [])}
    left = {name: zone for name, zone in IDS.items() if not {name, zone} & excluded}
    return {**found, "names": list(left), "zoneIds": list(left.values())}


Scenario.answer = with_zones
subnets = run_program(**aws.dev()).of_type("aws:ec2/subnet:Subnet")
zones = {IDS[subnet.inputs["availabilityZone"]] for subnet in subnets}
print("subnets in", sorted(zones))
sys.exit("use1-az3" in zones)
