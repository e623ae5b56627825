"""The infant's head is put up by the way its body lies; a turn is kept until it must change."""

from __future__ import annotations

import numpy as np
import pytest
from crowd import infant, only
from hypothesis import given, settings
from hypothesis import strategies as st

from vid2kp.pose.direction import TURNS, Direction, DirectionOptions
from vid2kp.pose.framing import transform_points, turn
from vid2kp.pose.skeleton import INFANT22


def lying(degrees: float, *, seed: int = 0) -> np.ndarray:
    """An infant turned counter-clockwise by so much in the picture."""
    return transform_points(turn(degrees), infant(0.0, 0, 0, seed=seed)) + np.array([300, 240])


def locked(votes: list[tuple[int, np.ndarray, float]]) -> Direction:
    direction = Direction(INFANT22, fixed=None)
    direction.lock(votes)
    return direction


@pytest.mark.parametrize("degrees", TURNS)
def test_the_turn_undoes_the_way_the_infant_lies(degrees: int) -> None:
    direction = locked([(turned, lying(degrees), 0.5) for turned in TURNS])
    assert direction.rotation == -degrees % 360
    up = turn(direction.rotation)[:2, :2] @ direction.up(lying(degrees))
    assert up[1] < -0.9


@settings(max_examples=50, deadline=None)
@given(degrees=st.floats(0, 360), seed=st.integers(0, 20))
def test_the_head_is_never_further_from_the_top_than_half_a_quarter(degrees: float, seed: int):
    direction = locked([(0, lying(degrees, seed=seed), 0.4)])
    up = turn(direction.rotation)[:2, :2] @ direction.up(lying(degrees, seed=seed))
    assert up[1] <= -np.cos(np.radians(45.01))


def test_what_is_seen_well_outvotes_what_is_seen_badly() -> None:
    votes = [(0, lying(180), 0.3), (90, lying(180), 0.3), (180, lying(0), 0.6)]
    assert locked(votes).rotation == 0


def test_without_hips_the_rest_of_the_body_tells() -> None:
    part = only(lying(90), "nose", "eye", "ear", "knee", "ankle")
    assert locked([(0, part, 0.5)]).rotation == 270


def test_nobody_and_somebody_without_ends_leave_the_turn_as_it_is() -> None:
    direction = locked([(0, lying(90), 0.5)])
    for votes in ([], [(0, only(lying(0), "nose", "eye"), 0.9)]):
        direction.lock(votes)
        assert direction.rotation == 270
    assert direction.moves == 1


def test_a_fixed_turn_is_never_doubted() -> None:
    direction = Direction(INFANT22, fixed=90)
    assert direction.rotation == 90
    assert not any(direction.is_doubtful([(lying(0), 0.01)]) for _ in range(20))


@pytest.mark.parametrize("pose, score", [(lying(180), 0.6), (lying(0), 0.2)])
def test_lying_otherwise_or_being_seen_worse_for_long_raises_doubt(
    pose: np.ndarray, score: float
) -> None:
    chunks = DirectionOptions().chunks
    direction = locked([(0, lying(0), 0.6)])
    assert not any(direction.is_doubtful([(lying(0), 0.6)]) for _ in range(20))
    doubts = [direction.is_doubtful([(pose, score)]) for _ in range(chunks)]
    assert doubts == [False] * (chunks - 1) + [True]
    direction.lock([(0, pose, score)])
    assert not direction.is_doubtful([(pose, score)])


def test_a_moment_of_doubt_passes() -> None:
    direction = locked([(0, lying(0), 0.6)])
    for _ in range(5):
        assert not direction.is_doubtful([(lying(180), 0.6)])
        assert not direction.is_doubtful([(lying(180), 0.6)])
        assert not direction.is_doubtful([(lying(10), 0.6)])
