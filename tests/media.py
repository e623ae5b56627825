"""Clips for the tests: small videos whose every frame can be recognised, in all the odd forms.

A frame shows its own number as eight binary blocks along the top, a red square on the left, a blue
one on the right and a green one at the bottom left; so frame order, mirroring, rotation and
stretching can be read off the decoded picture. Nothing here comes from a patient.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]

WIDTH, HEIGHT = 160, 96
RED, BLUE, GREEN, GREY = (224, 32, 32), (32, 32, 224), (32, 192, 32), (112, 112, 112)

# Middles of the coloured squares and blocks as fractions of the picture's width and height.
MARKS = {RED: (0.15, 0.55), BLUE: (0.85, 0.55), GREEN: (0.25, 0.85)}
_BITS, _BLOCK_Y, _BLOCK_HALF = 8, 0.15, 0.05
_MARK_HALF = 0.09


def picture(number: int, width: int = WIDTH, height: int = HEIGHT) -> Image:
    """(height, width, 3) uint8 RGB: the frame with this number (0-255)."""
    image = np.full((height, width, 3), GREY, np.uint8)
    for colour, middle in MARKS.items():
        _square(image, middle, _MARK_HALF, colour)
    for bit in range(_BITS):
        level = 235 if number >> bit & 1 else 20
        _square(image, (_block_x(bit), _BLOCK_Y), _BLOCK_HALF, (level, level, level))
    return image


def frame_number(image: Image) -> int:
    """The number that an upright, unmirrored frame shows."""
    height, width = image.shape[:2]
    row = image[round(_BLOCK_Y * height)].mean(axis=-1)
    return sum(int(row[round(_block_x(bit) * width)] > 128) << bit for bit in range(_BITS))


def colour_at(image: Image, x: float, y: float) -> tuple[int, int, int]:
    """Mean colour of 5 x 5 pixels at a place given in fractions of the picture."""
    height, width = image.shape[:2]
    column, row = round(x * width), round(y * height)
    patch = image[row - 2 : row + 3, column - 2 : column + 3].reshape(-1, 3).mean(axis=0)
    red, green, blue = (round(value) for value in patch)
    return red, green, blue


def is_colour(image: Image, x: float, y: float, colour: Sequence[int], within: int = 40) -> bool:
    """Whether the picture has about this colour at a place given in fractions of it."""
    return bool(np.abs(np.subtract(colour_at(image, x, y), colour)).max() <= within)


def _block_x(bit: int) -> float:
    return (bit + 0.5) / _BITS


def _square(
    image: Image, middle: tuple[float, float], half: float, colour: tuple[int, int, int]
) -> None:
    height, width = image.shape[:2]
    (x, y), side = middle, half * min(height, width)
    x0, x1 = round(x * width - side), round(x * width + side)
    y0, y1 = round(y * height - side), round(y * height + side)
    image[y0:y1, x0:x1] = colour


@dataclass(frozen=True)
class Clip:
    """How a clip is made; `make` writes it.

    Attributes:
        frames: number of frames.
        width: coded pixels.
        height: coded pixels.
        rate: frames per second of the header and, without ``times``, of the frames.
        times: pts of each frame in units of ``time_base``.
        time_base: of ``times``; 1 / rate where None.
        codec: FFmpeg encoder.
        pixel_format: FFmpeg pixel format.
        keyframe_every: frames from keyframe to keyframe.
        b_frames: between two others.
        aspect: pixel aspect.
        interlaced: two fields per frame, marked as such.
        options: further encoder options.
        muxer: options of the container format.
        tags: metadata of the container.
        colorspace: value of AVColorSpace, -1 leaves it.
        full_range: luma 0-255.
        first_number: number shown by the first frame.
    """

    frames: int = 24
    width: int = WIDTH
    height: int = HEIGHT
    rate: Fraction = Fraction(25)
    times: tuple[int, ...] | None = None
    time_base: Fraction | None = None
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    keyframe_every: int = 8
    b_frames: int = 2
    aspect: Fraction | None = None
    interlaced: bool = False
    options: dict[str, str] = field(default_factory=dict)
    muxer: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    colorspace: int = -1
    full_range: bool = False
    first_number: int = 0


_QUIET = {"x265-params": "log-level=none", "svtav1-params": "preset=12"}


def make(path: Path, clip: Clip | None = None) -> Path:
    """Writes a clip; the container follows from the suffix. Returns the path."""
    clip = clip or Clip()
    # Without random identifiers the same clip is the same bytes, and so is its seeded damage.
    options = {"fflags": "+bitexact", **clip.muxer}
    with av.open(str(path), "w", options=options) as container:
        container.metadata.update(clip.tags)
        stream = add_video(container, clip)
        encode(container, stream, clip)
    return path


def add_video(container: av.container.OutputContainer, clip: Clip) -> av.VideoStream:
    """Adds a video stream for the clip to an open container."""
    stream = container.add_stream(clip.codec, rate=clip.rate)
    stream.width, stream.height, stream.pix_fmt = clip.width, clip.height, clip.pixel_format
    context = stream.codec_context
    context.gop_size, context.max_b_frames, context.thread_count = clip.keyframe_every, 0, 1
    options = dict(clip.options)
    if clip.codec == "libx264":
        context.max_b_frames = clip.b_frames
        options = {"preset": "veryfast", "crf": "20", **options}
    if clip.codec == "libx265":
        options = {"x265-params": "log-level=none:bframes=0", "preset": "ultrafast", **options}
    if clip.interlaced:
        options |= {"flags": "+ildct+ilme", "x264-params": "interlaced=1"}
    context.options = options
    if clip.time_base is not None:
        context.time_base = clip.time_base
    if clip.aspect is not None:
        context.sample_aspect_ratio = clip.aspect
    if clip.colorspace >= 0:
        context.colorspace = clip.colorspace
    if clip.full_range:
        context.color_range = 2
    return stream


def encode(container: av.container.OutputContainer, stream: av.VideoStream, clip: Clip) -> None:
    """Encodes the clip's pictures into an open stream."""
    for index in range(clip.frames):
        number = (clip.first_number + index) % 256
        frame = _video_frame(picture(number, clip.width, clip.height), clip)
        frame.pts = clip.times[index] if clip.times is not None else index
        frame.time_base = clip.time_base or 1 / clip.rate
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _video_frame(image: Image, clip: Clip) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(image, "rgb24").reformat(
        format=clip.pixel_format,
        dst_colorspace=clip.colorspace if clip.colorspace in (1, 5, 9) else None,
        dst_color_range=2 if clip.full_range else None,
    )


