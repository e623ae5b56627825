"""Makes the folder that installs vid2kp on a machine without a network: ``make bundle``.

The folder holds vid2kp with its model, every library that it needs in the pinned version, scripts
that install and convert, a guide for people and checksums of all that. It is made for one kind of
machine: an operating system, a 64-bit Intel or AMD processor and one version of Python.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tomllib
from pathlib import Path

from pack import sha256_of, write_archive, write_sums
from targets import PLATFORMS, Target
from wheels import (
    BundleError,
    Wheel,
    build_wheel,
    collect,
    downloader,
    read_pins,
    read_wheel,
    requirements_text,
)

ROOT = Path(__file__).resolve().parents[1]
CONTENT = Path(__file__).resolve().with_name("content")
DOCUMENTS = ("CHANGELOG.md", "docs", "weights/MODEL_CARD.md")
PIP = "pip"
INSTALLER = "python-installer.exe"
SCRIPTS = {"linux": "install.sh", "windows": "install.bat"}


def main() -> int:
    """The command line; its exit code."""
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--platform", choices=PLATFORMS, default="linux")
    parser.add_argument(
        "--python-version", default=here, help="as in 3.12; this one's: %(default)s"
    )
    parser.add_argument("--torch-index", help="address of PyTorch's own package index")
    parser.add_argument(
        "--python-installer", type=Path, help="Python's own installer for Windows, to go along"
    )
    parser.add_argument("--dist", type=Path, default=ROOT / "dist", help="default: %(default)s")
    options = parser.parse_args()
    target = Target(options.platform, options.python_version)
    try:
        folder = make_bundle(
            options.dist,
            target,
            torch_index=options.torch_index or None,
            python_installer=options.python_installer,
        )
        archive = archive_of(folder, target)
    except BundleError as error:
        print(f"No bundle was made.\n{error}", file=sys.stderr)
        return 1
    print(f"{folder}\n{archive}\n{archive}.sha256")
    return 0


def make_bundle(
    dist: Path,
    target: Target,
    *,
    torch_index: str | None = None,
    python_installer: Path | None = None,
) -> Path:
    """Makes the bundle's folder; an older one for the same target is replaced.

    Args:
        dist: where the folder goes.
        target: the machine it is for.
        torch_index: address of the package index with PyTorch's builds, see `downloader`.
        python_installer: for Windows, an installer of Python that goes along.

    Returns:
        The folder.

    Raises:
        BundleError: a wheel is missing or does not fit, or an option makes no sense.
    """
    if python_installer and (target.platform != "windows" or not python_installer.is_file()):
        raise BundleError("An installer of Python is a file, and goes along for Windows alone.")
    part = dist / f".{target.name}.part"
    shutil.rmtree(part, ignore_errors=True)
    (part / "wheels").mkdir(parents=True)
    try:
        wheels = gather_wheels(part / "wheels", target, torch_index=torch_index)
        version = next(wheel.version for wheel in wheels if wheel.name == "vid2kp")
        write_texts(part, target, version, installer=python_installer)
        write_setup(part / "setup", target, wheels, version=version)
        write_licences(part / "licences", wheels)
        copy_documents(part)
        if python_installer:
            (part / "python").mkdir()
            shutil.copyfile(python_installer, part / "python" / INSTALLER)
        write_sums(part)
        folder = dist / f"vid2kp-{version}-offline-{target.name}"
        shutil.rmtree(folder, ignore_errors=True)
        return part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def gather_wheels(folder: Path, target: Target, *, torch_index: str | None) -> list[Wheel]:
    """Builds vid2kp's wheel into a folder, and fetches all that it needs, and pip.

    Returns:
        The wheels by name; the last is pip, which does the installing and is not installed.
    """
    constraints = ROOT / "constraints.txt"
    pins = read_pins(constraints)
    fetch = downloader(folder, target, torch_index=torch_index)
    own = build_wheel(ROOT, folder, constraints)
    needed = collect(own, folder=folder, target=target, pins=pins, fetch=fetch)
    fetch([f"{PIP}=={pins[PIP]}"])
    (pip,) = (read_wheel(path) for path in folder.glob(f"{PIP}-*.whl"))
    return [*needed, pip]


def write_texts(folder: Path, target: Target, version: str, *, installer: Path | None) -> None:
    """Writes the guide and the script that installs, as the target's system wants them.

    The script knows the checksum of Python's installer: it runs that before there is a Python
    that could check anything.
    """
    words = _words(target, version) | {
        "installer": INSTALLER,
        "installer_sum": sha256_of(installer) if installer else "none came along",
    }
    for name in ("GUIDE.txt", SCRIPTS[target.platform]):
        _write_text(CONTENT / name, folder / name, target, words)


def write_setup(folder: Path, target: Target, wheels: list[Wheel], *, version: str) -> None:
    """Writes what the installer consists of and works from."""
    installed = [wheel for wheel in wheels if wheel.name != PIP]
    shutil.copytree(CONTENT / "setup", folder, ignore=shutil.ignore_patterns("__*"))
    (folder / "requirements.txt").write_text(requirements_text(installed), encoding="utf-8")
    facts = json.dumps(bundle_facts(target, installed, version=version), indent=2) + "\n"
    (folder / "bundle.json").write_text(facts, encoding="utf-8")


def _words(target: Target, version: str) -> dict[str, str]:
    """What stands for ``{{name}}`` in the texts of `CONTENT`."""
    text = (CONTENT / "words.toml").read_text(encoding="utf-8")
    words: dict[str, str] = tomllib.loads(text)[target.platform]
    stripped = {name: value.strip() for name, value in words.items()}
    return stripped | {"version": version, "python": target.python}


def _write_text(source: Path, goal: Path, target: Target, words: dict[str, str]) -> None:
    text = source.read_text(encoding="utf-8")
    text = re.sub(r"\{\{(\w+)\}\}", lambda match: words[match[1]], text)
    newline = "\r\n" if target.platform == "windows" else "\n"
    goal.write_text(text, encoding="utf-8", newline=newline)
    if goal.suffix == ".sh":
        goal.chmod(0o755)


def bundle_facts(target: Target, wheels: list[Wheel], *, version: str) -> dict[str, object]:
    """What the installer must know: the machine it is for, and the space that it takes."""
    members = [member for wheel in wheels for member in wheel.members()]
    return {
        "version": version,
        "platform": target.platform,
        "python": target.python,
        "machine": target.machine,
        "glibc": target.glibc,
        "installed_bytes": sum(member.file_size for member in members),
        "longest_path": max(len(member.filename) for member in members),
    }


def write_licences(folder: Path, wheels: list[Wheel]) -> None:
    """Writes the licence texts of every wheel, one file each, and a list of them all."""
    folder.mkdir()
    lines = ["What this folder installs, and the licence that each part states for itself.\n\n"]
    for wheel in wheels:
        lines.append(f"{wheel.name} {wheel.version}: {wheel.licence}\n")
        texts = [f"===== {name}\n\n{text}\n" for name, text in wheel.licence_texts()]
        text = "\n".join(texts) or "Its metadata holds no text of a licence.\n"
        name = f"{wheel.name}-{wheel.version}.txt"
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    (folder / "LIST.txt").write_text("".join(lines), encoding="utf-8", newline="\n")


def copy_documents(folder: Path) -> None:
    """Copies the licence, the example and what there is to read."""
    shutil.copyfile(ROOT / "LICENSE", folder / "LICENSE.txt")
    shutil.copytree(ROOT / "examples" / "infant", folder / "example")
    docs = folder / "docs"
    docs.mkdir()
    for name in DOCUMENTS:
        source = ROOT / name
        for file in sorted(source.glob("*.md")) if source.is_dir() else [source]:
            shutil.copyfile(file, docs / file.name)


def archive_of(folder: Path, target: Target) -> Path:
    """Packs a bundle into one file beside it, with its checksum in another."""
    suffix = ".zip" if target.platform == "windows" else ".tar"
    archive = folder.with_name(folder.name + suffix)
    write_archive(folder, archive)
    line = f"{sha256_of(archive)}  {archive.name}\n"
    archive.with_name(f"{archive.name}.sha256").write_text(line, encoding="utf-8", newline="\n")
    return archive


if __name__ == "__main__":
    sys.exit(main())
