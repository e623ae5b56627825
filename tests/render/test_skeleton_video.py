from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import people
import pytest

from vid2kp.errors import TracksError, UsageError
from vid2kp.pose.skeleton import INFANT22
from vid2kp.render.skeleton_video import SOURCE_SIZE, RenderOptions, render_video
from vid2kp.tracks.schema import FRAMES_FILE
from vid2kp.tracks.store import FramesWriter, Pose, TracksWriter


def _decode(path: Path) -> list[av.VideoFrame]:
    with av.open(path) as container:
        return list(container.decode(video=0))


def _luma(frame: av.VideoFrame) -> np.ndarray:
    return frame.to_ndarray(format="yuv420p")[: frame.height]


@pytest.mark.parametrize(
    ("source", "size", "canvas"),
    [
        ((1920, 1080), 1280, (1280, 720)),
        ((640, 480), 1280, (960, 720)),
        ((1080, 1920), 1280, (720, 1280)),
        ((480, 640), 1280, (720, 960)),
        ((161, 121), SOURCE_SIZE, (162, 122)),
        ((161, 121), 320, (240, 182)),
        ((720, 576), SOURCE_SIZE, (720, 576)),
        ((3840, 2160), 640, (640, 360)),
        ((1137, 800), 1280, (1024, 722)),
        ((2000, 10), 1280, (1280, 8)),
    ],
)
def test_canvas_is_even_and_has_the_shape_of_the_frame(
    source: tuple[int, int], size: int, canvas: tuple[int, int], tmp_path: Path
) -> None:
    path = people.write_people(tmp_path, frames=2, width=source[0], height=source[1])
    render_video(path, tmp_path / "v.mp4", options=RenderOptions(size=size))
    (frame, _) = _decode(tmp_path / "v.mp4")
    assert (frame.width, frame.height) == canvas


def test_joints_lie_where_the_tracks_say(tmp_path: Path) -> None:
    path = people.write_people(tmp_path, frames=8, gaps=False, width=640, height=480)
    render_video(path, tmp_path / "v.mp4", options=RenderOptions(size=SOURCE_SIZE))
    large = people.moving_infant(8)[0]
    for at, frame in enumerate(_decode(tmp_path / "v.mp4")):
        picture = _luma(frame)
        for name in ("right_wrist", "left_ankle", "left_knee"):
            x, y = np.round(large[at, INFANT22.index(name)]).astype(int)
            assert picture[y, x] > 60


def test_every_frame_is_shown_at_its_time(tmp_path: Path) -> None:
    times = np.cumsum(np.random.default_rng(3).uniform(0.01, 0.2, 40))
    times -= times[0]
    path = people.write_people(tmp_path, times=times)
    calls: list[int] = []
    assert render_video(path, tmp_path / "v.mp4", progress=calls.append) == 40
    assert calls == list(range(1, 41))
    shown = [frame.time for frame in _decode(tmp_path / "v.mp4")]
    np.testing.assert_allclose(shown, times, atol=1 / 90_000)


def test_nobody_observed_nothing_shown(tmp_path: Path) -> None:
    path = people.write_people(tmp_path, frames=24)
    render_video(path, tmp_path / "v.mp4", options=RenderOptions(size=320))
    frames = _decode(tmp_path / "v.mp4")
    assert _luma(frames[10]).max() < 50  # the infant is unseen in every eleventh frame
    assert _luma(frames[11]).max() > 120


def test_people_infant_leaves_others_out(tmp_path: Path) -> None:
    alone = people.write_people(tmp_path / "alone", people=1)
    both = people.write_people(tmp_path / "both", people=2)
    for path, who in ((alone, "all"), (both, "infant"), (both, "all")):
        options = RenderOptions(size=320, people=who)  # type: ignore[arg-type]
        render_video(path, tmp_path / f"{path.parent.name}-{who}.mp4", options=options)
    pictures = [
        np.stack([_luma(f) for f in _decode(tmp_path / f"{n}.mp4")]).astype(int)
        for n in ("alone-all", "both-infant", "both-all")
    ]
    right = pictures[0].shape[2] * 3 // 4
    assert pictures[1][:, :, right:].max() < 40 < pictures[2][:, :, right:].max()


