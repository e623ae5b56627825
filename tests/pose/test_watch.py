"""The view: turned so that the head is up, moved without a jump, the same for every batch size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vid2kp.pose.estimate import Estimator
from vid2kp.pose.find import Still, sample_decoded, sample_still
from vid2kp.pose.framing import View, turn
from vid2kp.pose.skeleton import INFANT22
from vid2kp.pose.watch import Watcher, look_at_picture
from vid2kp.pose.weights import load_model
from vid2kp.tracks.load import load_tracks
from vid2kp.training.scenes import Scene, SceneOptions, write_scene
from vid2kp.training.synthetic_video import Shot, VideoOptions
from vid2kp.video.read import open_video

NECK = INFANT22.index("neck")
HIPS = [INFANT22.index("right_hip"), INFANT22.index("left_hip")]


@pytest.fixture(scope="module")
def estimator() -> Estimator:
    return Estimator(load_model(), device="cpu")


@pytest.fixture(scope="module")
def shot() -> Shot:
    """An infant with its head up, of two thirds of the picture's height."""
    video = VideoOptions(seconds=1, fps=1, width=320, height=240, fill=0.8)
    return Scene(SceneOptions(video=video), 104).shot(0.0)


def watch(estimator: Estimator, image: np.ndarray, frames: int = 2, **options) -> Watcher:
    watcher = Watcher(estimator, sample_still, **options)
    clip = [Still(image, i, i / 25) for i in range(frames)]
    watcher.seen = list(watcher.watch(clip))
    return watcher


def torso(xy: np.ndarray) -> np.ndarray:
    return xy[NECK] - xy[HIPS].mean(axis=0)


@pytest.mark.parametrize("quarters", range(4))
def test_the_head_is_put_up(estimator: Estimator, shot: Shot, quarters: int) -> None:
    image = np.ascontiguousarray(np.rot90(shot.image, quarters))
    watcher = watch(estimator, image)
    up = turn(watcher.direction.rotation)[:2, :2] @ turn(90 * quarters)[:2, :2]
    up = up @ torso(shot.people["infant"].xy)
    assert up[1] < -0.7 * np.hypot(*up)
    assert all(round(seen.view.rotation) == watcher.direction.rotation for seen in watcher.seen)
    found = watcher.seen[0].tracked.people.keypoints[0]
    line = torso(found)
    want = turn(90 * quarters)[:2, :2] @ torso(shot.people["infant"].xy)
    assert line @ want > 0.9 * np.hypot(*line) * np.hypot(*want), "keypoints stay as displayed"


@pytest.mark.parametrize(
    ("seed", "fill"), [(1, 0.7), (5, 0.7), (6, 0.3), (10, 0.5), (11, 0.3), (15, 0.5), (34, 0.7)]
)
def test_a_still_picture_gives_still_tracks(estimator: Estimator, seed: int, fill: float) -> None:
    """The view has settled before the first frame is given out."""
    video = VideoOptions(seconds=1, fps=1, width=320, height=180, fill=fill)
    watcher = watch(estimator, Scene(SceneOptions(video=video), seed).shot(0.0).image, frames=40)
    tracks = [seen.tracked for seen in watcher.seen]
    assert len(tracks[0].identities) > 0
    for tracked in tracks[1:]:
        np.testing.assert_array_equal(tracked.people.keypoints, tracks[0].people.keypoints)


@pytest.mark.parametrize("zoom", [True, False])
def test_a_given_turn_is_kept(estimator: Estimator, shot: Shot, zoom: bool) -> None:
    watcher = watch(estimator, shot.image, frames=20, rotation=180, zoom=zoom)
    assert {round(seen.view.rotation) for seen in watcher.seen} == {180}
    assert watcher.direction.moves == 0


def test_whole_frames_are_turned_as_well(estimator: Estimator, shot: Shot) -> None:
    upside_down = np.ascontiguousarray(np.rot90(shot.image, 2))
    watcher = watch(estimator, upside_down, zoom=False)
    assert {round(seen.view.rotation) for seen in watcher.seen} == {180}
    assert watcher.zoom.moves == 0


def test_a_change_of_the_crop_moves_nothing_at_once(estimator: Estimator, shot: Shot) -> None:
    watcher = Watcher(estimator, sample_still)
    poses, sides = [], []
    for i, seen in enumerate(watcher.watch(Still(shot.image, i, i / 25) for i in range(48))):
        poses.append(seen.tracked.people.keypoints[0])
        sides.append(seen.view.box[2] - seen.view.box[0])
        if i == 31:
            x, y, side = watcher.zoom.place
            watcher.zoom.move_to((x + side / 16, y, side * 2**0.25))
    assert sides[31] != sides[32]
    steps = np.hypot(*np.moveaxis(np.diff(poses, axis=0), -1, 0))
    length = np.hypot(*torso(shot.people["infant"].xy))
    sure = shot.people["infant"].confidence > 0.75
    assert np.nanmax(steps[:, sure]) < 0.005 * length


def test_an_infant_that_turns_round_is_turned_after_a_while(
    estimator: Estimator, shot: Shot
) -> None:
    upside_down = np.ascontiguousarray(np.rot90(shot.image, 2))
    images = [shot.image] * 16 + [upside_down] * 112
    watcher = Watcher(estimator, sample_still)
    clip = (Still(image, i, i / 25) for i, image in enumerate(images))
    rotations = [round(seen.view.rotation) for seen in watcher.watch(clip)]
    assert rotations[0] == rotations[31] == 0
    assert rotations[-1] == 180 and watcher.direction.moves == 1


def test_pictures_are_looked_at_the_same_way(estimator: Estimator, shot: Shot) -> None:
    people = look_at_picture(estimator, shot.image)
    seen = watch(estimator, shot.image, frames=1).seen[0]
    np.testing.assert_allclose(people.keypoints, seen.tracked.people.keypoints, atol=1e-4)


def test_what_is_foreseen_is_not_seen_twice(estimator: Estimator, shot: Shot) -> None:
    looks = []

    def sample(still: Still, view: View) -> np.ndarray:
        looks.append(still.index)
        return sample_still(still, view)

    watcher = Watcher(estimator, sample)
    frames = 6 * watcher.zoom.options.chunk
    assert len(list(watcher.watch(Still(shot.image, i, i / 25) for i in range(frames)))) == frames
    assert set(looks) == set(range(frames))
    later = [i for i in looks if i >= watcher.zoom.options.chunk]
    glances = frames // watcher.zoom.options.chunk
    assert len(later) <= frames - watcher.zoom.options.chunk + glances


def test_an_infant_that_comes_back_is_found_beside_who_stayed(
    estimator: Estimator, tmp_path: Path
) -> None:
    video = VideoOptions(
        seconds=4.8, fps=12.5, width=480, height=270, direction=814, fill=0.65, crf=20
    )
    options = SceneOptions(events=("leave", "adult"), video=video)
    files = write_scene(tmp_path, seed=22, options=options)
    with open_video(files.video) as reader:
        watcher = Watcher(estimator, sample_decoded)
        seen = list(watcher.watch(reader.frames()))
    infant = watcher.choice().infant
    there = np.isfinite(load_tracks(files.tracks).to_numpy()[1][:, 0]).any(axis=1)
    assert not there[30] and there[48:].all()
    assert all(infant & set(one.tracked.identities) for one in seen[48:])
