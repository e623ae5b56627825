"""Annotated people and found people for the tests of evaluation and training data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from vid2kp.pose.people import People
from vid2kp.pose.skeleton import INFANT22
from vid2kp.training.results import Truth, read_truth

NAMES = INFANT22.keypoints


def body(x: float = 200.0, y: float = 120.0, torso: float = 80.0) -> np.ndarray:
    """(22, 2) a person seen from the front, the neck at (x, y), whose right is our left."""
    at = {
        "nose": (0, -0.4), "neck": (0, 0), "eye": (0.1, -0.5), "ear": (0.2, -0.45),
        "shoulder": (0.4, 0), "elbow": (0.6, 0.5), "wrist": (0.7, 0.9), "hand": (0.72, 1.05),
        "hip": (0.25, 1), "knee": (0.35, 1.5), "ankle": (0.3, 2), "foot": (0.35, 2.15),
    }  # fmt: skip
    points = []
    for name in NAMES:
        side, _, part = name.rpartition("_")
        dx, dy = at[part]
        points.append((x + torso * (-dx if side == "right" else dx), y + torso * dy))
    return np.array(points)


def annotation(
    points: np.ndarray,
    *,
    image_id: int = 1,
    unlabelled: tuple[str, ...] = (),
    names: tuple[str, ...] = NAMES,
    **more: Any,
) -> dict[str, Any]:
    """A COCO annotation of a person."""
    rows = [
        (0.0, 0.0, 0) if name in unlabelled else (*map(float, points[NAMES.index(name)]), 2)
        for name in names
    ]
    low, high = points.min(0), points.max(0)
    return {
        "image_id": image_id,
        "category_id": 1,
        "keypoints": [value for row in rows for value in row],
        "num_keypoints": sum(row[2] > 0 for row in rows),
        "bbox": [*map(float, low), *map(float, high - low)],
        "area": float(np.prod(high - low)),
        "iscrowd": 0,
        **more,
    }


def write(
    path: Path,
    annotations: list[dict[str, Any]],
    *,
    images: list[dict[str, Any]] | None = None,
    names: tuple[str, ...] = NAMES,
) -> Path:
    """An annotation file; without `images` as many as the annotations speak of."""
    ids = sorted({one["image_id"] for one in annotations})
    document = {
        "images": images
        or [{"id": i, "file_name": f"{i}.png", "width": 400, "height": 400} for i in ids],
        "annotations": [{"id": i, **one} for i, one in enumerate(annotations, 1)],
        "categories": [{"id": 1, "name": "infant", "keypoints": list(names)}],
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def truth(
    folder: Path, annotations: list[dict[str, Any]], *, images: list[dict[str, Any]] | None = None
) -> Truth:
    """The same, read."""
    return read_truth(write(folder / "truth.json", annotations, images=images))


def people(*bodies: np.ndarray, scores: tuple[float, ...] = (), confidence: float = 0.9) -> People:
    """Found people; NaN in a body is not found."""
    keypoints = np.array(bodies, np.float32).reshape(-1, len(NAMES), 2)
    found = np.where(np.isnan(keypoints[..., 0]), np.nan, confidence).astype(np.float32)
    score = scores or tuple(0.9 - 0.1 * i for i in range(len(bodies)))
    return People(keypoints, found, np.array(score, np.float32))
