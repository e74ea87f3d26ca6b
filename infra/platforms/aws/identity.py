"""Who a service is to AWS: what it may read is its own models, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from slipway.infra.names import KEEPS_ITS_NAME, own_name
from slipway.infra.platforms.aws.policies import allow, document, pod_trust


@dataclass(frozen=True, kw_only=True)
class IdentityArgs:
    """`account_name`: of the Kubernetes service account. `prefix`: of the service's models in the bucket."""

    stack: str
    service: str
    cluster_name: str
    namespace: str
    account_name: str
    bucket_arn: str
    prefix: str
    key_arn: pulumi.Input[str]


class ServiceIdentity(pulumi.ComponentResource):
    """Owns a role that only the service's pods take, by EKS Pod Identity: no key, no annotation, no OIDC provider."""

    def __init__(self, name: str, args: IdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:aws:ServiceIdentity", name, None, opts)
        own = pulumi.ResourceOptions(parent=self)
        role = aws.iam.Role(
            name,
            name=own_name(64, args.stack, args.service),
            assume_role_policy=pod_trust(args.cluster_name, args.namespace, args.account_name),
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=KEEPS_ITS_NAME),
        )
        aws.iam.RolePolicy(
            name,
            name="read-own-models",
            role=role.name,
            policy=pulumi.Output.from_input(args.key_arn).apply(
                lambda key: document(
                    allow(["s3:GetObject"], [f"{args.bucket_arn}/{args.prefix}/*"]),
                    allow(
                        ["s3:ListBucket"],
                        [args.bucket_arn],
                        Condition={"StringLike": {"s3:prefix": [f"{args.prefix}/*"]}},
                    ),
                    allow(["kms:Decrypt"], [key]),
                )
            ),
            opts=own,
        )
        aws.eks.PodIdentityAssociation(
            name,
            cluster_name=args.cluster_name,
            namespace=args.namespace,
            service_account=args.account_name,
            role_arn=role.arn,
            opts=own,
        )
        self.register_outputs({})
