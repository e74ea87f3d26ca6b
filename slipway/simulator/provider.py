"""A provider plugin that is a stand-in: the engine's gRPC protocol over one package's cloud."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf import json_format, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from slipway.simulator.aws import Aws
from slipway.simulator.checks import input_problems
from slipway.simulator.cloud import Cloud
from slipway.simulator.faults import CloudError, Faults
from slipway.simulator.kubernetes import Kubernetes
from slipway.simulator.sdk import function_arguments, provider_type, resource_type


def cloud_for(package: str, *arguments: Any) -> Cloud:
    return {"aws": Aws, "kubernetes": Kubernetes}.get(package, Cloud)(package, *arguments)


def _answers(method: Callable[..., Any]) -> Callable[..., Any]:
    """Turns a refusal into the status that the engine expects."""

    @functools.wraps(method)
    def wrapper(self: StandIn, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(self, request, context)
        except CloudError as error:
            return context.abort(error.code, str(error))

    return wrapper


class StandIn(provider_pb2_grpc.ResourceProviderServicer):
    """One package. Stateless but for the books of its cloud and the count of its faults."""

    def __init__(self, cloud: Cloud, faults: Faults) -> None:
        self.cloud, self.faults = cloud, faults
        self.default_tags: dict[str, str] = {}  # of every provider instance, as one server can't tell them apart

    def Handshake(self, _request: Any, _context: Any) -> Any:
        return provider_pb2.ProviderHandshakeResponse()

    def Attach(self, _request: Any, _context: Any) -> Any:
        return struct_pb2.Struct()

    def GetPluginInfo(self, _request: Any, _context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=_version(self.cloud.package))

    def GetSchema(self, _request: Any, _context: Any) -> Any:
        return provider_pb2.GetSchemaResponse(schema="{}")

    def Cancel(self, _request: Any, _context: Any) -> Any:
        from google.protobuf.empty_pb2 import Empty

        return Empty()

    def CheckConfig(self, request: Any, _context: Any) -> Any:
        """Bridged providers get everything but text as JSON."""
        inputs = _plain(request.news)
        known = provider_type(self.cloud.package)
        parsed = {
            key: _parsed(value, known.arguments[key].hint) if key in known.arguments else value
            for key, value in inputs.items()
            if key not in ("version", "pluginDownloadURL")
        }
        return provider_pb2.CheckResponse(
            inputs=request.news, failures=_failures(request.urn, input_problems(parsed, known))
        )

    def DiffConfig(self, request: Any, _context: Any) -> Any:
        changed, _ = self.cloud.replaces("", _plain(request.old_inputs), _plain(request.news))
        return _diff(changed, [])

    def Configure(self, request: Any, _context: Any) -> Any:
        self.cloud.configure(_plain(request.args))
        tags = _parsed(_plain(request.args).get("defaultTags") or "{}", dict)
        self.default_tags |= tags.get("tags") or {}
        return provider_pb2.ConfigureResponse(
            supportsPreview=True, acceptSecrets=False, acceptResources=False, acceptOutputs=False
        )

    def Check(self, request: Any, _context: Any) -> Any:
        kind, name = _kind_and_name(request.urn)
        inputs, before = _plain(request.news), _plain(request.olds)
        problems = list(self._problems(kind, inputs))
        if not problems:
            inputs = self.cloud.with_name(kind, inputs, before, name)
        return provider_pb2.CheckResponse(inputs=_struct(inputs), failures=_failures(request.urn, problems))

    def Diff(self, request: Any, _context: Any) -> Any:
        kind, _ = _kind_and_name(request.urn)
        return _diff(*self.cloud.replaces(kind, _plain(request.old_inputs), _plain(request.news)))

    @_answers
    def Create(self, request: Any, _context: Any) -> Any:
        kind, name = _kind_and_name(request.urn)
        inputs = _plain(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(id="", properties=_struct(self.cloud.preview(kind, inputs)))
        self.cloud.reach()
        with_fault = self.faults.before(f"creating {kind} {name}")
        with self.cloud.books.lock:
            entry = self.cloud.entry(kind, inputs, name)
            entry["tags"] = {**self.default_tags, **(inputs.get("tags") or {})}
            self.cloud.authorize("make", entry)
            self.cloud.refuse(entry)
            self.cloud.books.put(entry)
        self.faults.after(with_fault, f"creating {kind} {name}")
        return provider_pb2.CreateResponse(id=entry["id"], properties=_struct(entry["outputs"]))

    @_answers
    def Read(self, request: Any, _context: Any) -> Any:
        """From the books; what is not there is answered without an id, as deleted."""
        kind, _ = _kind_and_name(request.urn)
        self.cloud.reach()
        if kind in self.cloud.scenario.values.get("unreadable", ()):
            raise CloudError(f"{kind} {request.id} Forbidden: the caller may not read it", grpc.StatusCode.UNKNOWN)
        entry = self.cloud.books.find(kind, request.id)
        if entry is None:
            return provider_pb2.ReadResponse(id="")
        self.cloud.authorize("read", entry)
        inputs, outputs = entry["inputs"], entry["outputs"]
        if not request.properties.fields:  # nothing is known of it: an import, or what `recover` has found
            inputs, outputs = (self.cloud.imported(kind, each) for each in (inputs, outputs))
        return provider_pb2.ReadResponse(id=entry["id"], properties=_struct(outputs), inputs=_struct(inputs))

    @_answers
    def Update(self, request: Any, _context: Any) -> Any:
        kind, name = _kind_and_name(request.urn)
        inputs = _plain(request.news)
        if request.preview:
            planned = self.cloud.updated(_plain(request.old_inputs), inputs, _plain(request.olds))
            return provider_pb2.UpdateResponse(properties=_struct(planned))
        self.cloud.reach()
        with_fault = self.faults.before(f"updating {kind} {name}")
        entry = self.cloud.books.find(kind, request.id)
        if entry is None:
            raise CloudError(f"{kind} {request.id} NotFound", grpc.StatusCode.NOT_FOUND)
        self.cloud.authorize("change", {**entry, "inputs": inputs}, entry["inputs"])
        outputs = self.cloud.labelled(kind, inputs, self.cloud.updated(entry["inputs"], inputs, entry["outputs"]))
        tags = {**entry["tags"], **(inputs.get("tags") or {})}
        entry = {**entry, "inputs": inputs, "outputs": outputs, "tags": tags}
        self.cloud.books.put(entry)
        self.faults.after(with_fault, f"updating {kind} {name}")
        return provider_pb2.UpdateResponse(properties=_struct(entry["outputs"]))

    @_answers
    def Delete(self, request: Any, _context: Any) -> Any:
        from google.protobuf.empty_pb2 import Empty

        kind, name = _kind_and_name(request.urn)
        self.cloud.reach()
        if entry := self.cloud.books.find(kind, request.id):
            self.cloud.authorize("remove", entry)
        self.cloud.refuse_delete(kind, request.id)
        with_fault = self.faults.before(f"deleting {kind} {name}")
        self.cloud.books.remove(kind, request.id)
        self.faults.after(with_fault, f"deleting {kind} {name}")
        return Empty()

    @_answers
    def Invoke(self, request: Any, _context: Any) -> Any:
        args = _plain(request.args)
        known = function_arguments(request.tok)
        if known is None:
            raise CloudError(f"{request.tok}: the SDK has no such function")
        if unknown := sorted(args.keys() - known):
            failure = provider_pb2.CheckFailure(
                property=unknown[0], reason=f"{request.tok}: {unknown[0]} is no argument"
            )
            return provider_pb2.InvokeResponse(failures=[failure])
        if request.tok == "aws:resourcegroupstaggingapi/getResources:getResources":
            return provider_pb2.InvokeResponse(**{"return": _struct(_tagged(self.cloud, args))})
        return provider_pb2.InvokeResponse(**{"return": _struct(self.cloud.answer(request.tok, args))})

    def _problems(self, kind: str, inputs: dict[str, Any]) -> Any:
        known = resource_type(kind)
        if self.cloud.row(kind) is None:
            yield "", f"is a type that the stand-in does not know: add a row to tables/{self.cloud.package}.yaml"
        elif known is not None:
            yield from input_problems(inputs, known)
        elif self.cloud.package != "kubernetes":
            yield "", "the SDK has no such type"
        yield from self.cloud.problems(kind, inputs)


def _tagged(cloud: Cloud, args: dict[str, Any]) -> dict[str, Any]:
    """The tagging API: the ARNs of what carries all the tags."""
    wanted = {each["key"]: each["values"] for each in args.get("tagFilters") or []}
    found = []
    for entry in cloud.books.all():
        tags = entry["tags"]
        if entry["arn"] and all(tags.get(key) in values for key, values in wanted.items()):
            found.append({"resourceArn": entry["arn"], "tags": tags})
    return {"id": cloud.scenario.place("aws")["region"], "resourceTagMappingLists": found}


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(f"pulumi_{package}")


def _kind_and_name(urn: str) -> tuple[str, str]:
    kind, name = urn.split("::", 3)[2:]
    return kind.rsplit("$", 1)[-1], name


def _plain(struct: Any) -> dict[str, Any]:
    found: dict[str, Any] = json_format.MessageToDict(struct)
    return found


def _struct(values: dict[str, Any]) -> Any:
    return json_format.ParseDict(values, struct_pb2.Struct())


def _parsed(value: Any, hint: Any) -> Any:
    if hint is str or not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _failures(urn: str, problems: Any) -> list[Any]:
    kind, name = _kind_and_name(urn)
    return [
        provider_pb2.CheckFailure(property=path, reason=f"{kind} {name}: {path} {reason}".replace(":  ", ": "))
        for path, reason in problems
    ]


def _diff(changed: list[str], replaced: list[str]) -> Any:
    kind = provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE
    detail = {
        path: provider_pb2.PropertyDiff(kind=provider_pb2.PropertyDiff.UPDATE)
        for path in changed
        if not any(each.split(".")[0] == path for each in replaced)
    }
    detail |= {path: provider_pb2.PropertyDiff(kind=provider_pb2.PropertyDiff.UPDATE_REPLACE) for path in replaced}
    return provider_pb2.DiffResponse(
        changes=kind, diffs=changed, replaces=replaced, detailedDiff=detail, hasDetailedDiff=True
    )
