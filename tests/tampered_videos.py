"""Tampering with the skeleton video of a deliverable; each function does one thing to a folder."""

from __future__ import annotations

import io
import shutil
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import deliverable
import numpy as np
import people

from vid2kp.render.skeleton_video import render_video

FIRST, SECOND = deliverable.FIRST, deliverable.SECOND
NAME = b"SURNAME_1234"


Tamper = Callable[[Path], None]
"""Changes the first video of a clean folder."""

Tampering = tuple[Tamper, str, bool]
"""What is done, the check that must find it, and whether it can hide behind a fresh manifest, as
somebody would write who knows how."""


def _remux(folder: Path, *, container: str = "mp4", **tags: str) -> Path:
    """The video once more, by somebody's FFmpeg."""
    path = folder / "skeleton.mp4"
    copy = io.BytesIO()
    with av.open(path) as source, av.open(copy, "w", format=container) as target:
        target.metadata.update(tags)
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    path.write_bytes(copy.getvalue())
    return path


def title_tag(folder: Path) -> None:
    _remux(folder, title=NAME.decode())


def audio_added(folder: Path) -> None:
    path, copy = folder / "skeleton.mp4", io.BytesIO()
    with av.open(path) as source, av.open(copy, "w", format="mp4") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        sound = target.add_stream("aac", rate=48000)
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.sample_rate = 48000
        target.mux(sound.encode(silence))
        target.mux(sound.encode(None))
    path.write_bytes(copy.getvalue())


def extra_video_stream(folder: Path) -> None:
    path, copy = folder / "skeleton.mp4", io.BytesIO()
    with av.open(path) as source, av.open(copy, "w", format="mp4") as target:
        streams = [target.add_stream_from_template(source.streams.video[0]) for _ in range(2)]
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                data = bytes(packet)
                for stream in streams:
                    twin = av.Packet(data)
                    twin.pts, twin.dts, twin.time_base = packet.pts, packet.dts, packet.time_base
                    twin.is_keyframe, twin.stream = packet.is_keyframe, stream
                    target.mux(twin)
    path.write_bytes(copy.getvalue())


def _encode(folder: Path, change: Callable[[int, np.ndarray], None], **options: str) -> None:
    """The video decoded, changed and encoded again as well as one can."""
    path, copy = folder / "skeleton.mp4", io.BytesIO()
    with av.open(path) as source:
        frames = list(source.decode(video=0))
    with av.open(copy, "w", format="mp4", options={"fflags": "+bitexact"}) as target:
        stream = target.add_stream("libx264", rate=25, options={"qp": "10", **options})
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 90_000)
        for i, frame in enumerate(frames):
            picture = frame.to_ndarray()
            change(i, picture)
            changed = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            changed.pts, changed.time_base = frame.pts, frame.time_base
            target.mux(stream.encode(changed))
        target.mux(stream.encode(None))
    path.write_bytes(copy.getvalue())


def a_picture_over_one_frame(folder: Path) -> None:
    noise = np.random.default_rng(0).integers(60, 200, (64, 64))

    def overlay(i: int, picture: np.ndarray) -> None:
        if i == 5:
            picture[20:84, 20:84] = noise

    _encode(folder, overlay)


def one_block_of_pixels(folder: Path) -> None:
    def block(i: int, picture: np.ndarray) -> None:
        if i == 7:
            picture[8:16, 8:16] += 12

    _encode(folder, block)


def encoded_again(folder: Path) -> None:
    _encode(folder, lambda i, picture: None)


def change_bytes(folder: Path, name: str, change: Callable[[bytearray], bytes | None]) -> None:
    data = bytearray((folder / name).read_bytes())
    changed = change(data)
    (folder / name).write_bytes(data if changed is None else changed)


def put_value(data: bytearray, kind: bytes, offset: int, value: bytes) -> None:
    at = data.index(kind) + 4 + offset
    data[at : at + len(value)] = value


def creation_date(folder: Path) -> None:
    date = struct.pack(">I", 3_800_000_000)
    change_bytes(folder, "skeleton.mp4", lambda d: put_value(d, b"mvhd", 4, date))


def track_date(folder: Path) -> None:
    change_bytes(folder, "skeleton.mp4", lambda d: put_value(d, b"tkhd", 8, b"\1"))


def media_language(folder: Path) -> None:
    change_bytes(folder, "skeleton.mp4", lambda d: put_value(d, b"mdhd", 20, b"\x19\x01"))


def encoder_name(folder: Path) -> None:
    def name(data: bytearray) -> None:
        at = data.rindex(b"avc1") + 4 + 42  # the first is a brand of the file
        data[at : at + 13] = b"\x0cSURNAME_1234"

    change_bytes(folder, "skeleton.mp4", name)


