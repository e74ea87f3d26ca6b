"""A test double of the service's command: it refuses INT8 models, and is the real service for all others."""

import os
import sys
from pathlib import Path

artifact = Path(sys.argv[sys.argv.index("--artifact") + 1])
if b"QuantizeLinear" in (artifact / "model.onnx").read_bytes():
    sys.exit("slipway: this double takes no INT8")
os.execv(sys.executable, [sys.executable, "-m", "slipway.service", *sys.argv[1:]])
