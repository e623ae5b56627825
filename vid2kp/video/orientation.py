"""How a picture has to be turned and mirrored before a person looks at it."""

from __future__ import annotations

import gc
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
from av.buffer import Buffer
from av.video.frame import VideoFrame

_TOLERANCE = math.radians(2)


_MAX_TIED_UP = 64_000_000  # pixels, about 100 MB


@dataclass(frozen=True)
class Orientation:
    """What turns a coded picture into the display picture.

    Attributes:
        rotation: counter-clockwise degrees, one of 0, 90, 180, 270; applied first.
        mirrored: whether the turned picture is then flipped left to right. A missed flip swaps
            the infant's left and right.
        understood: False where the file asks for something else (skew, 37 degrees, garbage);
            nothing is applied then.
    """

    rotation: int = 0
    mirrored: bool = False
    understood: bool = True


UPRIGHT = Orientation()


def orientation_of(frame: VideoFrame) -> Orientation:
    """The orientation that a decoded frame's display matrix asks for."""
    side_data = cast(Mapping[str, Buffer], frame.side_data)
    matrix = side_data.get("DISPLAYMATRIX")
    return UPRIGHT if matrix is None else orientation_from_matrix(bytes(matrix))


class OrientationReader:
    """The orientation of the frames of one video.

    PyAV ties a frame and its side data to each other, so that a frame whose side data was looked
    at is freed only when Python's garbage collector comes by: pictures of many megabytes would
    pile up. The display matrix is therefore read where it can change, at key frames, and what is
    tied up is freed before it is much.
    """

    def __init__(self) -> None:
        self._current: Orientation | None = None
        self._tied_up = 0

    def __call__(self, frame: VideoFrame) -> Orientation:
        """The orientation of the next frame."""
        if self._current is None or frame.key_frame:
            self._current = orientation_of(frame)
            self._tied_up += frame.width * frame.height
            if self._tied_up > _MAX_TIED_UP:
                gc.collect()
                self._tied_up = 0
        return self._current


def orientation_from_matrix(display_matrix: bytes) -> Orientation:
    """Reads a display matrix as ISO 14496-12 (tkhd) and FFmpeg's display.h define it.

    Args:
        display_matrix: nine int32 in native order, (a, b, u, c, d, v, x, y, w): the coded point
            (p, q) is shown at (a p + c q, b p + d q), y down. Offsets and scale are left out:
            the display picture starts at its own corner, and pixel aspect is a matter of its own.
    """
    if len(display_matrix) != 36:
        return Orientation(understood=False)
    a, b, _, c, d = np.frombuffer(display_matrix, np.int32)[:5].astype(np.float64)
    x_length, y_length = math.hypot(a, b), math.hypot(c, d)
    if x_length == 0 or y_length == 0:
        return Orientation(understood=False)
    a, b, c, d = a / x_length, b / x_length, c / y_length, d / y_length
    mirrored = a * d - b * c < 0
    if mirrored:  # undo the flip, which acts on the displayed x; a turn is left
        a, c = -a, -c
    quarters = round(math.atan2(c, a) / (math.pi / 2)) % 4
    cosine, sine = ((1, 0), (0, 1), (-1, 0), (0, -1))[quarters]
    error = max(abs(a - cosine), abs(d - cosine), abs(c - sine), abs(b + sine))
    if error > math.sin(_TOLERANCE):
        return Orientation(understood=False)
    return Orientation(rotation=90 * quarters, mirrored=bool(mirrored))
