"""The Pulumi program: what is declared under a model, on every platform."""

import importlib
import sys

# A stack's state names its dynamic providers by the module they were in when the resource was made, and the engine
# loads that module to read, change or delete the resource. These names are of versions before the `slipway` package.
_RECORDED = {
    "infra.artifact": "slipway.infra.resources.artifact",
    "infra.image": "slipway.infra.resources.image",
    "infra.secret": "slipway.infra.resources.secret",
    "infra.stored": "slipway.infra.resources.stored_model",
}
if __name__ == "infra":  # nothing of ours is imported by this name any more
    for _old, _new in _RECORDED.items():
        sys.modules[_old] = importlib.import_module(_new)
