"""Each odd form of video: what goes wrong without a rule, and that it does not here."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import media
import numpy as np
import pytest
from broken_media import cut, encrypted, headers_only, scribbled
from media import BLUE, GREEN, MARKS, RED, VARIABLE_TIMES, Clip, frame_number, is_colour, make
from reading import decode_packetwise, naive_decode, read_all

from vid2kp.errors import UnreadableVideo
from vid2kp.video.read import open_video


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("clips") / "plain.mp4")


@pytest.fixture(scope="module")
def faststart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "fast.mp4"
    return make(path, Clip(frames=48, muxer={"movflags": "+faststart"}))


def shows_marks_upright(image: np.ndarray) -> bool:
    return all(is_colour(image, *MARKS[colour], colour) for colour in (RED, BLUE, GREEN))


# -- the ordinary ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "clip"),
    [
        ("a.mp4", Clip()),
        ("a.mkv", Clip()),
        ("a.ts", Clip()),
        ("mpeg2.mpg", Clip(codec="mpeg2video")),
        ("xvid.avi", Clip(codec="mpeg4")),
        ("hevc.mp4", Clip(codec="libx265")),
        ("av1.mp4", Clip(codec="libsvtav1", options={"preset": "12"})),
        ("vp9.webm", Clip(codec="libvpx-vp9", options={"deadline": "realtime", "cpu-used": "8"})),
        ("ten.mp4", Clip(pixel_format="yuv420p10le")),
        ("mjpeg.avi", Clip(codec="mjpeg", pixel_format="yuvj422p")),
        ("lossless.mkv", Clip(codec="ffv1", pixel_format="bgr0")),
        ("odd.mp4", Clip(width=161, height=121, pixel_format="yuv444p")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_frame_comes_once_in_order_and_in_its_colours(
    tmp_path: Path, name: str, clip: Clip
) -> None:
    seen = read_all(make(tmp_path / name, clip))
    assert seen.summary.status == "done"
    assert seen.numbers == list(range(clip.frames))
    np.testing.assert_allclose(seen.times, np.arange(clip.frames) / 25, atol=0.0011)
    assert set(seen.sizes) == {(clip.width, clip.height)}
    assert all(map(shows_marks_upright, seen.images))
    assert not seen.summary.vfr
    assert seen.summary.fps == pytest.approx(25, rel=1e-3)


def test_image_has_the_colours_that_went_in(tmp_path: Path) -> None:
    for bt709, full_range in ((False, False), (True, False), (True, True)):
        clip = Clip(frames=2, colorspace=1 if bt709 else 5, full_range=full_range)
        seen = read_all(make(tmp_path / "colour.mp4", clip))
        for colour, place in MARKS.items():
            assert is_colour(seen.images[0], *place, colour, within=10)


def test_deep_colour_is_brought_to_8_bits_bt709(tmp_path: Path) -> None:
    clip = Clip(frames=2, pixel_format="yuv420p10le", colorspace=9)  # BT.2020
    path = make(tmp_path / "deep.mp4", clip)
    assert naive_decode(path)[0].format.name == "yuv420p10le"
    with open_video(path) as reader:
        frame = next(iter(reader.frames()))
    assert frame.planes is not None
    assert frame.planes.bt709
    assert frame.planes.y.dtype == np.uint8
    for colour, place in MARKS.items():
        assert is_colour(frame.image, *place, colour, within=15)
    assert reader.info.bit_depth == 10


def test_planes_are_read_only_views(plain: Path) -> None:
    with open_video(plain) as reader:
        frame = next(iter(reader.frames()))
    assert frame.planes is not None
    assert frame.planes.y.shape == (media.HEIGHT, media.WIDTH)
    assert frame.planes.u.shape == frame.planes.v.shape == (media.HEIGHT // 2, media.WIDTH // 2)
    with pytest.raises(ValueError, match="read-only"):
        frame.planes.y[0, 0] = 0
    assert frame_number(frame.image) == 0  # the reader is closed; the frame lives on


def test_summary_needs_the_whole_video(plain: Path) -> None:
    with open_video(plain) as reader:
        with pytest.raises(RuntimeError):
            _ = reader.summary
        list(reader.frames())
        assert reader.summary.frames == 24


# -- orientation, mirror, pixel aspect ---------------------------------------------------------


def test_a_phone_held_upright_is_turned(tmp_path: Path) -> None:
    path = media.set_display_matrix(make(tmp_path / "r.mp4"), *media.PHONE_UPRIGHT)
    raw = naive_decode(path)[0]
    assert (raw.width, raw.height) == (media.WIDTH, media.HEIGHT)  # decoded lying on its side
    assert raw.rotation == -90
    seen = read_all(path)
    assert (seen.info.rotation, seen.info.mirrored) == (270, False)
    assert seen.sizes[0] == (media.HEIGHT, media.WIDTH)
    upright = np.rot90(seen.images[5], -3)  # undo three quarters
    assert frame_number(upright) == 5
    assert shows_marks_upright(upright)
    # The same as turning the decoded picture.
    turned = np.rot90(raw.to_ndarray(format="rgb24"), 3).astype(int)
    assert np.abs(turned - seen.images[0].astype(int)).mean() < 3


@pytest.mark.parametrize(("matrix", "rotation"), [(media.MIRROR, 0), (media.MIRROR_AND_TURN, 270)])
def test_a_mirrored_matrix_swaps_left_and_right(
    tmp_path: Path, matrix: tuple[int, int, int, int], rotation: int
) -> None:
    path = media.set_display_matrix(make(tmp_path / "m.mp4"), *matrix)
    # The angle alone hides the flip: by it, red would end up on the wrong side.
    assert naive_decode(path)[0].rotation % 360 in (180, 270)
    seen = read_all(path)
    assert (seen.info.rotation, seen.info.mirrored) == (rotation, True)
    undone = np.rot90(seen.images[7][:, ::-1], -rotation // 90)
    assert frame_number(undone) == 7
    assert shows_marks_upright(undone)


def test_keypoints_of_a_mirrored_clip_are_on_the_right_sides(tmp_path: Path) -> None:
    path = media.set_display_matrix(make(tmp_path / "m.mp4"), *media.MIRROR)
    with open_video(path) as reader:
        frame = next(iter(reader.frames()))
    red_coded = np.array([MARKS[RED][0] * media.WIDTH, MARKS[RED][1] * media.HEIGHT, 1])
    x, y, _ = frame.display_from_coded @ red_coded
    assert x > frame.width / 2
    assert is_colour(frame.image, x / frame.width, y / frame.height, RED)


@pytest.mark.parametrize("matrix", [(-(1 << 31),) * 4, (52340, 39441, -39441, 52340)])
def test_garbage_angles_turn_nothing_and_warn(
    tmp_path: Path, matrix: tuple[int, int, int, int]
) -> None:
    path = media.set_display_matrix(make(tmp_path / "g.mp4"), *matrix)
    assert naive_decode(path)[0].rotation % 90 != 0
    seen = read_all(path)
    assert (seen.info.rotation, seen.info.mirrored) == (0, False)
    assert shows_marks_upright(seen.images[0])
    assert any("rotation" in warning for warning in seen.summary.warnings)


def test_pixels_that_are_not_square_are_stretched(tmp_path: Path) -> None:
    path = make(tmp_path / "sar.mp4", Clip(aspect=Fraction(64, 45)))
    assert naive_decode(path)[0].width == media.WIDTH
    seen = read_all(path)
    assert seen.sizes[0] == (round(media.WIDTH * 64 / 45), media.HEIGHT)
    assert seen.info.pixel_aspect == Fraction(64, 45)
    assert seen.numbers == list(range(24))
    assert all(map(shows_marks_upright, seen.images))


def test_an_impossible_pixel_aspect_is_ignored(tmp_path: Path) -> None:
    seen = read_all(make(tmp_path / "sar.mp4", Clip(frames=2, aspect=Fraction(1, 60))))
    assert seen.sizes[0] == (media.WIDTH, media.HEIGHT)
    assert any("aspect" in warning for warning in seen.summary.warnings)


# -- times -------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_variable_rate_times_are_true_to_a_tick(tmp_path: Path, suffix: str) -> None:
    path = media.make_variable_rate(tmp_path / f"v{suffix}")
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        rate, tick = stream.average_rate, float(stream.time_base or 0)
    naive = np.arange(len(VARIABLE_TIMES)) / float(rate or 25)
    truth = np.array(VARIABLE_TIMES) / 1000
    assert np.abs(naive - truth).max() > 0.2
    seen = read_all(path)
    assert np.abs(np.array(seen.times) - truth).max() <= tick
    assert seen.summary.vfr
    assert seen.summary.time_source == "pts"
    assert seen.summary.fps == pytest.approx(25)


@pytest.mark.parametrize("suffix", [".mkv", ".ts", ".mp4"])
def test_the_first_frame_shown_is_time_zero(tmp_path: Path, suffix: str) -> None:
    path = make(tmp_path / f"late{suffix}", Clip(times=tuple(range(100, 124))))
    assert naive_decode(path)[0].time > 3.9
    seen = read_all(path)
    assert seen.times[0] == 0.0
    np.testing.assert_allclose(seen.times, np.arange(24) / 25, atol=0.0011)


def test_an_edit_list_is_honoured(tmp_path: Path) -> None:
    # B-frames in mp4: decoding starts before time zero and an edit list hides it.
    seen = read_all(make(tmp_path / "edit.mp4", Clip(b_frames=2)))
    assert seen.times == pytest.approx([n / 25 for n in range(24)])


def test_dropped_frames_of_an_avi_leave_gaps_in_time(tmp_path: Path) -> None:
    times = (0, 1, 2, 5, 6, 7, 12, 13)
    clip = Clip(frames=8, times=times, codec="mjpeg", pixel_format="yuvj420p", b_frames=0)
    path = make(tmp_path / "drops.avi", clip)
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 14  # the header counts the dropped ones
    seen = read_all(path)
    assert seen.numbers == list(range(8))
    assert seen.times == pytest.approx([n / 25 for n in times])
    assert seen.summary.status == "done"
    assert seen.summary.vfr


@pytest.mark.parametrize("name", ["raw.h264", "bframes.avi"])
def test_missing_or_jumbled_pts_are_rebuilt(tmp_path: Path, name: str) -> None:
    path = make(tmp_path / name)
    pts = [frame.pts for frame in naive_decode(path)]
    assert None in pts or pts != sorted(pts)
    seen = read_all(path)
    assert seen.numbers == list(range(24))
    assert seen.times == pytest.approx([n / 25 for n in range(24)])
    assert seen.summary.time_source == "rebuilt"
    assert any("rebuilt" in warning for warning in seen.summary.warnings)


def test_joined_recordings_change_size_and_go_on_in_time(tmp_path: Path) -> None:
    first = make(tmp_path / "1.ts")
    second = make(tmp_path / "2.ts", Clip(width=240, height=144, first_number=24))
    path = media.joined(tmp_path / "joined.ts", [first, second])
    pts = [frame.pts or 0 for frame in naive_decode(path)]
    assert pts != sorted(pts)
    seen = read_all(path)
    # MPEG-TS counts its packets and the count is broken at the joint: two frames are in doubt.
    assert seen.suspect == [n in (21, 23) for n in range(48)]
    assert seen.numbers == [None if n in (21, 23) else n for n in range(48)]
    assert seen.times == pytest.approx([n / 25 for n in range(48)])
    assert seen.sizes == [(160, 96)] * 24 + [(240, 144)] * 24
    assert shows_marks_upright(seen.images[24])
    assert any("size" in warning for warning in seen.summary.warnings)


# -- streams -----------------------------------------------------------------------------------


def test_the_best_video_stream_is_read(tmp_path: Path) -> None:
    path = media.make_two_streams(tmp_path / "two.mp4")
    assert naive_decode(path)[0].width == 80
    seen = read_all(path)
    assert seen.sizes[0] == (media.WIDTH, media.HEIGHT)
    assert seen.info.video_streams == 2
    assert any("2 video streams" in warning for warning in seen.summary.warnings)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_sound_subtitles_and_cover_art_stay_unopened(tmp_path: Path, suffix: str) -> None:
    path = media.make_dirty(tmp_path / f"dirty{suffix}")
    with av.open(str(path)) as container:
        kinds = {stream.type for stream in container.streams}
        assert {"video", "audio", "subtitle"} <= kinds
        assert len(container.streams.video) == 2
        assert container.chapters()
    seen = read_all(path)
    assert seen.numbers == list(range(24))
    assert dict(seen.info.other_streams)["audio"] == 1


def test_interlaced_pictures_are_deinterlaced_one_for_one(tmp_path: Path) -> None:
    path = make(tmp_path / "i.mp4", Clip(interlaced=True, aspect=Fraction(16, 15)))
    raw = naive_decode(path)
    assert all(frame.interlaced_frame for frame in raw)
    seen = read_all(path)
    assert seen.summary.interlaced
    assert seen.info.interlaced
    assert seen.numbers == list(range(24))
    assert seen.times == pytest.approx([n / 25 for n in range(24)])
    # The number blocks change from frame to frame; without the filter their rows stay as coded.
    woven = [frame.to_ndarray()[: media.HEIGHT] for frame in raw]
    with open_video(path) as reader:
        smooth = [frame.planes.y for frame in reader.frames() if frame.planes is not None]
    assert any((a != b).any() for a, b in zip(woven, smooth, strict=True))


# -- damage ------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_a_cut_file_is_truncated_up_to_the_cut(tmp_path: Path, suffix: str) -> None:
    clip = Clip(
        frames=48,
        b_frames=0,
        muxer={"movflags": "+faststart"} if suffix == ".mp4" else {},
    )
    whole = make(tmp_path / f"whole{suffix}", clip)
    path = cut(whole, tmp_path / f"cut{suffix}", 0.8)
    if suffix != ".mp4":
        assert len(naive_decode(path)) < 48  # quietly
    seen = read_all(path)
    assert seen.summary.status == "truncated"
    assert 8 <= seen.summary.frames < 48
    sound = [n for n, suspect in zip(seen.numbers, seen.suspect, strict=True) if not suspect]
    assert sound == list(range(len(sound)))


def test_a_whole_file_is_not_truncated_by_longer_sound(tmp_path: Path) -> None:
    path = tmp_path / "sound.mkv"
    media.make_dirty(path, frames=200)
    assert read_all(path, images=False).summary.status == "done"


def test_bad_bytes_mark_frames_to_the_next_keyframe(faststart: Path, tmp_path: Path) -> None:
    path = scribbled(faststart, tmp_path / "bad.mp4", at=0.5, length=300)
    with pytest.raises(av.FFmpegError):  # and every frame after it is gone
        naive_decode(path)
    seen = read_all(path)
    assert seen.summary.status == "damaged"
    assert seen.summary.frames == 48
    assert seen.summary.suspect_frames == sum(seen.suspect) > 0
    # Every frame that is not suspect shows its own number at its own time; no other has a picture.
    for index, (number, suspect) in enumerate(zip(seen.numbers, seen.suspect, strict=True)):
        assert number == (None if suspect else index)
    assert seen.times == pytest.approx([n / 25 for n in range(48)])
    # Suspect frames are one stretch, which ends at a keyframe.
    stretch = np.flatnonzero(seen.suspect)
    assert stretch[-1] - stretch[0] + 1 == stretch.size
    assert (stretch[-1] + 1) % 8 == 0


@pytest.mark.parametrize("at", [0.3, 0.4, 0.45, 0.5, 0.55, 0.7])
def test_lost_frames_keep_their_rows_and_times(faststart: Path, tmp_path: Path, at: float) -> None:
    path = scribbled(faststart, tmp_path / "bad.mp4", at=at, length=300)
    decoded = sum(1 for _ in decode_packetwise(path))
    seen = read_all(path)
    assert seen.summary.frames == 48
    assert seen.summary.lost_frames >= 48 - decoded
    assert seen.times == pytest.approx([n / 25 for n in range(48)])
    assert all(n in (None, index) for index, n in enumerate(seen.numbers))


def test_a_suspect_frame_has_no_picture(faststart: Path, tmp_path: Path) -> None:
    seen = read_all(scribbled(faststart, tmp_path / "bad.mp4", at=0.5, length=300))
    assert seen.suspect == seen.lost
    grey = seen.images[seen.suspect.index(True)]
    assert grey.shape == (media.HEIGHT, media.WIDTH, 3)
    assert (grey == 128).all()


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".avi"])
def test_damage_reads_the_same_every_time(tmp_path: Path, suffix: str) -> None:
    clip = Clip(frames=60, muxer={"movflags": "+faststart"} if suffix == ".mp4" else {})
    whole = make(tmp_path / f"whole{suffix}", clip)
    for seed in range(3):
        path = scribbled(whole, tmp_path / f"bad{suffix}", at=0.3 + 0.2 * seed, length=200)
        one, two = (read_all(path, images=False) for _ in range(2))
        assert one == two


@pytest.mark.parametrize(
    ("name", "clip"),
    [
        ("mjpeg.avi", Clip(codec="mjpeg", pixel_format="yuvj422p")),
        ("hevc.ts", Clip(codec="libx265", keyframe_every=6)),
    ],
    ids=["mjpeg", "hevc"],
)
def test_missing_blocks_never_show_old_memory(tmp_path: Path, name: str, clip: Clip) -> None:
    whole = make(tmp_path / name, clip)
    for seed in range(8):
        path = tmp_path / f"bad-{name}"
        scribbled(whole, path, at=0.5 + 0.05 * seed, length=90, seed=seed)
        one, two, three = (read_all(path, images=False) for _ in range(3))
        assert one.digests == two.digests == three.digests


def test_encrypted_pictures_are_unreadable(tmp_path: Path) -> None:
    path = encrypted(tmp_path / "secret.mp4")
    with pytest.raises(UnreadableVideo, match="encrypted"):
        read_all(path)


def test_promised_but_absent_frames_are_unreadable(tmp_path: Path) -> None:
    path = headers_only(tmp_path / "header.mp4")
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 60
        assert list(container.decode(video=0)) == []  # and no exception
    with pytest.raises(UnreadableVideo):
        read_all(path)
