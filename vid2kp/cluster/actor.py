"""A worker on a machine of the cluster: an actor that keeps its model."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vid2kp.batch.worker import (
    Failure,
    Frames,
    Ready,
    Refused,
    Settings,
    Task,
    convert_task,
    harden,
    prepare,
)
from vid2kp.convert import VideoResult
from vid2kp.errors import Vid2kpError


class Converter:
    """What runs on the machines of the cluster: a worker that keeps its model."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._reports = 0
        self._frames = Frames(0, None)
        # Ray keeps what actors print; what libraries print may hold paths.
        harden(settings.diary)

    def prepare(self) -> Ready | Refused:
        """Loads the model."""
        try:
            self._estimator, ready = prepare(self._settings)
        except Vid2kpError as error:
            return Refused.of(error)
        return ready

    def convert(self, task: Task) -> VideoResult | Failure:
        """Converts one video; its errors come back as failures."""
        self._reports, self._frames = 0, Frames(0, None)
        return convert_task(task, self._estimator, self._settings.options, self._report)

    def moved(self) -> tuple[int, Frames]:
        """How often the conversion has reported, and what it last said; answered meanwhile."""
        return self._reports, self._frames

    def _report(self, frames: Frames) -> None:
        self._frames = frames
        self._reports += 1


@dataclass
class Actor:
    """One actor as the batch sees it."""

    handle: Any
    diary: Path
    pending: Any  # of `prepare`, then of `convert`; None when it is free
    task: Task | None = None
    ready: Ready | None = None
    asked: Any = None  # of `moved`
    videos: int = 0
    spoiled: bool = False
    reports: int = 0
    last_sign: float = field(default_factory=time.monotonic)
    last_asked: float = 0.0

    @property
    def silent(self) -> float:
        """Seconds since it last gave a sign of life."""
        return time.monotonic() - self.last_sign

    def sign(self) -> None:
        """It has just given one."""
        self.last_sign = time.monotonic()
