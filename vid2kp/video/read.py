"""Safe, streaming decode: a video file in, `Frame` objects with true times out.

Frames come as views of the decoder's memory. Nothing is written, cached or kept.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import Self, TypeVar

import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vid2kp.errors import UnreadableVideo
from vid2kp.pose import framing
from vid2kp.video.container import (
    READ_ERRORS,
    Source,
    memory_as_unreadable,
    open_source,
    packets,
)
from vid2kp.video.damage import DamageLog
from vid2kp.video.deinterlace import Deinterlacer
from vid2kp.video.frame import Frame, PlaneReader, Planes, shrinking
from vid2kp.video.jpeg import has_all_scans
from vid2kp.video.options import DecodeRestart, ReadOptions
from vid2kp.video.order import Row, RowOrder
from vid2kp.video.orientation import Orientation, OrientationReader
from vid2kp.video.probe import VideoInfo, probe
from vid2kp.video.promise import is_cut
from vid2kp.video.summary import ReadSummary
from vid2kp.video.timing import Clock, TimesBroken

__all__ = [
    "DecodeRestart",
    "Frame",
    "Planes",
    "ReadOptions",
    "ReadSummary",
    "VideoReader",
    "open_video",
    "read_video",
]

Result = TypeVar("Result")

_MAX_CORRUPT = 0.2  # of all frames: more is an encrypted file, or noise
_SEEK_FROM_SECONDS = 10.0  # a start before this is reached by decoding
_SEEK_MARGIN_SECONDS = 2.0
_GAP_SECONDS = 10.0  # between two frames: worth a word

# Containers that know where their frames are. Others are searched for a timestamp, and find the
# wrong one where two recordings are joined.
_INDEXED = ("mov,", "matroska,", "avi")


def open_video(path: str | os.PathLike[str], *, options: ReadOptions | None = None) -> VideoReader:
    """Opens a video for reading; use as a context manager.

    Raises:
        UnreadableVideo: nothing in the file can be decoded as video.
    """
    return VideoReader(path, options=options)


def read_video(
    path: str | os.PathLike[str],
    consume: Callable[[VideoReader], Result],
    *,
    options: ReadOptions | None = None,
) -> Result:
    """Reads a video and starts over as often as the reader asks for it.

    Args:
        path: the video file.
        consume: called with a fresh reader each time, and must begin anew; its result is returned.
        options: how to read.

    Raises:
        UnreadableVideo: nothing in the file can be decoded as video.
    """
    options = options or ReadOptions()
    while True:
        try:
            with open_video(path, options=options) as reader:
                return consume(reader)
        except DecodeRestart as restart:
            options = restart.options


class VideoReader:
    """One pass over one video file.

    Attributes:
        info: what the file is.
        options: how it is read.
    """

    def __init__(self, path: str | os.PathLike[str], *, options: ReadOptions | None = None) -> None:
        """Probes the file; it is opened for reading on entering the context.

        Raises:
            UnreadableVideo: nothing in the file can be decoded as video.
        """
        self.options = options or ReadOptions()
        self.info: VideoInfo = probe(path, max_pixels=self.options.max_pixels)
        self._path = path
        self._resources = ExitStack()
        self._source: Source | None = None
        self._summary: ReadSummary | None = None

    def __enter__(self) -> Self:
        """Opens the file."""
        self._source = self._resources.enter_context(
            open_source(self._path, max_pixels=self.options.max_pixels)
        )
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes the file."""
        self._source = None
        self._resources.close()

    @property
    def summary(self) -> ReadSummary:
        """What reading has shown; only after `frames` has come to its end."""
        if self._summary is None:
            raise RuntimeError("the video has not been read to its end")
        return self._summary

    def frames(self, *, skipped: Callable[[], object] | None = None) -> Iterator[Frame]:
        """Every frame in order of presentation, damaged and lost ones marked; once per reader.

        Args:
            skipped: called for every frame before the start: a sign of life.

        Raises:
            DecodeRestart: all that was given out is void; see `read_video`.
            UnreadableVideo: there was no frame, or more than a fifth were corrupt.
        """
        if self._source is None:
            raise RuntimeError("use the reader as a context manager")
        reading = _Reading(self._source, self.info, self.options)
        with memory_as_unreadable():
            yield from reading.frames(skipped or (lambda: None))
        self._summary = reading.summary()


