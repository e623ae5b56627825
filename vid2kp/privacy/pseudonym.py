"""Pseudonyms of recordings and the private table that links them to their sources.

A pseudonym is 128 random bits, or in the keyed mode 128 bits of an HMAC-SHA256 under a secret
key, so that machines without a common table agree. It is never an unkeyed hash: whoever has a
list of the names could try them all.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import hmac
import io
import os
import re
import secrets
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from vid2kp.errors import PrivacyError
from vid2kp.files import output_errors
from vid2kp.tracks.schema import INDEX_FILE

LINKS_FILE: Final = "links.csv"
PSEUDONYM: Final = re.compile(r"[a-z2-7]{26}")

_PRIVATE: Final = ".private"
_BITS: Final = 128
_LEAST_KEY_BYTES: Final = 32
_COLUMNS: Final = ("pseudonym", "source")
_GROUP_AND_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def private_path(out: Path) -> Path:
    """Where the private folder of an output folder is, made or not: ``OUT.private`` beside it."""
    out = Path(out).resolve()
    return out.with_name(out.name + _PRIVATE)


def check_places(out: Path, *private: Path | None) -> None:
    """Makes sure that nothing private would be handed over with an output folder.

    Args:
        out: the output folder; need not exist.
        private: the table of links and the key file, None for one that there is not.

    Raises:
        PrivacyError: one of them lies in the output folder, or the output folder in another one or
            in a private one.
    """
    out = Path(out).resolve()
    for path in private:
        if path is not None and Path(path).resolve().is_relative_to(out):
            raise PrivacyError(
                "The table of links and the key must not lie in the output folder.",
                hint="The output folder is handed over as it is; keep them beside it.",
            )
    if any(_is_private(folder) for folder in (out, *out.parents)):
        raise PrivacyError(
            "The output folder is the private one of another, or lies in it.",
            hint="It holds a table of links, and the output folder is handed over as it is.",
        )
    if any((folder / INDEX_FILE).exists() for folder in out.parents):
        raise PrivacyError(
            "The output folder lies in another one, and so would its private folder.",
            hint="Choose a place beside it.",
        )


def _is_private(folder: Path) -> bool:
    return folder.suffix == _PRIVATE and (folder / LINKS_FILE).exists()


def private_folder(out: Path) -> Path:
    """Makes the private folder beside an output folder, ``OUT.private``, mode 0700.

    Raises:
        PrivacyError: it lies inside the output folder, or cannot be closed to others.
        OutputError: it cannot be made.
    """
    folder = private_path(out)
    with output_errors():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _on_posix() and stat.S_IMODE(folder.stat().st_mode) != 0o700:
            folder.chmod(0o700)
    return folder


@dataclass(frozen=True, repr=False)
class Key:
    """The secret of the keyed mode.

    Attributes:
        secret: at least 32 bytes.
    """

    secret: bytes

    @classmethod
    def read(cls, path: Path) -> Key:
        """The key in a file that only its owner may read.

        Raises:
            PrivacyError: it is no regular file, others may read it, or it is too short.
        """
        try:
            with Path(path).open("rb") as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise PrivacyError("The key file is not a regular file.")
                if _on_posix() and status.st_mode & _GROUP_AND_OTHERS:
                    raise PrivacyError(
                        "Others may read the key file.", hint="Close it: chmod 600 KEYFILE."
                    )
                secret = file.read()
        except OSError as error:
            raise PrivacyError(f"The key file cannot be read: {error.strerror}.") from None
        if len(secret) < _LEAST_KEY_BYTES:
            raise PrivacyError(
                f"The key is shorter than {_LEAST_KEY_BYTES} bytes.",
                hint="Make one: head -c 32 /dev/urandom > KEYFILE; chmod 600 KEYFILE.",
            )
        return cls(secret)

    @property
    def key_id(self) -> str:
        """16 hex digits that tell keys apart and say nothing of them; goes into the manifest."""
        return hmac.new(self.secret, b"vid2kp key id", hashlib.sha256).hexdigest()[:16]

    def pseudonym(self, source: str) -> str:
        """The pseudonym of a source under this key."""
        text = b"vid2kp pseudonym\0" + source.encode("utf-8", "surrogateescape")
        return _base32(hmac.new(self.secret, text, hashlib.sha256).digest()[: _BITS // 8])


class Links:
    """The private table of pseudonyms and sources. Several processes may share one.

    Args:
        table: a CSV file with the columns ``pseudonym`` and ``source``, or the folder that
            holds it as ``links.csv``. It need not exist yet; it is made with mode 0600, its
            folder with mode 0700.
        key: derive pseudonyms from this key instead of drawing them.
        for_reading: write nothing; the table exists, and only its `sources` can be had.

    Raises:
        PrivacyError: others may read the table, or it is not such a table.
        OutputError: it cannot be opened or made.
    """

    def __init__(self, table: Path, *, key: Key | None = None, for_reading: bool = False) -> None:
        self._table = table_of(Path(table))
        self._flags = os.O_RDONLY if for_reading else os.O_RDWR | os.O_CREAT
        self._key = key
        self._known: dict[str, str] = {}
        self._taken: set[str] = set()
        self._whole = 0  # bytes of the table that `_known` holds
        if not for_reading:
            with output_errors():
                self._table.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked() as file:
            self._read(file)

    @property
    def mode(self) -> str:
        """``random`` or ``keyed``."""
        return "random" if self._key is None else "keyed"

    @property
    def key_id(self) -> str | None:
        """The id of the key, in the keyed mode."""
        return None if self._key is None else self._key.key_id

    def pseudonym_for(self, source: Path) -> str:
        """The pseudonym of a source, the same one whenever the same table (or key) is used.

        Args:
            source: path of a recording. Its absolute path with links followed is what counts,
                so a recording that is moved gets another pseudonym.

        Returns:
            26 characters a-z, 2-7.

        Raises:
            PrivacyError: others may read the table, it is damaged, or it was made with another
                key.
            OutputError: the table cannot be written.
        """
        (pseudonym,) = self.pseudonyms_for([source])
        return pseudonym

    def pseudonyms_for(self, sources: Iterable[Path]) -> list[str]:
        """The pseudonyms of many sources, which waits for the disk only once.

        None is given out before all of them are safe on the disk.

        Args:
            sources: see `pseudonym_for`, which also says what is raised.
        """
        names = [os.fspath(Path(source).resolve()) for source in sources]
        with self._locked() as file:
            self._read(file)
            new, issued = dict[str, str](), set[str]()
            for name in names:
                if name in self._known:
                    self._check_key(name)
                elif name not in new:
                    new[name] = self._new(name, issued)
                    issued.add(new[name])
            if new:
                self._append(file, new)
            return [self._known[name] for name in names]

    def sources(self) -> dict[str, Path]:
        """All sources of the table by pseudonym. Private: never leaves the private folder."""
        with self._locked() as file:
            self._read(file)
            return {pseudonym: Path(name) for name, pseudonym in self._known.items()}

    def _new(self, name: str, issued: set[str]) -> str:
        pseudonym = self._key.pseudonym(name) if self._key else _fresh(self._taken)
        if pseudonym in self._taken or pseudonym in issued:
            raise PrivacyError("Two sources have the same pseudonym; the table is damaged.")
        return pseudonym

    def _check_key(self, name: str) -> None:
        if self._key is not None and self._key.pseudonym(name) != self._known[name]:
            raise PrivacyError(
                "The table of links was not made with this key.",
                hint="Use the key of the first run, or another table.",
            )

    def _read(self, file: IO[bytes]) -> None:
        """Learns the rows; reads nothing when no other process has added any."""
        if self._whole and os.fstat(file.fileno()).st_size == self._whole:
            return
        file.seek(0)
        data = file.read()
        # A last line without an end was being written when the power went; nobody has used it.
        whole = data[: data.rfind(b"\n") + 1]
        # Names of files need not be valid text: they come back byte for byte. Spreadsheet programs
        # put a mark before all.
        text = whole.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
        try:
            rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        except csv.Error:
            rows = [["damaged"]]
        header, body = (rows[0], rows[1:]) if rows else (list(_COLUMNS), [])
        if tuple(header) != _COLUMNS or any(
            len(row) != 2 or not PSEUDONYM.fullmatch(row[0]) for row in body
        ):
            raise PrivacyError(
                "The table of links is damaged.", hint="Restore it from a backup; do not edit it."
            )
        self._known = {source: pseudonym for pseudonym, source in body}
        self._taken = set(self._known.values())
        self._whole = len(whole)

    def _append(self, file: IO[bytes], new: Mapping[str, str]) -> None:
        """Adds the rows of new sources and their pseudonyms, and waits until they are safe."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        if self._whole == 0:
            writer.writerow(_COLUMNS)
        writer.writerows((pseudonym, name) for name, pseudonym in new.items())
        rows = text.getvalue().encode("utf-8", "surrogateescape")
        with output_errors():
            file.truncate(self._whole)
            file.seek(self._whole)
            file.write(rows)
            file.flush()
            os.fsync(file.fileno())
        self._known.update(new)
        self._taken.update(new.values())
        self._whole += len(rows)

    @contextmanager
    def _locked(self) -> Iterator[IO[bytes]]:
        """The open table, which no other process writes meanwhile, nor reads while it may be."""
        with output_errors():
            descriptor = os.open(self._table, self._flags | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(descriptor, "r+b" if self._flags & os.O_RDWR else "rb") as file:
            _lock(file)
            if _on_posix() and os.fstat(file.fileno()).st_mode & _GROUP_AND_OTHERS:
                raise PrivacyError(
                    "Others may read the table of links.", hint="Close it: chmod 600 links.csv."
                )
            yield file


def table_of(links: Path) -> Path:
    """The table of pseudonyms: the CSV file that is given, or that of the folder."""
    return links if links.suffix == ".csv" else links / LINKS_FILE


def _fresh(taken: set[str]) -> str:
    while (pseudonym := _base32(secrets.token_bytes(_BITS // 8))) in taken:
        pass
    return pseudonym


def _base32(data: bytes) -> str:
    return base64.b32encode(data).decode("ascii").rstrip("=").lower()


def _on_posix() -> bool:
    return os.name == "posix"


def _lock(file: IO[bytes]) -> None:
    """Waits for the file; closing it lets it go, so does the death of the process."""
    if sys.platform == "win32":
        import msvcrt

        # Far beyond the end: Windows locks keep others even from reading.
        file.seek(2**31)
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
        file.seek(0)
    else:
        import fcntl

        # Network drives let only those lock others out who may write.
        fcntl.flock(file.fileno(), fcntl.LOCK_EX if file.writable() else fcntl.LOCK_SH)
