"""Scenes of a ward: true to their truth, the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vid2kp.errors import TracksError, UsageError
from vid2kp.tracks.load import load_tracks
from vid2kp.training.following import measure_following
from vid2kp.training.scenes import EVENTS, Scene, SceneOptions, write_scene
from vid2kp.training.synthetic_video import VideoOptions

VIDEO = VideoOptions(seconds=2, fps=10, width=192, height=128, fill=0.6)


def scene(*events: str, seed: int = 3) -> Scene:
    return Scene(SceneOptions(events=events, video=VIDEO), seed)


@pytest.mark.parametrize("event", EVENTS)
def test_everybody_is_where_the_truth_says(event: str) -> None:
    bed = scene().shot(0.0)
    for time in (0.1, 1.9):
        shot = scene(event).shot(time)
        assert shot.image.shape == (128, 192, 3) and "infant" in shot.people
        for pose in shot.people.values():
            inside = pose.xy[np.isfinite(pose.confidence)]
            assert (inside >= -0.5).all() and (inside <= [191.5, 127.5]).all()
        assert bed.image.std() > 0


def test_adults_have_the_proportions_of_adults() -> None:
    from vid2kp.pose.identity import Parts
    from vid2kp.pose.skeleton import INFANT22

    actors = scene("crowd")._actors
    parts = Parts(INFANT22)
    ratios = []
    for actor in actors:
        points, _ = actor.draw(scene()._bed.clone(), 0.3)
        torso = parts.torso(points)
        assert torso == pytest.approx(actor.part.torso, rel=0.25)
        ratios.append((parts.head(points) / torso, parts.leg(points) / torso))
    assert ratios[0][0] > 1.4 * ratios[1][0] and ratios[0][1] < ratios[1][1]


def test_twins_are_ambiguous_and_an_infant_that_left_is_absent() -> None:
    assert scene("twin").shot(0.5).subject == "ambiguous"
    assert len(scene("twin").shot(0.5).people) == 2
    gone = scene("leave")
    assert [gone.shot(t).subject for t in (0.1, 1.0, 1.9)] == ["certain", "absent", "certain"]
    assert not gone.shot(1.0).people


def test_a_knock_takes_truth_and_picture_along() -> None:
    before, after = scene().shot(1.9), scene("knock").shot(1.9)
    moved = after.people["infant"].xy - before.people["infant"].xy
    assert np.nanmin(np.hypot(*moved.T)) > 4
    assert not np.array_equal(before.image, after.image)


def test_the_light_goes_dim() -> None:
    assert scene("light").shot(1.0).image.mean() < 0.6 * scene().shot(1.0).image.mean()


def test_the_same_seed_makes_the_same_scene(tmp_path: Path) -> None:
    options = SceneOptions(events=("adult",), video=VideoOptions(0.3, 10, 96, 64))
    for name in ("a", "b"):
        write_scene(tmp_path / name, seed=5, options=options)
    for file in ("video.mp4", "tracks.parquet", "frames.parquet"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    tracks = load_tracks(tmp_path / "a" / "tracks.parquet")
    assert tracks.frames is not None and len(tracks.time) == 3


def test_an_unknown_event_is_refused() -> None:
    with pytest.raises(UsageError, match="earthquake"):
        SceneOptions(events=("earthquake",))


def test_following_is_measured_against_the_truth(tmp_path: Path) -> None:
    options = SceneOptions(events=("leave",), video=VIDEO)
    write_scene(tmp_path / "leave", seed=1, options=options)
    truth = load_tracks(tmp_path / "leave" / "tracks.parquet")
    perfect = measure_following(truth, truth)
    assert (perfect.seen, perfect.wrong, perfect.switches, perfect.late) == (1, 0, 0, 0)
    assert perfect.followed == "infant" and perfect.pck == (1, 1, 1)
    write_scene(tmp_path / "other", seed=2, options=SceneOptions(video=VIDEO))
    never_gone = load_tracks(tmp_path / "other" / "tracks.parquet")
    assert measure_following(truth, never_gone).late > 0
    write_scene(
        tmp_path / "short", seed=2, options=SceneOptions(video=VideoOptions(0.2, 10, 96, 64))
    )
    with pytest.raises(TracksError):
        measure_following(truth, load_tracks(tmp_path / "short" / "tracks.parquet"))
