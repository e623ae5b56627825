"""Belief maps drawn from known people by the paper's equations, for tests of the parser."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from vid2kp.pose.parse import BeliefMaps
from vid2kp.pose.skeleton import INFANT22, Skeleton
from vid2kp.training.targets import confidence_maps, part_affinity_fields

# An infant on its back, head up, from above; (right, down) in body lengths from the navel.
_HALF = {
    "nose": (0.0, -0.42), "neck": (0.0, -0.24), "right_shoulder": (-0.11, -0.23),
    "right_elbow": (-0.22, -0.13), "right_wrist": (-0.26, 0.02), "right_hand": (-0.28, 0.08),
    "right_hip": (-0.06, 0.05), "right_knee": (-0.16, 0.2), "right_ankle": (-0.1, 0.36),
    "right_foot": (-0.13, 0.43), "right_eye": (-0.04, -0.46), "right_ear": (-0.1, -0.44),
}  # fmt: skip


def person(
    x: float,
    y: float,
    *,
    length: float = 130.0,
    angle: float = 0.0,
    seed: int | None = None,
    skeleton: Skeleton = INFANT22,
) -> np.ndarray:
    """(K, 2) keypoints of an infant in pixels, turned by degrees; a seed moves each a little."""
    points = []
    for name in skeleton.keypoints:
        right, down = _HALF[name.replace("left_", "right_")]
        points.append((-right if name.startswith("left_") else right, down))
    shape = np.array(points)
    if seed is not None:
        shape = shape + np.random.default_rng(seed).normal(0, 0.015, shape.shape)
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    return shape @ np.array([(cos, sin), (-sin, cos)]) * length + (x, y)


def draw(
    images: Sequence[Sequence[np.ndarray]],
    *,
    size: tuple[int, int] = (256, 256),
    stride: int = 4,
    sigma: float = 7.0,
    limb: float = 5.0,
    skeleton: Skeleton = INFANT22,
) -> BeliefMaps:
    """Perfect belief maps of images of (height, width) with these people, NaN = missing."""
    most = max((len(people) for people in images), default=0) or 1
    keypoints = np.full((len(images), most, len(skeleton), 2), np.nan, np.float32)
    for i, people in enumerate(images):
        for j, one in enumerate(people):
            keypoints[i, j] = one
    present = torch.from_numpy(~np.isnan(keypoints[..., 0]))
    places = torch.from_numpy(np.nan_to_num(keypoints, nan=-1e4))
    cells = size[0] // stride, size[1] // stride
    confidence = confidence_maps(places, present, size=cells, stride=stride, sigma=sigma)
    paf = part_affinity_fields(places, present, skeleton, size=cells, stride=stride, limb=limb)
    return BeliefMaps(confidence[:, :-1], paf.unflatten(1, (-1, 2)), stride)
