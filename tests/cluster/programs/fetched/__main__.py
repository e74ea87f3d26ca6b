"""A service whose pods fetch their model from a bucket, put together as the platforms aws and gcp do.

The cluster and the bucket are there. Settings: `fetched:service`, ... as the test sets them.
"""

import pulumi
import pulumi_kubernetes as k8s

from infra.artifact import ModelArtifact, ModelArtifactArgs, known_model
from infra.config import ServiceConfig
from infra.image import ServiceImage, ServiceImageArgs
from infra.imageconfig import ImageConfig
from infra.spec import Cluster, Placement, Registry
from infra.stored import StoredModel, StoredModelArgs
from infra.workload.namespace import Space, SpaceArgs
from infra.workload.workload import Workload, WorkloadArgs

NAME = "plane"
config = pulumi.Config()
service = ServiceConfig.model_validate(config.require_object("service"))
provider = k8s.Provider("cluster", cluster_identifier="the cluster")
space = Space("space", SpaceArgs(namespace=config.require("namespace")), pulumi.ResourceOptions(providers=[provider]))
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
