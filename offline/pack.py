"""Checksums and archives of a folder: the same files give the same bytes, whenever it is done."""

from __future__ import annotations

import hashlib
import stat
import tarfile
import zipfile
from pathlib import Path

from vid2kp.files import EPOCH

SUMS = "SHA256SUMS"
"""The file in a folder that ``sha256sum --check`` reads."""

_ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # EPOCH, as ZIP writes it
_UNIX = 3  # in a ZIP member: its permissions are those of Unix


def files_below(folder: Path) -> list[Path]:
    """Every file, in the order of its name with ``/`` between the parts."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(files, key=lambda path: path.relative_to(folder).as_posix())


def sha256_of(path: Path) -> str:
    """Checksum of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_sums(folder: Path) -> None:
    """Writes `SUMS`: a line for every other file of the folder."""
    lines = [
        f"{sha256_of(path)}  {path.relative_to(folder).as_posix()}\n"
        for path in files_below(folder)
        if path != folder / SUMS
    ]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8", newline="\n")


def write_archive(folder: Path, archive: Path) -> None:
    """Puts a folder into one file, uncompressed: wheels and videos are compressed already.

    Dates, owners and order are fixed; of the permissions only what may be run is kept.

    Args:
        folder: becomes the one folder at the archive's top.
        archive: a name that ends in ``.zip`` or ``.tar``. An older file is replaced.
    """
    members = [
        (path, f"{folder.name}/{path.relative_to(folder).as_posix()}", _mode(path))
        for path in files_below(folder)
    ]
    if archive.suffix == ".zip":
        _write_zip(members, archive)
    else:
        _write_tar(members, archive)


def _mode(path: Path) -> int:
    return 0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644


def _write_zip(members: list[tuple[Path, str, int]], archive: Path) -> None:
    with zipfile.ZipFile(archive, "w") as file:
        for path, name, mode in members:
            member = zipfile.ZipInfo(name, date_time=_ZIP_DATE)
            member.create_system = _UNIX
            member.external_attr = (stat.S_IFREG | mode) << 16
            member.file_size = path.stat().st_size  # decides whether ZIP64 is needed
            with path.open("rb") as source, file.open(member, "w") as sink:
                while block := source.read(1 << 20):
                    sink.write(block)


def _write_tar(members: list[tuple[Path, str, int]], archive: Path) -> None:
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as file:
        for path, name, mode in members:
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.mtime = path.stat().st_size, mode, EPOCH
            with path.open("rb") as source:
                file.addfile(member, source)
