"""Keypoint sets: names, limbs, mirror pairs, OKS sigmas and colours, in one place.

A model file carries the name of its set and the keypoint names; everything downstream asks the
`Skeleton` and assumes nothing. Right and left are the infant's own.
"""

from __future__ import annotations

import colorsys
import re
from dataclasses import dataclass
from functools import cached_property

from vid2kp.errors import UsageError

_FACE_PARTS = ("eye", "ear")


@dataclass(frozen=True)
class Skeleton:
    """One keypoint set.

    Attributes:
        name: identifier, e.g. ``infant22``.
        keypoints: K unique names, in the order of the confidence maps.
        limbs: pairs of keypoint indices, in the order of the part affinity fields; the field
            of limb (a, b) points from a to b.
        sigmas: K OKS standard deviations (COCO keypoint evaluation; see `SIGMAS`).
    """

    name: str
    keypoints: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...]
    sigmas: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.keypoints)

    @cached_property
    def mirror(self) -> tuple[int, ...]:
        """Index of each keypoint's left/right partner (itself for those on the midline)."""
        return tuple(self.keypoints.index(_other_side(name)) for name in self.keypoints)

    @cached_property
    def limb_mirror(self) -> tuple[int, ...]:
        """Index of each limb's left/right partner, with its direction: (a, b) maps to (a', b')."""
        mirrored = [(self.mirror[a], self.mirror[b]) for a, b in self.limbs]
        return tuple(self.limbs.index(limb) for limb in mirrored)

    @cached_property
    def pairs(self) -> dict[str, tuple[int, int]]:
        """Indices of both keypoints of each mirror pair by their name without the side."""
        return {
            name.partition("_")[2]: (i, partner)
            for i, (name, partner) in enumerate(zip(self.keypoints, self.mirror, strict=True))
            if i < partner
        }

    @cached_property
    def face(self) -> tuple[int, ...]:
        """Indices of eyes and ears, which ``--drop-face`` leaves out."""
        return tuple(i for i, n in enumerate(self.keypoints) if n.endswith(_FACE_PARTS))

    @cached_property
    def limb_colours(self) -> tuple[tuple[int, int, int], ...]:
        """One (R, G, B) in 0-255 per limb: warm on the right, cold on the left, grey between."""
        return tuple(
            _side_colour(self.keypoints[b], i, len(self.limbs))
            for i, (_, b) in enumerate(self.limbs)
        )

    @cached_property
    def keypoint_colours(self) -> tuple[tuple[int, int, int], ...]:
        """One (R, G, B) in 0-255 per keypoint, of the same families as the limbs."""
        return tuple(_side_colour(n, i, len(self)) for i, n in enumerate(self.keypoints))

    def index(self, keypoint: str) -> int:
        """Index of a keypoint by name.

        Raises:
            UsageError: the set has no such keypoint.
        """
        try:
            return self.keypoints.index(keypoint)
        except ValueError:
            raise UsageError(
                f"The keypoint set {self.name} has no keypoint {keypoint!r}.",
                hint=f"It has: {', '.join(self.keypoints)}.",
            ) from None


def _other_side(name: str) -> str:
    if name.startswith("right_"):
        return "left_" + name.removeprefix("right_")
    if name.startswith("left_"):
        return "right_" + name.removeprefix("left_")
    return name


def _side_colour(name: str, position: int, count: int) -> tuple[int, int, int]:
    along = position / max(count - 1, 1)
    if name.startswith("right_"):
        hue, saturation = (0.98 + 0.17 * along) % 1.0, 0.85
    elif name.startswith("left_"):
        hue, saturation = 0.48 + 0.17 * along, 0.80
    else:
        hue, saturation = 0.80, 0.15
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


# OKS standard deviations. Body and face: COCO keypoint evaluation (Lin et al. 2014). COCO has no
# neck, mid hip, hands or feet: the first two take the value of the joints they lie between, hands
# that of the wrist; toes and heels are those of COCO-WholeBody (Jin et al. 2020), feet its big toe.
SIGMAS = {
    "nose": 0.026,
    "eye": 0.025,
    "ear": 0.035,
    "neck": 0.079,
    "shoulder": 0.079,
    "elbow": 0.072,
    "wrist": 0.062,
    "hand": 0.062,
    "hip": 0.107,
    "knee": 0.087,
    "ankle": 0.089,
    "foot": 0.068,
    "big_toe": 0.068,
    "small_toe": 0.066,
    "heel": 0.066,
}


def _part(name: str) -> str:
    return name.removeprefix("right_").removeprefix("left_").removeprefix("mid_")


