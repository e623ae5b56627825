"""Pictures that are begun ahead are the same, and are looked at again when the view has changed."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError

import numpy as np
import pytest

from vid2kp.pose.estimate import Estimator
from vid2kp.pose.find import Finder, Still, sample_still
from vid2kp.pose.framing import View, crop
from vid2kp.pose.lanes import Lanes
from vid2kp.pose.weights import load_model
from vid2kp.training.scenes import Scene, SceneOptions
from vid2kp.training.synthetic_video import VideoOptions


@pytest.fixture(scope="module")
def finder() -> Finder:
    return Finder(Estimator(load_model(), device="cpu"), sample_still)


@pytest.fixture(scope="module")
def frames() -> list[Still]:
    scene = Scene(SceneOptions(video=VideoOptions(seconds=1, fps=4, width=320, height=240)), 3)
    return [Still(scene.shot(i / 4).image, i, i / 4) for i in range(3)]


def _views(side: float) -> list:
    return [crop((160, 120), side, size=256, rotation=0) for _ in range(3)]


def test_what_was_begun_is_what_is_found(finder: Finder, frames: list[Still]) -> None:
    now = finder(frames, _views(240))
    finder.begin(frames, _views(240))
    later = finder(frames, _views(240))
    for one, other in zip(now, later, strict=True):
        assert one.keypoints.tobytes() == other.keypoints.tobytes()


def test_another_view_is_looked_at_instead(finder: Finder, frames: list[Still]) -> None:
    finder.begin(frames, _views(320))
    found = finder(frames, _views(240))
    for one, other in zip(found, finder(frames, _views(240)), strict=True):
        assert one.keypoints.tobytes() == other.keypoints.tobytes()
    assert not np.array_equal(finder(frames, _views(320))[0].keypoints, found[0].keypoints)


def test_what_was_forgotten_is_looked_at_anew(finder: Finder, frames: list[Still]) -> None:
    finder.begin(frames, _views(240))
    finder.forget()
    assert not finder._begun
    assert len(finder(frames, _views(240))) == len(frames)


def test_begun_twice_is_found_once_through_the_later_view(
    finder: Finder, frames: list[Still], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    find = finder._find
    monkeypatch.setattr(finder, "_find", lambda *asked: seen.append(asked[1]) or find(*asked))
    old, new = _views(320), _views(240)
    for views in (old, new, new):
        finder.begin(frames, views)
    found = finder(frames, new)
    assert sum(views is new for views in seen) == 1
    assert not finder._begun
    for one, other in zip(found, find(frames, new), strict=True):
        assert one.keypoints.tobytes() == other.keypoints.tobytes()


def test_what_was_called_off_is_not_looked_at(frames: list[Still]) -> None:
    begun, go_on = threading.Event(), threading.Event()
    seen: list[int] = []

    def sample(still: Still, view: View) -> np.ndarray:
        seen.append(still.index)
        begun.set()
        go_on.wait(10)
        return sample_still(still, view)

    estimator = Estimator(load_model(), device="cpu")
    estimator.lanes = Lanes(1)
    looks = []
    look = estimator._find
    estimator._find = lambda images: looks.append(len(images)) or look(images)
    finder = Finder(estimator, sample)
    finder.begin(frames, _views(240))
    (called_off,) = finder._begun
    assert begun.wait(10)
    finder.forget()
    go_on.set()
    with pytest.raises(CancelledError):
        called_off.people.result()
    assert (seen, looks) == ([0], [])
    assert len(finder(frames, _views(240))) == len(frames)


def test_an_error_of_what_was_begun_comes_out_when_it_is_asked_for(frames: list[Still]) -> None:
    def sample(still: Still, view: View) -> np.ndarray:
        raise RuntimeError("no picture")

    finder = Finder(Estimator(load_model(), device="cpu"), sample)
    finder.begin(frames, _views(240))
    with pytest.raises(RuntimeError, match="no picture"):
        finder(frames, _views(240))


def test_other_pictures_do_not_take_what_was_begun(finder: Finder, frames: list[Still]) -> None:
    finder.begin(frames, _views(240))
    (alone,) = finder(frames[2:], _views(240)[2:])
    assert alone.keypoints.tobytes() == finder(frames, _views(240))[2].keypoints.tobytes()
