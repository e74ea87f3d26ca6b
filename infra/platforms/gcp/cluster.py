"""The GKE control plane: who may ask it, what it logs, how the program reaches it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes
from slipway.infra.names import bounded
from slipway.infra.platforms.gcp.config import ClusterConfig, MaintenanceConfig
from slipway.infra.platforms.gcp.network import Subnet
from slipway.infra.protection import guarded_by_cloud
from slipway.infra.workload.cluster import IN_PLACE

METRICS = ("SYSTEM_COMPONENTS", "POD", "DEPLOYMENT", "HPA", "DCGM")
SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
# What a node does: write logs and metrics, and pull images, where a registry lets it; Managed Prometheus evaluates
# recorded rules there, and asks for the metrics.
NODE_ROLES = {"run": "roles/container.defaultNodeServiceAccount", "evaluate": "roles/monitoring.viewer"}


@dataclass(frozen=True, kw_only=True)
class GkeArgs:
    """`name`: the cluster's, and what names start with. `images`: the repository that nodes pull from. `key`: encrypts
    secrets and disks."""

    name: str
    project_id: str
    project: pulumi.Input[str]
    region: str
    location: str
    config: ClusterConfig
    subnet: Subnet
    images: pulumi.Input[str]
    key: pulumi.Input[str]
    production: bool


@dataclass(frozen=True, kw_only=True)
class Gke:
    """A cluster as the rest of the stack sees it. `autopilot`: whether Google makes its nodes; `nodes`: the e-mail of
    their account, where the stack made it; `pool`: the workload identities of its pods."""

    name: pulumi.Input[str]
    location: str
    autopilot: bool
    pool: pulumi.Input[str]
    kubeconfig: pulumi.Output[str]
    provider: kubernetes.Provider
    nodes: pulumi.Input[str] | None = None


class GkeCluster(pulumi.ComponentResource):
    """Owns a control plane and the account of its nodes. It is asked by its DNS name alone, and IAM decides who may.

    Node-count changes and other edits are updates in place: the provider is told by `cluster_identifier` that it is the
    same cluster, so nothing in it is ever replaced. Output: `gke`."""

    def __init__(self, name: str, args: GkeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:gcp:GkeCluster", name, None, opts)
        self._own, self._args = pulumi.ResourceOptions(parent=self), args
        nodes, granted = self._node_account()
        cluster = self._control_plane(nodes, granted)
        kubeconfig = cluster.control_plane_endpoints_config.apply(
            lambda config: kubeconfig_of(args.name, str(config["dns_endpoint_config"]["endpoint"]))
        )
        self.gke = Gke(
            name=cluster.name,
            location=args.location,
            autopilot=args.config.compute == "autopilot",
            # The project's first cluster makes it, so it is asked of the cluster.
            pool=cluster.name.apply(lambda _: identities_of(args.project_id)),
            kubeconfig=pulumi.Output.secret(kubeconfig),
            provider=provider_of(args.name, args.location, args.project_id, kubeconfig, self),
            nodes=nodes.email,
        )
        self.register_outputs({})

    def _node_account(self) -> tuple[gcp.serviceaccount.Account, list[pulumi.Resource]]:
        args = self._args
        account = gcp.serviceaccount.Account(
            "nodes",
            account_id=bounded(30, args.name, "nodes"),
            project=args.project,
            display_name=f"Nodes of {args.name}",
            opts=self._own,
        )
        return account, [
            *(
                gcp.projects.IAMMember(
                    f"nodes-{what}", project=args.project, role=role, member=account.member, opts=self._own
                )
                for what, role in NODE_ROLES.items()
            ),
            gcp.artifactregistry.RepositoryIamMember(
                "nodes-pull",
                project=args.project,
                location=args.region,
                repository=args.images,
                role="roles/artifactregistry.reader",
                member=account.member,
                opts=self._own,
            ),
        ]

    def _control_plane(
        self, nodes: gcp.serviceaccount.Account, granted: list[pulumi.Resource]
    ) -> gcp.container.Cluster:
        args, config = self._args, self._args.config
        mode: Any = self._autopilot(nodes) if config.compute == "autopilot" else self._standard(nodes)
        needs = [*granted, *args.subnet.ready]
        return gcp.container.Cluster(
            "cluster",
            name=args.name,
            project=args.project,
            location=args.location,
            network=args.subnet.network,
            subnetwork=args.subnet.subnetwork,
            ip_allocation_policy={
                "cluster_secondary_range_name": args.subnet.pods,
                "services_secondary_range_name": args.subnet.services,
            },
            private_cluster_config={"enable_private_nodes": True},
            control_plane_endpoints_config={
                "dns_endpoint_config": {"allow_external_traffic": True},
                "ip_endpoints_config": {"enabled": False},
            },
            release_channel={"channel": config.channel},
            maintenance_policy={"recurring_window": _window(config.maintenance)},
            database_encryption={"state": "ENCRYPTED", "key_name": args.key},
            security_posture_config={"mode": "BASIC", "vulnerability_mode": "VULNERABILITY_DISABLED"},
            binary_authorization={"evaluation_mode": "PROJECT_SINGLETON_POLICY_ENFORCE"},
            rbac_binding_config={
                "enable_insecure_binding_system_authenticated": False,
                "enable_insecure_binding_system_unauthenticated": False,
            },
            cost_management_config={"enabled": True},
            gateway_api_config={"channel": "CHANNEL_STANDARD"},
            authenticator_groups_config={"security_group": config.group} if config.group else None,
            deletion_protection=guarded_by_cloud(args.production),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=needs,
                # Of the pool that Google makes and takes away at once.
                ignore_changes=["nodeConfig", "initialNodeCount"],
            ),
            **mode,
        )

    def _standard(self, nodes: gcp.serviceaccount.Account) -> dict[str, Any]:
        return {
            "remove_default_node_pool": True,
            "initial_node_count": 1,
            "node_config": {
                "service_account": nodes.email,
                "oauth_scopes": list(SCOPES),
                "boot_disk_kms_key": self._args.key,
                "shielded_instance_config": {"enable_secure_boot": True, "enable_integrity_monitoring": True},
                "workload_metadata_config": {"mode": "GKE_METADATA"},
            },
            "networking_mode": "VPC_NATIVE",
            "datapath_provider": "ADVANCED_DATAPATH",
            "enable_intranode_visibility": True,
            "enable_shielded_nodes": True,
            "workload_identity_config": {"workload_pool": identities_of(self._args.project_id)},
            "master_auth": {"client_certificate_config": {"issue_client_certificate": False}},
            "addons_config": {
                "http_load_balancing": {"disabled": False},
                "dns_cache_config": {"enabled": True},
            },
            "node_pool_defaults": {
                "node_config_defaults": {
                    "gcfs_config": {"enabled": True},
                    "insecure_kubelet_readonly_port_enabled": "FALSE",
                }
            },
            "logging_config": {"enable_components": ["SYSTEM_COMPONENTS", "WORKLOADS"]},
            "monitoring_config": {"enable_components": list(METRICS), "managed_prometheus": {"enabled": True}},
            "cluster_autoscaling": {"autoscaling_profile": "OPTIMIZE_UTILIZATION"},
        }

    def _autopilot(self, nodes: gcp.serviceaccount.Account) -> dict[str, Any]:
        """What is left to say of it: the rest is as above, and not to be changed."""
        return {
            "enable_autopilot": True,
            "cluster_autoscaling": {
                "auto_provisioning_defaults": {
                    "service_account": nodes.email,
                    "oauth_scopes": list(SCOPES),
                    "boot_disk_kms_key": self._args.key,
                }
            },
        }


def existing_cluster(name: str, location: str, project_id: str, invoke: pulumi.InvokeOutputOptions) -> Gke:
    """A cluster that is there already: the stack brings nothing into it but its own namespace."""
    found = gcp.container.get_cluster_output(name=name, location=location, project=project_id, opts=invoke)
    kubeconfig = found.control_plane_endpoints_configs.apply(
        lambda config: kubeconfig_of(name, config[0].dns_endpoint_configs[0].endpoint)
    )
    return Gke(
        name=name,
        location=location,
        autopilot=False,
        pool=identities_of(project_id),
        kubeconfig=pulumi.Output.secret(kubeconfig),
        provider=provider_of(name, location, project_id, kubeconfig),
    )


def provider_of(
    name: str,
    location: str,
    project_id: str,
    kubeconfig: pulumi.Input[str],
    parent: pulumi.Resource | None = None,
) -> kubernetes.Provider:
    return kubernetes.Provider(
        "cluster",
        kubeconfig=kubeconfig,
        **IN_PLACE,
        cluster_identifier=f"projects/{project_id}/locations/{location}/clusters/{name}",
        opts=pulumi.ResourceOptions(parent=parent),
    )


def kubeconfig_of(name: str, endpoint: str) -> str:
    """A kubeconfig that holds no credentials: `gke-gcloud-auth-plugin` brings those of whoever uses it."""
    login = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "gke-gcloud-auth-plugin",
        "installHint": "gcloud components install gke-gcloud-auth-plugin",
        "provideClusterInfo": True,
        "interactiveMode": "Never",
    }
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": name, "cluster": {"server": f"https://{endpoint}"}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": "deployer"}}],
            "users": [{"name": "deployer", "user": {"exec": login}}],
        }
    )


def identities_of(project_id: str) -> str:
    """The workload identity pool that a project's clusters share."""
    return f"{project_id}.svc.id.goog"


def _window(maintenance: MaintenanceConfig) -> Any:
    """Any day does for the first one: the recurrence names the weekdays."""
    start = datetime(2026, 1, 3, maintenance.startHour)
    return {
        "start_time": f"{start.isoformat()}Z",
        "end_time": f"{(start + timedelta(hours=maintenance.hours)).isoformat()}Z",
        "recurrence": f"FREQ=WEEKLY;BYDAY={','.join(dict.fromkeys(maintenance.days))}",
    }
