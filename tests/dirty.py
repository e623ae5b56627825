"""Recordings as dirty as they come, and everything in them that must never get out."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import av
import media
import numpy as np

FILE, FOLDER = "SURNAME_1234", "ward 7"

TAGS = {
    "title": "Lastname-Firstname-Needle",
    "comment": "MRN-00112233-Needle",
    "artist": "Needle-Clinic",
    "location": "+12.3456+065.4321/",
    "creation_time": "2019-03-04T05:06:07.000000Z",
    "make": "NeedleCamera Ltd",
    "model": "NeedleCam 3000",
    "description": "G" * 10,
}
"""What the tags say; the description is replaced by a name in the encoding of its region."""

GBK_NAME = "患者王小明"
_RECORDED = datetime(2019, 3, 4, 5, 6, 7, tzinfo=UTC)

PATCH_SIDE = 48
PATCH_PLACE = (24, 60)
"""Row and column of the patch's first pixel."""
_WIDTH, _HEIGHT = 160, 96


def make_dirty(path: Path) -> Path:
    """A clip with all that its container can hold: .mp4, .mov as phones write it, or .mkv."""
    muxer = {"movflags": "use_metadata_tags"} if path.suffix == ".mov" else {}
    media.make_dirty(path, tags=TAGS, muxer=muxer)
    data = path.read_bytes()
    placeholder, name = TAGS["description"].encode(), GBK_NAME.encode("gbk")
    assert len(placeholder) == len(name)
    assert placeholder in data
    path.write_bytes(data.replace(placeholder, name))
    return path


CONTAINERS = {".mp4": {"location", "make", "model"}, ".mov": {"cover art"}, ".mkv": set[str]()}
"""Suffixes of dirty clips, and what these containers have no place for."""


def needles(path: Path) -> dict[str, set[bytes]]:
    """The needles of a dirty clip by what they are; every one is in its bytes."""
    cannot = CONTAINERS[path.suffix]
    found: dict[str, set[bytes]] = {
        name: {value.encode()} for name, value in TAGS.items() if name not in cannot
    }
    del found["description"]
    found["name in GBK"] = {GBK_NAME.encode("gbk")}
    found["subtitle"] = {media.SUBTITLE_NEEDLE.encode()}
    found["chapter"] = {media.CHAPTER_NEEDLE.encode()}
    # The date is a number: seconds since 1904, or nanoseconds since 2001.
    seconds = int(_RECORDED.timestamp())
    found["creation_time"] = {
        struct.pack(">I", seconds + 2_082_844_800)
        if path.suffix != ".mkv"
        else struct.pack(">q", (seconds - 978_307_200) * 10**9)
    }
    with av.open(str(path), metadata_errors="replace") as container:
        for packet in container.demux():
            kind = packet.stream.type
            if kind == "video" and packet.stream.codec_context.name == "mjpeg":
                kind = "cover art"
            if kind in ("audio", "video", "cover art"):
                found.setdefault(kind, set()).update(_windows(bytes(packet)))
    return found


def _windows(data: bytes, *, different: int = 9) -> set[bytes]:
    """Stretches of 16 bytes of which so many differ: no filling."""
    stretches = (data[i : i + 16] for i in range(0, len(data) - 15, 16))
    return {stretch for stretch in stretches if len(set(stretch)) >= different}


def variants(needle: bytes) -> set[bytes]:
    """A needle as it may stand in a file, in small letters."""
    texts = {needle}
    if needle.isascii():
        texts |= {needle.decode().encode(code) for code in ("utf-16-le", "utf-16-be")}
    if needle == GBK_NAME.encode("gbk"):
        texts |= {GBK_NAME.encode(code) for code in ("utf-8", "utf-16-le", "utf-16-be")}
    return {text.lower() for text in texts}


# ---------------------------------------------------------------------------------------------
# The canary


def patch() -> np.ndarray:
    """(48, 48) uint8: noise that cannot turn up by chance."""
    rng = np.random.default_rng(20_260_000)
    return rng.integers(16, 236, (PATCH_SIDE, PATCH_SIDE), dtype=np.uint8)


def make_canary(path: Path, *, frames: int = 24) -> Path:
    """A clip (.mkv) in whose every frame the patch stands, to the last bit."""
    row, column = PATCH_PLACE
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = _WIDTH, _HEIGHT, "yuv420p"
        for index in range(frames):
            planes = av.VideoFrame.from_ndarray(media.picture(index, _WIDTH, _HEIGHT), "rgb24")
            planar = planes.reformat(format="yuv420p").to_ndarray()
            planar[row : row + PATCH_SIDE, column : column + PATCH_SIDE] = patch()
            frame = av.VideoFrame.from_ndarray(planar, "yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def patch_bytes() -> set[bytes]:
    """Stretches of the patch in the ways in which a program keeps pixels."""
    found = set()
    for line in patch():
        for pixels in (line, np.repeat(line, 3), line.astype("<f4"), (line / 255).astype("<f4")):
            found |= _windows(np.ascontiguousarray(pixels).tobytes(), different=5)
    return found


def likeness(picture: np.ndarray) -> float:
    """How much like the patch any place of a grey picture (H, W) is, at any size: up to 1."""
    import cv2

    best = 0.0
    for width in (_WIDTH, 2 * _WIDTH):
        size = (width, round(picture.shape[0] * width / picture.shape[1]))
        small = cv2.resize(picture.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        side = PATCH_SIDE * width // _WIDTH
        wanted = cv2.resize(patch().astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
        # The empty background has no likeness to anything; a little noise keeps it a number.
        small = small + np.random.default_rng(0).normal(0, 1e-3, small.shape).astype(np.float32)
        match = cv2.matchTemplate(small, wanted, cv2.TM_CCOEFF_NORMED)
        best = max(best, float(np.abs(match).max()))
    return best
