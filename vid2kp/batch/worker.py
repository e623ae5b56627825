"""A worker: a process of its own that converts one video after the other.

What reaches it is a path, what leaves it is a small report; pixels do neither. A decoder that
hangs, crashes or eats memory takes this process with it and nothing else.
"""

from __future__ import annotations

import contextlib
import faulthandler
import multiprocessing
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from vid2kp.batch.claims import Claim
from vid2kp.convert import ConvertOptions, VideoResult, convert_video, make_estimator
from vid2kp.errors import ModelError, OutputError, UnreadableVideo, UsageError, Vid2kpError
from vid2kp.files import is_of_full_disk, parts_of, replacing_folder
from vid2kp.privacy.harden import forbid_core_files

if TYPE_CHECKING:
    from vid2kp.pose.estimate import Estimator

_REPORT_SECONDS: Final = 0.2
_DIARY_BYTES: Final = 16_000

_SHORT_OF_MEMORY: Final = (
    "allocate memory",
    "Insufficient memory",
    "could not create a primitive",
    "failed to map segment",
)
"""What the system, OpenCV, oneDNN and the linker say instead of raising a MemoryError."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a worker works.

    Attributes:
        options: of the conversions.
        device: of this worker, in place of that of the options.
        threads: of the network on a CPU; 0 leaves it to PyTorch.
        memory: bytes that a video may take beyond what the loaded model needs; None for no limit.
            See `limit_memory`.
        diary: file for what libraries write to the standard streams; private.
    """

    options: ConvertOptions
    device: str
    threads: int
    memory: int | None
    diary: Path


@dataclass(frozen=True)
class Task:
    """One video to convert: its source, the folder of its deliverables and its pseudonym.

    `key_id` tells the key that the pseudonym was derived from; None for a random pseudonym.
    `claim` is that of the run; None where nobody else can want the video.
    """

    source: Path
    folder: Path
    pseudonym: str
    key_id: str | None = None
    claim: Claim | None = None

    def replacing(self, folder: Path) -> AbstractContextManager[Path]:
        """`replacing_folder` under the name of the run, as long as the video is its own."""
        run = self.claim.run if self.claim else ""
        return replacing_folder(folder, word=run, check=self._check)

    def remove_parts(self) -> None:
        """Removes what the run has begun of the deliverables, when nobody works on them."""
        for part in parts_of(self.folder, self.claim.run) if self.claim else ():
            shutil.rmtree(part, ignore_errors=True)

    def _check(self) -> None:
        if self.claim and not self.claim.is_kept:
            raise OutputError("Another run has taken the video over.")


@dataclass(frozen=True)
class Ready:
    """The worker has its model.

    Attributes:
        model_sha256: of the weights and their use (`Card.identity`).
        device: ``cpu`` or ``cuda``.
        precision: ``fp32``, ``bf16`` or ``fp16``; what ``auto`` has become.
        gpus: number of GPUs that PyTorch finds.
        limited: whether the memory limit is kept.
    """

    model_sha256: str
    device: str
    precision: str
    gpus: int
    limited: bool


@dataclass(frozen=True)
class Refused:
    """The worker cannot work as it was asked to: the message and hint of a Vid2kpError."""

    message: str
    hint: str
    is_usage: bool

    @classmethod
    def of(cls, error: Vid2kpError) -> Refused:
        """The refusal that an error means."""
        return cls(error.message, error.hint, isinstance(error, UsageError))

    def error(self) -> UsageError | ModelError:
        """The error as the user shall see it."""
        return (UsageError if self.is_usage else ModelError)(self.message, hint=self.hint)

    @property
    def reason(self) -> str:
        """Both in one line."""
        return f"{self.message} {self.hint}".strip()


@dataclass(frozen=True)
class Frames:
    """So many frames of the present video are done, of so many that are expected."""

    done: int
    total: int | None


@dataclass(frozen=True)
class Failure:
    """The present video has no deliverable.

    Attributes:
        status: ``unreadable`` or ``failed``.
        reason: in plain words, without any name.
        detail: for the private log: the traceback, which may hold paths.
        spoiled: whether the worker may be in disorder and should be replaced.
        disk_full: whether the disk takes no more, so that the next video would fail as well.
    """

    status: Literal["unreadable", "failed"]
    reason: str
    detail: str
    spoiled: bool = True
    disk_full: bool = False


Report = Ready | Refused | Frames | Failure | VideoResult


def work(tasks: Connection, reports: Connection, settings: Settings) -> None:
    """The life of a worker: reports `Ready`, then converts tasks until it receives None.

    Args:
        tasks: where a `Task` comes in, or None for the end.
        reports: where every `Report` goes out.
        settings: how to work.
    """
    # Ctrl-C goes to the whole group of processes; the parent decides what happens.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    harden(settings.diary)
    threading.Thread(target=_die_with_parent, name="orphan watch", daemon=True).start()
    try:
        estimator, ready = prepare(settings)
    except Vid2kpError as error:
        reports.send(Refused.of(error))
        return
    reports.send(ready)
    while (task := tasks.recv()) is not None:
        reports.send(convert_task(task, estimator, settings.options, reports.send))