VARIABLE_TIMES = (
    0,
    40,
    80,
    120,
    500,
    540,
    545,
    600,
    1400,
    1440,
    1480,
    1520,
    2020,
    2060,
    2100,
    2500,
)
"""Milliseconds of a clip whose rate varies."""


def make_variable_rate(path: Path) -> Path:
    """A clip whose frames are shown at `VARIABLE_TIMES`."""
    clip = Clip(
        frames=len(VARIABLE_TIMES),
        times=VARIABLE_TIMES,
        time_base=Fraction(1, 1000),
        muxer={"video_track_timescale": "1000"} if path.suffix in (".mp4", ".mov") else {},
    )
    return make(path, clip)


def set_display_matrix(path: Path, a: int, b: int, c: int, d: int) -> Path:
    """Writes (a b 0; c d 0; 0 0 1) into an mp4's track header; units of 1 are turned to 16.16.

    Values beyond ±32767 are written as they are. -90 degrees (a phone held upright) is (0, 1, -1,
    0); a mirror is (-1, 0, 0, 1).
    """
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40
    fixed = [value if abs(value) > 0x7FFF else value << 16 for value in (a, b, c, d)]
    data[matrix : matrix + 36] = struct.pack(
        ">9i", fixed[0], fixed[1], 0, fixed[2], fixed[3], 0, 0, 0, 1 << 30
    )
    path.write_bytes(data)
    return path


PHONE_UPRIGHT = (0, 1, -1, 0)
MIRROR = (-1, 0, 0, 1)
MIRROR_AND_TURN = (0, 1, 1, 0)

