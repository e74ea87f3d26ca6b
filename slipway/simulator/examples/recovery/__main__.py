"""Network, registry, bucket, a cluster with nodes and a namespace, Google's key: what the recovery table loses."""

import pulumi
import pulumi_aws as aws
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes

ROLE = "arn:aws:iam::123456789012:role/example"


def tags(name: str) -> dict[str, str]:
    return {"slipway:stack": f"{pulumi.get_project()}/{pulumi.get_stack()}", "slipway:name": name}


vpc = aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16", tags=tags("vpc"))
aws.ecr.Repository("images", name="images", tags=tags("images"))
aws.s3.Bucket("models", bucket="models", tags=tags("models"))
cluster = aws.eks.Cluster(
    "cluster", name="cluster", role_arn=ROLE, vpc_config={"subnet_ids": ["subnet-1", "subnet-2"]}, tags=tags("cluster"),
    opts=pulumi.ResourceOptions(depends_on=[vpc]),
)  # fmt: skip
nodes = aws.eks.NodeGroup(
    "nodes", cluster_name=cluster.name, node_group_name="nodes", node_role_arn=ROLE, subnet_ids=["subnet-1"],
    scaling_config={"min_size": 1, "desired_size": 1, "max_size": 2}, tags=tags("nodes"),
)  # fmt: skip
kubeconfig = cluster.endpoint.apply(lambda address: f'{{"clusters": [{{"cluster": {{"server": "{address}"}}}}]}}')
provider = kubernetes.Provider("cluster", kubeconfig=kubeconfig, cluster_identifier=cluster.arn)
inside = pulumi.ResourceOptions(provider=provider, depends_on=[nodes])
kubernetes.core.v1.Namespace("slipway", metadata={"name": "slipway"}, opts=inside)

# As the platform's own: Google deletes neither.
kept = pulumi.ResourceOptions(retain_on_delete=True)
ring = gcp.kms.KeyRing("key", name="key", location="europe-west4", opts=kept)
gcp.kms.CryptoKey("key", name="key", key_ring=ring.id, opts=kept)
