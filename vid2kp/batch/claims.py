"""Who does which video, when several processes work on one output folder.

Each run keeps a file alive by touching it; a claim is a file that only one process can create and
that names its run. A run that is dead, or has been silent for long, loses its claims to whoever
comes next. Should it only have slept, it finds that out before it publishes, removes or records
anything, and waits for what the other makes of the video.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import platform
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from vid2kp.files import output_errors

CLAIMS_FOLDER: Final = "claims"
RUNS_FOLDER: Final = "runs"

HEARTBEAT_SECONDS: Final = 15.0
STALE_SECONDS: Final = 180.0
"""A run that has not touched its file for so long is dead."""

_MISSED_SECONDS: Final = 3 * HEARTBEAT_SECONDS
"""No run that lives is silent for so long, but where a disk or a machine is held up."""

_ASK_AGAIN_SECONDS: Final = 2.0
_SAME_BIRTH_SECONDS: Final = 5.0


@dataclass(frozen=True)
class Claim:
    """That a run has taken a video: the path of the claim, and the run's word."""

    path: Path
    run: str

    @property
    def is_kept(self) -> bool:
        """Whether the video is still the run's own.

        Raises:
            OutputError: the private folder cannot be read.
        """
        with output_errors():
            return _text(self.path) == self.run


class Claims:
    """The claims of one run; use `open_claims`.

    Attributes:
        run: the word that stands for this run.
        diary: a path whose name, made longer, may be used for files that end with the run.
        inherited: videos that were a dead run's before.
    """

    def __init__(self, private: Path, run: str) -> None:
        self.run = run
        self._claims = private / CLAIMS_FOLDER
        self._runs = private / RUNS_FOLDER
        self.diary = self._runs / run
        self.inherited: set[str] = set()
        self._asked: dict[str, tuple[float, bool]] = {}
        with output_errors():
            self._claims.mkdir(mode=0o700, exist_ok=True)
            self._runs.mkdir(mode=0o700, exist_ok=True)
            self.touch()
            self._forget_dead_runs()

    def claim(self, pseudonym: str) -> bool:
        """Takes a video; False where another run has it.

        Raises:
            OutputError: the private folder is full or read-only.
        """
        path = self._claims / pseudonym
        with output_errors():
            if _create(path, self.run):
                return True
            owner = _text(path)
            if owner is None:  # just given back
                return _create(path, self.run)
            if self._is_stale(path, owner):
                return self._take_over(path, owner)
            return owner == self.run

    def of(self, pseudonym: str) -> Claim:
        """The claim of this run to a video, kept or not."""
        return Claim(self._claims / pseudonym, self.run)

    def release(self, pseudonym: str) -> None:
        """Gives a video back, done or not."""
        claim = self.of(pseudonym)
        if claim.is_kept:
            claim.path.unlink(missing_ok=True)

    def is_dead(self, run: str) -> bool:
        """Whether a run has ended, or has been silent for long."""
        at, dead = self._asked.get(run, (-math.inf, False))
        if time.monotonic() - at > _ASK_AGAIN_SECONDS:
            dead = self._is_dead(run)
            self._asked[run] = (time.monotonic(), dead)
        return dead

    def touch(self) -> None:
        """Shows that this run is alive, also where somebody took it for dead and forgot it."""
        file = self._file_of(self.run)
        if not _create(file, json.dumps(this_process())):
            file.touch()

    def close(self) -> None:
        """Ends the run; claims that it still holds are free."""
        self._forget(self.run)

    def _forget_dead_runs(self) -> None:
        for run in {file.name.partition(".")[0] for file in self._runs.iterdir()}:
            if run != self.run and self._is_dead(run):
                self._forget(run)

    def _forget(self, run: str) -> None:
        for file in self._runs.glob(f"{run}.*"):
            file.unlink(missing_ok=True)

    def _is_stale(self, path: Path, owner: str) -> bool:
        """Whether nobody works on the video that this run has claimed."""
        if owner == self.run:
            return False
        if not owner:
            # Its process died, or lost the disk, between creating the file and writing it.
            return self._silent(path) > STALE_SECONDS
        return self.is_dead(owner)

    def _take_over(self, path: Path, owner: str) -> bool:
        """Replaces the claim of a dead run; True for the one process that succeeds."""
        lock = path.with_name(f".{path.name}.taken")
        if not _create(lock, self.run):
            if self._silent(lock) > STALE_SECONDS:
                lock.unlink(missing_ok=True)
            return False
        try:
            if _text(path) != owner:
                return False
            mine = path.with_name(f".{path.name}.{self.run}")
            _create(mine, self.run)
            mine.replace(path)
            self.inherited.add(path.name)
            return True
        finally:
            lock.unlink(missing_ok=True)

    def _is_dead(self, run: str) -> bool:
        file = self._file_of(run)
        try:
            process = json.loads(file.read_bytes())
        except FileNotFoundError:
            return True
        except (OSError, ValueError):
            process = {}
        silent = self._silent(file)
        return silent > STALE_SECONDS or is_gone(process, silent=silent)

    def _silent(self, file: Path) -> float:
        """Seconds since a file was touched."""
        try:
            return self._now() - file.stat().st_mtime
        except FileNotFoundError:
            return math.inf

    def _now(self) -> float:
        """The time by the clock of the file server, which dates the other files too."""
        self.touch()
        return self._file_of(self.run).stat().st_mtime

    def _file_of(self, run: str) -> Path:
        return self._runs / f"{run}.json"


