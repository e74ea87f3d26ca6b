"""A build that needs more memory than there is does not start."""

import pytest

from slipway.pipeline import room
from slipway.pipeline.errors import BadInput

GB = 10**9


def test_a_model_that_does_not_fit_is_refused_before_it_is_read():
    with pytest.raises(BadInput, match=r"2.3 GB takes about 6.2 GB of memory to build; 6.0 GB are free"):
        room.lean(23 * GB // 10, 6 * GB)


def test_a_model_above_protobufs_limit_is_built_lean_however_much_memory_there_is():
    assert "quantizers" in room.lean(23 * GB // 10, 100 * GB)


def test_a_model_whose_variants_do_not_fit_together_is_built_lean():
    assert "1.0 GB" not in room.lean(GB, 100 * GB)
    assert room.lean(GB, 5 * GB) == "it would take about 8.5 GB of memory; 5.0 GB are free"


def test_memory_is_that_of_the_machine_and_of_the_containers_limit(tmp_path):
    (tmp_path / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable: 4000 kB\n")
    assert room.free(tmp_path, tmp_path) == 4000 * 1024
    (tmp_path / "memory.max").write_text("3000000\n")
    (tmp_path / "memory.current").write_text("2500000\n")
    (tmp_path / "memory.stat").write_text("anon 700000\ninactive_file 1400000\nactive_file 100000\n")
    assert room.free(tmp_path, tmp_path) == 2_000_000  # files that are only cached are free
    (tmp_path / "memory.max").write_text("max\n")
    assert room.free(tmp_path, tmp_path) == 4000 * 1024
    assert room.free(tmp_path / "none", tmp_path / "none") is None
