"""Where to look: the whole frame until the infant is found, then a crop that it fills.

A small infant in a large frame is a few pixels to the network; a crop makes it fill the input.
The crop stays where it is while the infant stays inside, so that tracks do not jump, and when it
moves, it moves in whole steps. Decisions fall between chunks of a fixed number of frames, never
between batches, so results do not depend on the batch size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vid2kp.pose.framing import View, crop, whole_frame

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in display pixels."""

Place = tuple[float, float, float]
"""x and y of the middle of a square crop and its side, display pixels."""


@dataclass(frozen=True, kw_only=True)
class ZoomOptions:
    """How close the crop is and when it moves.

    Attributes:
        chunk: frames between decisions.
        margin: side of a new crop in lengths of the infant's longest side.
        closest: the crop is left alone while its side is between these two such lengths …
        widest: … and
        border: the infant keeps this share of the side away from the crop's border.
        scales: sizes of the whole frame when it is searched, in input sizes: infants may be large
            or small in it.
        probe: every such frame of a chunk is searched.
        refine: how often a new crop is looked at and put right …
        keep: … as long as the infant is found there with at least this share of the score before.
        lost: share of a chunk's frames without the infant from which on it counts as lost.
    """

    chunk: int = 16
    margin: float = 1.45
    closest: float = 1.12
    widest: float = 2.0
    border: float = 0.03
    scales: tuple[float, ...] = (0.75, 1.0, 1.75)
    probe: int = 4
    refine: int = 5
    keep: float = 0.9
    lost: float = 0.5


class Zoom:
    """The view of one video, moving as rarely as it can.

    Args:
        input_size: longest side of the network's input, pixels.
        options: when it moves.

    Attributes:
        rotation: counter-clockwise degrees by which the picture is turned.
        moves: how often the crop changed.
    """

    def __init__(self, input_size: int, options: ZoomOptions | None = None) -> None:
        self.options = options or ZoomOptions()
        self._input_size = input_size
        self._crop: Place | None = None
        self._refused: Place | None = None
        self.rotation = 0
        self.moves = 0

    @property
    def box(self) -> Box | None:
        """The crop in use in display pixels, None for the whole frame."""
        if self._crop is None:
            return None
        x, y, side = self._crop
        return x - side / 2, y - side / 2, x + side / 2, y + side / 2

    def view(self, width: int, height: int) -> View:
        """The network input for frames of a display size, pixels."""
        if self._crop is not None:
            x, y, side = self._crop
            return crop((x, y), side, size=self._input_size, rotation=self.rotation)
        return self.whole_view(width, height)

    @property
    def place(self) -> Place | None:
        """Middle and side of the crop, None while the whole frame is looked at."""
        return self._crop

    def move_to(self, place: Place | None) -> None:
        """Use this crop from now on; None for the whole frame."""
        self.moves += place != self._crop
        self._crop, self._refused = place, None

    def search_views(self, width: int, height: int) -> tuple[View, ...]:
        """The whole frame at the sizes at which the infant is looked for."""
        return tuple(self.whole_view(width, height, scale) for scale in self.options.scales)

    def whole_view(self, width: int, height: int, scale: float = 1.0) -> View:
        """The whole frame, its longest side ``scale`` times that of the network's input."""
        size = 8 * round(self._input_size * scale / 8)
        return whole_frame(width, height, size=size, rotation=self.rotation)

    def refuse(self, place: Place | None) -> None:
        """Back to a crop in which more is seen; `follow` does not leave it for the one refused."""
        refused = self._crop
        self.move_to(place)
        self._refused = refused

    def forget(self) -> None:
        """Back to the whole frame: the infant was lost, or the picture changed its size."""
        self.move_to(None)

    def follow(self, infant: NDArray[np.floating]) -> bool:
        """Keep the crop, or move it so that the infant fills it.

        An infant that fills the frame gets a crop that is larger than the frame: the network sees
        everybody at the size that it knows best.

        Args:
            infant: (n, K, 2) its keypoints over some frames, display pixels, NaN = missing.

        Returns:
            Whether the crop changed.
        """
        box = _box_around(infant)
        if box is None or self._holds(box):
            return False
        place = self._place_around(box)
        if place in (self._crop, self._refused):
            return False
        self.move_to(place)
        return True

    def close_view(self, keypoints: NDArray[np.floating]) -> View | None:
        """The network input filled by somebody else; None if too few keypoints are known.

        Args:
            keypoints: (K, 2) of that person, display pixels, NaN = missing.
        """
        box = _box_around(keypoints)
        if box is None:
            return None
        x, y, side = self._place_around(box)
        return crop((x, y), side, size=self._input_size, rotation=self.rotation)

    def _place_around(self, box: Box) -> Place:
        longest = max(box[2] - box[0], box[3] - box[1])
        side = _whole_step(self.options.margin * longest)
        step = side / 16
        x, y = (step * round((box[i] + box[i + 2]) / 2 / step) for i in (0, 1))
        return x, y, side

    def _holds(self, box: Box) -> bool:
        if self.box is None or self._crop is None:
            return False
        side = self._crop[2]
        gap = self.options.border * side
        x0, y0, x1, y1 = self.box
        inside = (
            box[0] >= x0 + gap and box[1] >= y0 + gap and box[2] <= x1 - gap and box[3] <= y1 - gap
        )
        share = side / max(box[2] - box[0], box[3] - box[1], 1e-6)
        return inside and self.options.closest <= share <= self.options.widest


def _box_around(keypoints: NDArray[np.floating]) -> Box | None:
    """Around all keypoints found; None when there are too few to tell."""
    found = keypoints[np.isfinite(keypoints).all(-1)]
    if len(found) < 4:
        return None
    # A single stray keypoint shall not drag the crop along, a limb that stays out shall.
    low, high = np.percentile(found, 0.5, axis=0), np.percentile(found, 99.5, axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _whole_step(side: float) -> float:
    """The next of the sizes 32 · 2^(n/4): few different zooms, each a fifth larger."""
    steps = math.ceil(4 * math.log2(max(side, 32.0) / 32.0) - 1e-9)
    return float(32.0 * 2 ** (steps / 4))
