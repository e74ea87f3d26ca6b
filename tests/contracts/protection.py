"""What holds for everything that production declares, on any platform. Each rule yields what breaks it."""

from __future__ import annotations

from collections.abc import Iterator

from slipway.infra.protection import ROLLING

from tests.recorder import Recorder

STACK = "pulumi:pulumi:Stack"
# What lets nodes and pods of the stack read the data: no guard of it, and it has to go with them.
GRANTS = (
    "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember",
    "gcp:storage/managedFolder:ManagedFolder",
    "gcp:storage/managedFolderIamMember:ManagedFolderIamMember",
)


def unprotected(program: Recorder) -> Iterator[str]:
    """All is protected; what rolls is held by something that is."""
    declared = [each for each in program.requests.values() if each.type != STACK]
    held = {urn for each in declared if each.protect for urn in each.dependencies}
    for urn, each in program.requests.items():
        if each.type == STACK or each.protect or (each.type in ROLLING and urn in held):
            continue
        yield f"{each.type} {each.name} is not protected, and nothing that is depends on it"


def unguarded(program: Recorder) -> Iterator[str]:
    """What is about a retained thing, by the same part of the cloud's API, is retained with it."""
    kept = {urn: each for urn, each in program.requests.items() if each.retainOnDelete}
    for each in program.requests.values():
        for urn in kept.keys() & {*each.dependencies}:
            same = _service(each.type) == _service(kept[urn].type)
            if same and not each.retainOnDelete and each.type not in GRANTS:
                yield f"{each.type} {each.name} guards {kept[urn].name}, which is retained, and is not"


def _service(kind: str) -> str:
    return kind.partition("/")[0]
