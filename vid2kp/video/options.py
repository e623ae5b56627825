"""How a video is read, and the signal to read it again in another way."""

from __future__ import annotations

from dataclasses import dataclass

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
    """

    start: float = 0.0
    duration: float | None = None
    max_pixels: int = MAX_PIXELS
    times: TimeRule = "pts"
    seek: bool = True


class DecodeRestart(Exception):
    """What was read so far does not count: start again with ``options``.

    Raised while iterating over `VideoReader.frames`, when times turn out to be unusable or a start
    could not be reached cleanly by seeking. Each restart is more careful than the one before;
    there are three at most.
    """

    def __init__(self, options: ReadOptions) -> None:
        super().__init__("read again with other options")
        self.options = options
