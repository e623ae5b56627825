"""What a probe says of a file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import media
import pytest
from media import Clip, make

from vid2kp.video.probe import probe


def test_plain_clip(tmp_path: Path) -> None:
    info = probe(make(tmp_path / "a.mp4"))
    assert "mp4" in info.container
    assert info.codec == "h264"
    assert (info.coded_width, info.coded_height) == (info.width, info.height) == (160, 96)
    assert (info.rotation, info.mirrored, info.pixel_aspect) == (0, False, 1)
    assert info.header_frames == 24
    assert info.header_duration == pytest.approx(24 / 25)
    assert (info.rate, info.fps) == (25, 25.0)
    assert (info.bit_depth, info.hdr, info.interlaced) == (8, None, False)
    assert (info.video_streams, info.other_streams) == (1, ())
    assert info.identifying_tags == info.warnings == info.actions == ()


def test_what_will_be_done_is_said(tmp_path: Path) -> None:
    clip = Clip(pixel_format="yuv420p10le", aspect=Fraction(16, 15))
    path = media.set_display_matrix(make(tmp_path / "a.mp4", clip), *media.MIRROR_AND_TURN)
    assert probe(path).actions == (
        "turn 270° counter-clockwise",
        "mirror left to right",
        "stretch x by 16/15 to square pixels",
        "reduce 10 bits to 8",
    )
    assert "deinterlace, one frame per frame" in (
        probe(make(tmp_path / "i.mp4", Clip(interlaced=True))).actions
    )


def test_display_size_is_that_of_the_turned_and_stretched_picture(tmp_path: Path) -> None:
    clip = Clip(aspect=Fraction(3, 2))
    info = probe(media.set_display_matrix(make(tmp_path / "a.mp4", clip), *media.PHONE_UPRIGHT))
    assert (info.width, info.height) == (96, 240)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_other_streams_are_counted_by_type(tmp_path: Path, suffix: str) -> None:
    info = probe(media.make_dirty(tmp_path / f"dirty{suffix}"))
    assert {"audio": 1, "subtitle": 1, "video": 1}.items() <= dict(info.other_streams).items()
    assert info.video_streams == 2
    assert "leave sound, subtitles, data and cover art unopened" in info.actions


def test_names_of_tags_that_anybody_made_up_are_not_repeated(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mkv", Clip(tags={"Lastname, Firstname": "yes", "PLACE": "ward"}))
    assert probe(path).identifying_tags == ("(other)", "PLACE")


@pytest.mark.parametrize(("value", "warned"), [("90", True), ("0", False)])
def test_a_rotation_that_is_a_mere_tag_is_told(tmp_path: Path, value: str, warned: bool) -> None:
    path = tmp_path / "tag.mkv"
    with av.open(str(path), "w") as container:
        stream = media.add_video(container, Clip())
        stream.metadata["rotate"] = value
        media.encode(container, stream, Clip())
    info = probe(path)
    assert info.rotation == 0
    assert any("rotation" in warning for warning in info.warnings) == warned


def test_hlg_is_recognised(tmp_path: Path) -> None:
    clip = Clip(
        codec="libx265",
        pixel_format="yuv420p10le",
        options={
            "x265-params": "log-level=none:bframes=0:transfer=arib-std-b67:colormatrix=bt2020nc"
        },
    )
    info = probe(make(tmp_path / "hlg.mp4", clip))
    assert (info.hdr, info.bit_depth) == ("HLG", 10)
