"""Wheels of a few hundred bytes, and a bundle of them that installs as the true one does."""

from __future__ import annotations

import base64
import ensurepip
import hashlib
import shutil
import sys
import zipfile
from pathlib import Path

import make_bundle
import pack
from targets import Target
from wheels import read_wheel

HERE = Target("linux", f"{sys.version_info.major}.{sys.version_info.minor}")

PROGRAM = '''
"""Answers as vid2kp does; ``convert`` fails where the bundle's example says so."""
import json, sys
from pathlib import Path
command, rest = sys.argv[1], sys.argv[2:]
if command == "doctor":
    speed = {"subject": "speed infant-lite", "ok": None, "finding": "quick"}
    model = {"subject": "model", "ok": VERSION != "0.9", "finding": "sha256"}
    print(json.dumps({"ok": model["ok"], "checks": [model, speed]}))
    sys.exit(0 if model["ok"] else 1)
if command == "convert":
    out = Path(rest[rest.index("-o") + 1])
    out.mkdir(parents=True)
    print(json.dumps({"videos": [{"status": STATUS, "frames": 250}]}))
if command == "verify":
    assert Path(rest[0]).is_dir()
    print(json.dumps({"ok": True}))
if command == "version":
    print(VERSION, sys.flags.isolated, sys.flags.utf8_mode, *rest)
'''


def make_wheel(
    folder: Path,
    name: str,
    version: str,
    *,
    needs: tuple[str, ...] = (),
    fields: tuple[str, ...] = (),
    files: dict[str, str] | None = None,
    tag: str = "py3-none-any",
) -> Path:
    """A wheel that installs, with these requirements, further fields and files."""
    home = f"{name}-{version}.dist-info"
    head = ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", *fields]
    contents = {
        **(files or {}),
        f"{home}/METADATA": "\n".join([*head, *(f"Requires-Dist: {need}" for need in needs), ""]),
        f"{home}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = [f"{path},sha256={_digest(text)},{len(text)}" for path, text in contents.items()]
    path = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in contents.items():
            archive.writestr(member, text)
        archive.writestr(f"{home}/RECORD", "\n".join([*record, f"{home}/RECORD,,", ""]))
    return path


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def make_tiny_bundle(
    folder: Path, *, version: str = "1.0", status: str = "done", target: Target = HERE
) -> Path:
    """A bundle made by the true functions, of tiny wheels and of the pip that Python carries."""
    shelf = folder / "wheels"
    shelf.mkdir(parents=True)
    program = f"VERSION, STATUS = {version!r}, {status!r}\n{PROGRAM}"
    files = {
        "vid2kp/__init__.py": "",
        "vid2kp/cli/__init__.py": "",
        "vid2kp/cli/__main__.py": program,
    }
    licence = {"helper-2.0.dist-info/licenses/LICENSE": "Do as you like.\n"}
    made = [
        make_wheel(shelf, "helper", "2.0", fields=("License-Expression: MIT",), files=licence),
        make_wheel(shelf, "vid2kp", version, needs=("helper>=1",), files=files),
    ]
    (carried,) = (Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl")
    pip = shutil.copy(carried, shelf)
    wheels = [read_wheel(path) for path in [*made, Path(pip)]]
    make_bundle.write_texts(folder, target, version, installer=None)
    make_bundle.write_setup(folder / "setup", target, wheels, version=version)
    make_bundle.write_licences(folder / "licences", wheels)
    make_bundle.copy_documents(folder)
    pack.write_sums(folder)
    return folder
