"""What the engine gets to see of an object: its id, its outputs, its inputs as they are, and a preview of it."""

from __future__ import annotations

import base64
import json
import secrets
from typing import Any

import httpx
from pulumi.runtime.rpc import UNKNOWN

from slipway.simulator.kube.api import ApiError, Object, Ref
from slipway.simulator.kube.target import Target
from slipway.simulator.kube.values import SECRET, SIGNATURE, is_known, is_secret, plain, pruned, sealed, secret

MANAGER, MANAGED_BY = "pulumi-kubernetes", "__fieldManager"
FORCE = "pulumi.com/patchForce"
SERVERS_OWN = ("managedFields", "uid", "resourceVersion", "generation", "creationTimestamp", "selfLink")


def manager_of(state: Object) -> str:
    """The name under which an object is applied: as the official plugin, one for each, made up when it is created or
    read for the first time, and kept in its state."""
    return str(state.get(MANAGED_BY) or f"{MANAGER}-{secrets.token_hex(4)}")


def preview(target: Target, given: Object, manager: str, is_new: bool = False) -> Object:
    """The outputs as far as they are known: what the server would add is not."""
    if target.api is None or not is_known(given):
        return {**given, "status": UNKNOWN}
    try:
        if is_new and target.api.get(Ref.to(plain(given))):
            return {**given, "status": UNKNOWN}  # the one that it replaces goes first, which a dry run can't know
        planned = target.api.apply(plain(given), manager, dry=True, force=is_forced(given))
    except httpx.TransportError:
        return {**given, "status": UNKNOWN}  # a preview does without the server; a refresh before it does not
    except ApiError as error:
        if error.code == 404:  # its namespace or definition comes in the same update
            return {**given, "status": UNKNOWN}
        raise
    return {**_with_unknown(outputs(planned, {}, manager), given), "status": UNKNOWN}


def _with_unknown(planned: Any, given: Any) -> Any:
    if not isinstance(planned, dict) or not isinstance(given, dict) or is_secret(given):
        return given
    if planned.get(SIGNATURE) == SECRET:
        return secret(given)
    added = {key: UNKNOWN for key in planned if key not in given}
    return {**added, **{key: _with_unknown(planned.get(key), each) for key, each in given.items()}}


def outputs(live: Object, given: Object, manager: str) -> Object:
    """What is there, with everything secret that is secret in the inputs; a Secret's data always."""
    found = {**sealed(live, given), MANAGED_BY: manager}
    if live["kind"] == "Secret":
        found |= {key: secret(live[key]) for key in ("data", "stringData") if key in live}
    return dict(found)


def left_to_others(given: Object, live: Object | None, ignored: list[str], manager: str) -> Object:
    """Without the ignored fields that another manager has by now, such as an autoscaler's `spec.replicas`: as the
    official plugin, which else would take them back."""
    managers = (live or {}).get("metadata", {}).get("managedFields") or ()
    for path in ignored:
        *way, last = path.split(".")
        owned = [_field(each.get("fieldsV1") or {}, [*way, last]) for each in managers if each["manager"] != manager]
        if any(owned):
            within = given = json.loads(json.dumps(given))
            for key in way:
                within = within.get(key, {})
            within.pop(last, None)
    return given


def _field(fields: Object, way: list[str]) -> bool:
    for key in way:
        if f"f:{key}" not in fields:
            return False
        fields = fields[f"f:{key}"]
    return True


def inputs(live: Object, given: Object) -> Object:
    """As the program would have to say it to get what is there."""
    if not given:
        kept = {key: each for key, each in live["metadata"].items() if key not in SERVERS_OWN}
        return {key: each for key, each in {**live, "metadata": kept}.items() if key != "status"}
    return dict(pruned(live, given))


def as_data(given: Object) -> Object:
    """A Secret with its `stringData` among its `data`, where the server keeps it: a key that goes from the program then
    goes from the object as well. Not with values that are not known yet."""
    texts = plain(given.get("stringData") or {})
    if not texts or not is_known(texts):
        return given
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
    rest = {key: each for key, each in given.items() if key != "stringData"}
    return {**rest, "data": {**plain(given.get("data") or {}), **encoded}}


def ref_of(kind: str, id_: str, given: Object) -> Ref:
    """By the id, `namespace/name` or `name`, and by the inputs or the type: `kubernetes:apps/v1:Deployment`."""
    _, version, name = kind.split(":")
    namespace, _, own = id_.rpartition("/")
    return Ref(given.get("apiVersion") or version.removeprefix("core/"), given.get("kind") or name, namespace, own)


def id_of(live: Object) -> str:
    """`namespace/name`, or `name`."""
    return "/".join(live["metadata"][key] for key in ("namespace", "name") if live["metadata"].get(key))


def is_forced(given: Object) -> bool:
    """Whether it takes back fields that another manager has changed."""
    return (plain(given)["metadata"].get("annotations") or {}).get(FORCE) == "true"
