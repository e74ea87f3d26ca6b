"""A promoted artifact and its image, as `image:artifact`, `image:repository` and `image:settings` have it.

Without a repository the daemon keeps it.
"""

import json

import pulumi
from slipway.infra.config.image import ImageConfig
from slipway.infra.resources.artifact import ModelArtifact, ModelArtifactArgs, known_model
from slipway.infra.resources.image import Registry, ServiceImage, ServiceImageArgs

config = pulumi.Config("image")
model, repository = config.require("artifact"), config.get("repository")
artifact = ModelArtifact("digits", ModelArtifactArgs(model=model, inputs_key=known_model(model, None).inputs_key))
args = ServiceImageArgs(
    service="digits",
    artifact=artifact,
    registry=Registry(repository=repository) if repository else None,
    settings=ImageConfig(**json.loads(config.get("settings") or "{}")),
)
pulumi.export("ref", ServiceImage("digits", args).ref)
