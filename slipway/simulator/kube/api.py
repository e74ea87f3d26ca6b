"""A Kubernetes API server, as far as the stand-in and the tests need it."""

from __future__ import annotations

import base64
import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import yaml

Object = dict[str, Any]
APPLY = "application/apply-patch+yaml"


class ApiError(Exception):
    """A refusal. `causes`: (field, message) of each, where the server says so."""

    def __init__(self, code: int, reason: str, message: str, causes: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.code, self.reason, self.causes = code, reason, causes


@dataclass(frozen=True)
class Ref:
    """Where an object is. `namespace` is empty for those that have none."""

    version: str
    kind: str
    namespace: str
    name: str

    @classmethod
    def to(cls, value: Object) -> Ref:
        metadata = value["metadata"]
        return cls(value["apiVersion"], value["kind"], metadata.get("namespace", ""), metadata.get("name", ""))

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class Api:
    """One API server with one user's rights, by the current context of a kubeconfig."""

    def __init__(self, kubeconfig: str) -> None:
        """`kubeconfig`: its text. Raises ValueError where it can't be used."""
        config = yaml.safe_load(kubeconfig)
        if not isinstance(config, dict) or "clusters" not in config:
            raise ValueError("kubeconfig is no kubeconfig: it names no clusters")
        context = _named(config["contexts"], config["current-context"])["context"]
        cluster = _named(config["clusters"], context["cluster"])["cluster"]
        user = _named(config["users"], context["user"])["user"]
        self.namespace: str = context.get("namespace", "default")
        self.server: str = cluster["server"]
        headers = {"authorization": f"Bearer {user['token']}"} if "token" in user else {}
        self._http = httpx.Client(
            base_url=cluster["server"], verify=_tls(cluster, user), headers=headers, timeout=30, trust_env=False,
            transport=None, limits=httpx.Limits(max_connections=64),
        )  # fmt: skip
        self._kinds: dict[str, dict[str, Object]] = {}

    def namespaced(self, version: str, kind: str) -> bool:
        """Raises ApiError for a kind that the server does not have."""
        return bool(self._kind(version, kind)["namespaced"])

    def kinds(self) -> list[tuple[str, str]]:
        """(version, kind) of everything that the server keeps and can list, events apart."""
        groups = self._call("GET", "/apis")["groups"]
        versions = ["v1", *(each["preferredVersion"]["groupVersion"] for each in groups)]
        return [
            (version, each["kind"])
            for version in versions
            for each in self._call("GET", _group(version))["resources"]
            if "/" not in each["name"] and {"list", "delete"} <= set(each["verbs"]) and each["kind"] != "Event"
        ]

    def get(self, ref: Ref) -> Object | None:
        try:
            return dict(self._call("GET", self._path(ref)))
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def list(self, version: str, kind: str, namespace: str = "", **selectors: str) -> list[Object]:
        """`labelSelector` and `fieldSelector` as the API takes them. Of all namespaces where none is named."""
        asked: dict[str, Any] = {**selectors}
        answer = self._call("GET", self._path(Ref(version, kind, namespace, "")), **asked)
        return [{"apiVersion": version, "kind": kind, **each} for each in answer["items"]]

    def apply(self, value: Object, manager: str, dry: bool = False, force: bool = False) -> Object:
        """Server-side apply: what is there afterwards, or would be. Raises ApiError 409 for others' fields."""
        options = {"fieldManager": manager, "force": str(force).lower(), **({"dryRun": "All"} if dry else {})}
        return dict(self._call("PATCH", self._path(Ref.to(value)), value, APPLY, **options))

    def patch(self, ref: Ref, change: Object, part: str = "") -> Object:
        """A merge patch, as `kubectl patch` or somebody's script would; `part`: `/status`."""
        return dict(self._call("PATCH", self._path(ref) + part, change, "application/merge-patch+json"))

    def strict(self, value: Object) -> Sequence[str]:
        """The warnings of a dry run that refuses unknown and doubled fields. Raises ApiError for what is refused."""
        path = self._path(replace(Ref.to(value), name=""))
        answer = self._http.post(f"{path}?dryRun=All&fieldValidation=Strict", json=value)
        if not answer.is_success:
            raise ApiError(answer.status_code, "", answer.text, ())
        return list(answer.headers.get_list("warning"))

    def create(self, path: str, value: Object) -> Object:
        """Puts a value below a path of its own, such as an eviction."""
        return dict(self._call("POST", path, value))

    def delete(self, ref: Ref, propagation: str = "Foreground") -> None:
        """Nothing happens where it is gone already."""
        try:
            self._call("DELETE", self._path(ref), {"propagationPolicy": propagation})
        except ApiError as error:
            if error.code != 404:
                raise

    def log(self, namespace: str, pod: str, container: str, lines: int, previous: bool = False) -> str:
        """The end of what a container said; empty where it can't be had."""
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        options: dict[str, Any] = {"container": container, "tailLines": lines, "previous": str(previous).lower()}
        answer = self._http.get(path, params=options)
        return answer.text if answer.is_success else ""

    def _path(self, ref: Ref) -> str:
        kind = self._kind(ref.version, ref.kind)
        space = f"/namespaces/{ref.namespace}" if kind["namespaced"] and ref.namespace else ""
        return f"{_group(ref.version)}{space}/{kind['name']}" + (f"/{ref.name}" if ref.name else "")

    def _kind(self, version: str, kind: str) -> Object:
        if kind not in self._kinds.get(version, {}):
            # Asked anew for what is unknown: a definition may have come since.
            resources = self._call("GET", _group(version))["resources"]
            self._kinds[version] = {each["kind"]: each for each in resources if "/" not in each["name"]}
        if kind not in self._kinds[version]:
            raise ApiError(404, "NotFound", f"the server has no {kind} in {version}")
        return self._kinds[version][kind]

    def _call(self, method: str, path: str, body: Object | None = None, kind: str = "", **options: Any) -> Any:
        url = f"{path}?{urlencode(options)}" if options else path
        headers = {"content-type": kind} if kind else {}
        answer = self._http.request(method, url, json=body, headers=headers)
        if answer.is_success:
            return answer.json()
        try:
            status = answer.json()
        except ValueError:
            status = {"message": answer.text.strip() or answer.reason_phrase}
        causes = (status.get("details") or {}).get("causes") or ()
        raise ApiError(
            answer.status_code, status.get("reason", ""), status.get("message", ""),
            tuple((each.get("field", ""), each.get("message", "")) for each in causes),
        )  # fmt: skip


def _group(version: str) -> str:
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


def _named(entries: list[Object], name: str) -> Object:
    found = next((each for each in entries or () if each["name"] == name), None)
    if found is None:
        raise ValueError(f"kubeconfig has no entry named {name}")
    return found


def _tls(cluster: Object, user: Object) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if "certificate-authority-data" in cluster:
        context.load_verify_locations(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    if "client-certificate-data" in user:
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = files = [Path(folder) / name for name in ("crt", "key")]
            for file, entry in zip(files, ("client-certificate-data", "client-key-data"), strict=True):
                file.touch(0o600)
                file.write_bytes(base64.b64decode(user[entry]))
            context.load_cert_chain(certificate, key)
    return context
