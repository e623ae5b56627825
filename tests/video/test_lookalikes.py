"""Files that are no videos get a word about what they are and what to do."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import broken_media
import pytest
from media import Clip, make
from reading import naive_decode, read_all

from vid2kp.errors import UnreadableVideo
from vid2kp.privacy.manifest import REASON
from vid2kp.video.probe import probe

DICOM_HEAD = b"\0" * 128 + b"DICM" + b"\x02\0\0\0UL\x04\0" + b"\0" * 400


def test_a_dicom_file_is_never_taken_for_the_stream_in_it(tmp_path: Path) -> None:
    """Its frame rate is a matter of DICOM: FFmpeg's guess would be a wrong time."""
    stream = make(tmp_path / "a.h264", Clip(rate=Fraction(30))).read_bytes()
    path = tmp_path / "a.dcm"
    path.write_bytes(DICOM_HEAD + stream)
    assert len(naive_decode(path)) == 24
    with pytest.raises(UnreadableVideo, match="DICOM"):
        read_all(path)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (bytes(100_000), "zeros"),
        (bytes.fromhex("0005160700020000") + b"Mac OS X        " * 20, "macOS"),
        (struct.pack(">I", 24) + b"ftypheic" + bytes(200), "photograph"),
        (b"\x89PNG\r\n\x1a\n" + bytes(200), "photograph"),
        (b"PK\x03\x04" + bytes(2000), "Unpack"),
        (b"%PDF-1.7\n" + b"x" * 3000, "document"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + bytes(3000), "document"),  # Thumbs.db
        (struct.pack(">I", 64) + b"RED2" + bytes(1000), "raw format"),
        (DICOM_HEAD, "DICOM"),
        (b"\xff" * 100_000, "not a video"),
    ],
)
def test_each_kind_is_named_with_what_to_do(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    with pytest.raises(UnreadableVideo, match=said) as caught:
        probe(path)
    assert caught.value.hint
    assert REASON.fullmatch(str(caught.value)), "one line that may stand in a table of results"


def test_a_photograph_that_moves_is_a_photograph(tmp_path: Path) -> None:
    photo = broken_media.jpeg(tmp_path / "a.jpg")
    photo.write_bytes(photo.read_bytes() + make(tmp_path / "a.mp4").read_bytes())
    with pytest.raises(UnreadableVideo, match="export its video"):
        probe(photo)
