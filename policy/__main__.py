"""The policy pack: what is refused in `make preview`, `make up` and on pull requests, whatever the backend.

Levels and exceptions (resource, reason, expiry) are set in config.json, by policy.
"""

from pulumi_policy import PolicyPack
from rules import data, exposure, serving
from rules.reading import on_resource, on_stack

PolicyPack(
    name="slipway",
    policies=[
        on_resource("no-public-bucket", "Nobody but the stack reads its buckets.", exposure.no_public_bucket),
        on_stack("bucket-blocked", "Every bucket refuses to be made public.", exposure.buckets_are_blocked),
        on_resource("authenticated", "Every endpoint asks who calls.", exposure.authenticated),
        on_resource("tls", "The edge speaks TLS 1.2 or newer.", exposure.tls),
        on_stack("redirected", "Plain HTTP leads to HTTPS and nowhere else.", exposure.redirected),
        on_resource("no-open-cidr", "Only web ports of the edge are open to everyone.", exposure.no_open_cidr),
        on_resource("encrypted", "What is stored is encrypted with the stack's own key.", data.encrypted),
        on_resource("tagged", "What is made can be found again.", data.tagged),
        on_stack("protected", "Production's data is neither deleted nor replaced.", data.protected),
        on_stack("budgeted", "What costs money has a budget.", data.budgeted),
        on_resource("image-by-digest", "What runs is what was tested.", serving.by_digest),
        on_resource("safe-pods", "Pods run as no root, with limits and probes.", serving.safe_pods),
        on_resource("gpu-pool", "A GPU pool has an end, and costs nothing when idle.", serving.gpu_pools),
        on_stack("gpu-fits", "What asks for GPUs finds them.", serving.gpus_fit),
        on_stack("rollout-ends", "Neither a drain nor a rollout waits for ever.", serving.rollouts_end),
        on_resource("model-judged", "Only a model that was judged is served.", serving.model_judged),
        on_stack("judged-for-target", "It was judged for what runs it.", serving.judged_for_target, "advisory"),
    ],
)
