"""One person in one frame, as the network saw it: for looking for somebody and comparing places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vid2kp.pose.oks import Floats


class Sight(NamedTuple):
    """One person in one frame: (K, 2) keypoints in display pixels and the network's score."""

    keypoints: Floats
    score: float


def worth(sights: Sequence[Sight]) -> float:
    """Sum over frames of the network's score."""
    return sum(sight.score for sight in sights)


def overlap(sights: Sequence[Sight], others: Sequence[Sight]) -> bool:
    """Whether the middle of one person's keypoints lies within the other's box."""
    box = np.concatenate([other.keypoints for other in others])
    middle = np.nanmedian(np.concatenate([sight.keypoints for sight in sights]), axis=0)
    return bool((np.nanmin(box, 0) <= middle).all() and (middle <= np.nanmax(box, 0)).all())
