"""Right: names are at most as long as GKE takes them, and differ between stacks."""

import sys

from paths import gcp, run_program

seen = set()
for stack in ("a-rather-long-name-of-a-stack-of-ours", "a-rather-long-name-of-a-stack-of-other"):
    ran = run_program(stack=stack, **gcp.dev())
    cluster = ran.inputs_of("cluster", "gcp:container/cluster:Cluster")["name"]
    accounts = [each.inputs["accountId"] for each in ran.of_type("gcp:serviceaccount/account:Account")]
    print(cluster, len(cluster), accounts)
    seen |= {cluster, *accounts}
    if len(cluster) > 40 or any(len(account) > 30 for account in accounts):
        sys.exit(1)
sys.exit(len(seen) < 4)
