"""What the platform docker lacks, each with its reason."""

UNSUPPORTED = {
    "metricsPort": "every container has /metrics on 9000, on the stack's network",
    "scale": "it serves on one host: set workers",
    "rollout": "a new version is ready before the old one stops, in any case",
    "host": "it has no edge: put one with TLS before it",
    "image": "the host runs what it has built",
    "modelFrom": "images hold the model",
    "priority": "it has no scheduler",
}
