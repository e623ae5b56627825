"""What is remembered of each identity in a video: running statistics, never a history."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from vid2kp.pose.oks import Floats, body_size
from vid2kp.pose.skeleton import Skeleton


@dataclass
class RunningMean:
    """Mean and spread of a stream of numbers or vectors (Welford's method)."""

    count: int = 0
    mean: Floats = field(default_factory=lambda: np.zeros(()))
    _squares: Floats = field(default_factory=lambda: np.zeros(()))

    def add(self, value: Floats | float) -> None:
        """Takes one more value in."""
        self.count += 1
        difference = np.asarray(value, np.float64) - self.mean
        self.mean = self.mean + difference / self.count
        self._squares = self._squares + difference * (value - self.mean)

    @property
    def deviation(self) -> Floats:
        """Standard deviation of what was taken in; 0 of a single value."""
        return np.asarray(np.sqrt(self._squares / max(self.count, 1)))


@dataclass
class IdentityStatistics:
    """One identity over all frames in which it was seen.

    Lengths are in display pixels.

    Attributes:
        identity: its number.
        first_frame: decoder ordinal of the frame in which it was first seen.
        last_frame: of the last.
        first_time: seconds.
        last_time: seconds.
        completeness: share of the keypoints that were found, in [0, 1].
        confidence: mean confidence of the keypoints that were found.
        size: square root of the area that the body takes up.
        centre: (x, y) of its middle.
        torso: from the neck to the middle of the hips.
        head: distance of the ears in lengths of the torso (neck to middle of the hips).
        head_to_shoulders: distance of the ears in that of the shoulders.
        leg: length of a leg, hip to knee to ankle, in lengths of the torso.
        first_centre: (2,) middle of the body when it was first seen.
        last_centre: (2,) middle of the body when it was last seen.
    """

    identity: int
    first_frame: int
    first_time: float
    last_frame: int = -1
    last_time: float = 0.0
    completeness: RunningMean = field(default_factory=RunningMean)
    confidence: RunningMean = field(default_factory=RunningMean)
    size: RunningMean = field(default_factory=RunningMean)
    centre: RunningMean = field(default_factory=RunningMean)
    torso: RunningMean = field(default_factory=RunningMean)
    head: RunningMean = field(default_factory=RunningMean)
    head_to_shoulders: RunningMean = field(default_factory=RunningMean)
    leg: RunningMean = field(default_factory=RunningMean)
    first_centre: Floats = field(default_factory=lambda: np.full(2, np.nan))
    last_centre: Floats = field(default_factory=lambda: np.full(2, np.nan))

    @property
    def frames(self) -> int:
        """Number of frames in which the identity was seen."""
        return self.completeness.count

    @property
    def spread(self) -> float:
        """How far the middle of the body moves about, in sizes of the body."""
        return float(np.linalg.norm(self.centre.deviation) / max(float(self.size.mean), 1e-9))

    def add(
        self, frame: int, time: float, keypoints: Floats, confidence: Floats, parts: Parts
    ) -> None:
        """Takes one more frame in.

        Args:
            frame: decoder ordinal.
            time: seconds.
            keypoints: (K, 2) display pixels, NaN = missing; at least one found.
            confidence: (K,) in [0, 1], NaN = missing.
            parts: of the keypoint set.
        """
        found = ~np.isnan(confidence)
        centre = parts.centre(keypoints)
        if not self.frames:
            self.first_centre = centre
        self.last_frame, self.last_time, self.last_centre = frame, time, centre
        self.completeness.add(float(found.mean()))
        self.confidence.add(float(confidence[found].mean()))
        self.size.add(float(body_size(keypoints)))
        self.centre.add(centre)
        torso, head = parts.torso(keypoints), parts.head(keypoints)
        if torso > 0:
            self.torso.add(torso)
        for mean, length, of in (
            (self.head, head, torso),
            (self.head_to_shoulders, head, parts.shoulders(keypoints)),
            (self.leg, parts.leg(keypoints), torso),
        ):
            if of > 0 and np.isfinite(length):
                mean.add(length / of)


class Parts:
    """Measures of a body that need to know which keypoint is which.

    A measure is NaN where the set has no such keypoints or they were not found.

    Args:
        skeleton: the keypoint set.
    """

    def __init__(self, skeleton: Skeleton) -> None:
        def find(*names: str) -> list[int]:
            return [skeleton.keypoints.index(n) for n in names if n in skeleton.keypoints]

        self._neck, self._ears = find("neck"), find("right_ear", "left_ear")
        self._hips = find("right_hip", "left_hip")
        self._legs = [find(f"{s}_hip", f"{s}_knee", f"{s}_ankle") for s in ("right", "left")]
        self._shoulders = find("right_shoulder", "left_shoulder")
        self._trunk = self._neck + self._hips + self._shoulders

    def centre(self, keypoints: Floats) -> Floats:
        """(2,) middle of the trunk, or of all that was found of the body without a trunk."""
        trunk = keypoints[self._trunk]
        trunk = trunk[~np.isnan(trunk[:, 0])]
        rest = trunk if len(trunk) >= 2 else keypoints[~np.isnan(keypoints[:, 0])]
        return np.asarray(rest.mean(axis=0, dtype=np.float64))

    def torso(self, keypoints: Floats) -> float:
        """From the neck to the middle of the hips."""
        if not self._neck or len(self._hips) < 2:
            return float("nan")
        return _distance(keypoints[self._neck[0]], keypoints[self._hips].mean(axis=0))

    def head(self, keypoints: Floats) -> float:
        """From ear to ear."""
        if len(self._ears) < 2:
            return float("nan")
        return _distance(*keypoints[self._ears])

    def shoulders(self, keypoints: Floats) -> float:
        """From shoulder to shoulder."""
        if len(self._shoulders) < 2:
            return float("nan")
        return _distance(*keypoints[self._shoulders])

    def leg(self, keypoints: Floats) -> float:
        """From hip to knee to ankle, the longer of both sides where both were found."""
        lengths = [
            _distance(keypoints[hip], keypoints[knee])
            + _distance(keypoints[knee], keypoints[ankle])
            for hip, knee, ankle in (leg for leg in self._legs if len(leg) == 3)
        ]
        found = [length for length in lengths if np.isfinite(length)]
        return max(found, default=float("nan"))


def _distance(a: Floats, b: Floats) -> float:
    return float(np.hypot(*(np.asarray(a, np.float64) - b)))
