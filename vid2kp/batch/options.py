"""What a batch is asked to do, what it says while it works, and what came of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vid2kp.convert import VideoResult
from vid2kp.errors import UsageError

GIGABYTE = 1 << 30

Kind = Literal["ready", "started", "frames", "finished", "skipped", "waiting"]


@dataclass(frozen=True, kw_only=True)
class BatchOptions:
    """How many videos are worked through; none of it changes a deliverable.

    Attributes:
        jobs: worker processes; ``auto`` is one per GPU, or one per four cores.
        shard: (i, n): only the i-th of n parts of the videos, 1 <= i <= n.
        overwrite: do finished videos again.
        links: the table of pseudonyms, or its folder, if not in the private folder.
        key_file: derive pseudonyms from this secret.
        dry_run: convert nothing; say what would be done and how long it would take.
        stall_seconds: a worker that shows no progress for so long is stopped.
        memory: bytes that one video may take beside the model; None for no limit.
        recycle: videos after which a worker is replaced by a fresh one.
        report: write the report at the end.
    """

    jobs: int | Literal["auto"] = "auto"
    shard: tuple[int, int] | None = None
    overwrite: bool = False
    links: Path | None = None
    key_file: Path | None = None
    dry_run: bool = False
    stall_seconds: float = 300.0
    memory: int | None = 4 * GIGABYTE
    recycle: int = 100
    report: bool = True

    def __post_init__(self) -> None:
        if self.jobs != "auto" and self.jobs < 1:
            raise UsageError("There must be at least one job.")
        if self.shard is not None and not 1 <= self.shard[0] <= self.shard[1]:
            raise UsageError(
                "The shard is i/n with i from 1 to n.", hint="The second of four is 2/4."
            )
        if self.stall_seconds <= 0 or self.recycle < 1:
            raise UsageError("Limits must be positive.")


def parse_shard(text: str) -> tuple[int, int]:
    """The shard that ``i/n`` means.

    Raises:
        UsageError: it is written otherwise.
    """
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if match is None:
        raise UsageError("A shard is written i/n.", hint="The second of four is 2/4.")
    return int(match[1]), int(match[2])


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Something happened in a batch.

    Attributes:
        kind: ``ready``: the model is loaded, the work begins. ``started``, ``frames``,
            ``finished``: a video was begun, moved on, came to its end. ``skipped``: it was finished
            before. ``waiting``: only videos that another process has are left.
        videos: how many the batch has.
        done: how many of them are over, skipped ones included.
        pseudonym: of the video, "" where it is about none.
        frames: of the video that are done.
        frames_expected: of the video; None if its header does not say.
        result: of a video that is over.
    """

    kind: Kind
    videos: int
    done: int
    pseudonym: str = ""
    frames: int = 0
    frames_expected: int | None = None
    result: VideoResult | None = None


ProgressCallback = Callable[[Progress], None]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a batch would do.

    Attributes:
        to_do: videos that would be converted.
        finished: videos that would be skipped.
        frames: of the videos to do, as their headers say; estimated from a part of them if many.
        frames_per_second: of all jobs together, measured with one of them; None where none could
            be converted.
        seconds: that the whole would take; None likewise.
    """

    to_do: int
    finished: int
    frames: int
    frames_per_second: float | None
    seconds: float | None


@dataclass(frozen=True, kw_only=True)
class BatchResult:
    """What came of a batch. Nothing in it could identify a source, but for ``private``.

    Attributes:
        results: of every video that is over, in the order in which the videos were found.
        skipped: pseudonyms of those that had been finished before.
        exit_code: 0 every video has a deliverable; 1 some have none; 3 none has; 4 the disk is
            full, or the model was changed, and the rest was not begun; 130 interrupted.
        folder: the output folder.
        private: the private folder.
        notes: what the user should know beside, one sentence each.
        plan: of a dry run; there are no results then.
    """

    results: tuple[VideoResult, ...]
    skipped: frozenset[str]
    exit_code: int
    folder: Path
    private: Path
    notes: tuple[str, ...] = ()
    plan: Plan | None = None
