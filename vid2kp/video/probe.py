"""What a video file is and what reading it will do, without decoding all of it."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

from av.video.frame import VideoFrame

from vid2kp.errors import UnreadableVideo
from vid2kp.pose import framing
from vid2kp.video.container import (
    MAX_PIXELS,
    READ_ERRORS,
    Source,
    memory_as_unreadable,
    open_source,
    packets,
)
from vid2kp.video.frame import bit_depth
from vid2kp.video.orientation import UPRIGHT, Orientation, orientation_of
from vid2kp.video.timing import usual_rate

_PLAUSIBLE_ASPECT = (Fraction(1, 4), Fraction(4))
_HDR_TRANSFERS = {16: "PQ", 18: "HLG"}  # AVColorTransferCharacteristic (ITU-T H.273)

# Tags that muxers write about themselves or about the bytes, not about anybody.
_TECHNICAL_TAGS = {
    *("major_brand", "minor_version", "compatible_brands", "encoder", "vendor_id", "handler_name"),
    *("language", "duration", "variant_bitrate", "bps", "number_of_frames", "number_of_bytes"),
    *("_statistics_tags", "_statistics_writing_app", "_statistics_writing_date_utc"),
    *("software", "software_version", "hw", "rotate"),
}
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_.:\-]{1,64}")


@dataclass(frozen=True)
class VideoInfo:
    """Facts about a video file: no tag values, no pixels, no names.

    Attributes:
        container: FFmpeg's name of the container format.
        codec: FFmpeg's name of the codec.
        coded_width: pixels as coded, before pixel aspect and rotation.
        coded_height: pixels as coded.
        width: display pixels.
        height: display pixels.
        rotation: counter-clockwise degrees (0, 90, 180, 270) by which pictures are turned.
        mirrored: whether turned pictures are flipped left to right.
        pixel_aspect: width of a coded pixel over its height, 1 where the file says nonsense.
        time_base: seconds per unit of pts.
        rate: usual frames per second as the header has it; not to be used for times.
        first_pts: of the first frame shown, units of the time base.
        header_frames: number of frames the header promises, None where it does not say.
        header_duration: seconds the header promises, None where it does not say.
        header_duration_loose: the duration is that of the whole file, sound included.
        pixel_format: FFmpeg's name of the decoded pixel format.
        bit_depth: bits per sample.
        hdr: "PQ", "HLG" or None.
        interlaced: whether the first picture is interlaced.
        video_streams: number of video streams, cover art included.
        stream_index: index of the stream that is read.
        other_streams: (type, number) of the streams that are not opened, e.g. ("audio", 1).
        identifying_tags: names of tags that may tell about people, places or devices.
        warnings: what is odd, one sentence each.
    """

    container: str
    codec: str
    coded_width: int
    coded_height: int
    width: int
    height: int
    rotation: int
    mirrored: bool
    pixel_aspect: Fraction
    time_base: Fraction
    rate: Fraction
    first_pts: int | None
    header_frames: int | None
    header_duration: float | None
    header_duration_loose: bool
    pixel_format: str
    bit_depth: int
    hdr: str | None
    interlaced: bool
    video_streams: int
    stream_index: int
    other_streams: tuple[tuple[str, int], ...]
    identifying_tags: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def fps(self) -> float:
        """Usual frames per second as the header has it."""
        return float(self.rate)

    @property
    def actions(self) -> tuple[str, ...]:
        """What reading does to the pictures, one phrase each."""
        steps = {
            f"turn {self.rotation}° counter-clockwise": self.rotation != 0,
            "mirror left to right": self.mirrored,
            f"stretch x by {self.pixel_aspect} to square pixels": self.pixel_aspect != 1,
            "deinterlace, one frame per frame": self.interlaced,
            f"reduce {self.bit_depth} bits to 8": self.bit_depth > 8,
            "leave sound, subtitles, data and cover art unopened": bool(self.other_streams),
        }
        return tuple(step for step, done in steps.items() if done)


def probe(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> VideoInfo:
    """Looks at a video file's header and its first picture.

    Args:
        path: a regular file, or a link to one.
        max_pixels: larger coded pictures are refused.

    Raises:
        UnreadableVideo: nothing in the file can be decoded as video.
    """
    with memory_as_unreadable(), open_source(path, max_pixels=max_pixels) as source:
        first = _first_picture(source)
        return _describe(source, first)


def _first_picture(source: Source) -> VideoFrame:
    for packet in packets(source):
        try:
            pictures = source.stream.decode(packet)
        except MemoryError:
            raise
        except READ_ERRORS:
            continue
        if pictures:
            return pictures[0]
    # A header whose size is over the limit was read as having none.
    giant = not source.stream.codec_context.width
    too_large = ", or its picture is larger than is decoded" if giant else ""
    raise UnreadableVideo(
        "No picture in the file can be decoded.",
        hint=f"It is damaged or was cut off{too_large}; copy it again from the camera.",
    )


def _describe(source: Source, first: VideoFrame) -> VideoInfo:
    container, stream = source.container, source.stream
    orientation = orientation_of(first)
    aspect, aspect_understood = _pixel_aspect(stream.sample_aspect_ratio)
    width, height = framing.display_size(
        first.width, first.height, pixel_aspect=aspect, rotation=orientation.rotation
    )
    others = Counter(s.type for s in container.streams if s.index != stream.index)
    duration, loose = _header_duration(source, first)
    return VideoInfo(
        container=container.format.name,
        codec=stream.codec_context.name,
        coded_width=first.width,
        coded_height=first.height,
        width=width,
        height=height,
        rotation=orientation.rotation,
        mirrored=orientation.mirrored,
        pixel_aspect=aspect,
        time_base=stream.time_base or Fraction(1, 90000),
        rate=usual_rate(stream.guessed_rate, stream.average_rate, stream.base_rate),
        first_pts=first.pts,
        header_frames=stream.frames or None,
        header_duration=duration,
        header_duration_loose=loose,
        pixel_format=first.format.name,
        bit_depth=bit_depth(first),
        hdr=_HDR_TRANSFERS.get(first.color_trc),
        interlaced=first.interlaced_frame,
        video_streams=len(container.streams.video),
        stream_index=stream.index,
        other_streams=tuple(sorted(others.items())),
        identifying_tags=_identifying_tags(source),
        warnings=_warnings(source, orientation, aspect_understood),
    )


def _pixel_aspect(ratio: Fraction | None) -> tuple[Fraction, bool]:
    """The pixel aspect to apply, and whether the file's own could be used."""
    if not ratio:  # None or 0: not said
        return Fraction(1), True
    low, high = _PLAUSIBLE_ASPECT
    return (ratio, True) if low <= ratio <= high else (Fraction(1), False)


