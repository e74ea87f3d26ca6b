"""Alerts, a dashboard, a channel and an uptime check, as the platform makes them: Google makes up their names."""

import pulumi
import pulumi_gcp as gcp
from slipway.infra.platforms.gcp.config import WatchConfig
from slipway.infra.platforms.gcp.labels import labelled, stack_labels
from slipway.infra.platforms.gcp.observability import Watch, WatchArgs

PROJECT = "example-project"
provider = gcp.Provider("gcp", project=PROJECT, region="europe-west4", default_labels=stack_labels())
args = WatchArgs(
    name="watch",
    project_id=PROJECT,
    project=PROJECT,
    config=WatchConfig(emails=["ml.team@example.org"]),
    cluster="watched",
    namespace="slipway",
)
watch = Watch("watch", args, pulumi.ResourceOptions(provider=provider, transformations=[labelled]))
watch.from_outside("digits", "digits.ml.example.org")
