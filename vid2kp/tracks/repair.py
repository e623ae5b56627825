"""What cleaning does to the samples of one individual.

It exchanges sides, drops outliers, smooths, and fills gaps.
Every function changes a `Samples` in place and marks what it changed in its ``state``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from vid2kp.pose.skeleton import Skeleton
from vid2kp.tracks.outliers import find_outliers
from vid2kp.tracks.schema import INTERPOLATED, MISSING, OBSERVED, SMOOTHED, STATES, SWAPPED
from vid2kp.tracks.series import torso_lengths
from vid2kp.tracks.smooth import LEAST_SAMPLES, smooth

JOINED: Final = 0.2
"""Seconds between two samples beyond which they are strangers to each other."""

_SURE: Final = 0.25  # share of a keypoint's samples that count less than fully
_LEAST_WEIGHT: Final = 0.1


@dataclass
class Samples:
    """One individual over the n frames from its first to its last.

    Attributes:
        start: index of its first frame among the frames of the file.
        there: (n,) bool, whether it has rows: in the file, or since a gap was filled.
        xy: (n, K, 2) float32, NaN = missing.
        confidence: (n, K) float32, NaN = missing or interpolated.
        state: (n, K) int8, indices into `schema.STATES`.
    """

    start: int
    there: np.ndarray
    xy: np.ndarray
    confidence: np.ndarray
    state: np.ndarray

    def __len__(self) -> int:
        return len(self.there)


def exchange_sides(samples: Samples, swapped: Mapping[int, Sequence[int]]) -> None:
    """Exchanges keypoints with their partners of the other side.

    Args:
        samples: of the infant.
        swapped: by position within the samples: the keypoints that change places there, each
            pair given as (right, left, right, left, …).
    """
    mark = STATES.index(SWAPPED)
    for row, keypoints in swapped.items():
        here = np.array(keypoints)
        other = here.reshape(-1, 2)[:, ::-1].ravel()
        for values in (samples.xy, samples.confidence, samples.state):
            values[row, here] = values[row, other]
        found = samples.state[row, here] != STATES.index(MISSING)
        samples.state[row, here[found]] = mark


def drop_outliers(
    samples: Samples,
    times: np.ndarray,
    breaks: np.ndarray,
    skeleton: Skeleton,
    *,
    alive: Callable[[], None],
) -> int:
    """Drops samples that are somewhere else and back at once; they are missing then.

    Args:
        samples: of one individual. Where its torso was never seen, nothing can be told: all stay.
        times: (n,) seconds of its frames.
        breaks: (n,) counts the changes of the picture's size: nothing is compared across one.
        skeleton: the keypoint set.
        alive: called after each keypoint.

    Returns:
        how many were dropped.
    """
    times = _increasing(times)
    torso = _usual_torso(samples, breaks, skeleton)
    dropped = 0
    for k in range(samples.xy.shape[1]):
        found, run = _runs(samples, k, times, breaks)
        found, run = found[torso[found] > 0], run[torso[found] > 0]
        xy = samples.xy[found, k] / torso[found, None]
        out = found[find_outliers(times[found], xy, run)]
        samples.xy[out, k] = samples.confidence[out, k] = np.nan
        samples.state[out, k] = STATES.index(MISSING)
        dropped += len(out)
        alive()
    return dropped


def smooth_samples(
    samples: Samples,
    times: np.ndarray,
    breaks: np.ndarray,
    *,
    passband: float,
    alive: Callable[[], None],
) -> None:
    """Smooths every keypoint; those that stand alone are left as they were observed.

    Args:
        samples: of one individual.
        times: (n,) seconds of its frames.
        breaks: (n,) counts the changes of the picture's size: no curve goes across one.
        passband: hertz; movement up to there is kept.
        alive: called after each keypoint.
    """
    times = _increasing(times)
    for k in range(samples.xy.shape[1]):
        found, run = _runs(samples, k, times, breaks)
        enough = np.bincount(run, minlength=1) >= LEAST_SAMPLES
        found, run = found[enough[run]], (np.cumsum(enough) - 1)[run[enough[run]]]
        if len(found):
            samples.xy[found, k] = smooth(
                times[found],
                samples.xy[found, k].astype(np.float64),
                _weights(samples.confidence[found, k]),
                run,
                passband=passband,
            )
            state = samples.state[found, k]
            state[state == STATES.index(OBSERVED)] = STATES.index(SMOOTHED)
            samples.state[found, k] = state
        alive()


def fill_gaps(
    samples: Samples, times: np.ndarray, breaks: np.ndarray, *, longest_gap: float
) -> None:
    """Fills gaps with the straight line between their ends; a filled sample has no confidence.

    Args:
        samples: of one individual.
        times: (n,) seconds of its frames.
        breaks: (n,) counts the changes of the picture's size: nothing is filled across one.
        longest_gap: seconds from the last sample before a gap to the first one after it.
    """
    for k in range(samples.xy.shape[1]):
        found = np.flatnonzero(np.isfinite(samples.xy[:, k, 0]))
        if len(found) < 2:
            continue
        before, after = found[:-1], found[1:]
        # Times of videos are sums of rounded steps: a gap of just that length is filled.
        is_gap = (after - before > 1) & (times[after] - times[before] <= longest_gap + 1e-6)
        is_gap &= breaks[before] == breaks[after]
        lengths = (after - before - 1)[is_gap]
        a, b = np.repeat(before[is_gap], lengths), np.repeat(after[is_gap], lengths)
        at = a + 1 + np.arange(len(a)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        along = ((times[at] - times[a]) / np.maximum(times[b] - times[a], 1e-9))[:, None]
        samples.xy[at, k] = (1 - along) * samples.xy[a, k] + along * samples.xy[b, k]
        samples.confidence[at, k] = np.nan
        samples.state[at, k] = STATES.index(INTERPOLATED)
        samples.there[at] = True


def _runs(
    samples: Samples, k: int, times: np.ndarray, breaks: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(N,) rows of a keypoint's samples, and (N,) the run that each belongs to: 0, 1, …."""
    found = np.flatnonzero(np.isfinite(samples.xy[:, k, 0]))
    stranger = (np.diff(times[found]) > JOINED) | (np.diff(breaks[found]) != 0)
    return found, np.append(0, np.cumsum(stranger))[: len(found)]


def _usual_torso(samples: Samples, breaks: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(n,) median length of the torso while the picture keeps its size; NaN = never seen."""
    lengths = torso_lengths(samples.xy.astype(np.float64), skeleton)
    usual = np.full(len(samples), np.nan)
    for piece in np.unique(breaks):
        known = lengths[(breaks == piece) & np.isfinite(lengths)]
        if len(known):
            usual[breaks == piece] = np.median(known)
    return usual


def _weights(confidence: np.ndarray) -> np.ndarray:
    """(N,) in (0, 1]: the least sure quarter of a keypoint's samples counts less.

    Relative to the keypoint itself: how high a confidence is usual differs between keypoints
    and models.
    """
    usual = max(float(np.nanquantile(confidence, _SURE)), 1e-6)
    weights = np.clip(confidence / usual, _LEAST_WEIGHT, 1.0).astype(np.float64)
    return np.where(np.isfinite(weights), weights, _LEAST_WEIGHT)


def _increasing(times: np.ndarray) -> np.ndarray:
    """Times of which none stands still, as those of broken files do."""
    if len(times) < 2:
        return times
    steps = np.diff(times)
    least = 0.02 * float(np.median(steps[steps > 0])) if (steps > 0).any() else 1.0
    return np.append(times[0], times[0] + np.cumsum(np.maximum(steps, least)))
