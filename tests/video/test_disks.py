"""What else lies on a hospital's disk: old camcorders, phones, cut, joined and live recordings."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import media
import numpy as np
import pytest
from broken_media import cut
from media import Clip, make
from reading import naive_decode, read_all

from vid2kp.video.read import ReadOptions

HOUR = 3600
CLOCK = Fraction(1, 90000)  # of MPEG streams
WRAP = 1 << 33

DV = Clip(frames=6, codec="dvvideo", width=720, height=576)
MPEG2 = Clip(codec="mpeg2video")


@pytest.mark.parametrize(
    ("name", "clip", "container"),
    [
        ("phone.3gp", Clip(codec="h263", width=176, height=144), None),
        ("old.WMV", Clip(codec="wmv2"), "asf"),
        ("camcorder.MOD", Clip(codec="mpeg2video", width=720, height=576, frames=6), "dvd"),
        ("camcorder.TOD", MPEG2, "mpegts"),
        ("avchd.MTS", Clip(muxer={"mpegts_m2ts_mode": "1"}), "mpegts"),
        ("disc.VOB", MPEG2, "vob"),
        ("old.MPG", Clip(codec="mpeg1video"), None),
        ("tape.dv", DV, None),
        ("tape.avi", DV, None),
        ("browser.webm", Clip(codec="libvpx", muxer={"live": "1"}), None),
        ("flash.flv", Clip(codec="flv"), None),
        ("studio.mxf", MPEG2, None),
        ("studio.mov", Clip(codec="prores_ks", pixel_format="yuv422p10le"), None),
        ("lossless.avi", Clip(codec="huffyuv", pixel_format="yuv422p"), None),
        ("microscope.avi", Clip(codec="rawvideo", pixel_format="gray"), None),
        ("iphone.MOV", Clip(codec="libx265", options={"x265-params": "log-level=none"}), None),
        ("slow.mp4", Clip(frames=60, rate=Fraction(240)), None),
        ("fragments.mp4", Clip(muxer={"movflags": "+frag_keyframe+empty_moov+dash"}), None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_kind_of_recorder_is_read(
    tmp_path: Path, name: str, clip: Clip, container: str | None
) -> None:
    path = tmp_path / name
    with av.open(str(path), "w", format=container, options=clip.muxer) as target:
        stream = media.add_video(target, clip)
        media.encode(target, stream, clip)
    seen = read_all(path)
    assert seen.summary.status == "done"
    assert seen.numbers == list(range(clip.frames))
    expected = np.arange(clip.frames) / float(clip.rate)
    np.testing.assert_allclose(seen.times, expected, atol=0.0011)
    assert seen.summary.time_source == "pts"


# -- clocks ------------------------------------------------------------------------------------


def clock_clip(path: Path, pts: list[int]) -> Path:
    clip = Clip(frames=len(pts), times=tuple(pts), time_base=CLOCK, b_frames=0)
    return make(path, clip)


@pytest.mark.parametrize("seconds_before_wrap", [0.48, 70, 7000])
def test_a_clock_of_33_bits_that_starts_again_is_not_seen(
    tmp_path: Path, seconds_before_wrap: float
) -> None:
    start = WRAP - round(seconds_before_wrap * 90000)
    path = clock_clip(tmp_path / "wrap.ts", [start + 3600 * n for n in range(24)])
    raw = [frame.pts for frame in naive_decode(path) if frame.pts is not None]
    if seconds_before_wrap < 1:
        assert raw[0] < 0 <= raw[-1], "the clock did start again in here"
    seen = read_all(path, images=False)
    assert seen.times == pytest.approx([n / 25 for n in range(24)])
    assert seen.summary.time_source == "pts"


@pytest.mark.parametrize("suffix", [".ts", ".mkv"])
def test_a_clock_that_leaps_for_hours_was_set_anew(tmp_path: Path, suffix: str) -> None:
    leap = 10 * HOUR * 90000
    pts = [3600 * n + (leap if n >= 12 else 0) for n in range(24)]
    path = clock_clip(tmp_path / f"leap{suffix}", pts)
    assert naive_decode(path)[-1].time > 10 * HOUR
    seen = read_all(path)
    assert seen.times == pytest.approx([n / 25 for n in range(24)], abs=0.0011)
    assert seen.numbers == list(range(24))
    assert seen.summary.time_source == "rebuilt"
    assert seen.summary.status == "done"


def test_a_gap_of_seconds_is_true_and_said(tmp_path: Path) -> None:
    pts = [3600 * n + (90000 * 60 if n >= 12 else 0) for n in range(24)]
    path = clock_clip(tmp_path / "gap.mp4", pts)
    seen = read_all(path, images=False)
    assert seen.times == pytest.approx([p / 90000 for p in pts])
    assert any("gap of 60 seconds" in warning for warning in seen.summary.warnings)
    later = read_all(path, ReadOptions(start=30))
    assert later.numbers == list(range(12, 24))
    assert later.times == seen.times[12:]


def test_recordings_joined_on_a_disc_go_on_in_time(tmp_path: Path) -> None:
    parts = [
        make(tmp_path / f"{number}.mpg", Clip(codec="mpeg2video", first_number=number))
        for number in (0, 24)
    ]
    path = media.joined(tmp_path / "joined.mpg", parts)
    pts = [frame.pts or 0 for frame in naive_decode(path)]
    assert pts != sorted(pts)
    seen = read_all(path)
    assert seen.numbers == list(range(48))
    assert seen.times == pytest.approx([n / 25 for n in range(48)])


def test_a_part_of_joined_recordings_is_the_same_part_of_the_whole(tmp_path: Path) -> None:
    clip = Clip(frames=160, rate=Fraction(8), keyframe_every=16, b_frames=0)
    one = make(tmp_path / "one.ts", clip)
    path = media.joined(tmp_path / "joined.ts", [one, one])
    whole = read_all(path, images=False)
    part = read_all(path, ReadOptions(start=25, duration=5), images=False)
    inside = [i for i, time in enumerate(whole.times) if 25 <= time < 30]
    assert len(inside) == 40
    assert part.times == [whole.times[i] for i in inside]
    assert part.digests == [whole.digests[i] for i in inside]


# -- what the header promises ------------------------------------------------------------------


def with_sound(path: Path, *, frames: int, seconds: float) -> Path:
    clip = Clip(frames=frames)
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        video = media.add_video(container, clip)
        sound = container.add_stream("aac", rate=16000, layout="mono")
        media.encode(container, video, clip)
        media.encode_sound(container, sound, seconds=seconds)
    return path


def without_stream_durations(source: Path, path: Path) -> Path:
    """A Matroska file of a program that writes how long the whole is, and nothing of its parts."""
    path.write_bytes(source.read_bytes().replace(b"DURATION", b"DURATIXX"))
    return path


def test_sound_that_outlasts_the_picture_is_no_cut(tmp_path: Path) -> None:
    whole = with_sound(tmp_path / "tagged.mkv", frames=25, seconds=8)
    path = without_stream_durations(whole, tmp_path / "long.mkv")
    with av.open(str(path)) as container:
        assert (container.duration or 0) > 7.5e6  # eight times that of the picture
    assert read_all(path, images=False).summary.status == "done"


def test_a_cut_file_with_sound_is_cut(tmp_path: Path) -> None:
    whole = with_sound(tmp_path / "tagged.mkv", frames=200, seconds=8)
    path = without_stream_durations(whole, tmp_path / "long.mkv")
    assert read_all(path, images=False).summary.status == "done"
    seen = read_all(cut(path, tmp_path / "cut.mkv", 0.6), images=False)
    assert seen.summary.status == "truncated"


def test_a_picture_that_begins_late_is_no_cut(tmp_path: Path) -> None:
    seen = read_all(make(tmp_path / "late.mkv", Clip(times=tuple(range(100, 124)))), images=False)
    assert seen.summary.status == "done"
    assert seen.info.header_duration == pytest.approx(24 / 25, abs=0.01)


def test_a_video_trimmed_on_the_phone_is_no_cut(tmp_path: Path) -> None:
    path = make(tmp_path / "trimmed.mp4", Clip(frames=48))
    data = bytearray(path.read_bytes())
    entry = data.index(b"elst") + 12
    duration, first, speed = struct.unpack_from(">IiI", data, entry)
    # The second half of the 48 frames is shown, from between two keyframes on.
    struct.pack_into(">IiI", data, entry, duration // 2, first + 512 * 20, speed)
    path.write_bytes(data)
    seen = read_all(path)
    assert seen.info.header_frames == 48
    assert seen.numbers == list(range(20, 44))
    assert seen.times == pytest.approx([n / 25 for n in range(24)])
    assert seen.summary.status == "done"
