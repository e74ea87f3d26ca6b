"""What the platform local lacks, each with its reason."""

UNSUPPORTED = {
    "accelerator": "it runs models on the CPU",
    "scale": "it serves on one machine: set workers",
    "resources": "its processes take what they need of this machine",
    "rollout": "a new version is ready before the old one stops, in any case",
    "host": "it answers on 127.0.0.1 alone",
    "image": "it runs the checkout's own code, without a container",
    "modelFrom": "it reads models from the artifact store",
    "priority": "it has no scheduler",
}