NEEDLES = {
    "title": "Lastname-Firstname-Needle",
    "comment": "MRN-00112233-Needle",
    "artist": "Needle-Clinic",
    "location": "+12.3456+065.4321/",
    "creation_time": "2019-03-04T05:06:07.000000Z",
}
"""Tags of the dirty clip: what must never leave the hospital."""

SUBTITLE_NEEDLE, CHAPTER_NEEDLE = "spoken-needle-sentence", "chapter-needle-name"


def make_dirty(
    path: Path,
    *,
    frames: int = 24,
    tags: Mapping[str, str] = NEEDLES,
    muxer: Mapping[str, str] | None = None,
) -> Path:
    """A clip with tags, sound, a subtitle track, chapters and cover art (.mkv, .mp4 or .mov)."""
    clip = Clip(frames=frames, tags=dict(tags))
    with av.open(str(path), "w", options=dict(muxer or {})) as container:
        container.metadata.update(clip.tags)
        video = add_video(container, clip)
        sound = container.add_stream("aac", rate=16000, layout="mono")
        words = container.add_mux_stream("subrip" if path.suffix == ".mkv" else "mov_text")
        words.time_base = Fraction(1, 1000)
        cover = container.add_mux_stream("mjpeg", width=64, height=64)
        cover.disposition = av.stream.Disposition.attached_pic
        container.set_chapters([_chapter(frames)])
        container.start_encoding()
        container.mux(_cover_packet(cover))
        container.mux(_subtitle_packet(words, as_mov_text=path.suffix != ".mkv"))
        encode(container, video, clip)
        encode_sound(container, sound, seconds=frames / 25)
    return path


def _chapter(frames: int) -> av.container.Chapter:
    return {
        "id": 1,
        "start": 0,
        "end": frames * 40,
        "time_base": Fraction(1, 1000),
        "metadata": {"title": CHAPTER_NEEDLE},
    }


def _cover_packet(stream: av.stream.Stream) -> av.Packet:
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width = encoder.height = 64
    encoder.pix_fmt, encoder.time_base = "yuvj420p", Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 200, np.uint8), "rgb24")
    frame = frame.reformat(format="yuvj420p")
    frame.pts, frame.time_base = 0, Fraction(1, 25)
    packet = [*encoder.encode(frame), *encoder.encode(None)][0]
    packet.stream = stream
    return packet


def _subtitle_packet(stream: av.stream.Stream, *, as_mov_text: bool) -> av.Packet:
    text = SUBTITLE_NEEDLE.encode()
    packet = av.Packet(struct.pack(">H", len(text)) + text if as_mov_text else text)
    packet.pts = packet.dts = 0
    packet.duration, packet.time_base, packet.stream = 500, Fraction(1, 1000), stream
    return packet


def encode_sound(
    container: av.container.OutputContainer, stream: av.AudioStream, *, seconds: float
) -> None:
    for block in range(max(1, round(seconds * 16000 / 1024))):
        noise = np.random.default_rng(block).uniform(-0.5, 0.5, (1, 1024)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(noise, "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = 16000, block * 1024, Fraction(1, 16000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def make_sound(path: Path, *, cover: bool = False) -> Path:
    """A second of noise, with or without cover art."""
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=16000, layout="mono")
        if cover:
            picture_stream = container.add_mux_stream("mjpeg", width=64, height=64)
            picture_stream.disposition = av.stream.Disposition.attached_pic
            container.start_encoding()
            container.mux(_cover_packet(picture_stream))
        encode_sound(container, sound, seconds=1)
    return path


def make_two_streams(path: Path) -> Path:
    """A small first and a large second video stream; the second is the one to read."""
    small, large = Clip(width=80, height=48), Clip()
    with av.open(str(path), "w") as container:
        streams = [add_video(container, clip) for clip in (small, large)]
        streams[0].disposition = av.stream.Disposition(0)
        streams[1].disposition = av.stream.Disposition.default
        for stream, clip in zip(streams, (small, large), strict=True):
            encode(container, stream, clip)
    return path


def joined(path: Path, parts: Iterable[Path]) -> Path:
    """MPEG-TS files one after the other: what a camcorder's card holds."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path
