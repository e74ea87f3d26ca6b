"""The official release: used when its checksum is published and right, and not otherwise."""

import hashlib
import http.server
import io
import tarfile
import threading
from functools import partial

import engine
import engine_cache
import engine_download
import pytest
from engine_doubles import double

ARCHIVE = f"pulumi-v{engine_cache.VERSION}-linux-x64.tar.gz"
CHECKSUMS = f"pulumi-{engine_cache.VERSION}-checksums.txt"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def mirror(machine, monkeypatch):
    """A folder served on loopback in the place of Pulumi's hosts."""
    folder = machine / "mirror"
    folder.mkdir()
    handler = partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        monkeypatch.setenv("SLIPWAY_PULUMI_RELEASES", f"http://127.0.0.1:{server.server_port}")
        yield folder
        server.shutdown()


def release(folder, names=(*engine_cache.NAMES, "pulumi-language-python", "pulumi-language-go")):
    with tarfile.open(folder / ARCHIVE, "w:gz") as tar:
        for name in names:
            content = b"#!/bin/sh\nexit 0\n"
            member = tarfile.TarInfo(f"pulumi/{name}")
            member.size, member.mode = len(content), 0o755
            tar.addfile(member, io.BytesIO(content))
    return hashlib.sha256((folder / ARCHIVE).read_bytes()).hexdigest()


def test_a_verified_release_becomes_the_engine_with_its_own_language_host(mirror, machine, monkeypatch):
    monkeypatch.setattr(engine, "platform_name", lambda: "linux-x64")
    (mirror / CHECKSUMS).write_text(f"{'0' * 64}  another.tar.gz\n{release(mirror)}  {ARCHIVE}\n")
    assert engine.main(["--bin", str(machine / "bin")]) == 0
    placed = {path.name: path.read_text() for path in (machine / "bin").iterdir()}
    assert set(placed) == {*engine_cache.NAMES, "pulumi-language-python"}
    assert placed["pulumi-language-python"] == "#!/bin/sh\nexit 0\n"


def test_a_release_with_a_wrong_checksum_is_not_used(mirror, slipway_home):
    release(mirror)
    (mirror / CHECKSUMS).write_text(f"{'0' * 64}  {ARCHIVE}\n")
    with engine_cache.locked():
        assert "does not match its published checksum" in engine_download.fetch("linux-x64")
    assert [path.name for path in (slipway_home / "engine").iterdir()] == [".lock"]


def test_a_release_without_a_published_checksum_is_not_even_fetched(mirror, slipway_home):
    (mirror / CHECKSUMS).write_text("")
    with engine_cache.locked():
        assert "no published checksum" in engine_download.fetch("linux-x64")
    assert engine_cache.cached() is None


def test_an_incomplete_release_is_not_used(mirror, slipway_home):
    (mirror / CHECKSUMS).write_text(f"{release(mirror, ['pulumi'])}  {ARCHIVE}\n")
    with engine_cache.locked():
        assert "lacks pulumi-language-python" in engine_download.fetch("linux-x64")
    assert engine_cache.cached() is None


def test_what_failed_to_come_is_told_when_nothing_else_works(mirror, machine, monkeypatch, capsys):
    release(mirror)
    (mirror / CHECKSUMS).write_text(f"{'0' * 64}  {ARCHIVE}\n")
    monkeypatch.setattr(engine, "platform_name", lambda: "linux-x64")
    monkeypatch.setenv("PATH", str(double(machine / "path", "nothing", "exit 1").parent))
    assert engine.main(["--bin", str(machine / "bin")]) == 1
    assert "does not match its published checksum" in capsys.readouterr().err


def test_only_http_is_spoken_to_a_mirror(machine, monkeypatch, slipway_home):
    monkeypatch.setenv("SLIPWAY_PULUMI_RELEASES", f"file://{machine}")
    assert "not an http or https address" in engine_download.fetch("linux-x64")
