"""Buckets in the simulator: folders, whatever the cloud's clients would reach."""

import pytest
from slipway.infra.resources.command import slipway_json
from slipway.service.artifact import seal

from slipway.pipeline.bucket import Bucket
from slipway.simulator.throwaway import PLUGINS, Throwaway


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_an_artifact_in_a_bucket_is_found_by_the_command_as_the_program_runs_it(scheme, tmp_path, monkeypatch):
    (tmp_path / "program").mkdir()
    stack = Throwaway(tmp_path / "stack", tmp_path / "program")
    for name in ("PYTHONPATH", "SLIPWAY_BUCKETS"):
        monkeypatch.setenv(name, stack.environment[name])
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "home"))
    monkeypatch.syspath_prepend(PLUGINS)
    from fsspec import register_implementation
    from fsspec.registry import _registry
    from slipway_buckets import Buckets

    register_implementation(scheme, Buckets, clobber=True)
    folder = tmp_path / "artifact"
    folder.mkdir()
    (folder / "signature.json").write_text('{"name": "digits"}')
    digest = seal(folder)
    try:
        uri = f"{scheme}://models/artifacts"
        assert Bucket(uri).push("k" * 64, folder) == digest == Bucket(uri).push("k" * 64, folder)
        assert (stack.folder / "buckets" / "models" / "artifacts").is_dir()
        described = slipway_json("model", "describe", f"{uri}@{digest}")
        assert described["name"] == "digits" and described["digest"] == digest and described["path"]
    finally:
        _registry.pop(scheme)
