"""COCO: a list of keypoint results, and the document of images that it belongs to.

``results.json`` has one entry per individual and frame in which it was seen: 17 × (x, y,
confidence), (0, 0, 0) where missing, and a ``score`` that ranks the entries. ``images.json`` has
the images (``id`` = frame, with its time) and the category, whose ``skeleton`` counts from 1;
pycocotools cannot read results without it.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np

from vid2kp.errors import TracksError
from vid2kp.export.common import (
    Arrays,
    ExportOptions,
    arrays_of,
    need_pixels,
    new_folder,
    number,
)
from vid2kp.tracks.load import Tracks

RESULTS: Final = "results.json"
IMAGES: Final = "images.json"
CATEGORY: Final = 1

COCO17: Final = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
    "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip",
    "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
"""The keypoints of COCO's category person, in its order."""

_CHAINS: Final = (
    ("left_ankle", "left_knee", "left_hip", "right_hip", "right_knee", "right_ankle"),
    ("left_hip", "left_shoulder", "right_shoulder", "right_hip"),
    ("left_shoulder", "left_elbow", "left_wrist"),
    ("right_shoulder", "right_elbow", "right_wrist"),
    ("left_eye", "right_eye"),
    ("left_shoulder", "left_ear", "left_eye", "nose", "right_eye", "right_ear", "right_shoulder"),
)


def export_coco(tracks: Tracks, out: Path, *, options: ExportOptions, name: str = "tracks") -> None:
    """Writes a folder with `RESULTS` and `IMAGES`.

    Args:
        tracks: in pixels of the picture.
        out: the folder, new or empty.
        options: ``individuals`` is used; each has entries of its own, whose ``track`` names it.
        name: of the recording; not used, for frames are known by their number.

    Raises:
        UsageError: other units, an unknown individual, or the folder is not empty.
        TracksError: nobody was seen in any frame: pycocotools crashes on an empty list.
        OutputError: the disk is full or read-only.
    """
    need_pixels(tracks.footer, "COCO")
    arrays = arrays_of(tracks, options, name=name)
    results = _results(arrays)
    if not results:
        raise TracksError(
            "Nobody was seen in any frame, so there are no results.",
            hint="COCO has no file for that: an empty list crashes pycocotools.",
        )
    with new_folder(out) as folder:
        (folder / RESULTS).write_text(_lines(results), encoding="utf-8")
        (folder / IMAGES).write_text(_document(arrays, tracks), encoding="utf-8")


def _results(arrays: Arrays) -> list[dict[str, Any]]:
    positions, confidence = arrays.laid_out(COCO17)
    points = np.concatenate([positions, confidence[..., None]], axis=-1)
    return [
        {
            "image_id": int(arrays.frame[row]),
            "category_id": CATEGORY,
            "keypoints": [number(value) for value in points[row, i].ravel()],
            # Missing keypoints count 0, so that an incomplete person ranks below a complete one.
            "score": round(float(confidence[row, i].mean()), 6),
            "track": arrays.individuals[i],
        }
        for row, i in zip(*np.nonzero((confidence > 0).any(axis=-1)), strict=True)
    ]


def _document(arrays: Arrays, tracks: Tracks) -> str:
    sizes = {}
    if tracks.frames_table is not None:
        rows = (tracks.frames_table[c].to_pylist() for c in ("frame", "width", "height"))
        sizes = {frame: (width, height) for frame, width, height in zip(*rows, strict=True)}
    whole = (arrays.footer.width, arrays.footer.height)
    images = []
    for frame, time in zip(arrays.frame.tolist(), arrays.time.tolist(), strict=True):
        width, height = sizes.get(frame, whole)
        images.append({"id": frame, "width": width, "height": height, "time": time})
    return (
        f'{{"images": {_lines(images).rstrip()},\n"annotations": [],\n'
        f'"categories": {_lines([_category()]).rstrip()}}}\n'
    )


def _lines(entries: list[dict[str, Any]]) -> str:
    """A JSON list with one entry a line, for those who look into it."""
    texts = (json.dumps(entry, separators=(",", ":"), allow_nan=False) for entry in entries)
    return "[\n" + ",\n".join(texts) + "\n]\n"


def _category() -> dict[str, Any]:
    limbs = [limb for chain in _CHAINS for limb in pairwise(chain)]
    return {
        "id": CATEGORY,
        "name": "person",
        "supercategory": "person",
        "keypoints": list(COCO17),
        "skeleton": [[COCO17.index(a) + 1, COCO17.index(b) + 1] for a, b in limbs],
    }
