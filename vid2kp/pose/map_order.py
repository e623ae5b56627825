"""The order of belief maps: other ports' orders made ours, and networks for other keypoint sets.

Which maps a network has and in which order is told by its layers: the last of each stage and branch
make them, the first of the next stage read them. Both are picked here, by the names of
the authors' layers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from vid2kp.pose.skeleton import COCO18, Skeleton

Tensors = dict[str, Tensor]
Order = Literal["cmu", "last-one"]


@dataclass(frozen=True)
class MapOrder:
    """The order of a port's maps.

    Attributes:
        limbs: pairs of coco18 keypoints, in the order of the part affinity fields; the field of
            (a, b) points from a to b.
        background_first: the background's map comes before the keypoints', not after them.
    """

    limbs: tuple[tuple[int, int], ...]
    background_first: bool = False


ORDERS: dict[Order, MapOrder] = {
    # The authors' model and everything converted from it.
    "cmu": MapOrder(
        (
            (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13), (1, 2), (2, 3), (3, 4), (2, 16),
            (1, 5), (5, 6), (6, 7), (5, 17), (1, 0), (0, 14), (0, 15), (14, 16), (15, 17),
        )
    ),
    # What github.com/last-one/Pytorch_Realtime_Multi-Person_Pose_Estimation trains itself.
    "last-one": MapOrder(
        (
            (2, 3), (3, 4), (5, 6), (6, 7), (8, 9), (9, 10), (11, 12), (12, 13), (0, 1), (1, 8),
            (1, 11), (1, 2), (1, 5), (2, 16), (5, 17), (0, 15), (0, 14), (15, 17), (14, 16),
        ),
        background_first=True,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class _Picked:
    """How the maps of one network are made of those of another.

    Attributes:
        source: for each new map the old one.
        sign: −1 where a field points the other way.
        copied: whether the new map is a second copy of the old one.
    """

    source: tuple[int, ...]
    sign: tuple[int, ...]
    copied: tuple[bool, ...]


def reordered(layers: Tensors, skeleton: Skeleton, order: MapOrder) -> Tensors:
    """The layers with their maps in this project's order.

    Args:
        layers: tensors by the authors' names, ``conv1_1.weight``.
        skeleton: their keypoint set; only coco18 is known in other orders.
        order: the order that they have.
    """
    if skeleton is not COCO18:
        return layers
    limbs = []
    for a, b in skeleton.limbs:
        forward = (a, b) in order.limbs
        limbs.append((order.limbs.index((a, b) if forward else (b, a)), 1 if forward else -1))
    count = len(skeleton)
    first = 1 if order.background_first else 0
    points = [*(first + k for k in range(count)), 0 if order.background_first else count]
    return _with_maps(
        layers,
        _fields([limb for limb, _ in limbs], [sign for _, sign in limbs], [False] * len(limbs)),
        _Picked(tuple(points), (1,) * len(points), (False,) * len(points)),
    )


def _fields(limbs: Sequence[int], signs: Sequence[int], copied: Sequence[bool]) -> _Picked:
    """The same for part affinity fields: two maps, x and y, for each limb."""
    return _Picked(
        tuple(2 * limb + axis for limb in limbs for axis in (0, 1)),
        tuple(sign for sign in signs for _ in (0, 1)),
        tuple(copy for copy in copied for _ in (0, 1)),
    )


def adapted(layers: Tensors, given: Skeleton, wanted: Skeleton) -> tuple[Tensors, tuple[str, ...]]:
    """The layers for another keypoint set.

    A copy says at first what the keypoint says that it was copied from; the stages after it do
    not listen to it before training makes them.

    Args:
        layers: tensors by the authors' names, maps in this project's order.
        given: their keypoint set.
        wanted: the new one.

    Returns:
        The layers, and the names of the keypoints that start as copies of the nearest.
    """
    if wanted is given:
        return layers, ()
    points = [_nearest(name, given) for name in wanted.keypoints]
    is_new = [name not in given.keypoints for name in wanted.keypoints]
    limbs, copied = [], []
    for a, b in wanted.limbs:
        pair = (points[a], points[b])
        known = pair in given.limbs and not (is_new[a] or is_new[b])
        copied.append(not known)
        limbs.append(given.limbs.index(pair) if known else _limb_to(points[b], given))
    count = len(given)
    return _with_maps(
        layers,
        _fields(limbs, [1] * len(limbs), copied),
        _Picked((*points, count), (1,) * (len(points) + 1), (*is_new, False)),
    ), tuple(n for n, new in zip(wanted.keypoints, is_new, strict=True) if new)


_NEAREST = {
    "hand": "wrist", "foot": "ankle", "big_toe": "ankle", "small_toe": "ankle", "heel": "ankle",
    "mid_hip": "right_hip",
}  # fmt: skip


def _nearest(name: str, skeleton: Skeleton) -> int:
    """The keypoint itself, or the one that it lies nearest to in another set."""
    if name in skeleton.keypoints:
        return skeleton.index(name)
    side, _, part = name.partition("_")
    substitute = _NEAREST.get(name) or f"{side}_{_NEAREST.get(part, part)}"
    return skeleton.index(substitute)


def _limb_to(keypoint: int, skeleton: Skeleton) -> int:
    """The limb that ends at a keypoint, or else begins there."""
    ends = [i for i, (_, b) in enumerate(skeleton.limbs) if b == keypoint]
    return (ends or [i for i, (a, _) in enumerate(skeleton.limbs) if a == keypoint])[0]


def _with_maps(layers: Tensors, fields: _Picked, points: _Picked) -> Tensors:
    """The layers with other maps: made by each stage's last layers, read by the next one's first.

    A stage reads [fields, confidence maps, features].
    """
    changed = dict(layers)
    old = (len(layers["conv5_5_CPM_L1.bias"]), len(layers["conv5_5_CPM_L2.bias"]))
    read = _Picked(
        fields.source + tuple(old[0] + s for s in points.source),
        fields.sign + points.sign,
        fields.copied + points.copied,
    )
    for key, tensor in layers.items():
        if re.match(r"(conv5_5_CPM|Mconv7_stage\d+)_L1\.", key):
            changed[key] = _rows(tensor, fields)
        elif re.match(r"(conv5_5_CPM|Mconv7_stage\d+)_L2\.", key):
            changed[key] = _rows(tensor, points)
        elif re.match(r"Mconv1_stage\d+_L[12]\.weight", key):
            features = tensor[:, sum(old) :]
            changed[key] = torch.cat([_columns(tensor, read), features], dim=1)
    return changed


def _rows(tensor: Tensor, picked: _Picked) -> Tensor:
    sign = torch.tensor(picked.sign, dtype=tensor.dtype)
    return tensor[list(picked.source)] * sign.view(-1, *[1] * (tensor.ndim - 1))


def _columns(tensor: Tensor, picked: _Picked) -> Tensor:
    heard = torch.tensor(
        [0 if copy else sign for sign, copy in zip(picked.sign, picked.copied, strict=True)],
        dtype=tensor.dtype,
    )
    return tensor[:, list(picked.source)] * heard[:, None, None]
