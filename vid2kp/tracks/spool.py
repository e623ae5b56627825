"""Everybody's keypoints between the two passes over a video, in a file without a name.

Who is the infant is known only when the whole video was seen, so the first pass puts down what
it found and the second writes the tracks from it. Numbers only, no pixel. The file never has a
name where the system allows it, so even a killed run leaves nothing.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from math import isnan, nan
from pathlib import Path
from types import TracebackType
from typing import IO, Final

import numpy as np

from vid2kp.files import output_errors

_HEAD: Final = struct.Struct("<idqiiB4fhH")
_NO_PTS: Final = -(2**63)
_NO_VIEW: Final = (nan, nan, nan, nan)


@dataclass(frozen=True)
class SpooledFrame:
    """What the first pass found in one decoded frame.

    Attributes:
        frame: decoder ordinal from 0.
        time: seconds since the first frame.
        pts: in the source's time base, or None.
        width: display pixels.
        height: display pixels.
        suspect: damaged data near.
        view: left, top, width, height of the box that the network looked at, display pixels; None
            where nothing was looked at.
        rotation: counter-clockwise degrees by which the picture was turned for it.
        identities: P numbers, one per person, from the tracker.
        keypoints: (P, K, 2) float32 (x, y) in source display pixels, NaN = missing.
        confidence: (P, K) float32 in [0, 1], NaN = missing.
    """

    frame: int
    time: float
    pts: int | None
    width: int
    height: int
    suspect: bool
    view: tuple[float, float, float, float] | None
    rotation: int
    identities: tuple[int, ...]
    keypoints: np.ndarray
    confidence: np.ndarray


class Spool:
    """A temporary file of `SpooledFrame`: write all, then read all, in constant memory.

    Args:
        folder: where the temporary file lives: the video's own output folder.
        keypoints: K, the number of keypoints of the skeleton.
    """

    def __init__(self, folder: Path, *, keypoints: int) -> None:
        self._folder = folder
        self._keypoints = keypoints
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Spool:
        with output_errors():
            self._file = tempfile.TemporaryFile(dir=self._folder, prefix=".", suffix=".part")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # What is left in its buffer is wanted no more, so that a full disk does not matter.
        with suppress(OSError):
            self._open.close()
        self._file = None

    def write(self, frame: SpooledFrame) -> None:
        """Appends one frame.

        Raises:
            OutputError: the disk is full.
            ValueError: the arrays do not have the shapes of `SpooledFrame`.
        """
        people = len(frame.identities)
        if frame.keypoints.shape != (people, self._keypoints, 2) or frame.confidence.shape != (
            people,
            self._keypoints,
        ):
            raise ValueError("keypoints must be (P, K, 2) and confidence (P, K)")
        head = _HEAD.pack(
            frame.frame,
            frame.time,
            _NO_PTS if frame.pts is None else frame.pts,
            frame.width,
            frame.height,
            frame.suspect,
            *(_NO_VIEW if frame.view is None else frame.view),
            frame.rotation,
            people,
        )
        with output_errors():
            self._open.write(head)
            self._open.write(np.asarray(frame.identities, dtype="<i4").tobytes())
            self._open.write(np.asarray(frame.keypoints, dtype="<f4").tobytes())
            self._open.write(np.asarray(frame.confidence, dtype="<f4").tobytes())

    def clear(self) -> None:
        """Forgets all frames: the video is read again from the first."""
        with output_errors():
            self._open.seek(0)
            self._open.truncate()

    def frames(self) -> Iterator[SpooledFrame]:
        """All frames from the first on, in the order in which they were written.

        Raises:
            OutputError: the disk is full: the last frames could not be written.
        """
        with output_errors():
            self._open.seek(0)
        while head := self._open.read(_HEAD.size):
            number, time, pts, width, height, suspect, *view, rotation, people = _HEAD.unpack(head)
            yield SpooledFrame(
                frame=number,
                time=time,
                pts=None if pts == _NO_PTS else pts,
                width=width,
                height=height,
                suspect=bool(suspect),
                view=None if isnan(view[0]) else (view[0], view[1], view[2], view[3]),
                rotation=rotation,
                identities=tuple(self._read("<i4", people).tolist()),
                keypoints=self._read("<f4", people * self._keypoints * 2).reshape(
                    people, self._keypoints, 2
                ),
                confidence=self._read("<f4", people * self._keypoints).reshape(
                    people, self._keypoints
                ),
            )

    def _read(self, kind: str, count: int) -> np.ndarray:
        return np.frombuffer(self._open.read(4 * count), dtype=kind)

    @property
    def _open(self) -> IO[bytes]:
        if self._file is None:
            raise ValueError("a Spool is used inside its with block")
        return self._file
