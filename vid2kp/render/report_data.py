"""What the report shows of one video: poses for its player, and where its charts lie.

The player draws from numbers that stand in the page: positions rounded to 1/4095 of the longer
side of the part of the picture in which the infant moves, confidence to 1/63, every n-th frame of
long videos. Two letters make a number of 12 bits, one a number of 6.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from vid2kp.pose.skeleton import Skeleton
from vid2kp.tracks.schema import FRAMES_FILE, TRACKS_FILE
from vid2kp.tracks.series import Series, read_series, torso_lengths

MOST_POSES: Final = 6000
"""More frames than that are thinned out in the player: four minutes at 25 frames per second."""

_GRID: Final = 4095
_LEVELS: Final = 63
_LETTERS: Final = np.frombuffer(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", dtype=np.uint8
)
_HEAD: Final = 0.36  # radius of the circle that stands for the head, in torso lengths
_MARGIN: Final = 0.1
_SLIMMEST: Final = 0.75  # of the shown part: width to height
_WIDEST: Final = 16 / 9
_TORSO: Final = 0.2  # of the longer side, where none is known
_REFERENCES: Final = {
    "top_left": "in the picture",
    "median_mid_hip": "around the usual place of the hips",
    "mid_hip": "around the hips, which stay in the middle",
}


@dataclass(frozen=True)
class Box:
    """The part of the picture that is shown, in the unit of the positions."""

    left: float
    top: float
    width: float
    height: float

    @property
    def longer(self) -> float:
        """The longer of its sides."""
        return max(self.width, self.height)

    def place(self, xy: np.ndarray) -> np.ndarray:
        """(..., 2) positions as parts of the longer side from the upper left corner."""
        return np.asarray((xy - [self.left, self.top]) / self.longer)


@dataclass(frozen=True)
class Detail:
    """One video, measured and placed.

    Attributes:
        series: its infant.
        box: the part of the picture that is shown.
        xy: (F, K, 2) float64 positions as parts of the longer side of the box, NaN = missing.
        torso: usual length of the torso in the same unit.
        every: the player has every so-many-th frame.
    """

    series: Series
    box: Box
    xy: np.ndarray
    torso: float
    every: int

    @property
    def sides(self) -> tuple[str, ...]:
        """By keypoint: r, l or m for right, left, middle."""
        names = self.series.footer.skeleton.keypoints
        return tuple(n[0] if n.startswith(("right_", "left_")) else "m" for n in names)

    @property
    def where(self) -> str:
        """From where positions are measured, in words."""
        return _REFERENCES[self.series.footer.point_of_reference]

    @property
    def across(self) -> str:
        """How wide the shown part is, in the unit of the tracks."""
        if self.series.footer.position_unit == "torso":
            return f"{self.box.width:.1f} torso lengths"
        return f"{self.box.width:,.0f} pixels"

    def to_json(self) -> str:
        """The numbers of the player, always the same text for the same tracks."""
        skeleton = self.series.footer.skeleton
        shown = slice(None, None, self.every)
        content = {
            "aspect": round(self.box.width / self.box.height, 4),
            "frame": self._frame(),
            "limbs": [limb for limb in skeleton.limbs if not set(limb) & set(skeleton.face)],
            "face": _face(skeleton),
            "head": round(_HEAD * self.torso, 4),
            "trunk": _trunk(skeleton),
            "sides": "".join(self.sides),
            "torso": round(self.torso, 4),
            "seconds": round(float(self.series.time[-1]), 3),
            **_times(self.series.time[shown]),
            "poses": _packed(self.xy[shown], self.series.confidence[shown]),
        }
        return json.dumps(content, separators=(",", ":"))

    def _frame(self) -> list[float] | None:
        """The edges of the picture: left, top, right, bottom; None where they are not known."""
        footer = self.series.footer
        if not _is_placed(self.series):
            return None
        corners = np.array([[0, 0], [footer.width, footer.height]]) - 0.5
        return [round(float(v), 4) for v in self.box.place(corners).ravel()]


def read_detail(folder: Path) -> Detail | None:
    """The video whose deliverables lie in a folder; None where it has no frame.

    Raises:
        TracksError: its files are missing or do not follow the schema.
    """
    series = read_series(folder / TRACKS_FILE, folder / FRAMES_FILE)
    if not len(series):
        return None
    xy = series.xy.astype(np.float64)
    if _is_placed(series):
        # Frames of another size are shown as large as the first.
        first = max(series.footer.width, series.footer.height)
        xy = xy * (first / series.size.max(axis=1))[:, None, None]
    lengths = torso_lengths(xy, series.footer.skeleton)
    known = lengths[np.isfinite(lengths)]
    torso = float(np.median(known)) if len(known) else None
    box = _box(xy, series, torso)
    return Detail(
        series=series,
        box=box,
        xy=box.place(xy),
        torso=_TORSO if torso is None else torso / box.longer,
        every=-(-len(series) // MOST_POSES),
    )


def _face(skeleton: Skeleton) -> list[int]:
    parts = ("nose", "eye", "ear")
    return [i for i, name in enumerate(skeleton.keypoints) if name.endswith(parts)]


def _trunk(skeleton: Skeleton) -> list[int]:
    """Shoulders and hips in the order around the trunk; empty where one is unknown."""
    around = ("right_shoulder", "left_shoulder", "left_hip", "right_hip")
    names = skeleton.keypoints
    return [names.index(n) for n in around] if set(around) <= set(names) else []


def _is_placed(series: Series) -> bool:
    """Whether positions are places in the picture."""
    return (series.footer.position_unit, series.footer.point_of_reference) == ("px", "top_left")


def _box(xy: np.ndarray, series: Series, torso: float | None) -> Box:
    """Where the infant moves and its head is drawn, with some room around it."""
    points = xy[np.isfinite(xy[..., 0])]
    if not len(points):
        return Box(-0.5, -0.5, float(series.footer.width), float(series.footer.height))
    # Single keypoints that were found far away do not make everything small.
    low, high = np.percentile(points, (0.5, 99.5), axis=0)
    heads = _heads(xy, series.footer.skeleton)
    if torso is not None and len(heads):
        upper, lower = np.percentile(heads, (0.5, 99.5), axis=0)
        low, high = np.minimum(low, upper - _HEAD * torso), np.maximum(high, lower + _HEAD * torso)
    width, height = np.maximum(high - low, 1e-6) + 2 * _MARGIN * max(*(high - low), 1e-6)
    height = max(height, width / _WIDEST)
    width = max(width, height * _SLIMMEST)
    middle = (low + high) / 2
    return Box(middle[0] - width / 2, middle[1] - height / 2, width, height)


def _heads(xy: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(N, 2) middles of the face in the frames in which the player draws a head."""
    face = xy[:, _face(skeleton)]
    face = face[np.isfinite(face[..., 0]).sum(axis=1) > 1]
    return np.asarray(np.nanmean(face, axis=1))


