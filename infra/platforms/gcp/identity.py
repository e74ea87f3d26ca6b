"""Who a service is to Google Cloud: what it may read is its own models, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp


@dataclass(frozen=True, kw_only=True)
class IdentityArgs:
    """`account_name`: of the Kubernetes service account. `prefix`: of the service's models in the bucket. `pool`,
    `number`: the cluster's workload identities, and the number of their project."""

    pool: pulumi.Input[str]
    number: pulumi.Input[str]
    namespace: str
    account_name: str
    bucket: pulumi.Input[str]
    prefix: str


class ServiceIdentity(pulumi.ComponentResource):
    """Owns a grant to the service's pods themselves: no key, no annotation, no Google service account.

    Objects outside of the prefix can be neither read nor listed. Decryption is the bucket's own, by Google's agent."""

    def __init__(self, name: str, args: IdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:gcp:ServiceIdentity", name, None, opts)
        member = pulumi.Output.format(
            "principal://iam.googleapis.com/projects/{0}/locations/global/workloadIdentityPools/{1}/subject/ns/{2}/sa/{3}",
            args.number, args.pool, args.namespace, args.account_name,
        )  # fmt: skip
        # Its end leaves the objects where they are, and is refused without the flag while there are any.
        folder = gcp.storage.ManagedFolder(
            name,
            bucket=args.bucket,
            name=f"{args.prefix}/",
            force_destroy=True,
            opts=pulumi.ResourceOptions(parent=self),
        )
        gcp.storage.ManagedFolderIamMember(
            name,
            bucket=folder.bucket,
            managed_folder=folder.name,
            role="roles/storage.objectViewer",
            member=member,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
