"""The project: which Google APIs the stack uses in it."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

APIS = (
    "artifactregistry", "binaryauthorization", "certificatemanager", "cloudkms", "cloudresourcemanager", "compute",
    "container", "containerfilesystem", "containersecurity", "dns", "iam", "logging", "monitoring", "storage",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ProjectArgs:
    """`project`: its id. `further`: APIs besides those that every stack uses."""

    project: str
    further: tuple[str, ...] = ()


class Project(pulumi.ComponentResource):
    """Owns no project: enables APIs in one, and never disables them, as others may use them.

    Outputs: `id`, known at once, and `number`; what takes either waits for the APIs, which make Google's own agents.
    """

    id: pulumi.Output[str]
    number: pulumi.Output[str]

    def __init__(self, name: str, args: ProjectArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:gcp:Project", name, None, opts)
        enabled = [
            gcp.projects.Service(
                api,
                project=args.project,
                service=f"{api}.googleapis.com",
                disable_on_destroy=False,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for api in (*APIS, *args.further)
        ]
        self.id = pulumi.Output.all(*(each.project for each in enabled)).apply(lambda ids: str(ids[0]))
        found = gcp.organizations.get_project_output(project_id=self.id, opts=pulumi.InvokeOutputOptions(parent=self))
        self.number = found.number
        self.register_outputs({})
