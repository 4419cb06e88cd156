"""The bill of materials of a wheel: what is in it and what it needs, in CycloneDX."""

import hashlib
from collections.abc import Iterator
from datetime import datetime, timezone
from email.message import Message
from importlib import metadata
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5
from zipfile import ZipFile

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import (
    ExternalReference,
    ExternalReferenceType,
    HashAlgorithm,
    HashType,
    Property,
    XsUri,
)
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from release.locks import Pin, pins, torch
from release.wheels import about, needs

LICENCE = LicenseFactory()


def bill(wheel: Path, epoch: int) -> str:
    """Return the bill of a wheel as JSON, made at `epoch` (seconds).

    It names what the lock pins for this Python and system, with the licence that each
    package states and the SHA-256 of every file that the lock allows; and the weights
    inside the wheel.
    """
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    said = about(wheel)
    ours = _licence(said)
    bom = Bom(serial_number=uuid5(NAMESPACE_URL, digest))
    bom.metadata.timestamp = datetime.fromtimestamp(epoch, timezone.utc)
    root = _package(str(said["Name"]), str(said["Version"]), ours)
    root.hashes.add(HashType(alg=HashAlgorithm.SHA_256, content=digest))
    bom.metadata.component = root
    locked = {pin.name: pin for pin in pins("requirements.txt") if pin.holds()}
    locked["torch"] = Pin("torch", torch(), None, ())
    components = {each: _locked(pin) for each, pin in locked.items()}
    bom.components = [*components.values(), *_weights(wheel, ours)]
    asked = [canonicalize_name(each.name) for each in needs(wheel)]
    bom.register_dependency(root, [components[each] for each in asked])
    for each, component in components.items():
        needed = [components[n] for n in _needs(each) if n in locked]
        bom.register_dependency(component, needed)
    return JsonV1Dot6(bom).output_as_string(indent=1) + "\n"


def _locked(pin: Pin) -> Component:
    component = _package(pin.name, pin.version, _licence(metadata.metadata(pin.name)))
    if pin.sha256:
        reference = ExternalReference(
            type=ExternalReferenceType.DISTRIBUTION,
            url=XsUri(str(component.purl)),
            comment="any one of these files",
            hashes=[
                HashType(alg=HashAlgorithm.SHA_256, content=each) for each in pin.sha256
            ],
        )
        component.external_references.add(reference)
    return component


def _package(name: str, version: str, licence: str | None) -> Component:
    purl = PackageURL("pypi", None, name, version)
    return Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        purl=purl,
        bom_ref=str(purl),
        licenses=_licences(licence),
    )


def _licences(said: str | None) -> list[License]:
    return [LICENCE.make_from_string(said)] if said else []


def _licence(about: metadata.PackageMetadata | Message) -> str | None:
    """Return what a package says of its licence, in the newest way that it knows."""
    for field in ("License-Expression", "License"):
        said = about.get(field)
        if said and said != "UNKNOWN" and "\n" not in said.strip():
            return str(said).strip()
    classes = about.get_all("Classifier") or []
    named = [each for each in classes if each.startswith("License ::")]
    return " AND ".join(each.split(" :: ")[-1] for each in named) or None


def _needs(name: str) -> list[str]:
    """Return what an installed package asks for here, extras left out."""
    asked = map(Requirement, metadata.requires(name) or [])
    return [
        canonicalize_name(each.name)
        for each in asked
        if each.marker is None or each.marker.evaluate({"extra": ""})
    ]


def _weights(wheel: Path, licence: str | None) -> Iterator[Component]:
    """Go through the models that come inside the wheel."""
    with ZipFile(wheel) as archive:
        for path in sorted(archive.namelist()):
            if path.endswith(".safetensors"):
                digest = hashlib.sha256(archive.read(path)).hexdigest()
                yield Component(
                    name=path,
                    type=ComponentType.MACHINE_LEARNING_MODEL,
                    bom_ref=path,
                    hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
                    licenses=_licences(licence),
                    properties=[Property(name="format", value="safetensors")],
                )
