"""What every probe of a framework does with its models."""

import tempfile
from pathlib import Path
from typing import Any

from slipway.pipeline import sources
from slipway.pipeline.data import Inputs
from slipway.pipeline.sources.base import Source


def source_of(model: Any, folder: Path, inputs: Inputs, task: str = "regression") -> Source:
    """A model as the file that variants are made from."""
    return sources.source_of(model, folder, inputs, Path(tempfile.mkdtemp()), task)