class _Reading:
    """The state of one pass."""

    def __init__(self, source: Source, info: VideoInfo, options: ReadOptions) -> None:
        self._source = source
        self._info = info
        self._options = options
        self._damage = DamageLog()
        self._order = RowOrder(
            self._damage,
            time_base=info.time_base,
            rate=info.rate,
            timed=options.times != "constant",
        )
        self._clock = Clock(time_base=info.time_base, rate=info.rate, rule=options.times)
        self._deinterlacer = Deinterlacer(info.time_base)
        self._planes = PlaneReader()
        self._orientation = OrientationReader()
        self._geometry: dict[tuple[int, int, Orientation], tuple[framing.Matrix, int, int]] = {}
        self._last_geometry: tuple[framing.Matrix, int, int] | None = None
        self._sought = False
        self._stopped_early = False
        self._frames = self._suspect = self._lost = 0

    def frames(self, skipped: Callable[[], object]) -> Iterator[Frame]:
        self._seek()
        end = _end(self._options)
        for row in self._progressive_rows():
            time = self._time(row)
            if time >= end:
                self._stopped_early = True
                break
            if time >= self._options.start:
                yield self._frame(row, time)
            else:
                skipped()

    # -- decoding -----------------------------------------------------------------------------

    def _progressive_rows(self) -> Iterator[Row]:
        for row in self._ordered_rows():
            yield from self._deinterlacer.push(row)
        yield from self._deinterlacer.flush()

    def _ordered_rows(self) -> Iterator[Row]:
        for picture in self._pictures():
            suspect = self._damage.frame_out(picture)
            self._restart_if_damaged()
            row = Row(picture, picture.pts, suspect, self._orientation(picture))
            yield from self._order.push(row)
        yield from self._order.flush()

    def _pictures(self) -> Iterator[VideoFrame]:
        for packet in packets(self._source, self._read_failed):
            yield from self._decode(packet)

    def _decode(self, packet: Packet[VideoStream] | None) -> list[VideoFrame]:
        if packet is not None:
            self._damage.packet_in(packet)
            if self._info.codec == "mjpeg" and not has_all_scans(bytes(packet)):
                return self._refused(packet)
        try:
            return self._source.stream.decode(packet)
        except MemoryError:
            raise
        except READ_ERRORS:
            return self._refused(packet)

    def _refused(self, packet: Packet[VideoStream] | None) -> list[VideoFrame]:
        self._damage.packet_failed(packet)
        self._restart_if_damaged()
        return []

    def _read_failed(self) -> None:
        self._damage.read_failed()
        self._restart_if_damaged()

    # -- starting over ------------------------------------------------------------------------

    def _restart_if_damaged(self) -> None:
        """Damage right after seeking may be no more than a place without a keyframe."""
        if self._damage.errors and self._sought:
            raise DecodeRestart(replace(self._options, seek=False))

    def _time(self, row: Row) -> float:
        try:
            return self._clock.tick(row.pts)
        except TimesBroken as broken:
            raise DecodeRestart(replace(self._options, times=broken.rule, seek=False)) from None

    def _seek(self) -> None:
        first, start = self._info.first_pts, self._options.start
        if first is None or not self._options.seek or self._options.times != "pts":
            return
        if start < _SEEK_FROM_SECONDS or not self._info.container.startswith(_INDEXED):
            return
        self._clock.start_at(first)
        target = first + round((start - _SEEK_MARGIN_SECONDS) / self._info.time_base)
        self._sought = True
        try:
            self._source.container.seek(target, stream=self._source.stream)
        except READ_ERRORS:
            raise DecodeRestart(replace(self._options, seek=False)) from None

    # -- frames -------------------------------------------------------------------------------

    def _frame(self, row: Row, time: float) -> Frame:
        planes = self._read_planes(row)
        matrix, width, height = self._place(row)
        suspect = planes is None
        index = self._frames
        self._frames += 1
        self._suspect += suspect
        self._lost += row.picture is None
        return Frame(index, time, row.pts, suspect, width, height, matrix, planes)

    def _read_planes(self, row: Row) -> Planes | None:
        if row.picture is None or row.suspect:
            return None  # what a decoder guesses is no measurement, nor the same every time
        try:
            return self._planes.read(row.picture)
        except MemoryError:
            raise
        except READ_ERRORS:
            return None

    def _place(self, row: Row) -> tuple[framing.Matrix, int, int]:
        """Display matrix and size of a row; a lost frame has those of the one before."""
        if row.picture is None:
            assert self._last_geometry is not None  # lost rows lie between decoded ones
            return self._last_geometry
        key = (row.picture.width, row.picture.height, row.orientation)
        if key not in self._geometry:
            self._geometry[key] = self._make_geometry(*key)
        self._last_geometry = self._geometry[key]
        return self._last_geometry

    def _make_geometry(
        self, width: int, height: int, orientation: Orientation
    ) -> tuple[framing.Matrix, int, int]:
        aspect, rotation = self._info.pixel_aspect, orientation.rotation
        matrix = framing.display_from_coded(
            width,
            height,
            pixel_aspect=aspect,
            rotation=rotation,
            mirrored=orientation.mirrored,
            shrunk=shrinking(width, height),
        )
        return matrix, *framing.display_size(width, height, pixel_aspect=aspect, rotation=rotation)

    # -- the end ------------------------------------------------------------------------------

    def summary(self) -> ReadSummary:
        self._refuse_unreadable()
        cut = self._is_cut()
        return ReadSummary(
            frames=self._frames,
            suspect_frames=self._suspect,
            lost_frames=self._lost,
            decode_errors=self._damage.errors,
            status="truncated" if cut else "damaged" if self._is_damaged() else "done",
            time_source=self._clock.source,
            vfr=self._clock.vfr,
            fps=self._clock.fps,
            interlaced=self._deinterlacer.active,
            warnings=self._info.warnings + self._late_warnings(),
        )

    def _refuse_unreadable(self) -> None:
        if self._damage.frames and self._damage.corrupt_frames > _MAX_CORRUPT * self._damage.frames:
            raise UnreadableVideo(
                "Most of what the file holds is noise: it is encrypted or badly damaged.",
                hint="Export it without protection, or copy it again from the camera.",
            )
        if self._suspect == self._frames > 0:
            raise UnreadableVideo(
                "The video is damaged throughout: no picture in it can be trusted.",
                hint="Copy it again from the camera.",
            )
        if self._frames == 0:
            raise UnreadableVideo(
                "There is no picture in the part of the file that was asked for.",
                hint="Check --start against the length of the video.",
            )

    def _is_damaged(self) -> bool:
        return self._suspect > 0 or self._damage.errors_after_first_frame > 0

    def _is_cut(self) -> bool:
        if self._stopped_early:
            return False
        return is_cut(
            self._source,
            self._info,
            frames=None if self._sought else self._damage.frames + self._lost,
            seconds=None if self._options.times == "bridged" else self._clock.end,
        )

    def _late_warnings(self) -> tuple[str, ...]:
        found = {
            "Frame times are missing, run backwards or leap in the file; they were rebuilt.": (
                self._clock.source == "rebuilt"
            ),
            "The picture size or orientation changes within the video.": len(self._geometry) > 1,
            f"There is a gap of {self._clock.longest_step:.0f} seconds without a picture.": (
                self._clock.longest_step > max(_GAP_SECONDS, 2 * self._clock.step)
            ),
            "Data at the beginning of the file could not be decoded.": (
                self._damage.errors > self._damage.errors_after_first_frame
            ),
        }
        return tuple(text for text, holds in found.items() if holds)


def _end(options: ReadOptions) -> float:
    return np.inf if options.duration is None else options.start + options.duration