def _skeleton(
    name: str, keypoints: tuple[str, ...], limbs: tuple[tuple[str, str], ...]
) -> Skeleton:
    return Skeleton(
        name=name,
        keypoints=keypoints,
        limbs=tuple((keypoints.index(a), keypoints.index(b)) for a, b in limbs),
        sigmas=tuple(SIGMAS[_part(k)] for k in keypoints),
    )


_COCO18 = (
    "nose", "neck",
    "right_shoulder", "right_elbow", "right_wrist",
    "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle",
    "left_hip", "left_knee", "left_ankle",
    "right_eye", "left_eye", "right_ear", "left_ear",
)  # fmt: skip
_COCO18_LIMBS = (
    ("neck", "right_shoulder"), ("neck", "left_shoulder"),
    ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist"),
    ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
    ("neck", "right_hip"), ("right_hip", "right_knee"), ("right_knee", "right_ankle"),
    ("neck", "left_hip"), ("left_hip", "left_knee"), ("left_knee", "left_ankle"),
    ("neck", "nose"),
    ("nose", "right_eye"), ("right_eye", "right_ear"),
    ("nose", "left_eye"), ("left_eye", "left_ear"),
    ("right_shoulder", "right_ear"), ("left_shoulder", "left_ear"),
)  # fmt: skip

COCO18 = _skeleton("coco18", _COCO18, _COCO18_LIMBS)
"""OpenPose's COCO model: 18 keypoints, 19 limbs (Cao et al.)."""

INFANT22 = _skeleton(
    "infant22",
    (*_COCO18, "right_hand", "left_hand", "right_foot", "left_foot"),
    (
        *_COCO18_LIMBS,
        ("right_wrist", "right_hand"),
        ("left_wrist", "left_hand"),
        ("right_ankle", "right_foot"),
        ("left_ankle", "left_foot"),
    ),
)
"""coco18 with hands (knuckles) and feet (base of the toes): 22 keypoints, 23 limbs."""

_BODY25 = (
    "nose", "neck",
    "right_shoulder", "right_elbow", "right_wrist",
    "left_shoulder", "left_elbow", "left_wrist",
    "mid_hip",
    "right_hip", "right_knee", "right_ankle",
    "left_hip", "left_knee", "left_ankle",
    "right_eye", "left_eye", "right_ear", "left_ear",
    "left_big_toe", "left_small_toe", "left_heel",
    "right_big_toe", "right_small_toe", "right_heel",
)  # fmt: skip
BODY25 = _skeleton(
    "body25",
    _BODY25,
    (
        ("neck", "mid_hip"), ("neck", "right_shoulder"), ("neck", "left_shoulder"),
        ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist"),
        ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
        ("mid_hip", "right_hip"), ("right_hip", "right_knee"), ("right_knee", "right_ankle"),
        ("mid_hip", "left_hip"), ("left_hip", "left_knee"), ("left_knee", "left_ankle"),
        ("neck", "nose"),
        ("nose", "right_eye"), ("right_eye", "right_ear"),
        ("nose", "left_eye"), ("left_eye", "left_ear"),
        ("left_ankle", "left_big_toe"), ("left_big_toe", "left_small_toe"),
        ("left_ankle", "left_heel"),
        ("right_ankle", "right_big_toe"), ("right_big_toe", "right_small_toe"),
        ("right_ankle", "right_heel"),
    ),
)  # fmt: skip
"""OpenPose's BODY_25: 25 keypoints, 24 limbs."""

SKELETONS = {s.name: s for s in (COCO18, INFANT22, BODY25)}


def get_skeleton(name: str) -> Skeleton:
    """The keypoint set of that name.

    Raises:
        UsageError: there is no such set.
    """
    if name not in SKELETONS:
        raise UsageError(
            f"There is no keypoint set {name!r}.", hint=f"Use one of {', '.join(SKELETONS)}."
        )
    return SKELETONS[name]


_SHORT = {"sho": "shoulder", "elb": "elbow", "wri": "wrist", "kne": "knee", "ank": "ankle"}


def canonical_name(name: str) -> str:
    """A keypoint as this project spells it: ``RWrist``, ``RIGHT_WRIST`` → ``right_wrist``."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    snake = re.sub(r"^((?i:right|left)|[RL](?=[A-Z]))", r"\1_", snake)
    words = [w for w in re.split(r"[^a-z0-9]+", snake.lower()) if w]
    side = {"r": "right", "right": "right", "l": "left", "left": "left"}
    sides = [side[w] for w in words if w in side]
    rest = [_SHORT.get(w, w) for w in words if w not in side]
    return "_".join(sides[:1] + rest)
