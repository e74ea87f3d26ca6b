"""Right: the egress rule for port 53 names no pods, and idle connections are kept over 600 s."""

import sys

from paths import gcp, run_program

ran = run_program(**gcp.example())
egress = ran.inputs_of("digits", "kubernetes:networking.k8s.io/v1:NetworkPolicy")["spec"]["egress"]
rules = [rule for rule in egress if {int(port["port"]) for port in rule["ports"]} == {53}]
pod = ran.inputs_of("digits", "kubernetes:apps/v1:Deployment")["spec"]["template"]["spec"]
environment = {each["name"]: each.get("value") for each in pod["containers"][0]["env"]}
kept = int(environment["SLIPWAY_KEEP_ALIVE_SECONDS"])
print("port 53:", rules, "keep-alive:", kept)
sys.exit(not (rules and "to" not in rules[0] and kept > 600))
