"""A stack: its configuration, its platform, and per service a judged artifact that is served."""

import pulumi

from infra.access import access_file
from infra.artifact import ModelArtifact, ModelArtifactArgs, inputs_key
from infra.config import StackConfig
from infra.platforms import platform_for

config = StackConfig.load()
platform = platform_for(config)

# All models are looked at before the first resource is registered.
keys = {name: inputs_key(service.model, service.variant) for name, service in config.services.items()}
access = access_file(config, platform.proxies)

services = {}
for name, service in config.services.items():
    args = ModelArtifactArgs(
        model=service.model,
        inputs_key=keys[name],
        variant=service.variant,
        accept_worse=service.acceptWorse,
    )
    artifact = ModelArtifact(name, args)
    served = platform.serve(name, service, artifact, access)
    services[name] = {
        "url": served.url,
        "model": {
            "name": name,
            "digest": artifact.digest,
            "variant": artifact.variant,
            "metric": artifact.metric,
        },
        "artifactUri": artifact.artifactUri,
    }

pulumi.export("services", services)
for key, value in platform.outputs.items():
    pulumi.export(key, value)
