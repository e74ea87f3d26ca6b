"""A service whose pods fetch their model from a bucket, put together as the platforms aws and gcp do.

The cluster and the bucket are there. Settings: `fetched:service`, ... as the test sets them.
"""

import pulumi
import pulumi_kubernetes as k8s
from slipway.infra.config.image import ImageConfig
from slipway.infra.config.stack import ServiceConfig
from slipway.infra.resources.artifact import ModelArtifact, ModelArtifactArgs, known_model
from slipway.infra.resources.image import Registry, ServiceImage, ServiceImageArgs
from slipway.infra.resources.stored_model import StoredModel, StoredModelArgs
from slipway.infra.workload.cluster import Cluster, Placement
from slipway.infra.workload.namespace import KubernetesNamespace, KubernetesNamespaceArgs
from slipway.infra.workload.workload import Workload, WorkloadArgs

NAME = "plane"
config = pulumi.Config()
service = ServiceConfig.model_validate(config.require_object("service"))
provider = k8s.Provider("cluster", cluster_identifier="the cluster")
space = KubernetesNamespace(
    "space",
    KubernetesNamespaceArgs(namespace=config.require("namespace")),
    pulumi.ResourceOptions(providers=[provider]),
)
artifact = ModelArtifact(
    NAME, ModelArtifactArgs(model=service.model, inputs_key=known_model(service.model, None).inputs_key)
)
stored = StoredModel(NAME, StoredModelArgs(artifact=artifact, folder=f"{config.require('bucket')}/{NAME}"))
image = ServiceImage(
    NAME,
    ServiceImageArgs(
        service=NAME,
        artifact=artifact,
        registry=Registry(repository=config.require("registry")),
        settings=ImageConfig.model_validate(config.require_object("image")),
        with_model=service.modelFrom == "image",
    ),
)
Workload(
    NAME,
    WorkloadArgs(
        service=service,
        image=image.ref,
        artifact=artifact,
        access=config.require_secret("access"),
        cluster=Cluster(
            provider=provider, namespace=space.namespace, placements={"none": [Placement()]}, ready=[space]
        ),
        environment=config.require_object("environment"),
        egress=tuple((cidr, port) for cidr, port in config.require_object("egress")),
        stored=stored,
    ),
)
pulumi.export("uri", stored.uri)
