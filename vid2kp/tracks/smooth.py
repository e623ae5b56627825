"""A smoothing spline on true times: no phase, a cut-off in hertz, at any spacing of the frames.

Of all curves z(t) the one is taken that makes

    Σ wᵢ hᵢ (yᵢ − z(tᵢ))² + λ ∫ z‴(t)² dt

least, where hᵢ is the time that sample i stands for and wᵢ how far it is trusted. Both terms are
the same read backwards in time, so nothing is delayed. A movement of frequency f comes out
with the gain 1 / (1 + (f / f½)⁶), where f½ = λ^(−1/6) / 2π; it does not depend on the frame rate.
The minimum is a spline of degree 5 with its knots at the samples (Green and Silverman 1994,
Nonparametric Regression and Generalized Linear Models, chapter 2), found with one banded system.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.interpolate import BSpline
from scipy.linalg import solveh_banded
from scipy.sparse import csr_array, diags_array

KEPT: Final = 0.96
"""The gain at the end of the pass band: 95 % and some room for frames at uneven times."""

LEAST_SAMPLES: Final = 4
"""Fewer samples in a row are left as they are: a parabola goes through three of them."""

_DEGREE: Final = 5
_ORDER: Final = 3  # of the derivative whose square is held small

# Gauss-Legendre on [0, 1]: exact for the fourth degree of a squared third derivative.
_GAUSS_AT: Final = np.array([0.5 - np.sqrt(0.15), 0.5, 0.5 + np.sqrt(0.15)])
_GAUSS_WEIGHT: Final = np.array([5, 8, 5]) / 18


def half_gain(passband: float) -> float:
    """The frequency that is halved when those up to ``passband`` are kept; both in hertz."""
    return float(passband * (1 / KEPT - 1) ** (-1 / (2 * _ORDER)))


def gain(frequency: np.ndarray, *, passband: float) -> np.ndarray:
    """By which factor a movement of that frequency comes out, when frames are dense.

    Near half the frame rate movement is damped a little less.
    """
    return np.asarray(1 / (1 + (np.asarray(frequency) / half_gain(passband)) ** (2 * _ORDER)))


def smooth(
    times: np.ndarray,
    values: np.ndarray,
    weights: np.ndarray,
    runs: np.ndarray,
    *,
    passband: float,
) -> np.ndarray:
    """Smooths stretches of samples, each for itself.

    Args:
        times: (N,) seconds, increasing within a run.
        values: (N, D) samples, finite.
        weights: (N,) in (0, 1]; 1 = fully trusted. A sample of weight w is smoothed as if the
            pass band were w^(1/6) of itself.
        runs: (N,) number of the run of each sample: 0, 1, …, not decreasing; each run has at
            least `LEAST_SAMPLES`.
        passband: hertz; up to there the gain is at least 0.95.

    Returns:
        (N, D) float64.
    """
    placed, knots = _one_axis(times, runs)
    basis = BSpline.design_matrix(placed, knots, _DEGREE)
    trust = weights * _durations(times, runs)
    stiffness = (2 * np.pi * half_gain(passband)) ** (-2 * _ORDER)
    system = basis.T @ diags_array(trust) @ basis + stiffness * _roughness(knots)
    middle = values.mean(axis=0)
    # In the upper half of the matrix row d of the band is its d-th diagonal, from the bottom up.
    band = np.zeros((_DEGREE + 1, system.shape[0]))
    for d in range(_DEGREE + 1):
        band[_DEGREE - d, d:] = system.diagonal(d)
    right = basis.T @ (trust[:, None] * (values - middle))
    coefficients = solveh_banded(band, right, overwrite_ab=True, overwrite_b=True)
    return np.asarray(basis @ coefficients + middle)


def _one_axis(times: np.ndarray, runs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The runs pushed together on one axis of time, with cuts at their joints.

    A knot of full multiplicity cuts a spline: what lies on one side of it is independent of the
    other. So one banded system solves any number of runs.

    Returns:
        (N,) times on the axis, and the knots.
    """
    first = np.flatnonzero(np.diff(runs, prepend=-1))
    last = np.append(first[1:], len(times)) - 1
    # A run ends a little after its last sample: at a cut the axis belongs to the next run.
    spare = 0.01 * (times[last] - times[last - 1])
    ends = np.cumsum(times[last] + spare - times[first])
    starts = np.concatenate([[0.0], ends[:-1]])
    # In this order a run begins on its cut exactly, not a rounding before it.
    placed = (times - times[first][runs]) + starts[runs]
    inner = np.ones(len(times), dtype=bool)
    inner[first] = inner[last] = False
    cuts = np.repeat(np.append(0.0, ends), _DEGREE + 1)
    return placed, np.sort(np.concatenate([placed[inner], cuts]))


def _durations(times: np.ndarray, runs: np.ndarray) -> np.ndarray:
    """(N,) seconds that each sample stands for: half of the way to its neighbours.

    The farther neighbour counts as twice as far as the nearer at most, so that a gap gives nobody
    more weight.
    """
    steps = np.diff(times)
    steps[np.diff(runs) > 0] = np.inf
    before, after = np.append(np.inf, steps), np.append(steps, np.inf)
    near = np.minimum(before, after)
    return np.asarray((np.minimum(before, 2 * near) + np.minimum(after, 2 * near)) / 2)


def _roughness(knots: np.ndarray) -> csr_array:
    """The matrix P for which c·P·c is the integral of the squared third derivative of Σ cᵢBᵢ."""
    down = diags_array(np.ones(len(knots) - _DEGREE - 1)).tocsr()
    for degree in range(_DEGREE, _DEGREE - _ORDER, -1):
        # de Boor: the derivative of Σ cᵢBᵢ has the coefficients (cᵢ − cᵢ₋₁) degree / (knots
        # apart), and one of each degree less at each end.
        count = len(knots) - degree - 1
        apart = knots[degree : degree + count + 1] - knots[: count + 1]
        factor = np.divide(degree, apart, out=np.zeros_like(apart), where=apart > 0)
        difference = diags_array(
            [np.ones(count), -np.ones(count)], offsets=[0, -1], shape=(count + 1, count)
        )
        down = diags_array(factor) @ difference @ down
    starts = knots[:-1][np.diff(knots) > 0]
    lengths = np.diff(knots)[np.diff(knots) > 0]
    points = (starts[:, None] + lengths[:, None] * _GAUSS_AT).ravel()
    weights = (lengths[:, None] * _GAUSS_WEIGHT).ravel()
    third = BSpline.design_matrix(points, knots, _DEGREE - _ORDER)
    gram = third.T @ diags_array(weights) @ third
    return csr_array(down.T @ gram @ down)
