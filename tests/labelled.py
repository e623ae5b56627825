"""Files as labelme writes them, and what became of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vid2kp.pose.skeleton import INFANT22
from vid2kp.training.labelme import Converted

SIZE = (60, 40)


def picture(path: Path, *, orientation: int = 1, size: tuple[int, int] = SIZE) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (90, 90, 90)).save(path, exif=exif)


def point(label: str, x: float, y: float, **more: Any) -> dict[str, Any]:
    shape = {"label": label, "points": [[x, y]], "group_id": None, "shape_type": "point"}
    return {**shape, "description": "", "flags": {}, **more}


def box(
    x0: float, y0: float, x1: float, y1: float, label: str = "infant", **more: Any
) -> dict[str, Any]:
    return point(label, 0, 0, shape_type="rectangle", points=[[x1, y0], [x0, y1]], **more)


def labels(path: Path, *shapes: dict[str, Any], **more: Any) -> Path:
    """A file as labelme writes it, beside a picture of the same name."""
    if not path.with_suffix(".jpg").exists():
        picture(path.with_suffix(".jpg"))
    document = {
        "version": "5.5.0",
        "flags": {},
        "shapes": list(shapes),
        "imagePath": path.with_suffix(".jpg").name,
        "imageData": "c2VjcmV0IHBpeGVscw==",
        "imageHeight": SIZE[1],
        "imageWidth": SIZE[0],
        **more,
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def people(converted: Converted) -> list[dict[str, list[float]]]:
    """For each annotation its labelled keypoints."""
    return [
        {
            name: triple
            for name, triple in zip(
                INFANT22.keypoints,
                np.reshape(one["keypoints"], (-1, 3)).tolist(),
                strict=True,
            )
            if triple[2] > 0
        }
        for one in converted.document["annotations"]
    ]


def said(converted: Converted) -> list[str]:
    return [problem.text for problem in converted.problems]
