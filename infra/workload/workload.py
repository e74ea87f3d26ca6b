"""One inference service on a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_kubernetes as k8s
from slipway.infra.config.stack import ServiceConfig
from slipway.infra.resources.artifact import ModelArtifact
from slipway.infra.resources.stored_model import StoredModel
from slipway.infra.runtime import HTTP_PORT, Runtime
from slipway.infra.workload.autoscale import autoscaler
from slipway.infra.workload.cluster import Cluster
from slipway.infra.workload.deployment import deployment, parts
from slipway.infra.workload.disruption import disruption_budget
from slipway.infra.workload.names import Manifest, metadata, selector
from slipway.infra.workload.network import network_policy


@dataclass(frozen=True, kw_only=True)
class WorkloadArgs:
    """`image`: by digest, or as nodes have it. `arch`: the processor that it is for; None: not known. `access`: the
    access file's text. `environment`: what else the processes are told. `egress`: networks and ports that this
    service's pods ask besides the cluster's (see `network.outside_of`). `stored`: the copy in a bucket that pods fetch
    (`modelFrom: volume`); None: they mount the cluster's volume."""

    service: ServiceConfig
    image: pulumi.Input[str]
    artifact: ModelArtifact
    access: pulumi.Input[str]
    cluster: Cluster
    environment: Mapping[str, str] = field(default_factory=dict)
    egress: tuple[tuple[str, int], ...] = ()
    arch: str | None = None
    stored: StoredModel | None = None


class Workload(pulumi.ComponentResource):
    """The Kubernetes objects that serve one artifact, named after the service.

    Owns its Deployments, Service, account, access Secret, network policy, autoscaler and disruption budget; leaves the
    namespace and the route to the platform. Two of these in one namespace have nothing in common. New keys alone
    change the Secret, which pods read anew, and restart nothing.
    Outputs: `service` (of the Kubernetes Service), once pods answer behind it; `port`. Known before: `selector`,
    `runtime` (the kind of service).
    """

    service: pulumi.Output[str]
    port: int
    selector: dict[str, str]
    runtime: Runtime

    def __init__(self, name: str, args: WorkloadArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        provided = pulumi.ResourceOptions(providers=[args.cluster.provider])
        super().__init__("slipway:kubernetes:Workload", name, None, pulumi.ResourceOptions.merge(opts, provided))
        own = pulumi.ResourceOptions(parent=self)
        account = k8s.core.v1.ServiceAccount(
            name,
            metadata=metadata(name, args.cluster.namespace, name, args.cluster.account_annotations),
            automount_service_account_token=False,
            opts=own,
        )
        access = k8s.core.v1.Secret(
            name,
            metadata=metadata(f"{name}-access", args.cluster.namespace, name),
            string_data={"access.json": pulumi.Output.secret(args.access)},
            opts=own,
        )
        policy = network_policy(name, args, own)
        before = pulumi.ResourceOptions(parent=self, depends_on=[*args.cluster.ready, account, access, policy])
        running = []
        for part in parts(name, args):
            made = deployment(name, part, args, before)
            running.append(made)
            autoscaler(name, part, args, pulumi.ResourceOptions(parent=self, depends_on=[made]))
        disruption_budget(name, args, own)
        # Of no pods there is none to wait for.
        notes = {} if args.service.scale.min else {"pulumi.com/skipAwait": "true"}
        spec: Manifest = {
            "type": "ClusterIP",
            "selector": selector(name),
            "ports": [{"name": "http", "port": HTTP_PORT, "targetPort": "http", "appProtocol": "http"}],
        }
        service = k8s.core.v1.Service(
            name,
            metadata=metadata(name, args.cluster.namespace, name, notes),
            spec=spec,
            opts=pulumi.ResourceOptions(parent=self, depends_on=running),
        )
        self.service = service.metadata.name
        self.port = HTTP_PORT
        self.selector, self.runtime = selector(name), args.artifact.runtime
        self.register_outputs({"service": self.service, "port": self.port})
