"""What is known of the videos of an output folder: the private log and the completion records.

Everything here lies in the private folder and may name sources. One small JSON file per video says
from which source, with which options and which model its deliverables were made, so that a finished
video is recognised, and any other is done again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vid2kp.files import output_errors

if TYPE_CHECKING:
    from vid2kp.record import Status

LOG_FILE: Final = "run.jsonl"
RECORDS_FOLDER: Final = "records"

RESULT_NUMBERS: Final = ("frames", "seconds", "found", "completeness")

_ENDS: Final = 64 * 1024
_RECORD_VERSION: Final = 1


@dataclass(frozen=True)
class Fingerprint:
    """What tells one content of a source from another. Private.

    Attributes:
        size: bytes.
        mtime_ns: time of the last change, nanoseconds since 1970.
        ends: hexadecimal SHA-256 of the first and the last 64 KiB.
    """

    size: int
    mtime_ns: int
    ends: str


def fingerprint_of(path: Path) -> Fingerprint | None:
    """The fingerprint of a regular file, None where it cannot be read."""
    try:
        with path.open("rb", buffering=0) as file:
            status = os.fstat(file.fileno())
            digest = hashlib.sha256(file.read(_ENDS))
            file.seek(max(0, status.st_size - _ENDS))
            digest.update(file.read(_ENDS))
    except OSError:
        return None
    return Fingerprint(status.st_size, status.st_mtime_ns, digest.hexdigest())


@dataclass(frozen=True, kw_only=True)
class Record:
    """How the last attempt at a video ended, if it counts.

    Attributes:
        pseudonym: of the video.
        source: fingerprint of what was converted; None where it could not be read.
        options: of the conversion; those that can change a deliverable, at least.
        model_sha256: of the weights.
        status: one of `schema.STATUSES` or `schema.FAILURES`.
        reason: in plain words, without any name.
        numbers: `RESULT_NUMBERS` of its `VideoResult`.
        quality: that of its `VideoResult`.
        counts: those of its manifest.
        files: bytes of each deliverable by its name; none for a failure.
        finished: seconds since 1970.
    """

    pseudonym: str
    source: Fingerprint | None
    options: Mapping[str, Any]
    model_sha256: str
    status: Status
    reason: str
    numbers: Mapping[str, Any] = field(default_factory=dict)
    quality: Mapping[str, float | None] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, int] = field(default_factory=dict)
    finished: float = field(default_factory=time.time)
    version: int = _RECORD_VERSION

    @property
    def delivered(self) -> bool:
        """Whether there are deliverables."""
        return bool(self.files)

    def is_of(
        self, source: Fingerprint | None, options: Mapping[str, Any], model_sha256: str
    ) -> bool:
        """Whether it is the record of this source, converted in this way."""
        same = (self.source, self.model_sha256) == (source, model_sha256)
        return same and options.items() <= self.options.items()

    def is_complete_in(self, out: Path) -> bool:
        """Whether all of its deliverables are there, at their sizes."""
        folder = out / self.pseudonym
        try:
            return self.delivered and all(
                (folder / name).stat().st_size == size for name, size in self.files.items()
            )
        except OSError:
            return False


class Ledger:
    """The log and the records of one output folder; several processes may share them.

    Reading writes nothing, and there need be nothing to read.

    Args:
        private: the private folder; it exists.
        run: a word that tells this run from others in the log.
    """

    def __init__(self, private: Path, *, run: str) -> None:
        self._run = run
        self._log = private / LOG_FILE
        self._records = private / RECORDS_FOLDER

    def log(self, event: str, **facts: object) -> None:
        """Adds a line to the private log.

        Raises:
            OutputError: it cannot be written.
        """
        line = {"time": time.time(), "run": self._run, "event": event, **facts}
        text = json.dumps(line, default=_plain, allow_nan=True) + "\n"
        # One write to a file opened for appending: lines of two processes do not mix.
        with output_errors():
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            descriptor = os.open(self._log, flags, 0o600)
            try:
                os.write(descriptor, text.encode("ascii"))
            finally:
                os.close(descriptor)

    def delivered(self, pseudonym: str) -> Record | None:
        """The record of a video's deliverables."""
        return _read(self._of_delivery(pseudonym))

    def failed(self, pseudonym: str) -> Record | None:
        """The record of the last attempt that failed, if none succeeded after it."""
        return _read(self._of_failure(pseudonym))

    def keep(self, record: Record) -> None:
        """Writes a record; that of a failure leaves the one of earlier deliverables alone.

        Raises:
            OutputError: it cannot be written.
        """
        with output_errors():
            self._records.mkdir(mode=0o700, exist_ok=True)
            if record.delivered:
                _write(self._of_delivery(record.pseudonym), record)
                self._of_failure(record.pseudonym).unlink(missing_ok=True)
            else:
                _write(self._of_failure(record.pseudonym), record)

    def records(self) -> Iterator[Record]:
        """One record per video, by pseudonym: of its deliverables, else of its failure."""
        for pseudonym in sorted({file.name.partition(".")[0] for file in self._files()}):
            record = self.delivered(pseudonym) or self.failed(pseudonym)
            if record is not None:
                yield record

    def state(self) -> frozenset[tuple[str, int]]:
        """Changes whenever a record does."""
        state = set()
        for path in self._files():
            with contextlib.suppress(FileNotFoundError):  # another process has just removed it
                state.add((path.name, path.stat().st_mtime_ns))
        return frozenset(state)

    def _files(self) -> Iterator[Path]:
        return self._records.glob("*.json")

    def _of_delivery(self, pseudonym: str) -> Path:
        return self._records / f"{pseudonym}.json"

    def _of_failure(self, pseudonym: str) -> Path:
        return self._records / f"{pseudonym}.failed.json"


def _write(path: Path, record: Record) -> None:
    # Without waiting for the disk: a record that is lost only costs doing the video again.
    text = json.dumps(asdict(record), default=_plain)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
    part.replace(path)


def _read(path: Path) -> Record | None:
    """A record, or None where there is none that can be used."""
    try:
        values = json.loads(path.read_bytes())
        if values["version"] != _RECORD_VERSION:
            return None
        if values["source"] is not None:
            values["source"] = Fingerprint(**values["source"])
        return Record(**values)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _plain(value: object) -> object:
    """What JSON cannot hold, as text; names that are no text keep their bytes as escapes."""
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)
