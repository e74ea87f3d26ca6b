"""The Kubernetes stand-in's ways: an object's inputs are its manifest, its id is namespace/name."""

from __future__ import annotations

import re
import secrets
from typing import Any

import grpc

from slipway.simulator.books import Entry
from slipway.simulator.cloud import Cloud, Properties
from slipway.simulator.faults import CloudError
from slipway.simulator.scenario import fill

CLUSTER_SCOPED = ("Namespace", "ClusterRole", "ClusterRoleBinding", "PriorityClass", "StorageClass", "ComputeClass")

# What the provider makes anew rather than change, unless it is told `enable<Kind>Mutable` (its diff.go, 4.34).
FROZEN = {"Secret": ("stringData", "data"), "ConfigMap": ("binaryData", "data")}
OF_A_CLOUD = re.compile(r"https://[\w.-]+\.(?:eks\.amazonaws\.com|gke\.goog)")
UNREACHABLE = "failed to read resource state due to unreachable cluster"
# At which question the deployer is let in; as bin/eks/kubectl has it.
LET_IN = 3


class Kubernetes(Cloud):
    """All clusters in one. Where a kubeconfig's address is a cloud's, a cluster has to have it, or nobody answers; one
    server can't tell provider instances apart, so the last one's address counts."""

    server = ""
    immutable: frozenset[str] = frozenset(FROZEN)

    def configure(self, args: Properties) -> None:
        allowed = {kind for kind in FROZEN if str(args.get(f"enable{kind}Mutable")).lower() == "true"}
        self.immutable = frozenset(FROZEN) - allowed
        found = OF_A_CLOUD.search(str(args.get("kubeconfig")))
        self.server = found[0].removeprefix("https://") if found else ""

    def reach(self) -> None:
        if not self.server:
            return
        clusters = [each for each in self.books.all() if each["type"].endswith("cluster:Cluster")]
        found = next((each for each in clusters if self.server in str(each["outputs"])), None)
        if found is None and self.server not in self._before():
            raise CloudError(f"{UNREACHABLE}: {self.server}: no such host", grpc.StatusCode.UNKNOWN)
        if found and _is_by_entries(found) and self._asked() < LET_IN:
            raise CloudError(
                "configured Kubernetes cluster is unreachable: unable to load schema information from the API server: "
                "the server has asked for the client to provide credentials",
                grpc.StatusCode.UNKNOWN,
            )

    def _before(self) -> str:
        """What the scenario's functions tell of: clusters among it that were there before the stack, in the region or
        in one of its zones."""
        functions, place = self.scenario.values["functions"], self.scenario.place("gcp")
        zones = functions.get("gcp:compute/getZones:getZones", {}).get("names", ())
        places = (place["region"], *zones)
        return str([fill(functions, {**place, "location": each}) for each in places])

    def _asked(self) -> int:
        """How often kubectl's stand-in has asked: entries of EKS take effect after a while."""
        file = self.books.file.with_name("let-in")
        return int(file.read_text()) if file.exists() else 0

    def row(self, kind: str) -> dict[str, Any] | None:
        place = kind.partition(":")[2]
        return self.rows.get(place.removeprefix("core/").replace("core/v1", "v1"))

    def with_name(self, kind: str, inputs: Properties, before: Properties, urn_name: str) -> Properties:
        metadata = dict(inputs.get("metadata") or {})
        if not metadata.get("name"):
            old = (before.get("metadata") or {}).get("name")
            metadata["name"] = old or f"{urn_name}-{secrets.token_hex(4)}"
        if kind.rsplit(":", 1)[1] not in CLUSTER_SCOPED:
            metadata.setdefault("namespace", "default")
        return {**inputs, "metadata": metadata}

    def entry(self, kind: str, inputs: Properties, name: str) -> Entry:
        metadata = inputs["metadata"]
        id_ = "/".join(metadata[key] for key in ("namespace", "name") if key in metadata)
        live = {"uid": secrets.token_hex(16), "resourceVersion": "1", "creationTimestamp": "2026-01-01T00:00:00Z"}
        status = (self.row(kind) or {}).get("status")
        outputs = {**inputs, "metadata": {**live, **metadata}, **({"status": status} if status else {})}
        return Entry(
            type=kind, id=id_, imports=id_, identity=id_, name=name, inputs=inputs, outputs=outputs, tags={}, arn=""
        )  # fmt: skip

    def preview(self, kind: str, inputs: Properties) -> Properties:
        """As a server-side dry run answers: all that is in the manifest is known."""
        return inputs

    def replaces(self, kind: str, old: Properties, new: Properties) -> tuple[list[str], list[str]]:
        changed, replaced = super().replaces(kind, old, new)
        where = [(each.get("metadata") or {}) for each in (old, new)]
        moved = [key for key in ("name", "namespace") if where[0].get(key) != where[1].get(key)]
        if (name := kind.rsplit(":", 1)[-1]) in self.immutable:
            replaced += [key for key in FROZEN[name] if key in changed]
        return changed, replaced + [f"metadata.{key}" for key in moved]


def _is_by_entries(cluster: Entry) -> bool:
    """Whether EKS lets in nobody but by access entries, not even who made the cluster."""
    access = cluster["inputs"].get("accessConfig") or {}
    return access.get("authenticationMode") == "API" and not access.get("bootstrapClusterCreatorAdminPermissions", True)
