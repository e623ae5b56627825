"""Jumps of a detector are found, movements of infants are not, however fast they are."""

from __future__ import annotations

import numpy as np
import pytest
from people import moving_infant

from vid2kp.tracks.outliers import find_outliers


def swinging(fps: float, *, seconds: float = 6.0, hertz: float = 0.7) -> tuple[np.ndarray, ...]:
    """Times, positions in torso lengths and runs of a limb that swings, trembling a little."""
    times = np.arange(0, seconds, 1 / fps)
    xy = np.stack([0.4 * np.sin(2 * np.pi * hertz * times), 0.2 * times], axis=1)
    xy += np.random.default_rng(0).normal(0, 0.01, xy.shape)
    return times, xy, np.zeros(len(times), dtype=int)


@pytest.mark.parametrize("fps", [15, 25, 30, 60])
@pytest.mark.parametrize("length", [1, 2])
def test_a_jump_there_and_back_is_found(fps: float, length: int) -> None:
    times, xy, runs = swinging(fps)
    there = slice(40, 40 + length)
    xy[there] += (0.3, 0.6)
    assert np.flatnonzero(find_outliers(times, xy, runs)).tolist() == list(range(40, 40 + length))
    backwards = find_outliers(-times[::-1], xy[::-1], runs)
    assert (len(xy) - 1 - np.flatnonzero(backwards)[::-1]).tolist() == list(range(40, 40 + length))


def test_time_counts_and_not_the_number_of_frames() -> None:
    times, xy, runs = swinging(60)
    xy[40:50] += 0.6  # 0.18 s from frame 39 to frame 50
    assert find_outliers(times, xy, runs).sum() == 10
    times, xy, runs = swinging(25)
    xy[40:50] += 0.6
    assert not find_outliers(times, xy, runs).any(), "what stays may be so"


def test_jumps_to_several_places_and_near_each_other_are_found() -> None:
    times, xy, runs = swinging(25)
    xy[40] += (0.6, 0)
    xy[41] += (0, -0.9)
    xy[60] += (0.7, 0)
    xy[62] += (0.7, 0)
    assert np.flatnonzero(find_outliers(times, xy, runs)).tolist() == [40, 41, 60, 62]


@pytest.mark.parametrize("fps", [10, 15, 25, 30, 60, 120])
@pytest.mark.parametrize(("height", "seconds"), [(0.5, 0.2), (0.7, 0.25), (1.0, 0.35), (1.3, 0.5)])
def test_kicks_are_none(fps: float, height: float, seconds: float) -> None:
    """Out and back in one go, at up to 9 torso lengths per second, whenever the frames fall."""
    for phase in np.linspace(0, 1 / fps, 12):
        times, xy, runs = swinging(fps)
        during = np.abs(times - 3 - phase) < seconds / 2
        kick = (1 + np.cos(2 * np.pi * (times - 3 - phase) / seconds)) / 2
        xy[:, 0] += np.where(during, height * kick, 0)
        assert not find_outliers(times, xy, runs).any()


@pytest.mark.parametrize("fps", [15, 25, 30, 60])
@pytest.mark.parametrize(("size", "hertz"), [(0.08, 6.0), (0.3, 4.0), (1.0, 3.0)])
def test_fidgety_movements_and_fast_kicking_are_none(fps: float, size: float, hertz: float) -> None:
    for phase in np.linspace(0, 2 * np.pi, 12):
        times, xy, runs = swinging(fps)
        bout = size / 2 * np.exp(-(((times - 3) / 0.6) ** 2))
        xy[:, 1] += bout * np.sin(2 * np.pi * hertz * times + phase)
        assert not find_outliers(times, xy, runs).any()


@pytest.mark.parametrize("fps", [10, 25, 60])
def test_an_infant_who_kicks_and_waves_has_none(fps: float) -> None:
    xy, _ = moving_infant(600, fps=fps, torso=1.0)
    times, runs = np.arange(600) / fps, np.zeros(600, dtype=int)
    assert not any(find_outliers(times, xy[:, k], runs).any() for k in range(xy.shape[1]))


def test_where_everything_trembles_nothing_can_be_told() -> None:
    times, xy, runs = swinging(25)
    xy += np.random.default_rng(1).normal(0, 0.2, xy.shape)
    xy[40] += 0.5
    assert not find_outliers(times, xy, runs).any()


def test_nothing_is_said_across_runs_or_of_what_does_not_return() -> None:
    times, xy, runs = swinging(25)
    xy[40:] += 2.0
    xy[80] += 0.6
    runs[80:] += 1  # the first of a run has nothing before it
    assert not find_outliers(times, xy, runs).any()


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_few_samples_have_none(count: int) -> None:
    times, xy, runs = (values[:count] for values in swinging(25))
    assert find_outliers(times, xy, runs).shape == (count,)
    assert not find_outliers(times, xy, runs).any()
