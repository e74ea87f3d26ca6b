"""The key that encrypts what the stack keeps: secrets of the cluster, models, images, disks of nodes."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp
from slipway.infra.platforms.gcp.settled import GrantsSettled
from slipway.infra.protection import retained

ROTATION = f"{90 * 24 * 3600}s"


@dataclass(frozen=True, kw_only=True)
class KeyArgs:
    """`existing`: a key that is there, and is granted on. `number`: of the project. `production`: a destroy leaves the
    grants too, as it does on an existing key, which other stacks may use."""

    name: str
    project: pulumi.Input[str]
    number: pulumi.Input[str]
    region: str
    existing: str | None
    production: bool


class StackKey(pulumi.ComponentResource):
    """Owns a key that rotates, and lets Google's own agents for storage, registry, cluster and disks use it.

    Google deletes neither ring nor key, so a destroy leaves both, whatever the environment. Output: `id`; what takes
    it waits for the grants, and until they are known everywhere.
    """

    id: pulumi.Output[str]

    def __init__(self, name: str, args: KeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:gcp:StackKey", name, None, opts)
        key = pulumi.Output.from_input(args.existing) if args.existing else self._made(args)
        granted = [
            gcp.kms.CryptoKeyIAMMember(
                f"{agent}-uses-key",
                crypto_key_id=key,
                role="roles/cloudkms.cryptoKeyEncrypterDecrypter",
                member=member,
                # Nothing that is retained can be decrypted without them, nor data of other stacks that share the key.
                opts=pulumi.ResourceOptions(parent=self, **retained(args.production or args.existing is not None)),
            )
            for agent, member in self._agents(args).items()
        ]
        members = [each.member for each in granted]
        self.id = GrantsSettled("key-grants", members, pulumi.ResourceOptions(parent=self)).after(key)
        self.register_outputs({})

    def _made(self, args: KeyArgs) -> pulumi.Output[str]:
        kept = pulumi.ResourceOptions(parent=self, retain_on_delete=True)
        ring = gcp.kms.KeyRing("key", name=args.name, project=args.project, location=args.region, opts=kept)
        key = gcp.kms.CryptoKey("key", name=args.name, key_ring=ring.id, rotation_period=ROTATION, opts=kept)
        return key.id

    def _agents(self, args: KeyArgs) -> dict[str, pulumi.Input[str]]:
        """Accounts of Google's own. Some are only made when they are asked for."""
        storage = gcp.storage.get_project_service_account_output(
            project=args.project, opts=pulumi.InvokeOutputOptions(parent=self)
        )
        made = {
            api: gcp.projects.ServiceIdentity(
                f"{api}-agent",
                project=args.project,
                service=f"{api}.googleapis.com",
                opts=pulumi.ResourceOptions(parent=self),
            ).member
            for api in ("artifactregistry", "container")
        }
        disks = pulumi.Output.format("serviceAccount:service-{0}@compute-system.iam.gserviceaccount.com", args.number)
        return {"storage": storage.member, **made, "compute": disks}
