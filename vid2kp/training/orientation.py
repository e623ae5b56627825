"""Pictures that a camera stored turned or mirrored (EXIF): their size, and points in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

_ORIENTATION = 0x0112


class Unusable(Exception):
    """A file that has to be left out, and why."""


def look_at_file(picture: Path) -> tuple[tuple[int, int], int]:
    """(width, height) as stored and EXIF's orientation, 1 to 8; nothing is decoded."""
    try:
        with Image.open(picture) as image:
            orientation = image.getexif().get(_ORIENTATION, 1)
            return image.size, orientation if orientation in range(1, 9) else 1
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError):
        raise Unusable("its picture cannot be read") from None


def as_stored(
    point: tuple[float, float], stored: tuple[int, int], orientation: int
) -> tuple[float, float]:
    """A point of the shown picture, from its corner, in the stored one, from the first centre.

    EXIF 2.32, tag Orientation: which side of the stored picture is shown above.
    """
    u, v = point
    if orientation >= 5:
        u, v = v, u
    width, height = stored
    x = width - u if orientation in (2, 3, 7, 8) else u
    y = height - v if orientation in (3, 4, 6, 7) else v
    # A point on the very edge is half a pixel outside of the outermost centres.
    x, y = np.clip([x - 0.5, y - 0.5], 0, [width - 1, height - 1]).tolist()
    return round(x, 2), round(y, 2)
