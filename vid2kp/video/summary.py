"""What reading a whole video has shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ReadSummary:
    """What reading a whole video has shown.

    Attributes:
        frames: rows given out.
        suspect_frames: of those, without a picture that can be trusted.
        lost_frames: of those, never decoded at all.
        decode_errors: errors that demuxer and decoder reported.
        status: "done"; "truncated", where the header promises more than 2 % more; "damaged",
            where frames are suspect.
        time_source: "pts", or "rebuilt" where the file's times could not be used.
        vfr: whether the frame rate varies.
        fps: frames per second: the mean where the rate is constant, else of the median step.
        interlaced: whether pictures were deinterlaced.
        warnings: what was odd, one sentence each.
    """

    frames: int
    suspect_frames: int
    lost_frames: int
    decode_errors: int
    status: Literal["done", "truncated", "damaged"]
    time_source: Literal["pts", "rebuilt"]
    vfr: bool
    fps: float
    interlaced: bool
    warnings: tuple[str, ...]
