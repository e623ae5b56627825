"""Writes the skeleton video: H.264 in MP4 that holds drawings of keypoints and nothing else.

No picture can be handed to `SkeletonWriter`: it takes poses and lets a painter draw them onto a
canvas of its own. The stream has no sound, no text, no tags, no dates and no encoder message,
and the same poses give the same bytes on one installation.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol

import av
import numpy as np
from av.bitstream import BitStreamFilterContext
from av.video.plane import VideoPlane
from av.video.stream import VideoStream

from vid2kp.errors import OutputError
from vid2kp.files import output_errors, replacing
from vid2kp.tracks.store import Pose

TIME_BASE: Final = Fraction(1, 90_000)
"""Unit of the times in the file: exact for the usual frame rates, off by 6 µs at most."""

# One thread, and code that is the same on every processor: the bytes must not depend on the
# machine. No B-frames, so that every picture is shown when it is stored and no edit list shifts the
# times. Measured at 720p against the slower presets: one fixed quantiser and the fastest search
# take half their time per frame and a fifth more bits at the same 48 dB; CABAC and deblocking are
# worth their 0.2 ms. A second thread of the encoder took a quarter more of the processor and saved
# no time.
_ENCODER_OPTIONS: Final = {
    "preset": "ultrafast",
    "x264-params": "qp=28:cabac=1:deblock=1:bframes=0:keyint=250:threads=1:cpu-independent=1",
}

# No dates and no name of the muxer; a film whose first frame comes late starts late, to the tick.
_CONTAINER_OPTIONS: Final = {
    "fflags": "+bitexact",
    "movie_timescale": str(TIME_BASE.denominator),
}

# x264 writes its version and settings as supplemental enhancement information (NAL type 6).
_WITHOUT_SEI: Final = "filter_units=remove_types=6"
_GLOBAL_HEADER: Final = 1 << 22
_BITEXACT: Final = 1 << 23
_BT709: Final = 1
_LIMITED: Final = 1

_AHEAD: Final = 3
"""Pictures that may be drawn before they are encoded. With one, the two threads wait for each other
whenever a picture takes longer than usual: a third of the time."""


@dataclass(frozen=True)
class Canvas:
    """The picture that a painter draws on: 8-bit YUV 4:2:0, BT.709, limited range.

    It keeps its content from frame to frame.

    Attributes:
        y: (H, W) uint8, 16-235.
        u: (H/2, W/2) uint8, 16-240, 128 = grey.
        v: (H/2, W/2) uint8, 16-240, 128 = grey.
    """

    y: np.ndarray
    u: np.ndarray
    v: np.ndarray


class Painter(Protocol):
    """Draws people onto a canvas of even width and height."""

    @property
    def width(self) -> int:
        """Pixels, even."""

    @property
    def height(self) -> int:
        """Pixels, even."""

    def clear(self, canvas: Canvas) -> None:
        """Fills the whole canvas with the background."""

    def paint(self, canvas: Canvas, people: Mapping[str, Pose]) -> None:
        """Replaces the drawing of the frame before by that of these people."""


class SkeletonWriter:
    """Writes poses as a video that appears under its name only when the block ends well.

    ::

        with SkeletonWriter(path, painter) as writer:
            writer.write(0.0, {"infant": pose})

    Args:
        path: an ``.mp4`` file.
        painter: draws the poses; gives the size of the picture.

    Raises:
        OutputError: the folder is missing, full or read-only, or nothing was written.
    """

    def __init__(self, path: Path, painter: Painter) -> None:
        self._path = Path(path)
        self._painter = painter
        self._stack = ExitStack()
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix="encode")
        self._pictures: deque[_Picture] = deque()  # the one encoded longest ago comes first
        self._tick = -1
        self._step = round(1 / (25 * TIME_BASE))

    def __enter__(self) -> SkeletonWriter:
        with ExitStack() as stack:
            part = stack.enter_context(replacing(self._path))
            with output_errors():
                opened = stack.enter_context(part.open("wb"))
            self._container = av.open(opened, "w", format="mp4", options=_CONTAINER_OPTIONS)
            stack.callback(self._let_go)
            stack.callback(self._encoder.shutdown)  # waits for the last picture
            self._stream = self._add_stream()
            size = self._painter.width, self._painter.height
            self._pictures.extend(_Picture(*size) for _ in range(_AHEAD))
            self._canvas = Canvas(*(np.empty_like(plane) for plane in self._pictures[0].planes))
            self._painter.clear(self._canvas)
            self._filter: BitStreamFilterContext | None = None
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Closing the file writes what is left in its buffer, which a full disk refuses once more.
        if kind is not None:
            with output_errors():
                self._stack.__exit__(kind, error, trace)
            return
        with output_errors(), self._stack:
            if self._tick < 0:
                raise OutputError("A video without a frame cannot be written.")
            for picture in self._pictures:
                picture.wait()
            self._mux(self._stream.encode(None), self._step)
            with _muxer_errors():
                self._container.close()

    def write(self, time: float, people: Mapping[str, Pose]) -> None:
        """Adds one frame; it is encoded while the next ones are drawn.

        Args:
            time: seconds since the first frame; it is shown until the time of the next call.
            people: pose by name of the individual.

        Raises:
            OutputError: the disk is full; told at a later frame perhaps.
        """
        self._painter.paint(self._canvas, people)
        picture = self._pictures.popleft()
        picture.wait()
        tick = max(round(time / TIME_BASE), self._tick + 1)
        if self._tick >= 0:
            self._step = tick - self._tick
        self._tick = tick
        picture.fill(self._canvas, tick)
        picture.encoded = self._encoder.submit(self._encode, picture.frame, self._step)
        self._pictures.append(picture)

    def _encode(self, frame: av.VideoFrame, step: int) -> None:
        self._mux(self._stream.encode(frame), step)

    def _let_go(self) -> None:
        # Closing writes the index: after a full disk it fails once more, in words with the path.
        with suppress(av.FFmpegError, OSError):
            self._container.close()

    def _add_stream(self) -> VideoStream:
        stream = self._container.add_stream("libx264", rate=25, options=_ENCODER_OPTIONS)
        stream.width, stream.height = self._painter.width, self._painter.height
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base = stream.time_base = TIME_BASE
        context.flags |= _BITEXACT | _GLOBAL_HEADER
        context.thread_count = 1
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED
        return stream

    def _mux(self, packets: Iterable[av.Packet[VideoStream]], step: int) -> None:
        for packet in packets:
            # The filter needs the stream's parameters, which exist once the encoder is open.
            if self._filter is None:
                self._filter = BitStreamFilterContext(_WITHOUT_SEI, self._stream)
            for clean in self._filter.filter(packet):
                clean.stream = self._stream
                # Of the last frame only: the others last until the next one.
                clean.duration = step
                with _muxer_errors():
                    self._container.mux(clean)


class _Picture:
    """A picture on its way to the encoder.

    Attributes:
        frame: what is encoded.
        planes: its pixels: Y, U, V.
        encoded: done when the encoder has it; None before the first time.
    """

    def __init__(self, width: int, height: int) -> None:
        self.frame = av.VideoFrame(width, height, "yuv420p")
        self.frame.time_base = TIME_BASE
        self.planes = [_view(plane) for plane in self.frame.planes]
        self.encoded: Future[None] | None = None

    def wait(self) -> None:
        """Until it is encoded; raises what went wrong with it."""
        if self.encoded is not None:
            self.encoded.result()

    def fill(self, canvas: Canvas, tick: int) -> None:
        """Copies what was drawn, to be shown from that time on."""
        for plane, drawn in zip(self.planes, (canvas.y, canvas.u, canvas.v), strict=True):
            plane[:] = drawn
        self.frame.pts = tick


def _view(plane: VideoPlane) -> np.ndarray:
    """The pixels of a plane, shared with it, without the bytes that pad its rows."""
    pixels = np.frombuffer(memoryview(plane), dtype=np.uint8)
    return np.asarray(pixels.reshape(-1, plane.line_size)[: plane.height, : plane.width])


@contextmanager
def _muxer_errors() -> Iterator[None]:
    # Their texts hold the path.
    try:
        with output_errors():
            yield
    except av.FFmpegError:
        raise OutputError(
            "The skeleton video could not be written.",
            hint="Check the free space of the output folder and that you may write there.",
        ) from None
