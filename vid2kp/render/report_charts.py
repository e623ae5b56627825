"""The charts of the report as SVG: they print sharply and need no script."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from vid2kp.render.report_data import Detail
from vid2kp.tracks.quality import JOINTS

_BINS: Final = 600
_POINTS: Final = 1500
_WIDTH: Final = 1000
_HEIGHT: Final = 100

_ENDS: Final = {"right": "right", "left": "left"}


def coverage_strip(detail: Detail) -> str:
    """Over time: which share of the joints of trunk and limbs is seen."""
    names = detail.series.footer.skeleton.keypoints
    columns = [names.index(joint) for joint in JOINTS if joint in names]
    shares = detail.series.observed[:, columns or slice(None)].mean(axis=1)
    return _strip(_area(detail, shares, "area"))


def confidence_strip(detail: Detail) -> str:
    """Over time: the mean confidence of what is seen."""
    confidence = detail.series.confidence
    found = np.isfinite(confidence)
    mean = np.where(found, confidence, 0).sum(axis=1) / np.maximum(found.sum(axis=1), 1)
    return _strip(_area(detail, mean, "area soft"))


def mark_strips(detail: Detail) -> Iterable[tuple[str, str]]:
    """What was noted over time, each with its name; only what was noted at all."""
    series = detail.series
    marks = {
        "Infant not seen": ~series.seen,
        "Not sure who": series.ambiguous,
        "Others in view": series.people > 1,
        "Sides exchanged": series.swapped,
        "Damaged data": series.suspect,
    }
    for name, flags in marks.items():
        if flags.any():
            yield name, _strip(_blocks(detail, flags))


def reach_strip(detail: Detail, part: str, limit: float) -> str:
    """Over time: how far the right and the left of a pair are from the middle of the trunk.

    Args:
        detail: of the video.
        part: of the pair, without its side.
        limit: torso lengths at the upper edge, from `reach_limit`.
    """
    lines = []
    for side in _ENDS:
        reach = _reach(detail, f"{side}_{part}")
        if reach is not None:
            lines.append(_line(detail, 1 - reach / limit, side))
    return _strip("".join(lines))


def reach_limit(detail: Detail) -> float:
    """Torso lengths at the upper edge of `reach_strip`."""
    reaches = [_reach(detail, f"{side}_{part}") for side in _ENDS for part in ("wrist", "ankle")]
    known = np.concatenate([r[np.isfinite(r)] for r in reaches if r is not None] or [np.ones(1)])
    return float(np.ceil(np.percentile(known, 99.5))) if len(known) else 1.0


def paths(detail: Detail) -> str:
    """The ways of wrists and ankles."""
    names = detail.series.footer.skeleton.keypoints
    width, height = (
        round(1000 * s / detail.box.longer) for s in (detail.box.width, detail.box.height)
    )
    lines = []
    for part in ("ankle", "wrist"):
        for side in _ENDS:
            name = f"{side}_{part}"
            if name in names:
                way = 1000 * detail.xy[:, names.index(name)]
                lines.append(f'<path class="{side} {part}" d="{_path(_thinned(way))}"/>')
    return (
        f'<svg class="paths" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="Ways of both wrists and both ankles {detail.where}">'
        + "".join(lines)
        + "</svg>"
    )


def _reach(detail: Detail, name: str) -> np.ndarray | None:
    """(F,) torso lengths from the middle of the trunk; None without such a keypoint."""
    names = detail.series.footer.skeleton.keypoints
    trunk = [names.index(n) for n in JOINTS if n.endswith(("shoulder", "hip")) and n in names]
    if name not in names or not trunk:
        return None
    away = detail.xy[:, names.index(name)] - detail.xy[:, trunk].mean(axis=1)
    return np.asarray(np.hypot(away[:, 0], away[:, 1]) / detail.torso)


def _strip(content: str) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
        f"{content}</svg>"
    )


def _across(detail: Detail, times: np.ndarray) -> np.ndarray:
    series = detail.series
    return np.asarray(_WIDTH * times / (series.time[-1] or 1.0))


def _binned(detail: Detail, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most `_BINS` means over equal parts of the time; NaN where there is nothing."""
    series = detail.series
    bins = min(_BINS, len(series))
    end = series.time[-1] or 1.0
    # The little more: a time on the border of two parts belongs to the second.
    place = np.minimum((series.time / end * bins + 1e-6).astype(int), bins - 1)
    known = np.isfinite(values)
    count = np.bincount(place[known], minlength=bins)
    total = np.bincount(place[known], weights=values[known], minlength=bins)
    means = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    # A part without a frame of its own shows the one that stands for that time, if any does.
    middle = (np.arange(bins) + 0.5) / bins
    shown = np.searchsorted(series.time, middle * end, side="right") - 1
    stands = middle * end - series.time[shown] <= series.durations[shown]
    empty = (np.bincount(place, minlength=bins) == 0) & stands
    means[empty] = values[shown[empty]]
    return _WIDTH * middle, means


def _area(detail: Detail, shares: np.ndarray, name: str) -> str:
    x, y = _binned(detail, shares)
    # Parts without any frame (a hole in the video) show as nothing seen.
    y = _HEIGHT * (1 - np.nan_to_num(y))
    edge = "".join(f"L{a:.0f} {b:.0f}" for a, b in zip(x, y, strict=True))
    shape = f"M0 {_HEIGHT}L0 {y[0]:.0f}{edge}L{_WIDTH} {y[-1]:.0f}V{_HEIGHT}Z"
    return f'<path class="{name}" d="{shape}"/>'


def _line(detail: Detail, down: np.ndarray, name: str) -> str:
    x, y = _binned(detail, down)
    return f'<path class="{name}" d="{_path(np.stack([x, _HEIGHT * y.clip(0, 1)], axis=-1))}"/>'


def _blocks(detail: Detail, flags: np.ndarray) -> str:
    """A bar for each time in which something holds, wide enough to be seen."""
    series = detail.series
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]])))
    ends = np.append(series.time, series.time[-1:])
    left = np.minimum(_across(detail, ends[edges[::2]]), _WIDTH - 2)
    right = np.maximum(_across(detail, ends[edges[1::2]]), left + 2)
    # What is so near that it cannot be told apart is one bar.
    first = np.append(True, left[1:] > right[:-1] + 1)
    last = np.append(first[1:], True)
    bars = zip(left[first], right[last], strict=True)
    path = "".join(f"M{a:.1f} 0H{b:.1f}V{_HEIGHT}H{a:.1f}Z" for a, b in bars)
    return f'<path class="mark" d="{path}"/>'


def _path(points: np.ndarray) -> str:
    """A line through (N, 2) points, broken where they are missing."""
    parts, pen = [], "M"
    for x, y in points:
        if np.isnan(x + y):
            pen = "M"
        else:
            parts.append(f"{pen}{x:.0f} {y:.0f}")
            pen = "L"
    return "".join(parts)


def _thinned(way: np.ndarray) -> np.ndarray:
    """At most `_POINTS` of the points of a way, and none that repeats the one before."""
    way = np.round(way[:: -(-len(way) // _POINTS)])
    same = (np.diff(way, axis=0) == 0).all(axis=1)
    return np.asarray(way[np.append(True, ~same)])
