"""One decoded picture, as the decoder left it in memory, and what is needed to look at it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from vid2kp.pose import framing

Matrix = npt.NDArray[np.float64]
Image = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Planes:
    """8-bit 4:2:0 planes in coded orientation: before pixel aspect, rotation and mirroring.

    Where nothing had to be converted, the arrays are read-only views of the decoder's own memory.
    Gigantic pictures are kept `shrinking` times smaller than coded.

    Attributes:
        y: (H, W) uint8 luma.
        u: (ceil(H / 2), ceil(W / 2)) uint8 blue difference, 128 = none.
        v: (ceil(H / 2), ceil(W / 2)) uint8 red difference, 128 = none.
        full_range: luma spans 0-255 instead of 16-235.
        bt709: coefficients of ITU-R BT.709 instead of BT.601.
    """

    y: Image
    u: Image
    v: Image
    full_range: bool
    bt709: bool

    @property
    def bytes(self) -> int:
        """Memory that the samples take."""
        return self.y.nbytes + self.u.nbytes + self.v.nbytes


@dataclass(frozen=True, eq=False)
class Frame:
    """One row of the frame table: a picture, or the place where one is lost or damaged.

    Attributes:
        index: ordinal from 0, in order of presentation.
        time: seconds since the first frame shown.
        pts: presentation timestamp in units of the stream's time base, where there is one.
        suspect: damaged data near: there is no picture that could be trusted.
        width: display pixels.
        height: display pixels.
        display_from_coded: (3, 3) float64 map from the pixel centres of the planes to those of
            the display.
        planes: the picture; None where the frame is suspect.
    """

    index: int
    time: float
    pts: int | None
    suspect: bool
    width: int
    height: int
    display_from_coded: Matrix
    planes: Planes | None

    @property
    def bytes(self) -> int:
        """Memory that the picture takes."""
        return 0 if self.planes is None else self.planes.bytes

    @cached_property
    def image(self) -> Image:
        """(height, width, 3) uint8 RGB in display orientation, made on demand.

        For looking at a frame. Networks get theirs from `vid2kp.pose.framing.sample`, which never
        makes a picture of full size. A frame without planes is grey.
        """
        return framing.sample(self, framing.View(self.width, self.height, np.eye(3)))


# Planar YUV as nearly all cameras and codecs have it; group 1 tells the chroma, group 2 the depth.
_PLANAR = re.compile(r"yuvj?(420|422|444)p(?:(9|10|12|14|16)le)?")
# Values of AVColorSpace (ITU-T H.273); PyAV names only some of them. BT.2020 is read with the
# coefficients of BT.709, which are nearest: colours are off by 10 levels of 255 at most.
_BT601_SPACES = (4, 5, 6)
_UNTAGGED_SPACES = (0, 2)  # RGB and unspecified
_JPEG_RANGE = int(ColorRange.JPEG)
_HD_LINES = 720
_KEPT_PIXELS = 4096 * 2304  # 4K; no network looks at more, and dozens of frames wait for it


def shrinking(width: int, height: int) -> int:
    """How many times smaller the planes of a coded picture are kept: 1 up to 4K, 2 for 8K."""
    times = 1
    while width * height > _KEPT_PIXELS * times**2:
        times *= 2
    return times


@dataclass
class PlaneReader:
    """Turns decoded frames into `Planes`.

    What is no planar YUV goes through FFmpeg's scaler, one per picture size and pixel format: it
    keeps tables for the last conversion, so that making one per frame leaks time and memory.
    """

    _scalers: dict[tuple[int, int, str], VideoReformatter] = field(default_factory=dict)

    def read(self, frame: VideoFrame) -> Planes:
        """Planes of a decoded frame; 8-bit 4:2:0 frames are not copied.

        Raises:
            av.FFmpegError: FFmpeg cannot convert this pixel format.
        """
        full_range = frame.format.name.startswith("yuvj") or frame.color_range == _JPEG_RANGE
        bt709 = _is_bt709(frame)
        planar = _PLANAR.fullmatch(frame.format.name)
        if planar is None:
            frame = self._to_yuv420p(frame, full_range=full_range, bt709=bt709)
        depth = int((planar and planar[2]) or 8)
        y, u, v = (_plane_array(plane, depth) for plane in frame.planes)
        y = _shrunk(y, shrinking(frame.width, frame.height))
        half = (-(-y.shape[0] // 2), -(-y.shape[1] // 2))
        return Planes(y, _at_size(u, half), _at_size(v, half), full_range, bt709)

    def _to_yuv420p(self, frame: VideoFrame, *, full_range: bool, bt709: bool) -> VideoFrame:
        key = (frame.width, frame.height, frame.format.name)
        scaler = self._scalers.setdefault(key, VideoReformatter())
        return scaler.reformat(
            frame,
            format="yuv420p",
            dst_colorspace=int(Colorspace.ITU709 if bt709 else Colorspace.ITU601),
            dst_color_range=int(ColorRange.JPEG if full_range else ColorRange.MPEG),
            threads=1,
        )


def _is_bt709(frame: VideoFrame) -> bool:
    """Whether BT.709 holds; untagged pictures go by their height, as players do."""
    if frame.colorspace in _BT601_SPACES:
        return False
    if frame.colorspace in _UNTAGGED_SPACES:
        return frame.height >= _HD_LINES
    return True


def _plane_array(plane: VideoPlane, depth: int) -> Image:
    """(height, width) uint8 samples; 8-bit ones are a view of the memory, which it keeps alive."""
    dtype = np.dtype("<u2" if depth > 8 else "u1")
    stride = abs(plane.line_size) // dtype.itemsize
    rows = np.frombuffer(memoryview(plane), dtype).reshape(plane.height, stride)
    rows.flags.writeable = False  # the decoder still predicts from this memory
    if plane.line_size < 0:  # stored bottom row first
        rows = rows[::-1]
    samples = rows[:, : plane.width]
    if depth > 8:
        samples = cv2.convertScaleAbs(samples, alpha=1 / (1 << (depth - 8)))
    return np.asarray(samples, np.uint8)


def _shrunk(luma: Image, times: int) -> Image:
    """Every ``times`` x ``times`` samples averaged; what is left over at the far edges is cut."""
    height, width = luma.shape[0] // times, luma.shape[1] // times
    return _at_size(luma[: height * times, : width * times], (height, width))


def _at_size(samples: Image, shape: tuple[int, int]) -> Image:
    """Samples averaged to (height, width), as chroma of 4:2:2 or 4:4:4 to that of 4:2:0."""
    if samples.shape == shape:
        return samples
    shrunk = cv2.resize(samples, shape[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk, np.uint8)


def bit_depth(frame: VideoFrame) -> int:
    """Bits per sample of a decoded frame."""
    return max(component.bits for component in frame.format.components)
