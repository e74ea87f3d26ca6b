"""A stack of each platform: what the contracts are held on. A new platform adds a line."""

from tests.infra.aws.stacks import dev as aws_stack
from tests.infra.gcp.stacks import dev as gcp_stack

SERVICES = {"digits": {"model": "models/digits"}}
IMAGE = "registry.example/digits@sha256:" + "a" * 64
STACKS = {
    "local": {"platform": "local", "services": SERVICES},
    "docker": {
        "platform": "docker",
        "services": SERVICES,
        "access": {"jwt": {"jwks": "https://issuer.example/keys", "audience": "a", "issuer": "i"}},
    },
    "kubernetes": {
        "platform": "kubernetes",
        "services": {"digits": {**SERVICES["digits"], "image": IMAGE, "scale": {"min": 2, "max": 4}}},
        "access": {"jwt": {"jwks": "https://issuer.example/keys", "audience": "a", "issuer": "i"}},
    },
    "aws": aws_stack(),
    "gcp": gcp_stack(),
}
