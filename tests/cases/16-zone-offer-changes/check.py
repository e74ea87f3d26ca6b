"""Right: an unchanged stack is an empty diff after AWS offers its GPU in one zone more."""

import re
import shutil
import sys
import tempfile
from pathlib import Path

import yaml
from paths import ROOT, SCENARIO, Throwaway

ZONES = {"names": [f"us-east-1{zone}" for zone in "abcd"], "zoneIds": ["use1-az1", "use1-az2", "use1-az4", "use1-az5"]}
CHANGE = re.compile(r"\s+(\+|-|~|\+-)\s?\d+ to |\s+[+~-]+ ?aws:(ec2/subnet|eks/cluster).*\(")


def scenario(file: Path, offered: str) -> Path:
    """The shipped scenario with four zones, and g6.xlarge in those `offered`."""
    made = yaml.safe_load(SCENARIO.read_text())
    made["functions"]["aws:index/getAvailabilityZones:getAvailabilityZones"] |= ZONES
    made["functions"]["aws:ec2/getInstanceTypeOfferings:getInstanceTypeOfferings"] |= {
        "instanceTypes": ["g6.xlarge"] * len(offered),
        "locations": [f"us-east-1{zone}" for zone in offered],
        "locationTypes": ["availability-zone"] * len(offered),
    }
    file.write_text(yaml.safe_dump(made))
    return file


with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    before, after = scenario(folder / "before.yaml", "ab"), scenario(folder / "after.yaml", "abd")
    stack = Throwaway(folder, ROOT, "drift", before)
    shutil.copy(Path(__file__).with_name("Pulumi.drift.yaml"), stack.program)
    with stack:
        stack.seconds = 600
        stack.up()
        stack.up("--expect-no-changes")
        print("up, and up again: 0 changes")
        stack.scenario = after
        stack.start()
        said = stack.preview("--diff")
    print("\n".join(line for line in said.splitlines() if CHANGE.match(line)))
    sys.exit(bool(re.search(r"\d+ to (create|update|delete|replace)", said)))
