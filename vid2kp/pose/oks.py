"""How alike two people are: object keypoint similarity, sizes, and second copies of one person."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vid2kp.pose.people import People
from vid2kp.pose.skeleton import Skeleton

Floats = NDArray[np.floating]

_THINNEST = 0.5
"""A body lying along an axis has a thin box; its size is at least this share of the long side."""

_COPY_OKS = 0.6
"""Similarity from which on two people of one image are one."""

_COPY_COMMON = 3
"""Keypoints that two people must have in common to be compared as copies."""

_NEAR = 0.3
"""Keypoints of two sights of one person are, in the median, no further apart than this share of
the body's size."""


def body_size(keypoints: Floats) -> NDArray[np.float64]:
    """The square root of the area that each person takes up.

    Args:
        keypoints: (..., K, 2) in any unit, NaN = missing.

    Returns:
        (...) float64 in the same unit; 0 for somebody with fewer than two keypoints.
    """
    found: NDArray[np.bool_] = np.isfinite(keypoints[..., :1])
    low = np.where(found, keypoints, np.inf).min(axis=-2)
    high = np.where(found, keypoints, -np.inf).max(axis=-2)
    sides = np.where(found.any(axis=-2), high - low, 0.0).astype(np.float64)
    return np.asarray(np.maximum(np.sqrt(sides.prod(axis=-1)), _THINNEST * sides.max(axis=-1)))


def oks(a: Floats, b: Floats, size: Floats | float, sigmas: Floats) -> NDArray[np.float64]:
    """Object keypoint similarity (COCO keypoint evaluation) over the keypoints that both have.

    exp(−d² / (2 s² k²)) with k = 2σ, averaged over the common keypoints.

    Args:
        a: (..., K, 2) keypoints, NaN = missing.
        b: (..., K, 2) keypoints in the same unit, broadcast against a.
        size: (...) square root s of the person's area, in the same unit.
        sigmas: (K,) standard deviations of the keypoint set.

    Returns:
        (...) float64 in [0, 1]; 0 where nothing is common.
    """
    square = ((a - b) ** 2).sum(axis=-1).astype(np.float64)
    common = ~np.isnan(square)
    spread = 2.0 * (np.asarray(size)[..., None] * 2.0 * np.asarray(sigmas)) ** 2
    alike = np.where(
        common, np.exp(-np.where(common, square, 0.0) / np.maximum(spread, 1e-12)), 0.0
    )
    return np.asarray(alike.sum(axis=-1) / np.maximum(common.sum(axis=-1), 1))


def without_copies(people: People, skeleton: Skeleton) -> NDArray[np.intp]:
    """Which people of an image are left when each is counted once.

    A copy is somebody whose keypoints lie on those of a better person, their sides exchanged or
    not: a body seen once that was put together twice. The smaller of both bodies gives the scale,
    so that an infant on an adult's arm is nobody's copy.

    Args:
        people: P people of one image, best first.
        skeleton: their keypoint set.

    Returns:
        Indices in rising order.
    """
    kept: list[int] = []
    sizes = body_size(people.keypoints)
    sigmas, mirror = np.array(skeleton.sigmas), list(skeleton.mirror)
    for i in np.argsort(-people.score, kind="stable"):
        one, others = people.keypoints[i], people.keypoints[kept]
        scale = np.minimum(sizes[i], sizes[kept])
        if any(_is_copy(one[order], others, scale, sigmas) for order in (slice(None), mirror)):
            continue
        kept.append(int(i))
    return np.array(sorted(kept), np.intp)


def _is_copy(one: Floats, others: Floats, scale: Floats, sigmas: Floats) -> bool:
    """Whether one person lies on any of the others."""
    common = (~np.isnan(one[..., 0]) & ~np.isnan(others[..., 0])).sum(axis=-1)
    alike = oks(one, others, scale, sigmas)
    return bool(((alike > _COPY_OKS) & (common >= _COPY_COMMON)).any())


def is_same(one: Floats, other: Floats) -> bool:
    """Whether two poses of one frame, (K, 2) each, are of the same person."""
    return _apart(one, other) < _NEAR


def most_alike(one: Floats, others: Floats) -> Floats:
    """Of the poses of one frame, (P, K, 2), that of the same person; all NaN where it is missing.

    Args:
        one: (K, 2) the person.
        others: in the same unit.
    """
    distances = [_apart(one, other) for other in others]
    nearest = int(np.argmin(distances)) if distances else -1
    found = nearest >= 0 and distances[nearest] < _NEAR
    return np.asarray(others[nearest] if found else np.full_like(one, np.nan))


def _apart(one: Floats, other: Floats) -> float:
    """Median distance of the keypoints that both have, in sizes of the smaller body."""
    common = ~np.isnan(one[:, 0]) & ~np.isnan(other[:, 0])
    if common.sum() < _COPY_COMMON:
        return float("inf")
    distance = float(np.median(np.hypot(*(one[common] - other[common]).T)))
    return distance / max(float(min(body_size(one), body_size(other))), 1e-9)