def _times(times: np.ndarray) -> dict[str, object]:
    """Even times as their step, others as milliseconds from one to the next."""
    step = (times[-1] - times[0]) / max(len(times) - 1, 1)
    even = times[0] + step * np.arange(len(times))
    if np.abs(times - even).max() < 0.002 and times[0] == 0:
        return {"count": len(times), "step": round(float(step), 6)}
    whole = np.round(1000 * times).astype(int)
    return {"count": len(times), "steps": np.diff(whole, prepend=0).tolist()}


def _packed(xy: np.ndarray, confidence: np.ndarray) -> str:
    """Five letters per keypoint: x, y, confidence; ``A`` in the fifth place = missing."""
    there = np.isfinite(xy[..., 0])
    grid = np.round(np.where(there[..., None], xy, 0) * _GRID).clip(0, _GRID).astype(np.int32)
    sure = np.nan_to_num(confidence, nan=1 / _LEVELS)
    level = np.where(there, np.round(sure * _LEVELS).clip(1, _LEVELS), 0).astype(np.int32)
    letters = np.stack(
        [grid[..., 0] >> 6, grid[..., 0] & 63, grid[..., 1] >> 6, grid[..., 1] & 63, level], axis=-1
    )
    return _LETTERS[letters].tobytes().decode("ascii")
