"""Clips to measure with: the example clip at any size and length, with the grain of a camera."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.packet import Packet
from av.video.stream import VideoStream
from numpy.typing import NDArray

EXAMPLE = Path(__file__).parents[1] / "examples" / "infant" / "video.mp4"
CYCLE = 300
"""Frames that are encoded; longer clips repeat their packets, which costs no time."""

PSEUDONYM = "a" * 26
"""What every clip is called: in the form of a pseudonym, for nobody."""

GRAIN = 4.0
"""Standard deviation of the noise in grey levels; without it H.264 decodes unrealistically fast."""


def make_clip(path: Path, *, width: int, height: int, frames: int, fps: int = 30) -> None:
    """Write an H.264 clip.

    Args:
        path: the file to write.
        width: pixels, even.
        height: pixels, even.
        frames: how many; beyond `CYCLE` rounded up to a multiple of it.
        fps: frames per second.
    """
    cycle = min(frames, CYCLE)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, fps)
        packets = _encode(stream, _pictures(width, height, cycle))
        for repeat in range(-(-frames // cycle)):
            for packet, pts, dts in packets:
                packet.pts, packet.dts = repeat * cycle + pts, repeat * cycle + dts
                packet.time_base, packet.stream = Fraction(1, fps), stream
                container.mux(packet)


def _encode(
    stream: VideoStream, pictures: Iterator[NDArray[np.uint8]]
) -> list[tuple[Packet[VideoStream], int, int]]:
    """One cycle of packets with their presentation and decoding times in frames."""
    packets = []
    for index, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = index, stream.codec_context.time_base
        packets += stream.encode(frame)
    packets += stream.encode(None)
    return [(packet, packet.pts or 0, packet.dts or 0) for packet in packets]


def _pictures(width: int, height: int, count: int) -> Iterator[NDArray[np.uint8]]:
    """The example forwards, backwards, forwards …, enlarged to fill the picture, with grain."""
    example = _example()
    there_and_back = [*range(len(example)), *range(len(example) - 2, 0, -1)]
    rng = np.random.default_rng(0)
    noise = rng.normal(0, GRAIN, (height + 64, width + 64, 1)).astype(np.float32)
    for index in range(count):
        picture = cv2.resize(
            _cropped(example[there_and_back[index % len(there_and_back)]], width / height),
            (width, height),
            interpolation=cv2.INTER_CUBIC,
        )
        y, x = rng.integers(64, size=2)
        grainy = picture + noise[y : y + height, x : x + width]
        yield np.clip(grainy, 0, 255).astype(np.uint8)


def _example() -> list[NDArray[np.uint8]]:
    with av.open(str(EXAMPLE)) as container:
        return [
            np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
            for frame in container.decode(video=0)
        ]


def _cropped(picture: NDArray[np.uint8], aspect: float) -> NDArray[np.uint8]:
    """The middle of the picture at that ratio of width to height."""
    height, width = picture.shape[:2]
    wanted = min(width, round(height * aspect)), min(height, round(width / aspect))
    x, y = (width - wanted[0]) // 2, (height - wanted[1]) // 2
    return picture[y : y + wanted[1], x : x + wanted[0]]
