"""What a batch asks of those who convert its videos: workers of this machine, or of a cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from vid2kp.batch.worker import Failure, Frames, Ready, Task
from vid2kp.convert import ConvertOptions, VideoResult


@dataclass(frozen=True, kw_only=True)
class CrewOptions:
    """How the workers of a run are kept.

    Attributes:
        jobs: how many there may be.
        most: more are never needed.
        spread: as many as suit the GPUs, or the cluster, instead.
        stall_seconds: a worker that reports nothing for so long is killed.
        memory: bytes that a video may take, see `worker.Settings`.
        recycle: a worker makes room for a fresh one after so many videos, because decoders leak.
        diary: path of what the workers' libraries say; a number is added. Private.
    """

    jobs: int
    most: int
    spread: bool
    stall_seconds: float
    memory: int | None
    recycle: int
    diary: Path


@dataclass(frozen=True)
class Ended:
    """A video left its worker: with a result, or with the failure of the video or its worker."""

    task: Task
    outcome: VideoResult | Failure


@dataclass(frozen=True)
class Moved:
    """Frames of a video were done."""

    task: Task
    frames: Frames


class Crew(Protocol):
    """The workers of one run; a context manager that leaves none behind.

    Those that implement it inherit from it.

    Attributes:
        ready: what the first worker said of itself; after `start`.
        jobs: how many workers there may be.
    """

    ready: Ready
    jobs: int

    def __enter__(self) -> Self:
        """The crew, without workers yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leaves no worker behind."""
        self.close()

    @property
    def busy(self) -> int:
        """How many workers have a video."""
        return len(self.tasks)

    @property
    def tasks(self) -> list[Task]:
        """What the workers are at."""

    def start(self) -> Ready:
        """Starts the first worker and waits until it has its model.

        Raises:
            ModelError: the model is missing or damaged.
            UsageError: there is no such device, precision or cluster.
            Vid2kpError: the worker died.
        """

    def give(self, task: Task) -> None:
        """Hands a video to a free worker, a new one if need be; only while `busy` < `jobs`."""

    def events(self, timeout: float) -> list[Ended | Moved]:
        """What happened, after waiting for it for so many seconds at most."""

    def close(self) -> None:
        """Ends the workers by force: what a busy one has is no deliverable yet."""


CrewMaker = Callable[[ConvertOptions, CrewOptions], Crew]
