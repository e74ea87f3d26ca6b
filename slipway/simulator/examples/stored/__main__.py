"""A promoted artifact, `stored:artifact`, copied into the folder `stored:folder` of a bucket."""

import pulumi
from slipway.infra.resources.artifact import ModelArtifact, ModelArtifactArgs, known_model
from slipway.infra.resources.stored_model import StoredModel, StoredModelArgs

config = pulumi.Config("stored")
model = config.require("artifact")
artifact = ModelArtifact("digits", ModelArtifactArgs(model=model, inputs_key=known_model(model, None).inputs_key))
stored = StoredModel("digits", StoredModelArgs(artifact=artifact, folder=config.require("folder")))
pulumi.export("uri", stored.uri)
pulumi.export("size", stored.size)
