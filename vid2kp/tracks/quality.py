"""How usable a recording is, in numbers, and when somebody should look at it.

The numbers are columns of ``index.parquet`` and stand in the report; docs/quality.md explains
them. The limits of `RULES` are the only ones there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from vid2kp.tracks.schema import FAILURES, NO_INFANT
from vid2kp.tracks.series import Series, torso_lengths

JOINTS: Final = tuple(
    f"{side}_{part}"
    for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    for side in ("right", "left")
)
"""The joints of trunk and limbs; a movement assessment rests on them."""

_USABLE: Final = 0.75  # of the joints of a frame
_BRIDGED: Final = 0.2  # seconds: a shorter interruption does not end a stretch
_NEAR: Final = 0.2  # seconds between neighbours that tell of jitter
_DIGITS: Final = 6  # after the point, of what is held against a limit

COVERAGE: Final = {joint: f"coverage_{joint}" for joint in JOINTS}
"""The column of each joint: share of the frames in which it was seen, 0 to 1."""

SECONDS: Final = ("usable_seconds", "longest_stretch", "longest_gap", "seconds_with_others")
COUNTS: Final = ("frames_swapped", "view_changes")
JITTER: Final = "jitter"

Numbers = Mapping[str, float | None]
"""The quality of one video by column; None for what could not be measured."""


def measure_quality(series: Series) -> dict[str, float | None]:
    """The numbers of one video.

    Returns:
        by column: those of `COVERAGE`, None where the skeleton has no such joint.
        ``usable_seconds``: time in which three quarters of the joints are seen, no data is damaged
        and the infant is not in doubt. ``longest_stretch``: of such time without an interruption
        of more than 0.2 seconds. ``longest_gap``: seconds without the infant.
        ``seconds_with_others``: seconds in which more than one person is seen.
        ``frames_suspect``: frames near damaged data. ``frames_swapped``: frames in which sides
        look exchanged. ``view_changes``: how often the network had to look elsewhere, or the
        picture changed its size; None where it is not told where it looked. ``jitter``: how far a
        joint typically lies from the straight way between the frames before and after, percent of
        the torso's length; None where too little is seen.
    """
    columns = [series.footer.skeleton.keypoints.index(j) for j in _joints(series)]
    observed = series.observed[:, columns]
    shares = observed.mean(axis=0) if len(series) else np.zeros(len(columns))
    coverage = dict(zip(_joints(series), shares, strict=True))
    usable = observed.mean(axis=1) >= _USABLE if columns else np.zeros(len(series), dtype=bool)
    usable &= ~series.suspect & ~series.ambiguous
    durations = series.durations
    return {
        **{name: _number(coverage.get(joint)) for joint, name in COVERAGE.items()},
        "usable_seconds": float(durations[usable].sum()),
        "longest_stretch": _longest_stretch(series, usable),
        "longest_gap": _longest_gap(series),
        "seconds_with_others": float(durations[series.people > 1].sum()),
        "frames_suspect": int(series.suspect.sum()),
        "frames_swapped": int(series.swapped.sum()),
        "view_changes": _view_changes(series),
        JITTER: _jitter(series, columns),
    }


# ---------------------------------------------------------------------------------------------
# When somebody should look


@dataclass(frozen=True)
class Rule:
    """One reason to look at a video.

    Attributes:
        name: a word for it, as in the column ``look`` of the index.
        limit: what the measure may reach.
        well: what is held against the limit, in words; ``{}`` takes it.
        measure: of a row of the index; None where it does not apply.
        words: what was found, for a table; ``{}`` takes the measure as the unit says.
        unit: ``share`` or ``number``.
        why: what it means and what to look for, in plain words.
        is_least: the limit is the least that is well; otherwise it is the most.
    """

    name: str
    limit: float
    well: str
    measure: Callable[[Mapping[str, Any]], float | None]
    words: str
    unit: str
    why: str
    is_least: bool = False

    def told(self, row: Mapping[str, Any]) -> str:
        """What was found in words, "" where all is well."""
        measured = self.measure(row)
        if measured is None:
            return ""
        # The index has float32 numbers: 0.9 as it comes out of it is still 0.9.
        value = round(measured, _DIGITS)
        if value >= self.limit if self.is_least else value <= self.limit:
            return ""
        joint = worst_joint(row) if "{joint}" in self.words else None
        return self.words.format(self._beside_limit(value), joint=(joint or "").replace("_", " "))

    def _beside_limit(self, value: float) -> str:
        """A value beyond the limit in as many digits as it takes to tell it from the limit."""
        digits = 0 if self.unit == "share" else 1
        while (text := self._text(value, digits)) == self._text(self.limit, digits):
            digits += 1
        return text

    def _text(self, value: float, digits: int) -> str:
        return f"{100 * value:.{digits}f} %" if self.unit == "share" else f"{value:.{digits}f}"

    @property
    def is_well(self) -> str:
        """When all is well, in words."""
        return self.well.format(
            self._text(self.limit, 0) if self.unit == "share" else f"{self.limit:g}"
        )


def worst_joint(row: Mapping[str, Any]) -> str | None:
    """The joint that was seen least; None where none was measured."""
    known = {j: row[c] for j, c in COVERAGE.items() if row.get(c) is not None}
    return min(known, key=lambda joint: (known[joint], joint)) if known else None


def _worst_coverage(row: Mapping[str, Any]) -> float | None:
    joint = worst_joint(row)
    return None if joint is None else float(row[COVERAGE[joint]])


def _share(column: str, whole: str) -> Callable[[Mapping[str, Any]], float | None]:
    """The measure ``column`` per ``whole``."""

    def measure(row: Mapping[str, Any]) -> float | None:
        value, of = row.get(column), row.get(whole)
        return None if value is None or not of else min(float(value) / float(of), 1.0)

    return measure


def _per_minute(row: Mapping[str, Any]) -> float | None:
    value, seconds = row.get("view_changes"), row.get("seconds")
    # In a few seconds a few changes say nothing.
    return None if value is None or not seconds else 60 * float(value) / max(float(seconds), 60.0)


RULES: Final = (
    Rule(
        "unseen", 0.9, "infant seen in at least {} of the frames",
        lambda row: row.get("found"), "the infant is seen in {} of the frames",
        "share",
        "The infant is out of the picture, covered or turned away, or the picture is too dark or "
        "too blurred. Is enough of the recording left?",
        is_least=True,
    ),
    Rule(
        "usable", 0.75, "at least {} of the time usable",
        _share("usable_seconds", "seconds"), "{} of the time is usable", "share",
        "In the rest of the time more than a quarter of the joints of trunk and limbs are "
        "missing, data is damaged, or it is not sure who is the infant.",
        is_least=True,
    ),
    Rule(
        "joint", 0.7, "each joint seen in at least {} of the frames",
        _worst_coverage, "the {joint} is seen in {} of the frames", "share",
        "One joint is missing often: hidden by clothes, a blanket or the body, or out of the "
        "picture. Measures of that limb rest on less than the others.",
        is_least=True,
    ),
    Rule(
        "gap", 5.0, "at most {} seconds without the infant",
        lambda row: row.get("longest_gap"), "the infant is away for {} s", "number",
        "The infant was lost for seconds on end: somebody stood before the camera, or the "
        "infant was taken up.",
    ),
    Rule(
        "jitter", 2.5, "jitter of at most {} percent of the torso",
        lambda row: row.get(JITTER), "joints tremble by {} % of the torso", "number",
        "The joints jump from frame to frame more than infants do: a blurred, dark or small "
        "picture, or a view that the model does not know. Fine movement cannot be read from it.",
    ),
    Rule(
        "swaps", 0.02, "sides exchanged in at most {} of the frames",
        _share("frames_swapped", "frames"), "left and right change in {} of the "
        "frames", "share",
        "Left and right of the infant were taken for each other, often while it rolls or its legs "
        "cross. The clean product puts them back; compare it with the skeleton video.",
    ),
    Rule(
        "others", 0.2, "others in view for at most {} of the time",
        _share("seconds_with_others", "seconds"), "others are in view for {} of "
        "the time", "share",
        "Somebody else is in the picture. Do the tracks follow the infant all the time?",
    ),
    Rule(
        "suspect", 0.05, "at most {} of the frames near damaged data",
        _share("frames_suspect", "frames"), "{} of the frames are near damaged "
        "data", "share",
        "The file is damaged there, and what was seen may never have been so. Copy it again from "
        "the camera.",
    ),
    Rule(
        "views", 20.0, "at most {} changes of the view a minute",
        _per_minute, "the view moves {} times a minute", "number",
        "The camera or the infant moved about, or the infant was lost and searched for again. "
        "Positions in the picture are then movements of the camera too.",
    ),
)  # fmt: skip
"""All of them, in the order in which they are told."""

LIMITS: Final = {rule.name: rule.limit for rule in RULES}

RULE_NAMES: Final = tuple(rule.name for rule in RULES)


def look_reasons(row: Mapping[str, Any]) -> dict[str, str]:
    """Why somebody should look at a video: what was found, by the name of the rule.

    Args:
        row: of the index; a status other than ``done`` is a reason of its own, not told here, and
            where there is no infant it is the only one.
    """
    if row.get("status") in (NO_INFANT, *FAILURES):
        return {}
    told = {rule.name: rule.told(row) for rule in RULES}
    return {name: words for name, words in told.items() if words}


# ---------------------------------------------------------------------------------------------
# The measures


def _joints(series: Series) -> tuple[str, ...]:
    return tuple(joint for joint in JOINTS if joint in series.footer.skeleton.keypoints)


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


def _longest_gap(series: Series) -> float:
    """From the last frame with the infant to the next; the ends of the video count as seen."""
    if not len(series):
        return 0.0
    time = np.cumsum(np.append(0.0, series.durations[:-1]))  # without holes in the video
    seen = np.concatenate([[0], np.flatnonzero(series.seen), [len(series) - 1]])
    gaps = np.diff(time[seen])[np.diff(seen) > 1]  # there is a frame without the infant between
    return float(gaps.max(initial=0.0))


def _longest_stretch(series: Series, usable: np.ndarray) -> float:
    times = series.time[usable]
    if not len(times):
        return 0.0
    ends = times + series.durations[usable]
    broken = np.flatnonzero(times[1:] - ends[:-1] > _BRIDGED)
    starts = times[np.append(0, broken + 1)]
    return float((ends[np.append(broken, len(times) - 1)] - starts).max())


def _view_changes(series: Series) -> int | None:
    looked = np.isfinite(series.view).all(axis=1)
    if not looked.any():
        return None
    # With the whole picture in view a new size is a new view too, but no second change.
    views = np.concatenate([series.view[looked], series.size[looked]], axis=1)
    return int((np.diff(views, axis=0) != 0).any(axis=1).sum())


def _jitter(series: Series, columns: list[int]) -> float | None:
    lengths = torso_lengths(series.xy, series.footer.skeleton)
    if len(series) < 3 or not np.isfinite(lengths).any() or not columns:
        return None
    steps = np.diff(series.time)
    near = (steps[:-1] + steps[1:] <= 2 * _NEAR) & (steps[1:] + steps[:-1] > 0)
    # Where the picture changes its size, a jump is none of the infant's.
    near &= (series.size[2:] == series.size[:-2]).all(axis=1)
    along = (steps[:-1] / np.maximum(steps[:-1] + steps[1:], 1e-9))[:, None, None]
    xy = series.xy[:, columns]
    off = xy[1:-1] - ((1 - along) * xy[:-2] + along * xy[2:])
    distances = np.hypot(off[..., 0], off[..., 1])[near]
    distances = distances[np.isfinite(distances)]
    if not len(distances):
        return None
    return float(100 * np.median(distances) / np.nanmedian(lengths))