def handler_name(folder: Path) -> None:
    change_bytes(folder, "skeleton.mp4", lambda d: d.replace(b"VideoHandler", NAME))


def text_after_the_video(folder: Path) -> None:
    change_bytes(folder, "skeleton.mp4", lambda d: d + NAME)


def box_after_the_video(folder: Path) -> None:
    box = struct.pack(">I4s", 8 + len(NAME), b"uuid") + NAME
    change_bytes(folder, "skeleton.mp4", lambda d: d + box)


def free_box_with_content(folder: Path) -> None:
    def fill(data: bytearray) -> bytes:
        at = data.index(b"free") - 4
        longer = data[:at] + struct.pack(">I4s", 8 + len(NAME), b"free") + NAME + data[at + 8 :]
        return _moved(longer, len(NAME))

    change_bytes(folder, "skeleton.mp4", fill)


def bytes_between_pictures(folder: Path) -> None:
    def insert(data: bytearray) -> bytes:
        at = data.index(b"mdat") + 4
        size = struct.unpack_from(">I", data, at - 8)[0] + len(NAME)
        return _moved(
            data[: at - 8] + struct.pack(">I", size) + b"mdat" + NAME + data[at:], len(NAME)
        )

    change_bytes(folder, "skeleton.mp4", insert)


def _moved(data: bytes, by: int) -> bytes:
    """Chunk offsets set right after bytes were put before the pictures."""
    data = bytearray(data)
    at = data.index(b"stco") + 8
    (count,) = struct.unpack_from(">I", data, at)
    for i in range(count):
        (offset,) = struct.unpack_from(">I", data, at + 4 + 4 * i)
        struct.pack_into(">I", data, at + 4 + 4 * i, offset + by)
    return bytes(data)


def sei_with_text(folder: Path) -> None:
    """A message in the first picture, all sizes and offsets set right."""

    def insert(data: bytearray) -> bytes:
        payload = b"\x06\x05" + bytes([16 + len(NAME)]) + b"\0" * 16 + NAME + b"\x80"
        unit = struct.pack(">I", len(payload)) + payload
        at = data.index(b"mdat") + 4
        size = struct.unpack_from(">I", data, at - 8)[0] + len(unit)
        data = data[: at - 8] + struct.pack(">I", size) + b"mdat" + unit + data[at:]
        first = data.index(b"stsz") + 4 + 12
        struct.pack_into(">I", data, first, struct.unpack_from(">I", data, first)[0] + len(unit))
        return bytes(data)

    change_bytes(folder, "skeleton.mp4", insert)


def last_frame_cut_off(folder: Path) -> None:
    _encode_fewer(folder, 11)


def _encode_fewer(folder: Path, count: int) -> None:
    tracks = people.write_people(folder / "other", frames=count, people=2)
    render_video(tracks, folder / "skeleton.mp4", options=deliverable.RENDER)
    shutil.rmtree(folder / "other")


def video_of_another_recording(folder: Path) -> None:
    shutil.copy(folder.parent / SECOND / "skeleton.mp4", folder / "skeleton.mp4")


def tracks_of_another_recording(folder: Path) -> None:
    for name in ("tracks.parquet", "frames.parquet"):
        shutil.copy(folder.parent / SECOND / name, folder / name)


def video_at_other_times(folder: Path) -> None:
    tracks = people.write_people(folder / "other", frames=12, people=2, times=np.arange(12) / 24.0)
    render_video(tracks, folder / "skeleton.mp4", options=deliverable.RENDER)
    shutil.rmtree(folder / "other")


def video_is_a_text(folder: Path) -> None:
    (folder / "skeleton.mp4").write_bytes(NAME)


def video_is_empty(folder: Path) -> None:
    (folder / "skeleton.mp4").write_bytes(b"")


def video_is_matroska(folder: Path) -> None:
    _remux(folder, container="matroska")


VIDEOS: list[Tampering] = [
    (audio_added, "container", True),
    (title_tag, "container", True),
    (extra_video_stream, "container", True),
    (a_picture_over_one_frame, "pixels", True),
    (one_block_of_pixels, "pixels", True),
    (encoded_again, "pixels", True),
    (creation_date, "container", True),
    (track_date, "container", True),
    (media_language, "container", True),
    (encoder_name, "container", True),
    (handler_name, "container", True),
    (text_after_the_video, "container", True),
    (box_after_the_video, "container", True),
    (free_box_with_content, "container", True),
    (bytes_between_pictures, "container", True),
    (sei_with_text, "container", True),
    (last_frame_cut_off, "agreement", True),
    (video_of_another_recording, "pixels", True),
    (tracks_of_another_recording, "pixels", True),
    (video_at_other_times, "agreement", True),
    (video_is_a_text, "container", True),
    (video_is_empty, "container", True),
    (video_is_matroska, "container", True),
]
