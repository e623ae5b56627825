"""How fast a batch goes and how long it will go on: one estimate, live and line by line."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.progress import TimeRemainingColumn
from rich.text import Text

if TYPE_CHECKING:
    from rich.progress import Task

    from vid2kp.batch.options import Progress


class Pace:
    """The pace of a batch, from what it says.

    A video under way counts as far as it is done. One that was finished before, or by another
    process, counts for nothing: it took no time.
    """

    def __init__(self) -> None:
        self._begun: float | None = None
        self._frames: dict[str, int] = {}
        self._parts: dict[str, float] = {}  # of the videos under way, 0 to 1
        self._converted = 0
        self._left = 0

    def heed(self, event: Progress) -> None:
        """Takes in what happened."""
        name = event.pseudonym
        self._left = event.videos - event.done
        if event.kind == "started":
            self._begun = time.monotonic() if self._begun is None else self._begun
            self._parts[name] = 0.0
        elif event.kind == "frames" and name in self._parts:
            self._frames[name] = event.frames
            self._parts[name] = min(1.0, event.frames / (event.frames_expected or float("inf")))
        elif event.kind == "finished" and self._parts.pop(name, None) is not None:
            self._converted += 1
            self._frames[name] = event.result.frames if event.result else 0
        elif event.kind == "skipped":  # it may have been under way here, until another took it
            self._parts.pop(name, None)

    @property
    def rate(self) -> float:
        """Frames per second since the first video was begun."""
        return sum(self._frames.values()) / self._elapsed if self._elapsed else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Until all videos are over, if the others are like those so far; None: not known yet."""
        under_way = sum(self._parts.values())
        done = self._converted + under_way
        is_known = done and self.rate  # files without a frame say nothing of the others
        return self._elapsed / done * (self._left - under_way) if is_known else None

    @property
    def _elapsed(self) -> float:
        return 0.0 if self._begun is None else time.monotonic() - self._begun


class TimeLeft(TimeRemainingColumn):
    """What a task says of itself in its field ``left``; without one, what rich reckons.

    Rich looks at the last 30 s alone: right for steps that come often, not for whole videos.
    """

    def __init__(self) -> None:
        super().__init__(compact=True)

    def render(self, task: Task) -> Text:
        """The time that is left."""
        if "left" in task.fields:
            return Text(task.fields["left"], style="progress.remaining")
        return super().render(task)