@contextlib.contextmanager
def open_claims(private: Path) -> Iterator[Claims]:
    """The claims of a new run, kept alive until the block ends.

    Args:
        private: the private folder; it exists.

    Raises:
        OutputError: the private folder is full or read-only.
    """
    claims = Claims(private, secrets.token_hex(8))
    ended = threading.Event()

    def keep_alive() -> None:
        while not ended.wait(HEARTBEAT_SECONDS):
            # A network drive that is away for a while must not end the run.
            with contextlib.suppress(OSError):
                claims.touch()

    thread = threading.Thread(target=keep_alive, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield claims
    finally:
        ended.set()
        thread.join()
        with contextlib.suppress(OSError):
            claims.close()


def _create(path: Path, text: str) -> bool:
    """Creates a file that holds the text; False where there is one already."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return True


def _text(path: Path) -> str | None:
    """What a small file holds, None where there is none."""
    try:
        return path.read_text(encoding="ascii")
    except FileNotFoundError:
        return None


def this_process() -> dict[str, Any]:
    """What tells this process from all others, as JSON can hold it."""
    born = psutil.Process().create_time()
    return {"machine": _machine(), "boot": _boot(), "pid": os.getpid(), "born": born}


def _machine() -> str:
    """Where process numbers mean the same: a host, and in it a container."""
    namespace = Path("/proc/self/ns/pid")
    container = namespace.stat().st_ino if namespace.exists() else 0
    return f"{platform.node()}:{container}"


def _boot() -> str:
    """Another one each time that a machine is started; "" where the system gives none."""
    file = Path("/proc/sys/kernel/random/boot_id")
    return file.read_text(encoding="ascii").strip() if file.exists() else ""


def _uptime() -> float:
    """Seconds since this machine was started."""
    return time.time() - psutil.boot_time()


def is_gone(process: dict[str, Any], *, silent: float) -> bool:
    """Whether what `this_process` once said was a process of this machine and is no more.

    Args:
        process: what it said.
        silent: seconds since it last gave a sign of life.
    """
    if process.get("machine") != _machine():
        return False
    if process.get("boot") != _boot():
        # Of before this machine was started, or of a copy of it under the same name: a copy that
        # lives has given a sign since.
        return silent > max(_uptime(), _MISSED_SECONDS)
    try:
        there = psutil.Process(process["pid"])
        if there.status() == psutil.STATUS_ZOMBIE:  # ended, and nobody has asked how
            return True
        born = there.create_time()
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False
    return bool(abs(born - process["born"]) > _SAME_BIRTH_SECONDS)
