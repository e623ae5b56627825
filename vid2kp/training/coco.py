"""COCO keypoint annotation files: the document, its keypoints' names, one person's labels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise AnnotationError(f"The {what} does not exist.", hint="Check the path.") from None
    except (OSError, RecursionError, ValueError):
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
    """The annotation document; images, annotations and categories are known to be lists of dicts.

    Raises:
        AnnotationError: the file is not there, or holds no COCO annotations.
    """
    document = read_json(path, what="annotation file", hint=_GIVE_COCO)
    parts = ("images", "annotations", "categories")
    missing = [k for k in parts if not isinstance(document, dict) or k not in document]
    if missing:
        raise AnnotationError(f"The annotation file has no {', '.join(missing)}.", hint=_GIVE_COCO)
    odd = [
        k
        for k in parts
        if not isinstance(document[k], list)
        or not all(isinstance(one, dict) for one in document[k])
    ]
    if odd:
        raise AnnotationError(
            f"In the annotation file {', '.join(odd)} should be a list of objects.",
            hint=_GIVE_COCO,
        )
    return dict(document)


@contextmanager
def coco_errors(part: str, *, needs: str) -> Iterator[None]:
    """Turns what Python raises over odd annotations into `AnnotationError`.

    Args:
        part: what the block reads, for the error: ``Annotation 3``.
        needs: what that must have: ``a bbox``.

    Raises:
        AnnotationError: the block raised a KeyError, a TypeError, a ValueError or the like.
    """
    try:
        yield
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise AnnotationError(
            f"{part} is not as COCO keypoint annotations are.", hint=f"It needs {needs}."
        ) from error


def person_needs(keypoints: int) -> str:
    """What an annotation must have to be a person's, for `coco_errors`."""
    return f"an image_id, {3 * keypoints} finite keypoint numbers and 4 in a bbox, if it has these"


def labelled_points(annotation: dict[str, Any], keypoints: int) -> NDArray[np.float64]:
    """(K, 3) x, y, visibility of a person; zeros where nothing is labelled.

    Raises:
        ValueError: there are others than 3 · K numbers, or a labelled one is not finite.
        TypeError: they are no numbers.
    """
    points = np.asarray(annotation.get("keypoints") or [0.0] * 3 * keypoints, np.float64)
    points = points.reshape(keypoints, 3)
    points = np.where(points[:, 2:] == 0, 0.0, points)
    if not np.isfinite(points).all():
        raise ValueError("A label is no finite number.")
    return points


def box_of(annotation: dict[str, Any]) -> tuple[float, float, float, float] | None:
    """The box of a person, x, y, width, height, if it has one.

    Raises:
        ValueError: it has others than four finite numbers.
        TypeError: it has no numbers.
    """
    if not annotation.get("bbox"):
        return None
    x, y, width, height = (float(v) for v in annotation["bbox"])
    if not np.isfinite((x, y, width, height)).all():
        raise ValueError("A box has a number that is not finite.")
    return x, y, width, height


def keypoint_category(document: dict[str, Any]) -> dict[str, Any]:
    """The first category that names its keypoints.

    Raises:
        AnnotationError: there is none.
    """
    for category in document["categories"]:
        names = category.get("keypoints")
        if names and isinstance(names, list) and all(isinstance(name, str) for name in names):
            return dict(category)
    raise AnnotationError("No category of the annotations names its keypoints.", hint=_GIVE_COCO)


def keypoint_names(document: dict[str, Any]) -> tuple[str, ...]:
    """The keypoints of the annotations in their order, in this project's spelling.

    Raises:
        AnnotationError: no category names its keypoints.
    """
    return tuple(canonical_name(name) for name in keypoint_category(document)["keypoints"])
