"""What a confidence is worth: from a belief map's peak to the chance of being right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vid2kp.errors import ModelError


@dataclass(frozen=True)
class Calibration:
    """A rising curve of straight pieces.

    Attributes:
        confidence: rising values of the belief map at a peak.
        probability: for each, the share of keypoints that were near enough.
        within: how near that is, torso lengths.
    """

    confidence: tuple[float, ...]
    probability: tuple[float, ...]
    within: float

    def __call__(self, confidence: NDArray[np.floating]) -> NDArray[np.float32]:
        """The probability that keypoints are within reach of the truth.

        Args:
            confidence: any shape; NaN where nothing was found.

        Returns:
            The same shape, float32 in [0, 1]; NaN stays. Beyond the ends the curve is level.
        """
        share = np.interp(confidence, self.confidence, self.probability)
        return np.asarray(share, np.float32)

    def as_dict(self) -> dict[str, Any]:
        """The curve as it stands in a model's card."""
        return {
            "confidence": list(self.confidence),
            "probability": list(self.probability),
            "within": self.within,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Calibration:
        """The curve of a model's card.

        Raises:
            ModelError: it is no rising curve within [0, 1].
        """
        try:
            curve = cls(
                tuple(map(float, values["confidence"])),
                tuple(map(float, values["probability"])),
                float(values["within"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(
                "The model's calibration cannot be read.", hint="Fit it once more."
            ) from error
        x, y = np.array(curve.confidence), np.array(curve.probability)
        rising = len(x) == len(y) > 0 and (np.diff(x) > 0).all() and (np.diff(y) >= 0).all()
        if not rising or y.min() < 0 or y.max() > 1:
            raise ModelError(
                "The model's calibration is no rising curve.", hint="Fit it once more."
            )
        return curve
