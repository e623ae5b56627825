"""What a batch asks of those who convert its videos: workers of this machine, or of a cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, cast

from vid2kp.batch.worker import Failure, Frames, Ready, Task
from vid2kp.convert import ConvertOptions, VideoResult

if TYPE_CHECKING:
    from vid2kp.pose.estimate import Precision


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


@dataclass(frozen=True)
class Halted:
    """A worker cannot work as the first one does, so that the run must end; its video is not begun.

    Attributes:
        task: the video.
        reason: a sentence for the user.
    """

    task: Task
    reason: str


Event = Ended | Moved | Halted


def difference(first: Ready, later: Ready) -> str:
    """Why what a later worker makes would be something else; "" where it is the same."""
    if later.model_sha256 != first.model_sha256:
        return (
            "The model of a worker is not the one that the run began with: its file was changed, "
            "or another machine has another one. What another model has made is made again."
        )
    if later.precision != first.precision:
        return f"A worker computes in {later.precision}; the run began in {first.precision}."
    return ""


def alike(options: ConvertOptions, first: Ready) -> ConvertOptions:
    """The options, with what the first worker has made of ``auto``: machines may differ."""
    return replace(options, precision=cast("Precision", first.precision))


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

    def events(self, timeout: float) -> list[Event]:
        """What happened, after waiting for it for so many seconds at most."""

    def close(self) -> None:
        """Ends the workers by force: what a busy one has is no deliverable yet."""


CrewMaker = Callable[[ConvertOptions, CrewOptions], Crew]
