"""COCO keypoint annotation files: the document, and the keypoints that its category names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vid2kp.errors import AnnotationError
from vid2kp.pose.skeleton import Skeleton, canonical_name

CATEGORY = 1
"""Id of the one category in files that this project writes."""

_GIVE_COCO = "Give COCO keypoint annotations."


def read_json(path: Path, *, what: str, hint: str) -> Any:
    """What a JSON file holds.

    Args:
        path: the file.
        what: what it is to the user, for the error: ``annotation file``.
        hint: what the user may do.

    Raises:
        AnnotationError: the file is not there or is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise AnnotationError(f"The {what} does not exist.", hint="Check the path.") from None
    except (OSError, ValueError):
        raise AnnotationError(f"The {what} is not readable JSON.", hint=hint) from None


def category_of(skeleton: Skeleton) -> dict[str, Any]:
    """The category of infants with a keypoint set; its ``skeleton`` counts from 1."""
    return {
        "id": CATEGORY,
        "name": "infant",
        "supercategory": "person",
        "keypoints": list(skeleton.keypoints),
        "skeleton": [[a + 1, b + 1] for a, b in skeleton.limbs],
    }


def read_document(path: Path) -> dict[str, Any]:
    """The annotation document, known to have images, annotations and categories.

    Raises:
        AnnotationError: the file is not there, or holds no COCO annotations.
    """
    document = read_json(path, what="annotation file", hint=_GIVE_COCO)
    parts = ("images", "annotations", "categories")
    missing = [k for k in parts if not isinstance(document, dict) or k not in document]
    if missing:
        raise AnnotationError(f"The annotation file has no {', '.join(missing)}.", hint=_GIVE_COCO)
    return dict(document)


def keypoint_category(document: dict[str, Any]) -> dict[str, Any]:
    """The first category that names its keypoints.

    Raises:
        AnnotationError: there is none.
    """
    for category in document["categories"]:
        if category.get("keypoints"):
            return dict(category)
    raise AnnotationError("No category of the annotations names its keypoints.", hint=_GIVE_COCO)


def keypoint_names(document: dict[str, Any]) -> tuple[str, ...]:
    """The keypoints of the annotations in their order, in this project's spelling.

    Raises:
        AnnotationError: no category names its keypoints.
    """
    return tuple(canonical_name(name) for name in keypoint_category(document)["keypoints"])