def convert_task(
    task: Task,
    estimator: Estimator,
    options: ConvertOptions,
    report: Callable[[Frames], None],
) -> VideoResult | Failure:
    """Converts one video; whatever goes wrong with it is a `Failure`.

    Args:
        task: the video.
        estimator: from `prepare`.
        options: of the conversion.
        report: told of the frames that are done, a few times a second.
    """
    try:
        return convert_video(
            task.source,
            task.folder,
            pseudonym=task.pseudonym,
            estimator=estimator,
            options=options,
            key_id=task.key_id,
            progress=_throttled(lambda done, total: report(Frames(done, total))),
            replacing=task.replacing,
        )
    except Exception as error:
        return describe(error)


def describe(error: Exception) -> Failure:
    """What may be said of an error, and apart from it what may not leave the private log."""
    detail = "".join(traceback.format_exception(error))
    disk_full = is_of_full_disk(error)
    if isinstance(error, UnreadableVideo):
        return Failure("unreadable", str(error), detail, spoiled=False)
    if isinstance(error, Vid2kpError):
        return Failure("failed", str(error), detail, spoiled=False, disk_full=disk_full)
    if isinstance(error, MemoryError) or any(sign in str(error) for sign in _SHORT_OF_MEMORY):
        return Failure("failed", "The video needs more memory than it may take.", detail)
    kind = type(error)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    reason = f"Unexpected {name}; see the private log."
    return Failure("failed", reason, detail, disk_full=disk_full)


def _throttled(send: Callable[[int, int | None], None]) -> Callable[[int, int | None], None]:
    last = -_REPORT_SECONDS

    def progress(done: int, total: int | None) -> None:
        nonlocal last
        if time.monotonic() - last >= _REPORT_SECONDS:
            last = time.monotonic()
            send(done, total)

    return progress


def prepare(settings: Settings) -> tuple[Estimator, Ready]:
    """Loads the model, limits the memory and says what there is.

    Raises:
        ModelError: the model is missing or damaged.
        UsageError: no such device or precision.
    """
    import cv2
    import torch

    cv2.setNumThreads(1)  # the estimator gives each of its threads a picture of its own
    if settings.threads:
        torch.set_num_threads(settings.threads)
    estimator = make_estimator(replace(settings.options, device=settings.device))
    _warm_up(estimator)
    limited = limit_memory(settings.memory, device=estimator.device.type)
    return estimator, _ready(estimator, limited)


def _warm_up(estimator: Estimator) -> None:
    """Loads what a first video would load, so that the limit of memory is for videos alone."""
    import numpy as np

    import vid2kp.pose.watch  # noqa: F401
    from vid2kp.pose.zoom import ZoomOptions

    size = estimator.card.input_size
    count = estimator.batch_size * (estimator.lanes.count if estimator.device.type == "cpu" else 1)
    # However large the batches may be: more frames than a chunk are never looked at together.
    count = min(count, ZoomOptions().chunk)
    estimator.find(np.full((count, size, size, 3), 128, np.uint8))


def _ready(estimator: Estimator, limited: bool) -> Ready:
    import torch

    return Ready(
        model_sha256=estimator.card.identity,
        device=estimator.device.type,
        precision=estimator.precision,
        gpus=torch.cuda.device_count(),
        limited=limited,
    )


def harden(diary: Path) -> None:
    """Nothing of a frame or a path may leave this process through a core file or an outcry."""
    _redirect_streams(diary)
    forbid_core_files()


def _redirect_streams(diary: Path) -> None:
    descriptor = os.open(diary, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)
    # A crash in C leaves the Python lines that led to it, without values.
    faulthandler.enable(file=2)


def end_of_diary(diary: Path) -> str:
    """The last that the libraries of a worker said."""
    with contextlib.suppress(OSError), diary.open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - _DIARY_BYTES))
        return file.read().decode("utf-8", "backslashreplace")
    return ""


def stalled(seconds: float) -> str:
    """Why a video failed at which nothing moved for so long."""
    return f"Nothing moved for {seconds:.0f} seconds; it was stopped."


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def limit_memory(memory: int | None, *, device: str) -> bool:
    """Limits the address space of this process to what it is now and ``memory`` bytes more.

    Returns:
        whether there is a limit now: not with a GPU, whose driver reserves addresses at will, and
        on Linux alone.
    """
    if memory is None or device != "cpu" or sys.platform != "linux":
        return False
    import resource

    import psutil

    limit = psutil.Process().memory_info().vms + memory
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    return True
