"""Intervals by resampling: pictures of one infant stay together, because they are alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A figure with its bootstrap interval.

    Attributes:
        value: None where there is nothing to measure.
        low: lower end of the interval; None where it cannot be told.
        high: upper end.
    """

    value: float | None
    low: float | None = None
    high: float | None = None


def resample(clusters: Sequence[str], samples: int, *, seed: int = 0) -> NDArray[np.float64]:
    """How often each picture is in each resample.

    Args:
        clusters: for each of I pictures what it belongs to; whole clusters are drawn.
        samples: how many resamples.
        seed: of the draws.

    Returns:
        (samples, I) counts; no rows if there are fewer than two clusters to draw from.
    """
    names, member = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    if len(names) < 2:
        return np.empty((0, len(clusters)))
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=samples)
    return drawn[:, member].astype(np.float64)


def ratio(
    part: NDArray[np.floating], whole: NDArray[np.floating], counts: NDArray[np.float64]
) -> Estimate:
    """The sum of the parts over the sum of the wholes.

    Args:
        part: (I,) what each picture adds to the numerator.
        whole: (I,) what it adds to the denominator.
        counts: from `resample`.
    """
    total = whole.sum()
    if not total > 0:
        return Estimate(None)
    wholes = counts @ whole
    with np.errstate(invalid="ignore", divide="ignore"):
        return with_interval(float(part.sum() / total), (counts @ part) / wholes)


def with_interval(value: float | None, resampled: NDArray[np.floating]) -> Estimate:
    """A value with the interval that holds 95 % of its resamples.

    Args:
        value: the figure.
        resampled: (B,) the figure in each resample; NaN where it could not be told.
    """
    usable = resampled[np.isfinite(resampled)]
    if value is None or not len(usable):
        return Estimate(value)
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(usable, [tail, 100 - tail])
    return Estimate(value, float(low), float(high))
