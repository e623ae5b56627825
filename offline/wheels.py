"""Which wheels a target needs, in exactly the versions that are pinned, and what they are."""

from __future__ import annotations

import email.parser
import hashlib
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from functools import cached_property
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from targets import Target

Fetch = Callable[[list[str]], None]
"""Brings the wheels of requirements such as ``numpy==2.4.6`` into the folder of wheels."""

_LICENCE = re.compile(r"(licen[cs]es?/.+|(licen[cs]e|copying|notice|authors)[^/]*)$", re.IGNORECASE)


class BundleError(Exception):
    """A bundle cannot be made; the text says why and what to do."""


@dataclass(frozen=True)
class Wheel:
    """A wheel on the disk.

    Attributes:
        path: the file.
        name: canonical, as in ``typing-extensions``.
        version: as its metadata has it, with the local part (``2.13.0+cpu``).
        requirements: all of them, whatever their conditions.
        licence: what its metadata says of it, in one line.
    """

    path: Path
    name: str
    version: str
    requirements: tuple[Requirement, ...]
    licence: str

    @cached_property
    def sha256(self) -> str:
        """Checksum of the file, in hexadecimal digits."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def members(self) -> list[zipfile.ZipInfo]:
        """The files within."""
        with zipfile.ZipFile(self.path) as archive:
            return [member for member in archive.infolist() if not member.is_dir()]

    def licence_texts(self) -> Iterator[tuple[str, str]]:
        """Name and text of every file of its metadata that states a licence."""
        with zipfile.ZipFile(self.path) as archive:
            for name in sorted(archive.namelist()):
                home, _, rest = name.partition(".dist-info/")
                if "/" not in home and _LICENCE.match(rest) and not name.endswith("/"):
                    yield rest, archive.read(name).decode("utf-8", errors="replace")


def read_wheel(path: Path) -> Wheel:
    """What a wheel says of itself.

    Raises:
        BundleError: the file is no wheel.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            (name,) = (
                name
                for name in archive.namelist()
                if PurePosixPath(name).match("*.dist-info/METADATA") and name.count("/") == 1
            )
            text = archive.read(name).decode("utf-8")
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise BundleError(f"{path.name} is not a wheel.") from error
    metadata = email.parser.HeaderParser().parsestr(text)
    return Wheel(
        path=path,
        name=canonicalize_name(metadata["Name"]),
        version=metadata["Version"],
        requirements=tuple(map(Requirement, metadata.get_all("Requires-Dist") or ())),
        licence=_licence(metadata),
    )


def _licence(metadata: Message) -> str:
    if expression := metadata.get("License-Expression"):
        return expression
    classifiers = [
        value.rpartition(" :: ")[2]
        for key, value in metadata.items()
        if key == "Classifier" and value.startswith("License ::")
    ]
    # Some put the whole text of the licence into the field that is meant for its name.
    first = (metadata.get("License") or "").strip().partition("\n")[0]
    return "; ".join(classifiers) or first or "see its text"


def read_pins(constraints: Path) -> dict[str, str]:
    """Exact version by canonical name, of a file with lines such as ``numpy==2.4.6``."""
    lines = constraints.read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def collect(
    first: Wheel, *, folder: Path, target: Target, pins: Mapping[str, str], fetch: Fetch
) -> list[Wheel]:
    """The wheels that ``first`` needs on the target, with itself, by name.

    Conditions (``; sys_platform == "win32"``) are asked of the target, not of this machine.

    Args:
        first: lies in ``folder``.
        folder: where ``fetch`` puts wheels.
        target: the machine they are for.
        pins: the version of each by name.
        fetch: called with what is still missing, once for every step down the tree of needs.

    Raises:
        BundleError: something is needed that is not pinned, or a pin does not fit its need.
    """
    wheels = {first.name: first}
    fresh: set[tuple[str, str]] = {(first.name, "")}
    seen = fresh
    while fresh:
        needed = [
            (wheels[name], need)
            for name, extra in sorted(fresh)
            for need in _needs(wheels[name], extra, target)
        ]
        missing = {canonicalize_name(need.name) for _, need in needed} - set(wheels)
        if missing:
            fetch([_exactly(name, pins, target) for name in sorted(missing)])
            wheels |= {wheel.name: wheel for wheel in map(read_wheel, sorted(folder.iterdir()))}
        for wheel, need in needed:
            _check(wheel, need, wheels)
        fresh = {
            (str(canonicalize_name(need.name)), extra)
            for _, need in needed
            for extra in ("", *sorted(need.extras))
        } - seen
        seen = seen | fresh
    return [wheels[name] for name in sorted(wheels)]


def _needs(wheel: Wheel, extra: str, target: Target) -> list[Requirement]:
    environment = target.marker_environment() | {"extra": extra}
    return [
        need
        for need in wheel.requirements
        if need.marker is None or need.marker.evaluate(environment)
    ]


def _exactly(name: str, pins: Mapping[str, str], target: Target) -> str:
    if name not in pins:
        raise BundleError(f"{name} is needed on {target.name}, but constraints.txt pins none.")
    return f"{name}=={pins[name]}{target.torch_build if name == 'torch' else ''}"


def _check(wheel: Wheel, need: Requirement, wheels: Mapping[str, Wheel]) -> None:
    name = canonicalize_name(need.name)
    if name not in wheels:
        raise BundleError(f"{name} was asked for and did not come.")
    found = wheels[name].version
    if not need.specifier.contains(found, prereleases=True):
        raise BundleError(f"{wheel.name} needs {need}, but {found} is pinned.")


def downloader(folder: Path, target: Target, *, torch_index: str | None = None) -> Fetch:
    """Fetches with pip, from the package index that pip is set to.

    Args:
        folder: where the wheels go.
        target: the machine they are for.
        torch_index: address of the index that has PyTorch's builds; pip's own when left out.
    """

    def fetch(requirements: list[str]) -> None:
        from_torch = [text for text in requirements if text.startswith("torch==")]
        rest = [text for text in requirements if text not in from_torch]
        if rest:
            _download(rest, folder, target.pip_options())
        if from_torch:
            index = [f"--index-url={torch_index}"] if torch_index else []
            _download(from_torch, folder, [*target.pip_options(), *index])

    return fetch


def _download(requirements: list[str], folder: Path, options: list[str]) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", f"--dest={folder}", *options, *requirements]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reasons = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")]
        hint = (
            "\nThe plain package index has no build of PyTorch for this target that works "
            "without a graphics card: give the address of PyTorch's own index, TORCH_INDEX=…"
        )
        raise BundleError("\n".join(reasons) + hint * requirements[0].startswith("torch=="))


def build_wheel(source: Path, folder: Path, constraints: Path) -> Wheel:
    """vid2kp's own wheel, which carries the model, from a checkout.

    Args:
        source: the folder of pyproject.toml.
        folder: where the wheel goes.
        constraints: holds the version of the build's tools.

    Raises:
        BundleError: the build failed.
    """
    before = set(folder.iterdir())
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", f"--wheel-dir={folder}", str(source)]
    pinned = {"PIP_CONSTRAINT": str(constraints)}  # an option would not reach the build's tools
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | pinned
    )
    if done.returncode:
        raise BundleError(f"vid2kp's own wheel could not be built:\n{done.stderr}")
    (path,) = set(folder.iterdir()) - before
    return read_wheel(path)


def requirements_text(wheels: list[Wheel]) -> str:
    """Lines for ``pip install --require-hashes``: exactly these files and no others."""
    lines = [f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}\n" for wheel in wheels]
    return "".join(lines)
