"""Samples that leave the way of a keypoint and come back faster than a limb can.

A detector takes something else for a wrist in a frame or two, and finds the wrist again. What gives
such samples away is not that they are far, for an infant that kicks is far too, but how they
get there: from one frame to the next, out of another pace, and back in the same manner. A limb
has to gather speed, slow down and turn round.

The test is that of Hampel, 1974, *The influence curve and its role in robust estimation*, with two
differences. What is held against the usual is not the distance from the median but the *jump*: how
far a sample lies from where the pace of the two samples before would have carried the keypoint. And
beside the usual there are two limits that do not depend on the recording, in torso lengths.
"""

from __future__ import annotations

from typing import Final

import numpy as np

LONGEST: Final = 0.2
"""Seconds from the last sample before an excursion to the first one after it, at most."""

LEAST: Final = 0.25
"""Torso lengths, some 5 cm: who goes no farther is none."""

FASTEST: Final = 8.0
"""Torso lengths per second by which the pace changes from one sample to the next, at least: more
than 1.5 m/s. Fast kicks reach that speed, but over several frames."""

TIMES_USUAL: Final = 4.0
"""A jump is so many times as far as the median of those around it, at least: where everything
trembles or kicks, nothing can be told apart."""

_AROUND: Final = 1.0  # seconds before and after a jump
_RETURNED: Final = 0.5  # of the distance: before and after, the keypoint is so near to itself


def find_outliers(times: np.ndarray, xy: np.ndarray, runs: np.ndarray) -> np.ndarray:
    """Which samples of one keypoint are there and back within `LONGEST`.

    Read backwards in time, the samples give the same answer but for ties.

    Args:
        times: (N,) seconds, increasing.
        xy: (N, 2) positions in torso lengths, finite.
        runs: (N,) number of the run of each sample, not decreasing: nothing is said across them.

    Returns:
        (N,) bool.
    """
    out = np.zeros(len(times), dtype=bool)
    for before, after in _excursions(times, xy, runs):
        inside = np.arange(before + 1, after)
        inside = inside[~out[inside]]
        if out[before] or out[after] or not len(inside):
            continue
        along = (times[inside] - times[before]) / (times[after] - times[before])
        straight = xy[before] + along[:, None] * (xy[after] - xy[before])
        away = _length(xy[inside] - straight).min()
        if away > LEAST and _length(xy[after] - xy[before]) <= _RETURNED * away:
            out[inside] = True
    return out


def _excursions(times: np.ndarray, xy: np.ndarray, runs: np.ndarray) -> list[tuple[int, int]]:
    """The samples before and after what begins with a jump and ends with one; shortest first."""
    leaving = _jumps(times, xy, runs)
    returning = _jumps(-times[::-1], xy[::-1], -runs[::-1])[::-1]
    ends = np.flatnonzero(returning)
    latest = np.searchsorted(times, times[leaving] + LONGEST + 1e-6, side="right")
    found = [
        (int(before), int(end))
        for before, last in zip(np.flatnonzero(leaving), latest, strict=True)
        for end in ends[np.searchsorted(ends, before + 2) : np.searchsorted(ends, last)]
        if runs[before] == runs[end]
    ]
    return sorted(found, key=lambda ends: (ends[1] - ends[0], ends[0]))


def _jumps(times: np.ndarray, xy: np.ndarray, runs: np.ndarray) -> np.ndarray:
    """(N,) bool: whether the next sample of the run is no continuation of what was before."""
    if len(times) < 2:
        return np.zeros(len(times), dtype=bool)
    steps = np.diff(times)
    joined = np.diff(runs) == 0
    pace = np.diff(xy, axis=0) / np.where(joined, steps, 1.0)[:, None]
    # A run begins at rest, for nothing is known of it.
    pace_before = np.where(np.append(False, joined[:-1])[:, None], np.roll(pace, 1, axis=0), 0.0)
    far = _length((pace - pace_before) * steps[:, None])
    jumps = np.append(joined & (far > np.maximum(LEAST, FASTEST * steps)), False)
    for i in np.flatnonzero(jumps):
        near = slice(*np.searchsorted(times[:-1], (times[i] - _AROUND, times[i] + _AROUND)))
        jumps[i] = far[i] > TIMES_USUAL * np.median(far[near][joined[near]])
    return jumps


def _length(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(np.hypot(vectors[..., 0], vectors[..., 1]))
