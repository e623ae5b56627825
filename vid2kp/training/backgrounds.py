"""Backgrounds for synthetic infants, cut from the empty parts of annotated photographs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vid2kp.training.dataset import CocoKeypoints

SMALLEST = 72
"""Crops with a shorter side than this (pixels) show too little to be a background."""


def empty_parts(data: CocoKeypoints, *, margin: float = 0.12) -> list[NDArray[np.uint8]]:
    """The largest rectangle beside the people of each picture that has one.

    Args:
        data: annotated pictures; the boxes of their people are kept out.
        margin: by which boxes are widened, as a share of their size.

    Returns:
        (h, w, 3) uint8 RGB pictures without people.
    """
    crops = []
    for index in range(len(data)):
        image = data.load(index).image
        height, width = image.shape[:2]
        boxes = np.array([p["bbox"] for p in data.people[data.records[index]["id"]]]).reshape(-1, 4)
        low = boxes[:, :2] - margin * boxes[:, 2:]
        high = boxes[:, :2] + (1 + margin) * boxes[:, 2:]
        x0, y0 = (low.min(0) if len(low) else np.array([width, height])).clip(0).astype(int)
        x1, y1 = (high.max(0) if len(high) else np.array([0, 0])).clip(0).astype(int)
        sides = [
            (0, 0, width, y0),
            (0, y1, width, height),
            (0, 0, x0, height),
            (x1, 0, width, height),
        ]
        a, b, c, d = max(sides, key=lambda s: (s[2] - s[0]) * (s[3] - s[1]))
        if min(c - a, d - b) >= SMALLEST:
            crops.append(np.ascontiguousarray(image[b:d, a:c]))
    return crops
