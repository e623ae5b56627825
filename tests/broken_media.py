"""Files that are damaged, cut, hostile or no videos at all, made from clips of `media`."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from media import Clip, make, picture


def cut(source: Path, path: Path, share: float) -> Path:
    """The first part of a file, as a full card or an interrupted copy leaves it."""
    data = source.read_bytes()
    path.write_bytes(data[: round(len(data) * share)])
    return path


def scribbled(source: Path, path: Path, *, at: float, length: int, seed: int = 0) -> Path:
    """A file with random bytes over ``length`` bytes from the fraction ``at`` on."""
    data = bytearray(source.read_bytes())
    start = round(len(data) * at)
    data[start : start + length] = random.Random(seed).randbytes(length)
    path.write_bytes(data)
    return path


MUTATIONS = ("flip", "zero", "cut", "noise", "move")


def mutated(source: Path, path: Path, *, seed: int) -> str:
    """A copy with one to three seeded faults; returns what was done."""
    rng = random.Random(seed)
    data = bytearray(source.read_bytes())
    done = []
    for _ in range(rng.randint(1, 3)):
        kind = rng.choice(MUTATIONS)
        done.append(kind)
        _mutate(data, kind, rng)
    path.write_bytes(data)
    return "+".join(done)


def _mutate(data: bytearray, kind: str, rng: random.Random) -> None:
    # Half of the faults hit the first kilobytes, where headers are.
    reach = len(data) if rng.random() < 0.5 else min(len(data), 4096)
    start = rng.randrange(max(1, reach))
    stop = min(len(data), start + rng.choice((1, 4, 64, 1024, 16384)))
    if kind == "flip":
        for _ in range(rng.choice((1, 10, 100))):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == "zero":
        data[start:stop] = bytes(stop - start)
    elif kind == "cut":
        del data[start:stop]
    elif kind == "noise":
        data[start:stop] = rng.randbytes(stop - start)
    else:
        piece = data[start:stop]
        del data[start:stop]
        where = rng.randrange(len(data) + 1)
        data[where:where] = piece
    if not data:
        data += b"\0"


def encrypted(path: Path) -> Path:
    """A clip whose picture data is noise behind valid headers, as common encryption leaves it."""
    clear = make(path.with_name("clear.mp4"), Clip(frames=40, b_frames=0, keyframe_every=40))
    rng = random.Random(0)
    with av.open(str(clear)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is None:
                continue
            body = bytearray(bytes(packet))
            body[24:] = rng.randbytes(len(body) - 24)
            noise = av.Packet(bytes(body))
            noise.pts, noise.dts, noise.time_base = packet.pts, packet.dts, packet.time_base
            noise.is_keyframe, noise.stream = packet.is_keyframe, stream
            target.mux(noise)
    return path


def headers_only(path: Path) -> Path:
    """An mp4 that promises frames and holds none."""
    whole = make(path.with_name("whole.mp4"), Clip(frames=60, muxer={"movflags": "+faststart"}))
    data = whole.read_bytes()
    path.write_bytes(data[: data.index(b"mdat") + 4])
    return path


def without_index(source: Path, path: Path) -> Path:
    """An mp4 without its index (moov), as a camera that lost power leaves it."""
    data = source.read_bytes()
    path.write_bytes(data[: data.index(b"moov") - 4])
    return path


def ffconcat(path: Path, target: Path) -> Path:
    """A playlist named as a video, which makes FFmpeg read another file."""
    path.write_text(f"ffconcat version 1.0\nfile '{target.name}'\n")
    return path


def m3u8(path: Path, target: str) -> Path:
    """An HLS playlist named as a video; the target may be a file or an address."""
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n")
    return path


def plain_text(path: Path) -> Path:
    """Prose, which FFmpeg's tty demuxer decodes as video."""
    path.write_text("The infant lay quietly and moved both arms.\n" * 40)
    return path


def jpeg(path: Path) -> Path:
    """A photograph, which FFmpeg decodes as a video of one frame."""
    ok, data = cv2.imencode(".jpg", picture(0))
    assert ok
    path.write_bytes(data.tobytes())
    return path


def bomb(path: Path, *, width: int = 16384, height: int = 8192) -> Path:
    """A .mov of a few kilobytes that decodes to gigantic black pictures."""
    codec = av.CodecContext.create("png", "w")
    codec.width, codec.height, codec.pix_fmt = width, height, "gray"
    codec.time_base = Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(np.zeros((height, width), np.uint8), "gray")
    frame.pts, frame.time_base = 0, Fraction(1, 25)
    packets = [*codec.encode(frame), *codec.encode(None)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "gray"
        for number in range(3):
            copy = av.Packet(bytes(packets[0]))
            copy.pts = copy.dts = number
            copy.time_base, copy.stream, copy.is_keyframe = Fraction(1, 25), stream, True
            container.mux(copy)
    return path


def with_tag_bytes(path: Path, tag: bytes) -> Path:
    """An AVI whose title holds these bytes, whatever they are in."""
    placeholder = "T" * len(tag)
    make(path, Clip(codec="mpeg4", b_frames=0, tags={"title": placeholder}))
    data = path.read_bytes()
    assert placeholder.encode() in data
    path.write_bytes(data.replace(placeholder.encode(), tag))
    return path