def _header_duration(source: Source, first: VideoFrame) -> tuple[float | None, bool]:
    """Seconds promised from the first picture on, and whether for another stream perhaps."""
    container, stream = source.container, source.stream
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base), False
    # What follows counts from time 0, at which the picture need not begin.
    before = max(first.time or 0.0, 0.0)
    tagged = _matroska_duration(stream.metadata.get("DURATION", ""))
    whole = tagged or (container.duration or 0) / 1e6
    is_loose = not tagged and len(container.streams) > 1
    return (whole - before, is_loose) if whole > before else (None, False)


def _matroska_duration(tag: str) -> float | None:
    """Seconds of a Matroska DURATION tag, ``HH:MM:SS.fraction``."""
    match = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", tag)
    if not match:
        return None
    hours, minutes, seconds = match.groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _identifying_tags(source: Source) -> tuple[str, ...]:
    # Names only. Matroska lets anybody name a tag anything, so odd names are not repeated.
    found = set(source.container.metadata)
    for stream in source.container.streams:
        found.update(stream.metadata)
    named = {key if _PLAIN_KEY.fullmatch(key) else "(other)" for key in found}
    return tuple(sorted(key for key in named if key.lower() not in _TECHNICAL_TAGS))


def _warnings(source: Source, orientation: Orientation, aspect_understood: bool) -> tuple[str, ...]:
    video_streams = len(source.container.streams.video)
    found = {
        "The file asks for a rotation that is no multiple of 90 degrees; nothing was turned.": (
            not orientation.understood
        ),
        "The file names a rotation in a tag, which players pass over too; nothing was turned.": (
            orientation == UPRIGHT and _has_rotation_tag(source)
        ),
        "The file gives an impossible pixel aspect; pixels are taken as square.": (
            not aspect_understood
        ),
        f"The file holds {video_streams} video streams; the best one is read.": video_streams > 1,
    }
    return tuple(text for text, holds in found.items() if holds)


def _has_rotation_tag(source: Source) -> bool:
    """What old programs wrote when they copied a phone's video, and nothing reads any more."""
    tags = {key.lower(): value for key, value in source.stream.metadata.items()}
    return tags.get("rotate", "0").strip() not in ("0", "360", "")
