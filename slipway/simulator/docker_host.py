"""The engine's protocol over a real Docker daemon, with the official plugin's manners.

What the plugin replaces for is in tables/docker.yaml. A container that does not get healthy is there all the same: the
engine is told of both. The daemon is $DOCKER_HOST, a unix socket.
"""

from __future__ import annotations

import io
import os
import re
import tarfile
import time
from typing import Any

import grpc
import httpx
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import provider_pb2, status_pb2

from slipway.simulator.faults import CloudError
from slipway.simulator.provider import StandIn, _answers, _kind_and_name, _plain, _struct

VERSION = "v1.41"
UNITS = {"ms": 10**6, "s": 10**9, "m": 60 * 10**9}


class Daemon:
    """Docker's own API."""

    def __init__(self) -> None:
        socket = os.environ["DOCKER_HOST"].removeprefix("unix://")
        transport = httpx.HTTPTransport(uds=socket)
        self.client = httpx.Client(base_url=f"http://docker/{VERSION}", transport=transport, timeout=120)

    def __call__(self, method: str, path: str, **sent: Any) -> Any:
        """The answer's JSON; None for what is not there. Raises CloudError as the daemon words it."""
        answer = self.client.request(method, path, **sent)
        if answer.status_code == 404 and method in ("GET", "DELETE"):
            return None
        if answer.is_error:
            raise CloudError(f"Error response from daemon: {answer.json().get('message', answer.text)}")
        return answer.json() if answer.content and "json" in answer.headers.get("content-type", "") else {}


