"""What lies on a hospital's disk beside videos, known by its first bytes, and what to do."""

from __future__ import annotations

from dataclasses import dataclass

HEAD_BYTES = 4096
"""So much of the beginning of a file is looked at."""


@dataclass(frozen=True)
class Lookalike:
    """A kind of file that is no plain video: what it is, and what to do, one line each."""

    message: str
    hint: str


_DICOM = Lookalike(
    "This is a DICOM file, not a plain video.",
    "Export the video from the viewer of the archive, as MP4.",
)
_PICTURE = Lookalike(
    "This is a photograph, not a video.",
    "If it is one that moves, export its video on the phone first.",
)
_COMPANION = Lookalike(
    "This is a file that macOS puts beside another; it holds no picture.",
    "Give the file of the same name without the dot and the underscore in front.",
)
_ARCHIVE = Lookalike("This is an archive, not a video.", "Unpack it and give the videos in it.")
_DOCUMENT = Lookalike("This is a document, not a video.", "Give a video file.")
_RAW = Lookalike(
    "This is the raw format of a film camera, which cannot be decoded here.",
    "Export it as H.264 with the program of the camera.",
)
_EMPTY = Lookalike("The file is empty.", "Copy it again from the camera.")
_BLANK = Lookalike(
    "The file begins with zeros where its header should be: its content was lost.",
    "Copy it again from the camera.",
)

# Kinds in which FFmpeg finds a video of its own, with times that mean nothing.
_MISLEADING: tuple[tuple[int, bytes, Lookalike], ...] = (
    (128, b"DICM", _DICOM),
    *((4, b"ftyp" + brand, _PICTURE) for brand in (b"heic", b"heix", b"mif1", b"msf1", b"avif")),
)
_OTHERS: tuple[tuple[int, bytes, Lookalike], ...] = (
    *((0, magic, _PICTURE) for magic in (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"II*\0", b"MM\0*")),
    (8, b"WEBP", _PICTURE),
    (0, b"\x00\x05\x16\x07", _COMPANION),
    *((0, magic, _ARCHIVE) for magic in (b"PK\x03\x04", b"7z\xbc\xaf", b"Rar!", b"\x1f\x8b")),
    *((0, magic, _DOCUMENT) for magic in (b"%PDF", b"\xd0\xcf\x11\xe0", b"<!DOC", b"<htm")),
    *((4, magic, _RAW) for magic in (b"RED1", b"RED2", b"ftypcrx")),
)


def misleading(head: bytes) -> Lookalike | None:
    """What a file is that must not be opened as a video, though it could be."""
    return _first(_MISLEADING, head)


def explain(head: bytes) -> Lookalike | None:
    """What a file is that could not be opened as a video; None where nobody knows.

    Args:
        head: the first `HEAD_BYTES` of the file, fewer where it is shorter.
    """
    if not head:
        return _EMPTY
    return _BLANK if not any(head) else _first(_OTHERS, head)


def _first(kinds: tuple[tuple[int, bytes, Lookalike], ...], head: bytes) -> Lookalike | None:
    return next((kind for at, magic, kind in kinds if head.startswith(magic, at)), None)