def test_made_again_from_parquet_alone_it_is_the_same(tmp_path: Path) -> None:
    path = people.write_people(tmp_path, people=3)
    for name in ("a", "b"):
        render_video(path, tmp_path / f"{name}.mp4", frames_path=tmp_path / FRAMES_FILE)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_the_source_is_not_in_the_picture_but_its_size_may_change(tmp_path: Path) -> None:
    """A frame twice as large, its keypoints twice as far, looks the same."""
    xy, confidence = people.moving_infant(4)
    for name, factor in (("same", 1), ("grown", 2)):
        folder = tmp_path / name
        folder.mkdir()
        with (
            TracksWriter(folder / "tracks.parquet", INFANT22) as tracks,
            FramesWriter(folder / FRAMES_FILE) as frames,
        ):
            for f in range(4):
                scale = factor if f >= 2 else 1
                moved = (xy[0] + 0.5) * scale - 0.5
                tracks.write(f, f / 25, {"infant": Pose(moved, confidence[0])})
                frames.write(
                    f, f / 25, pts=f, width=640 * scale, height=480 * scale, suspect=False,
                    people=1, subject="certain",
                )  # fmt: skip
            tracks.finish(people.footer())
            frames.finish(people.footer())
        render_video(folder / "tracks.parquet", folder / "v.mp4", frames_path=folder / FRAMES_FILE)
    same, grown = (_decode(tmp_path / n / "v.mp4") for n in ("same", "grown"))
    difference = np.abs(_luma(same[3]).astype(int) - _luma(grown[3]))
    assert difference.mean() < 0.5


@pytest.mark.parametrize("changes", [{"position_unit": "torso"}, {"point_of_reference": "mid_hip"}])
def test_tracks_without_a_place_fill_the_canvas(changes: dict[str, str], tmp_path: Path) -> None:
    xy, confidence = people.moving_infant(10)
    path = tmp_path / "tracks.parquet"
    middle = xy[:, [INFANT22.index("right_hip"), INFANT22.index("left_hip")]].mean(axis=1)
    relative = (xy - middle[:, None]) / (100 if "position_unit" in changes else 1)
    with TracksWriter(path, INFANT22) as writer:
        for f in range(10):
            writer.write(f, f / 25, {"infant": Pose(relative[f], confidence[f])})
        writer.finish(people.footer(**changes))
    render_video(path, tmp_path / "v.mp4", options=RenderOptions(size=640))
    for frame in _decode(tmp_path / "v.mp4"):
        rows = np.flatnonzero((_luma(frame) > 60).any(axis=1))
        assert rows[0] < 0.25 * frame.height
        assert rows[-1] > 0.75 * frame.height


def test_tracks_without_a_frame_are_refused(tmp_path: Path) -> None:
    with TracksWriter(tmp_path / "tracks.parquet", INFANT22) as writer:
        writer.finish(people.footer())
    with pytest.raises(TracksError, match="no frame"):
        render_video(tmp_path / "tracks.parquet", tmp_path / "v.mp4")
    assert not (tmp_path / "v.mp4").exists()


def test_nobody_ever_seen_is_an_empty_video(tmp_path: Path) -> None:
    with TracksWriter(tmp_path / "tracks.parquet", INFANT22) as writer:
        for f in range(5):
            writer.write(f, f / 25, {})
        writer.finish(people.footer())
    assert render_video(tmp_path / "tracks.parquet", tmp_path / "v.mp4") == 5
    assert max(_luma(f).max() for f in _decode(tmp_path / "v.mp4")) < 40


@pytest.mark.parametrize("wrong", [{"size": 10}, {"size": 9000}, {"trail": -1}, {"people": "x"}])
def test_wrong_options_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        RenderOptions(**wrong)  # type: ignore[arg-type]


def test_neither_the_decoder_nor_torch_is_loaded() -> None:
    code = (
        "import sys; import vid2kp.render.skeleton_video\n"
        "print([m for m in sys.modules if m == 'torch' or m.startswith('vid2kp.video.')])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['vid2kp.video.write']"


def test_it_is_fast(tmp_path: Path) -> None:
    path = people.write_people(tmp_path, frames=200, width=1280, height=720)
    start = time.process_time()
    render_video(path, tmp_path / "v.mp4")
    assert 200 / (time.process_time() - start) > 100  # 350 when nothing else runs
