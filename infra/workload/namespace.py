"""The namespace that services share: `restricted` pods only, and no traffic that is not allowed by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_kubernetes as k8s
from slipway.infra.runtime import HTTP_PORT
from slipway.infra.workload.names import Manifest, labels

LEVEL = "restricted"


@dataclass(frozen=True, kw_only=True)
class KubernetesNamespaceArgs:
    """`create`: make the namespace; else it is there and another's, and gets nothing but what services bring.
    `labels`: what the cloud's controllers look for on it."""

    namespace: str
    create: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)


class KubernetesNamespace(pulumi.ComponentResource):
    """A namespace. Output: `namespace`, its name, once it is there."""

    namespace: pulumi.Output[str]

    def __init__(self, name: str, args: KubernetesNamespaceArgs, opts: pulumi.ResourceOptions) -> None:
        # The type is named as the state has it.
        super().__init__("slipway:kubernetes:Space", name, None, opts)
        own = pulumi.ResourceOptions(parent=self)
        self.namespace = pulumi.Output.from_input(args.namespace)
        if args.create:
            security = {f"pod-security.kubernetes.io/{mode}": LEVEL for mode in ("enforce", "audit", "warn")}
            about: Manifest = {"name": args.namespace, "labels": {**labels(name), **security, **args.labels}}
            made = k8s.core.v1.Namespace(name, metadata=about, opts=own)
            self.namespace = made.metadata.name
            # Nothing, but that pods may call the services beside them, which say themselves who else may.
            names = {"ports": [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]}
            beside = {"to": [{"podSelector": {}}], "ports": [{"port": HTTP_PORT, "protocol": "TCP"}]}
            nothing: Manifest = {
                "podSelector": {}, "policyTypes": ["Ingress", "Egress"], "egress": [names, beside],
            }  # fmt: skip
            k8s.networking.v1.NetworkPolicy(
                name,
                metadata={"name": "default-deny", "namespace": self.namespace, "labels": labels(name)},
                spec=nothing,
                opts=own,
            )
        self.register_outputs({"namespace": self.namespace})
