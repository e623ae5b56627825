"""Three scenes of a ward, converted: the right one is followed. benchmarks/scenes.py has 26."""

from __future__ import annotations

from pathlib import Path

import pytest

from vid2kp.convert import ConvertOptions, convert_video, make_estimator
from vid2kp.tracks.load import load_tracks
from vid2kp.training.following import Following, measure_following
from vid2kp.training.scenes import SceneOptions, write_scene
from vid2kp.training.synthetic_video import VideoOptions


@pytest.fixture(scope="module")
def estimator():
    return make_estimator(ConvertOptions(device="cpu"))


def follow(folder: Path, estimator, *events: str, seed: int, seconds: float = 2.6) -> Following:
    video = VideoOptions(seconds=seconds, fps=12.5, width=320, height=180, fill=0.62, direction=37)
    files = write_scene(
        folder / "scene", seed=seed, options=SceneOptions(events=events, video=video)
    )
    convert_video(
        files.video,
        folder / "out",
        pseudonym="a" * 26,
        estimator=estimator,
        options=ConvertOptions(video=False),
    )
    return measure_following(load_tracks(files.tracks), load_tracks(folder / "out/tracks.parquet"))


def test_an_adult_who_fills_the_picture_does_not_draw_the_view_away(tmp_path: Path, estimator):
    result = follow(tmp_path, estimator, "crowd", seed=8)
    assert result.followed == "infant" and result.switches == 0
    assert result.seen > 0.9 and result.ambiguous < 0.2


def test_twins_are_ambiguous(tmp_path: Path, estimator):
    result = follow(tmp_path, estimator, "twin", seed=11)
    assert result.seen > 0.9 or result.followed == "person1"
    assert result.switches == 0 and result.ambiguous > 0.8


def test_an_infant_that_left_is_absent(tmp_path: Path, estimator):
    result = follow(tmp_path, estimator, "leave", seed=20, seconds=4.0)
    assert result.followed == "infant" and result.seen > 0.7
    assert result.late == 0 and result.switches == 0
