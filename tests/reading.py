"""Reading a whole clip in a test, with what a consumer would keep of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import av
import numpy as np
from media import frame_number

from vid2kp.video.probe import VideoInfo
from vid2kp.video.read import ReadOptions, ReadSummary, VideoReader, read_video


@dataclass(frozen=True)
class Seen:
    """What reading a clip gave.

    Attributes:
        info: of the probe.
        summary: of the reader.
        times: seconds.
        suspect: per frame.
        lost: per frame, whether it has no picture.
        sizes: (width, height) per frame, display pixels.
        digests: of each frame's planes, "" where there are none.
        numbers: that the frames show, None where there is no picture.
        images: RGB of each frame, display orientation.
    """

    info: VideoInfo
    summary: ReadSummary
    times: list[float]
    suspect: list[bool]
    lost: list[bool]
    sizes: list[tuple[int, int]]
    digests: list[str]
    numbers: list[int | None]
    images: list[np.ndarray]


def read_all(
    path: str | os.PathLike[str], options: ReadOptions | None = None, *, images: bool = True
) -> Seen:
    """Reads a clip to its end, starting over where the reader asks for it."""

    def consume(reader: VideoReader) -> Seen:
        times, suspect, lost, sizes, digests, numbers, pictures = [], [], [], [], [], [], []
        for index, frame in enumerate(reader.frames()):
            assert frame.index == index
            times.append(frame.time)
            suspect.append(frame.suspect)
            lost.append(frame.planes is None)
            sizes.append((frame.width, frame.height))
            digests.append(planes_digest(frame.planes))
            if images:
                numbers.append(None if frame.planes is None else frame_number(frame.image))
                pictures.append(frame.image)
        return Seen(
            reader.info, reader.summary, times, suspect, lost, sizes, digests, numbers, pictures
        )

    return read_video(path, consume, options=options)


def planes_digest(planes: object) -> str:
    """A hash of a frame's three planes."""
    if planes is None:
        return ""
    digest = hashlib.sha256()
    for name in "yuv":
        digest.update(np.ascontiguousarray(getattr(planes, name)).tobytes())
    return digest.hexdigest()


def decode_packetwise(path: str | os.PathLike[str]) -> Iterator[av.VideoFrame]:
    """What is left when errors are passed over one by one."""
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            try:
                yield from packet.decode()
            except av.FFmpegError:
                continue


def naive_decode(path: str | os.PathLike[str]) -> list[av.VideoFrame]:
    """What a program without any of the rules gets: `av.open(name)` and `decode`."""
    with av.open(str(path)) as container:
        return list(container.decode(video=0))
