"""What a program may do to a plugin: names made up, values not known yet, kinds defined beside their objects, waits."""

from pathlib import Path

import pulumi
import pulumi_kubernetes as k8s

config = pulumi.Config()
kubeconfig = pulumi.Output.secret(Path(config.require("kubeconfig")).read_text())
provider = k8s.Provider("own", kubeconfig=kubeconfig, enable_config_map_mutable=True, namespace="manners")
options = pulumi.ResourceOptions(provider=provider)
space = k8s.core.v1.Namespace("space", metadata={"name": "manners"}, opts=options)
inside = pulumi.ResourceOptions(provider=provider, depends_on=[space])

named = k8s.core.v1.ConfigMap(
    "named", data={"a": config.get("a") or "1"}, immutable=config.get_bool("immutable"), opts=inside
)
service = k8s.core.v1.Service("service", metadata={"name": "alone"}, spec={"ports": [{"port": 80}]}, opts=inside)
k8s.core.v1.ConfigMap("address", metadata={"name": "address"}, data={"ip": service.spec.cluster_ip}, opts=inside)

labels = {"app": "never-ready"}
container = {"name": "main", "image": "slipway.test/base:bookworm", "command": ["false"]}
k8s.apps.v1.Deployment(
    "unawaited",
    metadata={"name": "unawaited", "annotations": {"pulumi.com/skipAwait": "true"}},
    spec={
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
    },
    opts=inside,
)

spec = {"type": "object", "properties": {"state": {"type": "string"}}}
schema = {"type": "object", "properties": {"spec": spec}}
version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
names = {"kind": "Gadget", "plural": "gadgets", "singular": "gadget"}
definition = k8s.apiextensions.v1.CustomResourceDefinition(
    "gadgets",
    metadata={"name": "gadgets.slipway.test"},
    spec={"group": "slipway.test", "scope": "Namespaced", "names": names, "versions": [version]},
    opts=options,
)
k8s.apiextensions.CustomResource(
    "gadget",
    api_version="slipway.test/v1",
    kind="Gadget",
    metadata={
        "name": "gadget",
        "annotations": {"pulumi.com/waitFor": "jsonpath={.spec.state}=there", "pulumi.com/timeoutSeconds": "5"},
    },
    spec={"state": config.get("state") or "there"},
    opts=pulumi.ResourceOptions(provider=provider, depends_on=[space, definition]),
)
pulumi.export("named", named.metadata.name)
