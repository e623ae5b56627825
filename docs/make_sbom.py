"""Writes the bill of materials of the installed vid2kp: CycloneDX 1.6, as JSON.

    make sbom        # dist/sbom.cdx.json

Listed are the packages that vid2kp needs to run, found through the metadata of what is installed,
the FFmpeg libraries inside PyAV, and the shipped models.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import av
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.contrib.this.builders import this_component
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = "vid2kp"
OUT = Path(__file__).parents[1] / "dist" / "sbom.cdx.json"


def make_bom() -> Bom:
    """The bill of materials of this environment."""
    packages = dict(needed(ROOT))
    components = {name: package(found) for name, found in packages.items()}
    bom = Bom()
    bom.metadata.component = components[ROOT]
    bom.metadata.tools.components.add(this_component())
    bom.components = [part for name, part in components.items() if name != ROOT]
    for name, found in packages.items():
        inside = [components[other] for other in _requirements(found) if other in components]
        bom.register_dependency(components[name], inside)
    extra = {"av": list(ffmpeg()), ROOT: list(models())}
    for name, parts in extra.items():
        bom.components.update(parts)
        bom.register_dependency(components[name], parts)
        for part in parts:
            bom.register_dependency(part)
    return bom


def needed(root: str) -> Iterator[tuple[str, Distribution]]:
    """The installed packages that a package needs to run, itself included, each once."""
    waiting, seen = [root], set[str]()
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in seen:
            continue
        seen.add(name)
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue  # wanted on other systems only
        yield name, found
        waiting += _requirements(found)


def _requirements(found: Distribution) -> list[str]:
    wanted = [Requirement(text) for text in found.requires or ()]
    return [
        canonicalize_name(one.name)
        for one in wanted
        if one.marker is None or one.marker.evaluate({"extra": ""})
    ]


def package(found: Distribution) -> Component:
    """A Python package as a component."""
    name, version = found.metadata["Name"], found.version
    purl = PackageURL("pypi", name=canonicalize_name(name), version=version)
    kind = ComponentType.APPLICATION if name == ROOT else ComponentType.LIBRARY
    return Component(
        name=name,
        version=version,
        type=kind,
        purl=purl,
        bom_ref=str(purl),
        description=found.metadata.get("Summary"),
        licenses=_licences(found),
    )


def _licences(found: Distribution) -> list[License]:
    """What the metadata say, in the order in which they are to be believed."""
    factory = LicenseFactory()
    if expression := found.metadata.get("License-Expression"):
        return [factory.make_from_string(expression)]
    named = [
        text.rpartition("::")[2].strip()
        for text in found.metadata.get_all("Classifier") or ()
        if text.startswith("License ::")
    ]
    # The old field may hold the whole text of a licence.
    text = found.metadata.get("License") or ""
    if text and "\n" not in text and len(text) < 80:
        named = [text]
    return [factory.make_with_name(name) for name in dict.fromkeys(named)]


def ffmpeg() -> Iterator[Component]:
    """The libraries of FFmpeg that are compiled into PyAV."""
    for name, numbers in sorted(av.library_versions.items()):
        version = ".".join(map(str, numbers))
        yield Component(
            name=name,
            version=version,
            type=ComponentType.LIBRARY,
            bom_ref=f"ffmpeg/{name}@{version}",
            description="Part of FFmpeg, compiled into PyAV.",
            properties=[Property(name="ffmpeg:version", value=av.ffmpeg_version_info)],
        )


def models() -> Iterator[Component]:
    """The shipped models, each with the hash of its weights."""
    from vid2kp.pose.weights import list_models

    for card in (model.card for model in list_models()):
        if card is not None:
            yield Component(
                name=card.name,
                type=ComponentType.MACHINE_LEARNING_MODEL,
                bom_ref=f"model/{card.name}@{card.sha256[:16]}",
                hashes=[HashType(alg=HashAlgorithm.SHA_256, content=card.sha256)],
            )


def to_json(bom: Bom) -> str:
    """The bill as JSON, checked against the schema of CycloneDX.

    Raises:
        ValueError: it does not follow the schema.
    """
    text = JsonV1Dot6(bom).output_as_string(indent=2)
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise ValueError(f"the bill of materials does not follow its schema: {error}")
    return text + "\n"


def main() -> None:
    """Writes the bill and says where."""
    text = to_json(make_bom())
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(text, encoding="utf-8")
    count = len(json.loads(text)["components"])
    sys.stdout.write(f"{count} components: {OUT.relative_to(OUT.parents[1]).as_posix()}\n")


if __name__ == "__main__":
    main()
