"""What Python reads from outside a model's folder is noticed by name; what is declared, installed or its own is not."""

import socket
import sqlite3
import tempfile
from pathlib import Path

import numpy as np
import pytest

from slipway.pipeline.reads import Reads


@pytest.fixture
def place(tmp_path):
    for name in ("model/inside.csv", "outside.csv", "shared/a.npy", "shared/linked.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    np.save(tmp_path / "shared" / "a.npy", np.zeros(2))
    (tmp_path / "model" / "link.csv").symlink_to(tmp_path / "shared" / "linked.csv")
    return tmp_path


def read_all(place):
    (place / "model" / "inside.csv").read_bytes()
    (place / "model" / "link.csv").read_bytes()
    (place / "outside.csv").read_bytes()
    np.load(place / "shared" / "a.npy")
    with tempfile.NamedTemporaryFile("w+") as own:
        Path(own.name).read_text()
    Path(socket.__file__).read_bytes()


def test_reads_from_outside_the_folder_are_noticed_by_name_while_they_are_watched(place):
    reads = Reads(place / "model", [])
    read_all(place)
    assert reads.files == set()
    with reads.noticed():
        read_all(place)
        socket.getaddrinfo("localhost", 80)
    assert reads.files == {str(place / "outside.csv"), str(place / "shared" / "a.npy")}
    assert reads.hosts == {"localhost"}


def test_what_is_declared_is_expected(place):
    reads = Reads(place / "model", ["../shared", str(place / "outside.csv"), "s3://bucket/points"])
    with reads.noticed():
        read_all(place)
        socket.getaddrinfo("localhost", 80)
    assert (reads.files, reads.hosts) == (set(), set())


def test_what_a_c_library_opens_escapes(place):
    sqlite3.connect(place / "points.db").execute("create table t (a)")
    reads = Reads(place / "model", [])
    with reads.noticed():
        sqlite3.connect(place / "points.db").execute("select * from t")
    assert reads.files == set()
