"""Smoothing: its gain in hertz, its phase, at even and uneven times; stretches by themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vid2kp.tracks.smooth import gain, half_gain, smooth

PASSBAND = 6.0


def smoothed(times: np.ndarray, values: np.ndarray, **more: np.ndarray) -> np.ndarray:
    """All samples in one stretch, fully trusted unless said otherwise."""
    weights = more.get("weights", np.ones(len(times)))
    runs = more.get("runs", np.zeros(len(times), dtype=int))
    return smooth(times, values, weights, runs, passband=PASSBAND)


def uneven(fps: float, seconds: float, seed: int = 0) -> np.ndarray:
    """Times whose steps vary between 0.4 and 1.6 of the usual."""
    count = round(fps * seconds)
    shift = np.random.default_rng(seed).uniform(-0.3, 0.3, count)
    return np.sort(np.arange(count) + shift) / fps


def response(times: np.ndarray, frequency: float) -> tuple[float, float]:
    """Gain and phase in degrees of a sine, away from the ends."""
    waves = np.stack([np.sin(2 * np.pi * frequency * times), np.cos(2 * np.pi * frequency * times)])
    inner = (times > times[0] + 1) & (times < times[-1] - 1)
    out = smoothed(times, waves[:1].T)[inner, 0]
    (a, b), *_ = np.linalg.lstsq(waves[:, inner].T, out, rcond=None)
    return float(np.hypot(a, b)), float(np.degrees(np.arctan2(b, a)))


@pytest.mark.parametrize("fps", [25.0, 30.0, 60.0])
@pytest.mark.parametrize("frequency", [0.5, 1.0, 3.0, 6.0])
@pytest.mark.parametrize("spacing", ["even", "uneven"])
def test_fidgety_movement_keeps_its_size_and_its_time(
    fps: float, frequency: float, spacing: str
) -> None:
    times = np.arange(round(20 * fps)) / fps if spacing == "even" else uneven(fps, 20)
    size, phase = response(times, frequency)
    assert 0.95 <= size <= 1.001
    assert abs(phase) < 0.3


def test_faster_movement_is_damped_alike_at_every_frame_rate() -> None:
    for fps in (60.0, 120.0):
        for frequency in (8.0, half_gain(PASSBAND), 14.0, 20.0):
            size, phase = response(np.arange(round(10 * fps)) / fps, frequency)
            assert size == pytest.approx(gain(frequency, passband=PASSBAND), abs=0.01)
            assert abs(phase) < 0.1
    assert gain(half_gain(PASSBAND), passband=PASSBAND) == pytest.approx(0.5)


def test_noise_of_single_frames_becomes_less() -> None:
    noise = np.random.default_rng(1).normal(size=(6000, 2))
    for fps, left in ((25.0, 0.9), (60.0, 0.6)):
        assert smoothed(np.arange(6000) / fps, noise).std() < left


def test_a_stretch_does_not_feel_its_neighbours() -> None:
    rng = np.random.default_rng(2)
    times = np.concatenate([uneven(25, 0.4), 3 + uneven(25, 2), 9 + uneven(25, 0.16)])
    runs = np.repeat([0, 1, 2], [10, 50, 4])
    values = rng.normal(size=(64, 2))
    together = smoothed(times, values, runs=runs)
    alone = [smoothed(times[runs == r], values[runs == r]) for r in range(3)]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), fps=st.floats(8, 240), backwards=st.booleans())
def test_parabolas_stay_and_time_has_no_direction(seed: int, fps: float, backwards: bool) -> None:
    rng = np.random.default_rng(seed)
    times = uneven(fps, 40 / fps, seed)
    parabola = np.stack([3 + 2 * times - 5 * times**2, 1e3 * np.ones_like(times)], axis=-1)
    np.testing.assert_allclose(smoothed(times, parabola), parabola, rtol=1e-6, atol=1e-6)
    values = rng.normal(size=(len(times), 1))
    mirrored = smoothed(-times[::-1], values[::-1])[::-1]
    np.testing.assert_allclose(smoothed(times, values), mirrored, atol=1e-5)


def test_a_sample_that_is_not_trusted_hardly_counts() -> None:
    times = np.arange(100) / 25
    values, weights = np.zeros((100, 1)), np.ones(100)
    values[50] = 1.0
    trusted = smoothed(times, values)[50, 0]
    weights[50] = 0.1
    assert smoothed(times, values, weights=weights)[50, 0] < 0.5 * trusted
