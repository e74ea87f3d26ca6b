"""The engine's protocol over a real API server, with the official plugin's manners.

Server-side apply under one field manager; waits; `pulumi.com/` annotations. The kubeconfig comes from the provider's
inputs or the environment; where it is not known yet, as in a preview that makes the cluster as well, nothing is asked.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable
from typing import Any

import grpc
import httpx
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import provider_pb2, status_pb2

from slipway.simulator.checks import input_problems
from slipway.simulator.faults import CloudError
from slipway.simulator.kube import waits
from slipway.simulator.kube.api import ApiError, Object, Ref
from slipway.simulator.kube.target import Target, configured, is_another_cluster, online
from slipway.simulator.kube.values import changes, is_known, plain, received, sealed, secret
from slipway.simulator.kube.views import (
    as_data,
    id_of,
    is_forced,
    left_to_others,
    manager_of,
    outputs,
    preview,
    ref_of,
)
from slipway.simulator.kube.views import inputs as inputs_of
from slipway.simulator.kube.why import explain
from slipway.simulator.kubernetes import CLUSTER_SCOPED, FROZEN, UNREACHABLE
from slipway.simulator.provider import StandIn, _diff, _failures, _kind_and_name, _struct
from slipway.simulator.sdk import provider_type, resource_type

AUTONAMED = "pulumi.com/autonamed"
PROPAGATION = "pulumi.com/deletionPropagationPolicy"
IMMUTABLE = ("immutable", "may not be changed", "forbidden: updates to", "may not change")


def _answers(method: Callable[..., Any]) -> Callable[..., Any]:
    """Turns what went wrong into the status that the engine expects."""

    @functools.wraps(method)
    def wrapper(self: ClusterStandIn, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(self, request, context)
        except CloudError as error:
            return context.abort(error.code, str(error))
        except ApiError as error:
            return context.abort(grpc.StatusCode.INVALID_ARGUMENT, _refusal(request, error))
        except httpx.TransportError as error:
            unread = f"{UNREACHABLE}. If the cluster was deleted, remove this resource from the state"
            message = unread if method.__name__ == "Read" else f"configured Kubernetes cluster is unreachable: {error}"
            return context.abort(grpc.StatusCode.UNKNOWN, message)

    return wrapper


class ClusterStandIn(StandIn):
    """One server for every instance of the provider: the engine's connection tells them apart."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.targets: dict[str, Target] = {}

    def CheckConfig(self, request: Any, _context: Any) -> Any:
        known = provider_type("kubernetes")
        inputs = {key: each for key, each in plain(received(request.news)).items() if key in known.arguments}
        # Whatever is not text comes as text; only the names are checked here.
        texts = {key: each for key, each in inputs.items() if known.arguments[key].hint is str}
        return provider_pb2.CheckResponse(
            inputs=request.news, failures=_failures(request.urn, input_problems(texts, known))
        )

    def DiffConfig(self, request: Any, _context: Any) -> Any:
        """Another cluster makes another provider, and so replaces all that it has made; another user does not."""
        old, new = plain(received(request.old_inputs)), plain(received(request.news))
        changed = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
        return _diff(changed, ["kubeconfig"] if is_another_cluster(old, new) else [])

    @_answers
    def Configure(self, request: Any, context: Any) -> Any:
        given = received(request.args)
        self.targets[context.peer()] = configured(plain(given))
        return provider_pb2.ConfigureResponse(supportsPreview=True, acceptSecrets=True)

    def Cancel(self, _request: Any, context: Any) -> Any:
        self._target(context).cancelled.set()
        return Empty()

    @_answers
    def Check(self, request: Any, context: Any) -> Any:
        kind, name = _kind_and_name(request.urn)
        inputs, before = received(request.news), received(request.olds)
        known = resource_type(kind)
        problems = list(input_problems(plain(inputs), known)) if known else []
        if not problems:
            metadata = dict(inputs.get("metadata") or {})
            old = before.get("metadata") or {}
            if not metadata.get("name"):
                notes = metadata.get("annotations") or {}
                metadata["annotations"] = {**notes, AUTONAMED: "true"}
                metadata["name"] = old.get("name") or f"{name}-{secrets.token_hex(4)}"
            if not metadata.get("namespace") and self._namespaced(self._target(context), inputs):
                metadata["namespace"] = self._target(context).namespace
            inputs = {**inputs, "metadata": metadata}
            if inputs.get("kind") == "Secret":
                inputs = as_data(inputs)
                inputs |= {key: secret(inputs[key]) for key in ("data", "stringData") if inputs.get(key)}
        return provider_pb2.CheckResponse(inputs=_struct(inputs), failures=_failures(request.urn, problems))

    @_answers
    def Diff(self, request: Any, context: Any) -> Any:
        kind, _ = _kind_and_name(request.urn)
        old, new = plain(received(request.old_inputs)), plain(received(request.news))
        found = changes(old, new)
        target, manager = self._target(context), manager_of(received(request.olds))
        moved = [path for path, _ in found if path in ("kind", "metadata.name", "metadata.namespace")]
        name = str(new.get("kind"))
        frozen = FROZEN.get(name, ()) if name in target.frozen or new.get("immutable") else ()
        kept = [path for path, _ in found if path.split(".")[0].split("[")[0] in frozen]
        refused = moved or kept or (self._refused(kind, new, manager, target) if found else [])
        replaced = [path for path, _ in found if any(_covers(each, path) for each in refused)]
        if refused and not replaced and is_known(new):  # the server refuses, in words of its own; a table only lists
            replaced = [path for path, _ in found]
        autonamed = (new.get("metadata", {}).get("annotations") or {}).get(AUTONAMED)
        detail = {
            path: provider_pb2.PropertyDiff(
                kind=provider_pb2.PropertyDiff.Kind.Value(how.upper() + ("_REPLACE" if path in replaced else "")),
                inputDiff=True,
            )
            for path, how in found
        }
        some = provider_pb2.DiffResponse.DIFF_SOME if found else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(
            changes=some, replaces=replaced, diffs=sorted({path.split(".")[0].split("[")[0] for path, _ in found}),
            detailedDiff=detail, hasDetailedDiff=True,
            # Two of the same name can't be there at once.
            deleteBeforeReplace=bool(replaced) and not autonamed and not moved,
        )  # fmt: skip

    @_answers
    def Create(self, request: Any, context: Any) -> Any:
        kind, name = _kind_and_name(request.urn)
        target, given, manager = self._target(context), received(request.properties), manager_of({})
        if request.preview:
            planned = preview(target, given, manager, is_new=True)
            return provider_pb2.CreateResponse(id="", properties=_struct(planned))
        api, ref = online(target), Ref.to(plain(given))
        if not target.upsert and api.get(ref):
            raise CloudError(f"{ref} already exists: import it, or set upsertExistingObjects on the provider")
        with_fault = self.faults.before(f"creating {kind} {name}")
        applied = api.apply(plain(given), manager, force=is_forced(given))
        self.faults.after(with_fault, f"creating {kind} {name}")
        live = self._ready(applied, given, manager, request, context)
        return provider_pb2.CreateResponse(id=id_of(live), properties=_struct(outputs(live, given, manager)))

    @_answers
    def Update(self, request: Any, context: Any) -> Any:
        kind, name = _kind_and_name(request.urn)
        target, given, manager = self._target(context), received(request.news), manager_of(received(request.olds))
        if request.preview:
            return provider_pb2.UpdateResponse(properties=_struct(preview(target, given, manager)))
        with_fault = self.faults.before(f"updating {kind} {name}")
        manifest = plain(given)
        if request.ignoreChanges:
            there = online(target).get(Ref.to(manifest))
            manifest = left_to_others(manifest, there, list(request.ignoreChanges), manager)
        applied = online(target).apply(manifest, manager, force=is_forced(given))
        self.faults.after(with_fault, f"updating {kind} {name}")
        live = self._ready(applied, given, manager, request, context)
        return provider_pb2.UpdateResponse(properties=_struct(outputs(live, given, manager)))

    @_answers
    def Read(self, request: Any, context: Any) -> Any:
        kind, _ = _kind_and_name(request.urn)
        state = received(request.properties)
        given, manager = received(request.inputs) or state, manager_of(state)
        ref = ref_of(kind, request.id, given)
        live = online(self._target(context)).get(ref)
        if live is None:
            return provider_pb2.ReadResponse(id="")
        inputs = sealed(inputs_of(live, plain(given)), given)
        if lacks := waits.lacks(online(self._target(context)), live):
            return self._not_ready(live, given, inputs, manager, [f"{ref}: {lacks}"], context)
        return provider_pb2.ReadResponse(
            id=id_of(live), properties=_struct(outputs(live, given, manager)), inputs=_struct(inputs)
        )

    @_answers
    def Delete(self, request: Any, context: Any) -> Any:
        kind, name = _kind_and_name(request.urn)
        target, given = self._target(context), received(request.old_inputs) or received(request.properties)
        ref = ref_of(kind, request.id, given)
        notes = plain(given).get("metadata", {}).get("annotations") or {}
        with_fault = self.faults.before(f"deleting {kind} {name}")
        online(target).delete(ref, notes.get(PROPAGATION, "foreground").capitalize())
        self.faults.after(with_fault, f"deleting {kind} {name}")
        if notes.get(waits.SKIP) != "true":
            try:
                waits.until_gone(online(target), ref, request.timeout, target.cancelled)
            except waits.NotReady as error:
                raise CloudError(str(error), grpc.StatusCode.UNKNOWN) from None
        return Empty()

    def Invoke(self, request: Any, context: Any) -> Any:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{request.tok}: the stand-in answers no functions")

    def _target(self, context: Any) -> Target:
        return self.targets.setdefault(context.peer(), Target())

    def _namespaced(self, target: Target, inputs: Object) -> bool:
        try:
            if target.api:
                return target.api.namespaced(inputs["apiVersion"], inputs["kind"])
        except (ApiError, httpx.TransportError):
            pass  # its definition may come in the same update
        return inputs.get("kind") not in CLUSTER_SCOPED

    def _refused(self, kind: str, new: Object, manager: str, target: Target) -> list[str]:
        """The fields that the server does not change in place: asked by a dry run, or as the table has it."""
        if target.api is None or not is_known(new):
            return list((self.cloud.row(kind) or {}).get("replaces", []))
        try:
            target.api.apply(new, manager, dry=True, force=True)
        except httpx.TransportError:
            return list((self.cloud.row(kind) or {}).get("replaces", []))
        except ApiError as error:
            if error.code == 422 and any(word in str(error).lower() for word in IMMUTABLE):
                fields = [where for where, why in error.causes if any(word in why.lower() for word in IMMUTABLE)]
                return fields or ["spec"]
        return []

    def _ready(self, applied: Object, given: Object, manager: str, request: Any, context: Any) -> Object:
        """What is there once it can be used."""
        target = self._target(context)
        try:
            return waits.until_ready(online(target), applied, request.timeout, target.cancelled)
        except waits.NotReady as error:
            reasons = [str(error), *explain(online(target), error.live)]
            refused: Object = self._not_ready(error.live, given, given, manager, reasons, context)
            return refused

    def _not_ready(
        self, live: Object, given: Object, inputs: Object, manager: str, reasons: list[str], context: Any
    ) -> Any:
        """Tells the engine that it is there all the same: the next update goes on with it."""
        detail = provider_pb2.ErrorResourceInitFailed(
            id=id_of(live), properties=_struct(outputs(live, given, manager)), reasons=reasons, inputs=_struct(inputs)
        )
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message="\n".join(reasons))
        status.details.add().Pack(detail)
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        return context.abort(grpc.StatusCode.UNKNOWN, status.message)


def _covers(field_path: str, path: str) -> bool:
    return path == field_path or path.startswith((f"{field_path}.", f"{field_path}[")) or field_path.startswith(path)


def _refusal(request: Any, error: ApiError) -> str:
    kind, name = _kind_and_name(request.urn)
    if error.code == 409 and error.reason == "Conflict" and error.causes:
        taken = ", ".join(f"{why}: {where}" for where, why in error.causes)
        return f"{kind} {name}: Server-Side Apply field conflict detected. {taken}"
    return f"{kind} {name}: {error}"
