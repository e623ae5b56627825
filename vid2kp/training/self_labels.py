"""Labels for unlabelled pictures by a trained network, kept only where it agrees with itself.

A picture is looked at turned by quarters and mirrored. A keypoint that comes out at one place in
nearly all of these views is probably right (self-training by consistency); where another labeller
has a say as well, both must agree.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vid2kp.files import write_text
from vid2kp.pose.estimate import Estimator
from vid2kp.pose.skeleton import Skeleton, canonical_name
from vid2kp.pose.watch import look_at_picture
from vid2kp.training.coco import CATEGORY, category_of

Points = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class SelfLabelOptions:
    """How sure a label must be.

    Attributes:
        spread: how far from the median of all views a view may be, in torso lengths.
        agree: share of the views that must be as near as that.
        differ: how far another labeller may be from it, in torso lengths.
        enough: keypoints that a person must have.
    """

    spread: float = 0.12
    agree: float = 0.75
    differ: float = 0.22
    enough: int = 12


def label_picture(
    estimator: Estimator, image: NDArray[np.uint8], *, options: SelfLabelOptions | None = None
) -> tuple[Points, float]:
    """Keypoints of the foremost person that come out at one place in eight views of a picture.

    Args:
        estimator: the network.
        image: (H, W, 3) uint8 RGB.
        options: how sure a label must be.

    Returns:
        (K, 2) float64 pixels of the picture, NaN where unsure; the torso length in pixels (NaN
        where nobody is seen).
    """
    options = options or SelfLabelOptions()
    views = np.stack([_look(estimator, image, *view) for view in _VIEWS])
    seen = np.isfinite(views[..., 0])
    sure = seen.mean(0) >= options.agree
    middle = np.full(views.shape[1:], np.nan)
    middle[sure] = np.nanmedian(views[:, sure], axis=0)
    torso = torso_length(estimator.skeleton, middle)
    if not np.isfinite(torso):
        return np.full_like(middle, np.nan), float("nan")
    near = np.linalg.norm(views - middle, axis=2) < options.spread * torso
    middle[near.mean(0) < options.agree] = np.nan
    return middle, torso


def torso_length(skeleton: Skeleton, keypoints: Points) -> float:
    """Middle of the shoulders to middle of the hips; NaN where one of the four is missing."""
    names = skeleton.keypoints
    places = [
        keypoints[[names.index(f"{side}_{joint}") for side in ("right", "left")]].mean(0)
        for joint in ("shoulder", "hip")
    ]
    return float(np.linalg.norm(places[0] - places[1]))


_VIEWS = [(turns, mirrored) for turns in range(4) for mirrored in (False, True)]


def _look(estimator: Estimator, image: NDArray[np.uint8], turns: int, mirrored: bool) -> Points:
    """(K, 2) keypoints in the picture's pixels, seen in a turned and mirrored view."""
    view = np.ascontiguousarray(np.rot90(image, turns)[:, :: -1 if mirrored else 1])
    people = look_at_picture(estimator, view)
    if not len(people):
        return np.full((len(estimator.skeleton), 2), np.nan)
    points = people.keypoints[0].astype(np.float64)
    if mirrored:
        points[:, 0] = view.shape[1] - 1 - points[:, 0]
        points = points[list(estimator.skeleton.mirror)]
    x, y = points.T
    height, width = image.shape[:2]
    undone = [(x, y), (width - 1 - y, x), (width - 1 - x, height - 1 - y), (y, height - 1 - x)]
    return np.stack(undone[turns], 1)


def agree_with(
    own: Points,
    torso: float,
    other: Points,
    *,
    options: SelfLabelOptions,
    prefer_own: NDArray[np.bool_],
) -> Points:
    """Both labellers' middle; their own where the other is silent, NaN where they differ.

    Args:
        own: (K, 2) pixels, NaN = unsure.
        torso: length in pixels.
        other: (K, 2) pixels, NaN = silent.
        options: how far they may differ.
        prefer_own: (K,) keypoints of which the other labeller has another idea.

    Returns:
        (K, 2) pixels.
    """
    apart = np.linalg.norm(own - other, axis=1) / torso
    merged = np.where(np.isfinite(apart)[:, None] & ~prefer_own[:, None], (own + other) / 2, own)
    merged[apart > options.differ] = np.nan
    return merged


def write_self_labels(
    estimator: Estimator,
    teacher: Path,
    images: Path,
    out: Path,
    *,
    options: SelfLabelOptions | None = None,
) -> int:
    """Labels the pictures of a teacher's annotation file again; returns how many got labels.

    Args:
        estimator: the network.
        teacher: COCO keypoint annotations, at most one person a picture.
        images: the folder of the pictures.
        out: the new annotations.
        options: how sure a label must be.

    Raises:
        OutputError: it cannot be written.
    """
    options = options or SelfLabelOptions()
    document = json.loads(teacher.read_text(encoding="utf-8"))
    names = [canonical_name(n) for n in document["categories"][0]["keypoints"]]
    order = [names.index(name) for name in estimator.skeleton.keypoints]
    taught = {a["image_id"]: a for a in document["annotations"]}
    hips = np.array(["hip" in name for name in estimator.skeleton.keypoints])
    kept: list[dict[str, Any]] = []
    for record in document["images"]:
        picture = cv2.imread(str(images / record["file_name"]))
        if picture is None:
            continue
        own, torso = label_picture(
            estimator, np.asarray(picture[..., ::-1], np.uint8), options=options
        )
        if record["id"] in taught:
            points = np.asarray(taught[record["id"]]["keypoints"], np.float64).reshape(-1, 3)[order]
            other = np.where(points[:, 2:] > 0, points[:, :2], np.nan)
            own = agree_with(own, torso, other, options=options, prefer_own=hips)
        if np.isfinite(own[:, 0]).sum() >= options.enough:
            kept.append(_annotation(len(kept) + 1, record["id"], own))
    labelled = {a["image_id"] for a in kept}
    document["images"] = [i for i in document["images"] if i["id"] in labelled]
    document["annotations"] = kept
    document["categories"] = [category_of(estimator.skeleton)]
    write_text(out, json.dumps(document))
    return len(kept)


def _annotation(number: int, image: int, points: Points) -> dict[str, Any]:
    known = np.isfinite(points[:, 0])
    low, high = points[known].min(0), points[known].max(0)
    flat = np.concatenate([np.nan_to_num(points).round(2), 2.0 * known[:, None]], 1).reshape(-1)
    return {
        "id": number,
        "image_id": image,
        "category_id": CATEGORY,
        "keypoints": flat.tolist(),
        "num_keypoints": int(known.sum()),
        "bbox": [*low.tolist(), *(high - low).tolist()],
        "area": float(np.prod(high - low)),
        "iscrowd": 0,
    }
