"""Groups of pictures by how light it was, told from the pixels where nobody labelled it.

Skin tone is not told so: the typology angle of the cheeks (ITA) follows exposure and the lamp's
colour more than the skin, and put light-skinned infants in dim rooms among the dark-skinned ones.
Groups of skin tone need a label, an attribute of the annotated pictures.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from vid2kp.training.results import Truth

Image = NDArray[np.uint8]

LIGHT = "light"
"""The attribute of pictures that holds the group."""

_DARK, _BRIGHT = 35.0, 60.0


def light_of(image: Image) -> str:
    """``dark``, ``medium`` or ``bright`` by the median CIE L*: below 35, up to 60, above.

    Args:
        image: (H, W, 3) uint8 RGB.
    """
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lightness = float(np.median(lab[..., 0]))
    return "dark" if lightness < _DARK else "medium" if lightness <= _BRIGHT else "bright"


def with_light(truth: Truth, picture: Callable[[int], Image]) -> Truth:
    """The annotations with the attribute `LIGHT` on every picture that has none yet.

    Args:
        truth: the annotations.
        picture: gives the picture of an index of ``truth.pictures``.
    """
    pictures = tuple(
        one
        if LIGHT in one.attributes
        else dataclasses.replace(one, attributes={**one.attributes, LIGHT: light_of(picture(i))})
        for i, one in enumerate(truth.pictures)
    )
    return dataclasses.replace(truth, pictures=pictures)
