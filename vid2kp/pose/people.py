"""The people found in one image: a table of keypoints that needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class People:
    """P people of one image, best first.

    Attributes:
        keypoints: (P, K, 2) float32 (x, y) in the pixels of the image that was looked at (origin
            at the centre of the top-left pixel, x right, y down); NaN where not found.
        confidence: (P, K) float32 in [0, 1], the belief map's value at the peak, or, from a model
            with a calibration, how probable it makes the keypoint to be within a tenth of the
            torso of the truth; NaN where not found.
        score: (P,) float32 in [0, 1], the mean of the belief map's values over all K keypoints,
            those not found counting as zero: larger for the more certain and the more complete.
    """

    keypoints: NDArray[np.float32]
    confidence: NDArray[np.float32]
    score: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.score)

    def __getitem__(
        self, which: slice | NDArray[np.intp] | NDArray[np.bool_] | list[int]
    ) -> People:
        """The people chosen by a slice, an index array or a mask."""
        return People(self.keypoints[which], self.confidence[which], self.score[which])

    @classmethod
    def none(cls, keypoints: int) -> People:
        """Nobody, of a set of K keypoints."""
        return cls(
            np.empty((0, keypoints, 2), np.float32),
            np.empty((0, keypoints), np.float32),
            np.empty(0, np.float32),
        )

    @property
    def found(self) -> NDArray[np.bool_]:
        """(P, K) bool: which keypoints were found."""
        return ~np.isnan(self.confidence)
