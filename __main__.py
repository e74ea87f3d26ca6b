"""A stack: its configuration, its platform, and per service a judged artifact that is served."""

from typing import Any

import pulumi
from slipway.infra.access_file import access_file
from slipway.infra.config.stack import StackConfig
from slipway.infra.cost.stack import Cost
from slipway.infra.platforms.table import pricing, row_of
from slipway.infra.protection import Protection
from slipway.infra.resources.artifact import ModelArtifact, ModelArtifactArgs, known_model
from slipway.infra.resources.identity import StackIdentity

config = StackConfig.load()
protection = Protection(config.environment)
identity = StackIdentity() if row_of(config).has_identity else None
cost = Cost(config.cost, pricing(config), config.maxMonthlyUsd)
platform = row_of(config).open(config)

# All models are looked at before the first resource is registered.
models = {name: known_model(service.model, service.variant) for name, service in config.services.items()}
for name, service in config.services.items():
    if misplaced := models[name].misplaced(service.model, service.accelerator):
        pulumi.log.warn(f"{name}: {misplaced}")
access = access_file(config, platform.proxies)

services: dict[str, dict[str, Any]] = {}
for name, service in config.services.items():
    with protection.service(name):
        args = ModelArtifactArgs(
            model=service.model,
            inputs_key=models[name].inputs_key,
            kind=models[name].kind,
            variant=service.variant,
            accept_worse=service.acceptWorse,
        )
        artifact = ModelArtifact(name, args)
        served = platform.serve(name, service, artifact, access)
        services[name] = {
            "url": served.url,
            "callers": served.callers,
            "model": {
                "name": name,
                "digest": artifact.digest,
                "variant": artifact.variant,
                "metric": artifact.metric,
            },
            "artifactUri": served.artifact or artifact.artifactUri,
        }
protection.lock()

monthly, per_1k = cost.of({name: model.folder for name, model in models.items()})
for name, figures in per_1k.items():
    services[name]["costPer1kUsd"] = figures

pulumi.export("services", services)
for key, value in platform.outputs.items():
    pulumi.export(key, value)
pulumi.export("monthlyCostUsd", monthly)
pulumi.export("environment", config.environment)
if identity:
    pulumi.export("identity", identity.value)
