"""Which parts of a keypoint set are drawn, in what order, how wide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from vid2kp.pose.skeleton import Skeleton

_HIP_WIDTH: Final = 0.085
"""Half the width of a leg at the hip, in torso lengths."""

# Half the width of the body at a keypoint, in parts of that at the hip.
_WIDTHS: Final = {
    "neck": 0.62, "shoulder": 0.95, "elbow": 0.78, "wrist": 0.55, "hand": 0.42,
    "hip": 1.0, "mid_hip": 0.62, "knee": 0.82, "ankle": 0.58, "foot": 0.42, "heel": 0.40,
    "big_toe": 0.36, "small_toe": 0.32, "nose": 0.34, "eye": 0.36, "ear": 0.30,
}  # fmt: skip
_OTHER_WIDTH: Final = 0.5
_LEAST_WIDTH: Final = 1.3
_CORE_WIDTH: Final = 0.5
"""The lines inside the trunk are thinner than the limbs, which they must not outshine."""

# The part of the body in which a limb ends says which group it belongs to. Later groups lie over
# earlier ones. Limbs to eyes and ears are in none: the head is drawn in their place.
_GROUP_PARTS: Final = (
    ("shoulder", "hip", "mid_hip", "neck", "nose"),
    ("knee", "ankle", "foot", "heel", "big_toe", "small_toe"),
    ("elbow", "wrist", "hand"),
)
GROUPS: Final = len(_GROUP_PARTS)

# Shoulders and hips are dots of the arms and legs that hang on them, the nose one of the face.
_DOT_PARTS: Final = (
    ("mid_hip", "neck"),
    (*_GROUP_PARTS[1], "hip"),
    (*_GROUP_PARTS[2], "shoulder"),
)
_FACE: Final = ("nose", "eye", "ear")
_TRAILED: Final = ("wrist", "ankle")


@dataclass(frozen=True)
class Plan:
    """A keypoint set as it is drawn. L limbs and J joints, both sorted by group.

    Attributes:
        limb: (L,) indices of the drawn limbs into the skeleton's.
        limb_group: (L,) from 0, the first drawn.
        a: (L,) keypoint where the limb begins.
        b: (L,) keypoint where it ends.
        radius_a: (L,) half the width there, canvas pixels.
        radius_b: (L,) half the width there, canvas pixels.
        joints: (J,) keypoints drawn as dots on the limbs.
        joint_group: (J,) from 0, the first drawn.
        radii: (K,) half the width of the body at each keypoint, canvas pixels.
        edge: width of the dark edge around a limb, canvas pixels.
        face: index of nose, eyes and ears by name of the keypoint.
        neck: index of the neck, if the set has one.
        corners: indices of shoulders and hips, the corners of the trunk.
        trailed: indices of the keypoints whose paths can be shown.
    """

    limb: np.ndarray
    limb_group: np.ndarray
    a: np.ndarray
    b: np.ndarray
    radius_a: np.ndarray
    radius_b: np.ndarray
    joints: np.ndarray
    joint_group: np.ndarray
    radii: np.ndarray
    edge: float
    face: dict[str, int]
    neck: int | None
    corners: np.ndarray
    trailed: np.ndarray

    @classmethod
    def of(cls, skeleton: Skeleton, torso: float) -> Plan:
        """The plan for a body whose torso is that many canvas pixels long."""
        names = skeleton.keypoints
        radii = np.array(
            [
                max(_LEAST_WIDTH, _HIP_WIDTH * torso * _WIDTHS.get(part(name), _OTHER_WIDTH))
                for name in names
            ]
        )
        limbs = sorted(
            (group, i)
            for i, (_, b) in enumerate(skeleton.limbs)
            for group, parts in enumerate(_GROUP_PARTS)
            if part(names[b]) in parts
        )
        group, limb = _columns(limbs)
        a, b = _columns([skeleton.limbs[i] for i in limb])
        width = np.where(group == 0, _CORE_WIDTH, 1.0)
        joint_group, joints = _columns(
            [(g, j) for g, parts in enumerate(_DOT_PARTS) for j in _keypoints(skeleton, parts)]
        )
        return cls(
            limb=limb,
            limb_group=group,
            a=a,
            b=b,
            radius_a=width * radii[a],
            radius_b=width * radii[b],
            joints=joints,
            joint_group=joint_group,
            radii=radii,
            edge=max(1.2, 0.022 * torso),
            face={names[i]: int(i) for i in _keypoints(skeleton, _FACE)},
            neck=names.index("neck") if "neck" in names else None,
            corners=_keypoints(skeleton, ("shoulder", "hip")),
            trailed=_keypoints(skeleton, _TRAILED),
        )


def part(keypoint: str) -> str:
    """The part of the body that a keypoint marks, whichever its side."""
    return keypoint.removeprefix("right_").removeprefix("left_")


def _keypoints(skeleton: Skeleton, parts: tuple[str, ...]) -> np.ndarray:
    return np.array([i for i, n in enumerate(skeleton.keypoints) if part(n) in parts], dtype=int)


def _columns(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    table = np.array(pairs, dtype=int).reshape(-1, 2)
    return table[:, 0], table[:, 1]
