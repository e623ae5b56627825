"""How a video is read, and the signal to read it again in another way."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vid2kp.errors import UsageError
from vid2kp.video.container import MAX_PIXELS
from vid2kp.video.timing import TimeRule


@dataclass(frozen=True)
class ReadOptions:
    """How a video is read.

    Attributes:
        start: seconds after the first frame; earlier frames are left out.
        duration: seconds of video from there on; None reads to the end.
        max_pixels: larger coded pictures are refused.
        times: how times are found; the reader asks for another rule itself (`DecodeRestart`).
        seek: whether a late start may be reached by seeking; likewise.

    Raises:
        UsageError: the start or the duration is no time.
    """

    start: float = 0.0
    duration: float | None = None
    max_pixels: int = MAX_PIXELS
    times: TimeRule = "pts"
    seek: bool = True

    def __post_init__(self) -> None:
        # Written so that what is no number is refused as well.
        if not 0 <= self.start < math.inf:
            raise UsageError("The start is no time.", hint="Give seconds, from 0 on.")
        if self.duration is not None and not 0 < self.duration < math.inf:
            raise UsageError("The duration is no time.", hint="Give seconds; without, all is read.")


class DecodeRestart(Exception):
    """What was read so far does not count: start again with ``options``.

    Raised while iterating over `VideoReader.frames`, when times turn out to be unusable or a start
    could not be reached cleanly by seeking. Each restart is more careful than the one before;
    there are three at most.
    """

    def __init__(self, options: ReadOptions) -> None:
        super().__init__("read again with other options")
        self.options = options