class DockerStandIn(StandIn):
    """The package docker on one daemon."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.daemon = Daemon()

    @_answers
    def Create(self, request: Any, context: Any) -> Any:
        kind, name = _kind_and_name(request.urn)
        inputs = _plain(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(id="", properties=_struct(self.cloud.preview(kind, inputs)))
        with_fault = self.faults.before(f"creating {kind} {name}")
        id_, outputs, reason = getattr(self, f"_create_{kind.rsplit(':', 1)[1].lower()}")(inputs)
        self.faults.after(with_fault, f"creating {kind} {name}")
        if reason:
            return _not_ready(id_, {**inputs, **outputs}, inputs, reason, context)
        return provider_pb2.CreateResponse(id=id_, properties=_struct({**inputs, **outputs}))

    @_answers
    def Read(self, request: Any, _context: Any) -> Any:
        """What must run and does not is gone, as the plugin has it."""
        kind, _ = _kind_and_name(request.urn)
        known = _plain(request.properties)
        found = self.daemon("GET", _path(kind, request.id))
        if found and kind.endswith(":Container") and known.get("mustRun", True) and not found["State"]["Running"]:
            found = None
        return provider_pb2.ReadResponse(
            id=request.id if found else "", properties=request.properties, inputs=request.inputs
        )

    @_answers
    def Update(self, request: Any, _context: Any) -> Any:
        """Only what says how a container is waited for and ended can change in place."""
        return provider_pb2.UpdateResponse(properties=_struct({**_plain(request.olds), **_plain(request.news)}))

    @_answers
    def Delete(self, request: Any, _context: Any) -> Any:
        kind, name = _kind_and_name(request.urn)
        known = _plain(request.properties)
        with_fault = self.faults.before(f"deleting {kind} {name}")
        if kind.endswith(":Container"):
            if grace := int(known.get("destroyGraceSeconds") or 0):
                self.daemon.client.post(f"/containers/{request.id}/stop", params={"t": grace})
            self.daemon("DELETE", f"/containers/{request.id}", params={"force": "true", "v": "true"})
        elif not (kind.endswith(":RemoteImage") and known.get("keepLocally")):
            self.daemon("DELETE", _path(kind, request.id))
        self.faults.after(with_fault, f"deleting {kind} {name}")
        return Empty()

    def _create_network(self, inputs: dict[str, Any]) -> tuple[str, dict[str, Any], str]:
        body = {"Name": inputs["name"], "Driver": inputs.get("driver", "bridge"), "Labels": _labels(inputs)}
        made = self.daemon("POST", "/networks/create", json={**body, "CheckDuplicate": True})
        return made["Id"], {"scope": "local"}, ""

    def _create_volume(self, inputs: dict[str, Any]) -> tuple[str, dict[str, Any], str]:
        made = self.daemon("POST", "/volumes/create", json={"Name": inputs["name"], "Labels": _labels(inputs)})
        return made["Name"], {"mountpoint": made["Mountpoint"]}, ""

    def _create_remoteimage(self, inputs: dict[str, Any]) -> tuple[str, dict[str, Any], str]:
        found = self.daemon("GET", f"/images/{inputs['name']}/json")
        if not found:
            said = self.daemon.client.post("/images/create", params={"fromImage": inputs["name"]}).text
            found = self.daemon("GET", f"/images/{inputs['name']}/json")
            if not found:
                raise CloudError(f"unable to pull image {inputs['name']}: {said.strip().splitlines()[-1]}")
        return f"{found['Id']}{inputs['name']}", {"imageId": found["Id"], "repoDigest": inputs["name"]}, ""

    def _create_container(self, inputs: dict[str, Any]) -> tuple[str, dict[str, Any], str]:
        made = self.daemon("POST", "/containers/create", params={"name": inputs["name"]}, json=_container(inputs))
        id_ = made["Id"]
        for upload in inputs.get("uploads") or ():
            self.daemon("PUT", f"/containers/{id_}/archive", params={"path": "/"}, content=_archive(upload))
        if not inputs.get("start", True):
            return id_, {}, ""
        self.daemon("POST", f"/containers/{id_}/start")
        return id_, {}, self._unhealthy(id_, inputs) if inputs.get("wait") else ""

    def _unhealthy(self, id_: str, inputs: dict[str, Any]) -> str:
        end = time.monotonic() + inputs.get("waitTimeout", 60)
        while time.monotonic() < end:
            state = self.daemon("GET", f"/containers/{id_}/json")["State"]
            if (state.get("Health") or {}).get("Status") == "healthy":
                return ""
            time.sleep(0.2)
        return f"container [{inputs['name']}] did not become healthy in {inputs.get('waitTimeout', 60):g} s"


def _container(inputs: dict[str, Any]) -> dict[str, Any]:
    networks = {each["name"]: {"Aliases": each.get("aliases")} for each in inputs.get("networksAdvanced") or ()}
    health = inputs.get("healthcheck")
    mounts = [
        {key.title(): each[key] for key in ("type", "source", "target")} | {"ReadOnly": each.get("readOnly", False)}
        for each in inputs.get("mounts") or ()
    ]
    ports = inputs.get("ports") or ()
    bound = {
        f"{int(each['internal'])}/tcp": [{"HostIp": each.get("ip", ""), "HostPort": str(int(each["external"]))}]
        for each in ports
    }
    host = {
        "RestartPolicy": {"Name": inputs.get("restart", "no")},
        "ReadonlyRootfs": inputs.get("readOnly", False),
        "CapDrop": (inputs.get("capabilities") or {}).get("drops"),
        "SecurityOpt": inputs.get("securityOpts"),
        "Mounts": mounts,
        "Tmpfs": inputs.get("tmpfs"),
        "Memory": int(inputs.get("memory") or 0) << 20,
        "PortBindings": bound,
        "NetworkMode": inputs.get("networkMode") or next(iter(networks), "default"),
    }
    if gpus := inputs.get("gpus"):
        ids = gpus.removeprefix("device=").split(",") if gpus != "all" else None
        host["DeviceRequests"] = [{"Count": 0 if ids else -1, "DeviceIDs": ids, "Capabilities": [["gpu"]]}]
    test = {} if not health else {
        "Healthcheck": {
            "Test": health["tests"], "Retries": int(health.get("retries", 0)),
            **{key.title().replace("_", ""): _nanoseconds(health.get(name, "0s"))
               for key, name in (("interval", "interval"), ("timeout", "timeout"), ("start_period", "startPeriod"))},
        }
    }  # fmt: skip
    return {
        "Image": inputs["image"],
        "Cmd": inputs.get("command"),
        "Env": inputs.get("envs"),
        "User": inputs.get("user", ""),
        "Labels": _labels(inputs),
        "ExposedPorts": {port: {} for port in bound},
        "HostConfig": host,
        "NetworkingConfig": {"EndpointsConfig": networks},
        **test,
    }


def _archive(upload: dict[str, Any]) -> bytes:
    """As the plugin packs it: the time is left out, so it is 1970."""
    content, packed = upload["content"].encode(), io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo(upload["file"].lstrip("/"))
        entry.size, entry.mode = len(content), int(upload.get("permissions") or "0644", 8)
        entry.uid, entry.gid = int(upload.get("owner") or 0), int(upload.get("group") or 0)
        tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _path(kind: str, id_: str) -> str:
    match kind.rsplit(":", 1)[1]:
        case "Container":
            return f"/containers/{id_}/json"
        case "Network":
            return f"/networks/{id_}"
        case "Volume":
            return f"/volumes/{id_}"
    return f"/images/{id_[:71]}/json"  # an image's id is `sha256:<64 digits>` before its name


def _labels(inputs: dict[str, Any]) -> dict[str, str]:
    return {each["label"]: each["value"] for each in inputs.get("labels") or ()}


def _nanoseconds(duration: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(ms|s|m)", duration).groups()  # type: ignore[union-attr]
    return int(number) * UNITS[unit]


def _not_ready(id_: str, outputs: dict[str, Any], inputs: dict[str, Any], reason: str, context: Any) -> Any:
    detail = provider_pb2.ErrorResourceInitFailed(
        id=id_, properties=_struct(outputs), reasons=[reason], inputs=_struct(inputs)
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=reason)
    status.details.add().Pack(detail)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    return context.abort(grpc.StatusCode.UNKNOWN, reason)
