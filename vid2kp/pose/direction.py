"""Which way up: the quarter turn that puts the infant's head at the top of the network's input.

Infants lie in any direction. The picture is turned by each of four quarter turns on a few frames;
whoever is found says by the line from the hips to the neck where the head is, and the better the
network sees somebody in a turned picture, the more that counts. The best turn is locked. It is
looked at again when the infant has not lain upright in the input, or was seen much less well than
when the turn was locked, for long.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from vid2kp.pose.framing import turn
from vid2kp.pose.oks import Floats
from vid2kp.pose.skeleton import Skeleton

TURNS = (0, 90, 180, 270)
"""Counter-clockwise degrees."""

_HEAD_END = ("neck", "nose", "eye", "ear", "shoulder")
_FOOT_END = ("hip", "knee", "ankle", "foot")


@dataclass(frozen=True, kw_only=True)
class DirectionOptions:
    """When the direction is looked at again.

    Attributes:
        tilt: cosine of the angle between the infant and the upright below which it lies askew:
            less than that of 45 degrees, so that a direction between two turns does not flicker.
        fallen: share of the score at the time of locking below which the infant is seen badly.
        chunks: chunks in a row that must be askew or bad.
    """

    tilt: float = 0.4
    fallen: float = 0.7
    chunks: int = 4


class Direction:
    """The turn in use.

    Args:
        skeleton: the keypoint set.
        fixed: the turn to keep whatever is seen; None for the best one.
        options: when to look again.

    Attributes:
        rotation: counter-clockwise degrees by which pictures are turned for the network.
        moves: how often it changed.
    """

    def __init__(
        self, skeleton: Skeleton, *, fixed: int | None, options: DirectionOptions | None = None
    ) -> None:
        self.rotation = fixed or 0
        self.moves = 0
        self.is_fixed = fixed is not None
        self._options = options or DirectionOptions()
        names = skeleton.keypoints
        self._head = [i for i, name in enumerate(names) if name.endswith(_HEAD_END)]
        self._feet = [i for i, name in enumerate(names) if name.endswith(_FOOT_END)]
        self._neck = [i for i, name in enumerate(names) if name == "neck"]
        self._hips = [i for i, name in enumerate(names) if name.endswith("_hip")]
        self._best = 0.0
        self._bad = 0

    def up(self, keypoints: Floats) -> Floats:
        """(2,) unit vector from the hips to the neck of (K, 2) keypoints; NaN if not to be told.

        Where one of them was not found, from the lower to the upper half of what was.
        """
        for low, high in ((self._hips, self._neck), (self._feet, self._head)):
            ends = [points[~np.isnan(points[:, 0])] for points in (keypoints[low], keypoints[high])]
            if all(map(len, ends)):
                along = ends[1].mean(axis=0) - ends[0].mean(axis=0)
                length = float(np.hypot(*along))
                if length > 0:
                    return np.asarray(along / length)
        return np.full(2, np.nan)

    def lock(self, votes: Iterable[tuple[int, Floats, float]]) -> None:
        """Chooses the turn by what was seen under each.

        Args:
            votes: (rotation, keypoints (K, 2) in display pixels, score in [0, 1]) of the infant
                for each frame and turn in which it was found.
        """
        totals = dict.fromkeys(TURNS, 0.0)
        scores: dict[int, list[float]] = {rotation: [] for rotation in TURNS}
        for rotation, keypoints, score in votes:
            scores[rotation].append(score)
            up = self.up(keypoints)
            for wanted in TURNS if np.isfinite(up).all() else ():
                totals[wanted] += score**2 * max(0.0, self._uprightness(up, wanted))
        if any(totals.values()):
            best = max(TURNS, key=lambda t: (totals[t], t == self.rotation))
            self.moves += best != self.rotation
            self.rotation = best
        self._best = float(np.mean(scores[self.rotation])) if scores[self.rotation] else 0.0
        self._bad = 0

    def is_doubtful(self, poses: Iterable[tuple[Floats, float]]) -> bool:
        """Whether the turn should be looked at again, after one more chunk.

        Args:
            poses: (keypoints (K, 2) in display pixels, score) of the infant in the chunk's frames.
        """
        seen = list(poses)
        if self.is_fixed or not seen:
            return False
        score = float(np.mean([score for _, score in seen]))
        upright = [self._uprightness(self.up(keypoints), self.rotation) for keypoints, _ in seen]
        known = [cosine for cosine in upright if np.isfinite(cosine)]
        askew = bool(known) and float(np.mean(known)) < self._options.tilt
        bad = askew or score < self._options.fallen * self._best
        self._bad = self._bad + 1 if bad else 0
        return self._bad >= self._options.chunks

    @staticmethod
    def _uprightness(up: Floats, rotation: int) -> float:
        """Cosine of the angle to the top of the picture after a turn."""
        return float(-(turn(rotation)[:2, :2] @ up)[1])
