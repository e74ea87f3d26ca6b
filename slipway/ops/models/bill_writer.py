"""Writes CycloneDX with its own library, in the environment of bills.txt: reads what is known as JSON, prints the bill.

It is checked against the schema. No time and no random number: the same content, the same bill."""

import json
import sys
import uuid
from typing import Any

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

VERSION = SchemaVersion.V1_6


def main() -> int:
    known: dict[str, Any] = json.load(sys.stdin)
    content = _settled(make_outputter(_bom(known), OutputFormat.JSON, VERSION).output_as_string(), known["digest"])
    text = json.dumps(content, sort_keys=True)
    if (error := JsonStrictValidator(VERSION).validate_str(text)) is not None:
        print(f"the bill is no CycloneDX: {error}", file=sys.stderr)
        return 1
    print(text)
    return 0


def _bom(known: dict[str, Any]) -> Bom:
    digest = str(known["digest"])
    model = Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name=known["name"],
        version=digest,
        bom_ref="model",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest.removeprefix("sha256:"))],
        licenses=[LicenseFactory().make_from_string(known["license"])] if known["license"] else [],
        components=[
            Component(
                type=ComponentType.FILE,
                name=name,
                bom_ref=f"file:{name}",
                hashes=[HashType(alg=HashAlgorithm.SHA_256, content=content)],
            )
            for name, content in known["files"].items()
        ],
    )
    bom = Bom(components=list(_packages(known["packages"])))
    bom.metadata.component = model
    bom.register_dependency(model, bom.components)
    return bom


def _packages(installed: dict[str, list[list[str]]]) -> Any:
    """Each package once, with what it was installed for."""
    used: dict[tuple[str, str], set[str]] = {}
    for use, packages in installed.items():
        for name, version in packages:
            used.setdefault((name, version), set()).add(use)
    for (name, version), uses in sorted(used.items()):
        purl = PackageURL(type="pypi", name=name, version=version)
        properties = [Property(name="slipway:use", value=use) for use in sorted(uses)]
        yield Component(
            type=ComponentType.LIBRARY, name=name, version=version, purl=purl, bom_ref=str(purl), properties=properties
        )


def _settled(text: str, digest: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(text)
    content["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, digest)}"
    content["metadata"].pop("timestamp", None)
    return content


if __name__ == "__main__":
    sys.exit(main())
