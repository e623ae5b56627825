"""People keep their numbers through motion, gaps, partial detections and each other."""

from __future__ import annotations

import numpy as np
import pytest
from belief_maps import person
from crowd import FPS, follow, infant, only, people
from hypothesis import given, settings
from hypothesis import strategies as st

from vid2kp.pose.oks import body_size, oks, without_copies
from vid2kp.pose.skeleton import INFANT22
from vid2kp.pose.track import Tracker, TrackOptions


def test_one_infant_is_one_identity() -> None:
    run = follow([people(infant(i / FPS)) for i in range(250)])
    assert set(run.seen) == {(0,)}
    (statistics,) = run.tracker.statistics
    assert (statistics.frames, statistics.first_frame, statistics.last_frame) == (250, 0, 249)
    assert statistics.completeness.mean == 1.0
    assert statistics.spread < 0.1


def test_two_infants_side_by_side_are_not_exchanged() -> None:
    rng = np.random.default_rng(0)
    frames, order = [], []
    for i in range(200):
        pair = [infant(i / FPS, 200, seed=1), infant(i / FPS, 380, seed=2)]
        flip = bool(rng.integers(2))
        frames.append(people(*(pair[::-1] if flip else pair)))
        order.append((1, 0) if flip else (0, 1))
    run = follow(frames)
    first = order[0]
    assert run.seen == [tuple(first.index(who) for who in now) for now in order]


def test_people_who_pass_each_other_keep_their_numbers() -> None:
    frames = [
        people(infant(i / FPS, 150 + 8 * i, 240, seed=1), infant(i / FPS, 750 - 8 * i, 330, seed=2))
        for i in range(75)
    ]
    assert set(follow(frames).seen) == {(0, 1)}


@pytest.mark.parametrize("gap", [1, 5, 20])
def test_a_gap_of_less_than_a_second_is_bridged(gap: int) -> None:
    frames = [people(infant(i / FPS)) for i in range(100)]
    frames[40 : 40 + gap] = [people()] * gap
    run = follow(frames)
    assert {numbers for numbers in run.seen if numbers} == {(0,)}
    assert run.seen[40 : 40 + gap] == [()] * gap


def test_slow_videos_are_followed_by_frames_not_seconds() -> None:
    assert set(follow([people(infant(2.0 * i)) for i in range(20)], fps=0.5).seen) == {(0,)}


def test_partial_detections_are_the_same_infant() -> None:
    parts = [("",), ("nose", "eye", "ear", "neck"), ("wrist", "elbow", "shoulder"), ("hip", "knee")]
    frames = [people(only(infant(i / FPS), *parts[i // 5 % 4])) for i in range(100)]
    assert set(follow(frames).seen) == {(0,)}


def test_a_sudden_change_of_pose_in_place_is_the_same_infant() -> None:
    frames = [people(infant(0.0) if i < 20 else person(310, 236, length=300, angle=180))
              for i in range(40)]  # fmt: skip
    assert set(follow(frames).seen) == {(0,)}


def test_a_camera_knock_does_not_make_another_infant() -> None:
    frames = [people(infant(i / FPS, 300 + (25 if i >= 30 else 0))) for i in range(60)]
    assert set(follow(frames).seen) == {(0,)}


def test_somebody_elsewhere_is_somebody_else() -> None:
    frames = [people(infant(i / FPS, 150 if i < 20 else 600)) for i in range(40)]
    assert [numbers[0] for numbers in follow(frames).seen] == [0] * 20 + [1] * 20


def test_an_adult_leaning_in_is_not_the_infant() -> None:
    def adult(i: int) -> np.ndarray:
        return only(person(330, 700 - 12 * i, length=1000, angle=180), "wrist", "elbow", "hand")

    frames = [people(infant(i / FPS), adult(i)) for i in range(40)]
    assert set(follow(frames).seen) == {(0, 1)}
    # The infant is hidden: the arms do not become it.
    frames += [people(adult(i)) for i in range(40, 50)]
    assert follow(frames).seen[-1] == (1,)


def test_a_second_copy_of_a_body_is_left_out() -> None:
    body = infant(0.0)
    mirrored = body[list(INFANT22.mirror)] + 2
    found = people(body, only(body + 3, "wrist", "elbow", "shoulder"), mirrored, body + 400)
    assert without_copies(found, INFANT22).tolist() == [0, 3]
    tracked = Tracker(INFANT22).update(0, 0.0, found)
    assert tracked.identities == (0, 1)
    np.testing.assert_array_equal(tracked.people.keypoints, found.keypoints[[0, 3]])


def test_an_infant_on_an_adults_chest_is_no_copy() -> None:
    assert (
        len(without_copies(people(person(0, 0, length=900), person(0, 0, length=200)), INFANT22))
        == 2
    )


def test_nobody_is_followed_in_empty_frames() -> None:
    run = follow([people()] * 30)
    assert run.seen == [()] * 30
    assert run.tracker.statistics == []
    assert run.choice.people == ()
    assert run.choice.subject(()) == "absent"


def test_memory_does_not_grow_with_the_video() -> None:
    rng = np.random.default_rng(0)
    tracker = Tracker(INFANT22, TrackOptions(most=20, bridge=0.05, bridge_frames=1))
    for i in range(600):
        ghost = only(person(*rng.uniform(0, 3000, 2), length=200), "hip", "knee", "ankle")
        tracker.update(i, i / FPS, people(infant(i / FPS), ghost))
    assert len(tracker.statistics) <= 30
    assert tracker.statistics[0].frames == 600


def test_time_may_stand_still_or_run_back() -> None:
    times = [0.0, 0.04, 0.04, 0.02, 0.08, 0.12]
    run = follow([people(infant(t)) for t in times], times=times)
    assert set(run.seen) == {(0,)}


def test_oks_is_that_of_coco() -> None:
    a = np.array([[0.0, 0.0], [3.0, 4.0], [np.nan, np.nan]])
    b = np.array([[0.0, 0.0], [0.0, 0.0], [9.0, 9.0]])
    sigmas = np.array([0.05, 0.1, 0.2])
    expected = (1 + np.exp(-25 / (2 * 10.0**2 * 0.2**2))) / 2
    assert oks(a, b, 10.0, sigmas) == pytest.approx(expected)
    assert oks(a[2:], b[2:], 10.0, sigmas[2:]) == 0.0


def test_size_is_the_root_of_the_area() -> None:
    box = np.array([[0.0, 0.0], [4.0, 9.0], [np.nan, np.nan]])
    line = np.array([[0.0, 0.0], [8.0, 0.0], [np.nan, np.nan]])
    assert body_size(np.stack((box, line, np.full((3, 2), np.nan)))).tolist() == [6.0, 4.0, 0.0]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), lost=st.floats(0, 0.3), jitter=st.floats(0, 6))
def test_a_badly_seen_infant_keeps_its_number(seed: int, lost: float, jitter: float) -> None:
    rng = np.random.default_rng(seed)
    frames = []
    for i in range(60):
        body = infant(i / FPS, seed=seed) + rng.normal(0, jitter, (22, 2))
        body[rng.random(22) < lost] = np.nan
        frames.append(people(body) if rng.random() > lost / 2 else people())
    assert {numbers for numbers in follow(frames).seen if numbers} == {(0,)}
