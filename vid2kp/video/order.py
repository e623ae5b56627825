"""Rows of frames in order of presentation, with a row in every place, damaged stretches too.

A decoder that has lost its references gives frames in a wrong order, drops some and repeats
others. Their timestamps are still right: within a damaged stretch rows are sorted by them, and
frames that went in and never came out get a row without a picture.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from av.video.frame import VideoFrame

from vid2kp.video.damage import DamageLog
from vid2kp.video.orientation import UPRIGHT, Orientation

_WINDOW = 8  # suspect rows held back: more than decoders reorder, few enough to keep in memory
_NEAR = Fraction(3, 10)  # of a frame: packets closer than this to a frame are part of it


@dataclass(frozen=True)
class Row:
    """A decoded frame on its way through the reader; ``picture`` None: it was lost."""

    picture: VideoFrame | None
    pts: int | None
    suspect: bool
    orientation: Orientation = UPRIGHT


class RowOrder:
    """Takes rows as the decoder gives them and yields them in order, lost ones added."""

    def __init__(
        self, damage: DamageLog, *, time_base: Fraction, rate: Fraction, timed: bool = True
    ) -> None:
        """Starts with nothing held back.

        Args:
            damage: knows which frames are missing.
            time_base: seconds per unit of pts.
            rate: usual frames per second.
            timed: whether the pts mean anything; if not, rows keep the decoder's order.
        """
        self._damage = damage
        self._timed = timed
        self._step = max(1, round(1 / (rate * time_base)))
        # A pts further back than this is another recording, not a matter of order.
        self._jump = _WINDOW * self._step
        self._near = _NEAR / (rate * time_base)
        self._waiting: list[Row] = []  # suspect rows, sorted by pts
        self._last: int | None = None  # pts of the last row given out
        self._fields = False

    def push(self, row: Row) -> Iterator[Row]:
        """Takes the next row of the decoder and yields those whose place is certain."""
        # The fields of an interlaced picture may be packets of their own: nobody can tell then
        # how many frames are missing.
        self._fields = self._fields or (row.picture is not None and row.picture.interlaced_frame)
        if not self._timed:
            yield from self._untimed(row)
        elif row.suspect:
            yield from self._hold(row)
        else:
            yield from self._flush_before(row.pts)
            yield from self._give(row)

    def flush(self) -> Iterator[Row]:
        """Yields the rows held back."""
        waiting, self._waiting = self._waiting, []
        for row in waiting:
            yield from self._give(row)

    def _untimed(self, row: Row) -> Iterator[Row]:
        missing = 0 if self._fields else self._damage.missing_untimed()
        yield from [Row(None, None, suspect=True)] * missing
        yield row

    def _hold(self, row: Row) -> Iterator[Row]:
        newest = self._waiting[-1].pts if self._waiting else self._last
        if row.pts is None:
            row = replace(row, pts=self._step if newest is None else newest + self._step)
        if newest is not None and _pts(row) < newest - self._jump:
            yield from self.flush()
            self._last = None
        if all(row.pts != waiting.pts for waiting in self._waiting):
            insort(self._waiting, row, key=_pts)
        if len(self._waiting) > _WINDOW:
            yield from self._give(self._waiting.pop(0))

    def _flush_before(self, pts: int | None) -> Iterator[Row]:
        """Yields the rows held back, without those that a sound row shows to be misplaced."""
        if pts is not None:
            self._waiting = [
                row for row in self._waiting if not pts <= _pts(row) <= pts + self._jump
            ]
        yield from self.flush()

    def _give(self, row: Row) -> Iterator[Row]:
        if row.pts is None:
            yield row
            return
        if self._is_late(row):
            return
        for pts in self._missing_before(row.pts):
            yield Row(None, pts, suspect=True)
        yield row
        self._last = row.pts

    def _is_late(self, row: Row) -> bool:
        """Whether damage brings a row after its place was given away."""
        if self._last is None or not row.suspect:
            return False
        return self._last - self._jump <= _pts(row) <= self._last

    def _missing_before(self, pts: int) -> list[int]:
        missing = self._damage.missing(after=self._last, before=pts)
        if self._fields:
            return []
        places: list[int] = []
        for place in missing:
            before = places[-1] if places else self._last
            if before is not None and place - before > self._near and pts - place > self._near:
                places.append(place)
        return places


def _pts(row: Row) -> int:
    assert row.pts is not None
    return row.pts
