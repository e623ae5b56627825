"""Outlines of what is drawn: tapered limbs, discs, the trunk and the head, in canvas pixels.

For a frame, sums, products, quotients and square roots only: unlike sines they are rounded the same
way on every processor, so the corners are the same everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import cv2
import numpy as np

_CORNERS: Final = 20

# A head seen in parts of its radius: how far the middle of eyes, ears and nose lies below that
# of the head, and how much longer than wide it is.
_FACE_DROP: Final = 0.16
_HEAD_LENGTH: Final = 1.10


def _circle(corners: int) -> np.ndarray:
    angles = np.arange(corners) * (2 * np.pi / corners)
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1)


_CIRCLE: Final = _circle(_CORNERS)
_LARGE_CIRCLE: Final = _circle(3 * _CORNERS)

# A limb along +x: half a circle around each end, (cosine, sine).
_TURNS: Final = np.linspace(-np.pi / 2, np.pi / 2, _CORNERS // 2)
_FRONT: Final = np.stack([np.cos(_TURNS), np.sin(_TURNS)], axis=-1)


def discs(centres: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Polygons of discs.

    Args:
        centres: (N, 2) float.
        radii: (N,) float, > 0.

    Returns:
        (N, C, 2) float corners.
    """
    return np.asarray(centres[:, None] + radii[:, None, None] * _CIRCLE)


def limbs(a: np.ndarray, b: np.ndarray, radius_a: np.ndarray, radius_b: np.ndarray) -> np.ndarray:
    """Polygons of limbs that taper from a disc at one end to a disc at the other.

    Args:
        a: (N, 2) float, where the limbs begin.
        b: (N, 2) float, where they end.
        radius_a: (N,) float, half the width at the beginning.
        radius_b: (N,) float, half the width at the end.

    Returns:
        (N, C, 2) float corners.
    """
    along = b - a
    length = np.sqrt(along[:, :1] * along[:, :1] + along[:, 1:] * along[:, 1:])
    # A limb of no length is a disc, whatever its direction.
    along = np.where(length > 1e-6, along / np.maximum(length, 1e-6), [1.0, 0.0])[:, None]
    across = along[..., ::-1] * [-1.0, 1.0]
    half = _FRONT[:, :1] * along + _FRONT[:, 1:] * across
    front = b[:, None] + radius_b[:, None, None] * half
    back = a[:, None] - radius_a[:, None, None] * half
    return np.concatenate([front, back], axis=1)


def trunk(corners: np.ndarray, radius: float) -> np.ndarray:
    """The rounded outline (C, 2) around those of shoulders and hips that were observed (N, 2)."""
    around = discs(corners, np.full(len(corners), radius)).reshape(-1, 2)
    hull = cv2.convexHull(around.astype(np.float32))
    return np.asarray(hull[:, 0], dtype=np.float64)


def head(face: Mapping[str, np.ndarray], neck: np.ndarray, torso: float) -> np.ndarray | None:
    """The outline of the head as far as neck and face suggest it.

    Args:
        face: (2,) float canvas pixels of those of nose, eyes and ears that were observed, by
            name of the keypoint.
        neck: (2,) float, NaN = missing.
        torso: usual torso length, canvas pixels; keeps the size plausible.

    Returns:
        (C, 2) float corners, or None where too little was observed.
    """
    if not face or np.isnan(neck).any():
        return None
    middle = sum(face.values()) / len(face)
    up = middle - neck
    distance = _length(up)
    if distance < 1e-3:
        return None
    radius = 0.68 * distance
    if "right_ear" in face and "left_ear" in face:
        radius = max(radius, 0.56 * _length(face["right_ear"] - face["left_ear"]))
    radius = min(max(radius, 0.27 * torso), 0.42 * torso)
    up = up / distance
    across = up[::-1] * [-1.0, 1.0]
    circle = _LARGE_CIRCLE[:, :1] * across + _HEAD_LENGTH * _LARGE_CIRCLE[:, 1:] * up
    return middle + up * (_FACE_DROP * radius) + radius * circle


def _length(vector: np.ndarray) -> float:
    return float(np.sqrt(vector[0] * vector[0] + vector[1] * vector[1]))
