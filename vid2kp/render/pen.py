"""Colours and polygons on the planes of a canvas.

Everything is drawn straight into luma and chroma, and only what the frame before had drawn is
wiped: converting or clearing whole pictures would cost more than encoding them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

import cv2
import numpy as np

from vid2kp.video.write import Canvas

Colour = tuple[int, int, int]

BACKGROUND: Final = (15, 19, 27)
"""(R, G, B) of whatever is not drawn on."""

_SHIFT: Final = 4
"""cv2 takes coordinates in sixteenths of a pixel."""


@cache
def yuv(colour: Colour) -> Colour:
    """8-bit (Y, U, V), limited range, of 8-bit (R, G, B): ITU-R BT.709."""
    red, green, blue = (c / 255 for c in colour)
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return (
        round(16 + 219 * luma),
        round(128 + 224 * (blue - luma) / 1.8556),
        round(128 + 224 * (red - luma) / 1.5748),
    )


def mix(a: Colour, b: Colour, share_of_b: float) -> Colour:
    """The (R, G, B) between a (share 0) and b (share 1)."""
    red, green, blue = (round(x + (y - x) * share_of_b) for x, y in zip(a, b, strict=True))
    return red, green, blue


def clear(canvas: Canvas) -> None:
    """Fills the whole canvas with the background."""
    for plane, value in zip((canvas.y, canvas.u, canvas.v), yuv(BACKGROUND), strict=True):
        plane[:] = value


class Pen:
    """Collects polygons, draws them in order into all planes and remembers what to wipe."""

    def __init__(self, width: int, height: int) -> None:
        self._limit = np.array([width, height])
        self._drawn = np.zeros((2, 2), dtype=int)
        self._corners: list[np.ndarray] = []
        self._colours: list[Colour | int] = []

    def fill(
        self, polygons: np.ndarray | Sequence[np.ndarray], colours: Sequence[Colour | int]
    ) -> None:
        """Adds convex polygons, each (C, 2), each with its (Y, U, V), or Y alone."""
        self._corners.extend(polygons)
        self._colours.extend(colours)

    def draw(self, canvas: Canvas) -> None:
        """Wipes what the last call drew and draws what was added since, antialiased."""
        self._wipe(canvas)
        if not self._corners:
            return
        corners = np.concatenate(self._corners)
        ends = np.cumsum([len(polygon) for polygon in self._corners]).tolist()
        # cv2's fixed point. Chroma samples sit as usual in H.264: at every second luma column,
        # between two luma rows.
        luma = np.round(corners * 2**_SHIFT).astype(np.int32)
        chroma = np.round((corners - [0, 0.5]) * 2 ** (_SHIFT - 1)).astype(np.int32)
        start = 0
        for end, colour in zip(ends, self._colours, strict=True):
            if isinstance(colour, int):
                cv2.fillConvexPoly(canvas.y, luma[start:end], colour, cv2.LINE_AA, _SHIFT)
            else:
                y, u, v = colour
                cv2.fillConvexPoly(canvas.y, luma[start:end], y, cv2.LINE_AA, _SHIFT)
                cv2.fillConvexPoly(canvas.u, chroma[start:end], u, cv2.LINE_AA, _SHIFT)
                cv2.fillConvexPoly(canvas.v, chroma[start:end], v, cv2.LINE_AA, _SHIFT)
            start = end
        self._remember(corners)
        self._corners, self._colours = [], []

    def _remember(self, corners: np.ndarray) -> None:
        # Antialiasing reaches beyond the outline, in chroma twice as far.
        low = np.floor(corners.min(axis=0)).astype(int) - 5
        high = np.ceil(corners.max(axis=0)).astype(int) + 6
        self._drawn = np.clip([low, high], 0, self._limit)

    def _wipe(self, canvas: Canvas) -> None:
        (x0, y0), (x1, y1) = self._drawn[0] // 2, (self._drawn[1] + 1) // 2
        luma, blue, red = yuv(BACKGROUND)
        canvas.y[2 * y0 : 2 * y1, 2 * x0 : 2 * x1] = luma
        canvas.u[y0:y1, x0:x1] = blue
        canvas.v[y0:y1, x0:x1] = red
        self._drawn = np.zeros((2, 2), dtype=int)
