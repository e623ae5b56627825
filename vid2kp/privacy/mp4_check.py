"""Checks a skeleton video byte by byte: every box, field and NAL unit is on an allow-list.

Written from ISO/IEC 14496-12 (boxes), 14496-15 (``avc1``) and ITU-T H.264, not from the writer:
whatever the writer may leave in a file by mistake has no place here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from struct import unpack_from
from typing import Final

from vid2kp.privacy.finding import NotAllowed

# Which boxes may lie in which, and how often at least and at most.
_TREE: Final[dict[str, dict[str, tuple[int, int]]]] = {
    "": {"ftyp": (1, 1), "free": (0, 1), "mdat": (1, 1), "moov": (1, 1)},
    "moov": {"mvhd": (1, 1), "trak": (1, 1), "udta": (0, 1)},
    "trak": {"tkhd": (1, 1), "edts": (0, 1), "mdia": (1, 1)},
    "edts": {"elst": (1, 1)},
    "mdia": {"mdhd": (1, 1), "hdlr": (1, 1), "minf": (1, 1)},
    "minf": {"vmhd": (1, 1), "dinf": (1, 1), "stbl": (1, 1)},
    "dinf": {"dref": (1, 1)},
    "stbl": {"stsd": (1, 1), "stts": (1, 1), "stss": (0, 1), "stsc": (1, 1), "stsz": (1, 1),
             "stco": (0, 1), "co64": (0, 1)},
    "avc1": {"avcC": (1, 1), "colr": (1, 1), "btrt": (0, 1)},
}  # fmt: skip

_MATRIX: Final = bytes.fromhex("00010000" + "00" * 12 + "00010000" + "00" * 12 + "40000000")

# Boxes that have one possible content.
_FIXED: Final = {
    "ftyp": b"isom\0\0\2\0isomiso2avc1mp41",
    "free": b"",
    "hdlr": b"\0" * 8 + b"vide" + b"\0" * 12 + b"VideoHandler\0",
    "vmhd": bytes.fromhex("000000010000000000000000"),
    "dref": bytes.fromhex("00000000000000010000000c75726c2000000001"),
    # An empty list of tags, which the muxer writes whether there are tags or not.
    "udta": bytes.fromhex("000000356d657461000000000000002168646c72" + "00" * 8)
    + b"mdirappl"
    + b"\0" * 9
    + b"\0\0\0\x08ilst",
    # BT.709 primaries, transfer and matrix, limited range.
    "colr": b"nclx\0\1\0\1\0\1\0",
}

_SLICES: Final = (1, 5)
"""NAL types of coded pictures. Type 6, supplemental information, can hold any text."""


@dataclass(frozen=True)
class VideoFacts:
    """What a clean file says of its pictures.

    Attributes:
        width: pixels.
        height: pixels.
        times: when each picture is shown, in ticks of 1 / `timescale` seconds.
        timescale: ticks per second.
    """

    width: int
    height: int
    times: list[int]
    timescale: int


@dataclass(frozen=True)
class _Box:
    kind: str
    start: int  # of the content in the file
    content: bytes  # empty for mdat
    size: int  # of the content


def check_mp4(path: Path) -> VideoFacts:
    """Checks a skeleton video against the allow-list.

    Returns:
        its size and times.

    Raises:
        NotAllowed: something in it is not on the list, or the file is damaged.
        OSError: it cannot be read.
    """
    try:
        # Mapped, not read: a film of hours must not fill the memory.
        with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
            return _check(data)
    except (struct.error, IndexError, KeyError, ValueError, OverflowError, ZeroDivisionError):
        raise NotAllowed("the MP4 file is damaged") from None


def _check(data: mmap) -> VideoFacts:
    top = _children(data, 0, len(data), "")
    moov = {box.kind: box for box in _all_boxes(data, top["moov"])}
    for kind, content in _FIXED.items():
        box = top.get(kind) or moov.get(kind)
        if box is not None and box.content != content:
            raise NotAllowed(f"the box '{kind}' holds something of its own")
    for kind, check in _CHECKS.items():
        if kind in moov:
            check(moov[kind].content)
    width, height = unpack_from(">HH", moov["avc1"].content, 24)
    timescale = unpack_from(">I", moov["mdhd"].content, _versioned(moov["mdhd"].content, 12, 20))[0]
    sizes = _sample_sizes(moov["stsz"].content)
    _check_media(data, top["mdat"], moov, sizes)
    starts = _times(moov["stts"].content, len(sizes))
    shift = _start(moov, timescale)
    return VideoFacts(width, height, [shift + t for t in starts], timescale)


# ---------------------------------------------------------------------------------------------
# Boxes


def _children(data: mmap, start: int, end: int, parent: str) -> dict[str, _Box]:
    allowed = _TREE[parent]
    found: dict[str, _Box] = {}
    for box in _boxes(data, start, end):
        if box.kind not in allowed:
            where = f"in '{parent}'" if parent else "in the file"
            raise NotAllowed(f"a box that has no place {where}")
        if box.kind in found:
            raise NotAllowed(f"the box '{box.kind}' is there twice")
        found[box.kind] = box
    for kind, (least, _) in allowed.items():
        if least and kind not in found:
            raise NotAllowed(f"the box '{kind}' is missing")
    return found


def _boxes(data: mmap, start: int, end: int) -> Iterator[_Box]:
    at = start
    while at < end:
        size, kind = unpack_from(">I4s", data, at)
        head = 8
        if size == 1:
            (size,) = unpack_from(">Q", data, at + 8)
            head = 16
        if size < head or at + size > end:
            raise NotAllowed("the MP4 file is damaged")
        name = kind.decode("latin-1")
        inside = b"" if name == "mdat" else data[at + head : at + size]
        yield _Box(name, at + head, inside, size - head)
        at += size


def _all_boxes(data: mmap, box: _Box) -> Iterator[_Box]:
    """The box and all below it."""
    yield box
    if box.kind == "stsd":
        yield from _all_boxes(data, _only_entry(data, box))
    elif box.kind in _TREE:
        # avc1 has 78 bytes of its own before its boxes.
        start = box.start + (78 if box.kind == "avc1" else 0)
        for child in _children(data, start, box.start + box.size, box.kind).values():
            yield from _all_boxes(data, child)


def _only_entry(data: mmap, stsd: _Box) -> _Box:
    if stsd.content[:8] != b"\0\0\0\0\0\0\0\1":
        raise NotAllowed("more than one kind of picture")
    entries = list(_boxes(data, stsd.start + 8, stsd.start + stsd.size))
    if len(entries) != 1 or entries[0].kind != "avc1":
        raise NotAllowed("the pictures are not H.264")
    return entries[0]


# ---------------------------------------------------------------------------------------------
# Fields of boxes that have more than one possible content


def _versioned(content: bytes, version_0: int, version_1: int) -> int:
    """An offset or a size that depends on whether times have 32 or 64 bits."""
    if content[:4] not in (b"\0\0\0\0", b"\1\0\0\0"):
        raise NotAllowed("a box of an unknown version")
    return version_1 if content[0] else version_0


def _check_mvhd(content: bytes) -> None:
    dates = _versioned(content, 8, 16)
    rest = dates + _versioned(content, 8, 12) + 4
    _expect("mvhd", content[4 : 4 + dates], b"\0" * dates)
    tail = bytes.fromhex("00010000" + "0100" + "00" * 10) + _MATRIX + b"\0" * 24 + b"\0\0\0\2"
    _expect("mvhd", content[rest:], tail)


def _check_tkhd(content: bytes) -> None:
    flags, content = content[1:4], content[:1] + b"\0\0\0" + content[4:]
    dates = _versioned(content, 8, 16)
    duration = _versioned(content, 4, 8)
    _expect("tkhd", flags, b"\0\0\3")
    _expect("tkhd", content[4 : 4 + dates], b"\0" * dates)
    rest = 4 + dates
    _expect("tkhd", content[rest : rest + 8], b"\0\0\0\1" + b"\0" * 4)
    rest += 8 + duration
    _expect("tkhd", content[rest : rest + 52], b"\0" * 16 + _MATRIX)
    _size("tkhd", content, rest + 60)


def _check_mdhd(content: bytes) -> None:
    dates = _versioned(content, 8, 16)
    _expect("mdhd", content[4 : 4 + dates], b"\0" * dates)
    # The language is "und", undetermined.
    _expect("mdhd", content[_versioned(content, 20, 32) :], b"\x55\xc4\0\0")


def _check_avc1(content: bytes) -> None:
    # Reserved, data reference 1, size, 72 dpi, one frame a sample, no name of the encoder, 24 bit.
    _expect("avc1", content[:24], b"\0" * 7 + b"\1" + b"\0" * 16)
    _expect("avc1", content[28:78], bytes.fromhex(
        "00480000" "00480000" "00000000" "0001" + "00" * 32 + "0018" "ffff"
    ))  # fmt: skip


def _check_avcc(content: bytes) -> None:
    # Version 1, profile, level; 4-byte lengths; one sequence and one picture parameter set.
    _expect("avcC", content[:1] + content[4:6], b"\1\xff\xe1")
    (length,) = unpack_from(">H", content, 6)
    sequence, rest = content[8 : 8 + length], content[8 + length :]
    _expect("avcC", content[1:4], sequence[1:4])
    _expect("avcC", rest[:1], b"\1")
    (length,) = unpack_from(">H", rest, 1)
    picture = rest[3 : 3 + length]
    _size("avcC", rest, 3 + length)
    if sequence[0] & 31 != 7 or picture[0] & 31 != 8:
        raise NotAllowed("the box 'avcC' holds something else than parameter sets")


def _check_elst(content: bytes) -> None:
    wide = _versioned(content, 0, 1)
    entry = struct.Struct(">QqI" if wide else ">IiI")
    (count,) = unpack_from(">I", content, 4)
    _size("elst", content, 8 + count * entry.size)
    edits = [entry.unpack_from(content, 8 + i * entry.size) for i in range(count)]
    # An empty edit delays the first picture; then everything is shown from its beginning.
    if [edit[1] for edit in edits] not in ([0], [-1, 0]) or any(e[2] != 1 << 16 for e in edits):
        raise NotAllowed("the box 'elst' hides part of the video")


def _check_stts(content: bytes) -> None:
    _table("stts", content, 8)


def _check_stss(content: bytes) -> None:
    count = _table("stss", content, 4)
    numbers = unpack_from(f">{count}I", content, 8)
    if list(numbers) != sorted(set(numbers)):
        raise NotAllowed("the box 'stss' is not a list of pictures")


def _check_stsc(content: bytes) -> None:
    _table("stsc", content, 12)


def _check_btrt(content: bytes) -> None:
    _size("btrt", content, 12)


_CHECKS: Final[dict[str, Callable[[bytes], None]]] = {
    "mvhd": _check_mvhd, "tkhd": _check_tkhd, "mdhd": _check_mdhd, "avc1": _check_avc1,
    "avcC": _check_avcc, "elst": _check_elst, "stts": _check_stts, "stss": _check_stss,
    "stsc": _check_stsc, "btrt": _check_btrt,
}  # fmt: skip


def _expect(kind: str, found: bytes, wanted: bytes) -> None:
    if found != wanted:
        raise NotAllowed(f"the box '{kind}' holds something of its own (a date, a name, a tag)")


def _size(kind: str, content: bytes, wanted: int) -> None:
    if len(content) != wanted:
        raise NotAllowed(f"the box '{kind}' has bytes too many or too few")


def _table(kind: str, content: bytes, entry: int) -> int:
    """Number of entries of a table that is exactly as long as it says."""
    _expect(kind, content[:4], b"\0\0\0\0")
    (count,) = unpack_from(">I", content, 4)
    _size(kind, content, 8 + count * entry)
    return int(count)


# ---------------------------------------------------------------------------------------------
# Pictures


def _sample_sizes(content: bytes) -> list[int]:
    common, count = unpack_from(">II", content, 4)
    _expect("stsz", content[:4], b"\0\0\0\0")
    _size("stsz", content, 12 + (0 if common else 4 * count))
    return [common] * count if common else list(unpack_from(f">{count}I", content, 12))


def _times(content: bytes, samples: int) -> list[int]:
    times: list[int] = []
    now = 0
    for i in range(unpack_from(">I", content, 4)[0]):
        count, step = unpack_from(">II", content, 8 + 8 * i)
        if len(times) + count > samples:
            raise NotAllowed("the box 'stts' tells of more pictures than there are")
        times.extend(range(now, now + count * step, step) if step else [now] * count)
        now += count * step
    if len(times) != samples:
        raise NotAllowed("the box 'stts' tells of fewer pictures than there are")
    return times


def _start(moov: dict[str, _Box], timescale: int) -> int:
    """Ticks by which an empty edit delays the first picture."""
    if "elst" not in moov:
        return 0
    content = moov["elst"].content
    wide = _versioned(content, 0, 1)
    delay, media = unpack_from(">Qq" if wide else ">Ii", content, 8)
    movie = moov["mvhd"].content
    (movie_timescale,) = unpack_from(">I", movie, _versioned(movie, 12, 20))
    return round(delay * timescale / movie_timescale) if media == -1 else 0


def _check_media(data: mmap, mdat: _Box, moov: dict[str, _Box], sizes: list[int]) -> None:
    """The pictures fill ``mdat`` without gap or overlap, and each holds nothing but slices."""
    at, sample = mdat.start, 0
    for start, count in _chunks(moov, len(sizes)):
        if start != at:
            raise NotAllowed("bytes in 'mdat' that belong to no picture")
        for size in sizes[sample : sample + count]:
            _check_sample(data, at, at + size)
            at += size
        sample += count
    if sample != len(sizes) or at != mdat.start + mdat.size:
        raise NotAllowed("bytes in 'mdat' that belong to no picture")


def _chunks(moov: dict[str, _Box], samples: int) -> Iterator[tuple[int, int]]:
    """Offset in the file and number of pictures of each chunk."""
    if ("stco" in moov) == ("co64" in moov):
        raise NotAllowed("the boxes 'stco' and 'co64' are both there or both missing")
    kind, letter = ("stco", "I") if "stco" in moov else ("co64", "Q")
    content = moov[kind].content
    count = _table(kind, content, 4 if kind == "stco" else 8)
    offsets = unpack_from(f">{count}{letter}", content, 8)
    runs = moov["stsc"].content
    entries = [unpack_from(">III", runs, 8 + 12 * i) for i in range(_table("stsc", runs, 12))]
    for i, (first, pictures, description) in enumerate(entries):
        following = entries[i + 1][0] if i + 1 < len(entries) else count + 1
        if description != 1 or not 0 < first < following <= count + 1:
            raise NotAllowed("the box 'stsc' is damaged")
        for chunk in range(first, following):
            yield offsets[chunk - 1], min(pictures, samples)


def _check_sample(data: mmap, start: int, end: int) -> None:
    at = start
    while at < end:
        (length,) = unpack_from(">I", data, at)
        if length == 0 or at + 4 + length > end:
            raise NotAllowed("a picture whose parts do not fill it")
        kind = data[at + 4] & 31
        if kind not in _SLICES:
            raise NotAllowed(
                "supplemental information (SEI), which can hold any text"
                if kind == 6
                else f"a NAL unit of type {kind}, which is no picture"
            )
        at += 4 + length
