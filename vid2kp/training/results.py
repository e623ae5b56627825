"""What is evaluated: labelled people from annotations, found people from a model or a file.

Both are in the order of the annotations' keypoints, in pixels of the annotated pictures. A
results file is COCO's: one entry for each found person, ``keypoints`` as x, y, confidence (0 =
not found), and a ``score`` that ranks the people.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vid2kp.errors import AnnotationError
from vid2kp.files import write_text
from vid2kp.pose.people import People
from vid2kp.training.coco import (
    box_of,
    coco_errors,
    keypoint_category,
    keypoint_names,
    labelled_points,
    person_needs,
    read_document,
    read_json,
)

if TYPE_CHECKING:
    from vid2kp.pose.estimate import Estimator
    from vid2kp.training.dataset import CocoKeypoints

_CONFIDENCE_DECIMALS = 4


@dataclass(frozen=True)
class LabelledPicture:
    """One annotated picture.

    Attributes:
        id: COCO's image id.
        cluster: who is in it, as far as is known: pictures of one infant are not independent.
        attributes: what the annotations say about the picture, such as its ``view``.
    """

    id: int
    cluster: str
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class LabelledPerson:
    """One annotated person.

    Attributes:
        picture: index in `Truth.pictures`.
        keypoints: (K, 2) float64 pixels; NaN where not labelled.
        area: of the person, square pixels.
        box: x, y, width, height, pixels.
        crowd: a group of people under one annotation.
    """

    picture: int
    keypoints: NDArray[np.float64]
    area: float
    box: tuple[float, float, float, float]
    crowd: bool = False

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """(K,) bool: which keypoints are labelled."""
        return np.isfinite(self.keypoints[:, 0])

    @property
    def counts(self) -> bool:
        """Whether there is something to find: a labelled person, no crowd."""
        return not self.crowd and bool(self.labelled.any())


@dataclass(frozen=True, eq=False)
class Truth:
    """The annotations.

    Attributes:
        keypoints: K names in this project's spelling.
        category: COCO's category id.
        pictures: I pictures.
        people: everybody in them, labelled or not.
    """

    keypoints: tuple[str, ...]
    category: int
    pictures: tuple[LabelledPicture, ...]
    people: tuple[LabelledPerson, ...]

    def index(self) -> dict[int, int]:
        """Place of each COCO image id."""
        return {picture.id: i for i, picture in enumerate(self.pictures)}


def read_truth(path: Path) -> Truth:
    """The people of an annotation file.

    Raises:
        AnnotationError: it is no file of COCO keypoint annotations.
    """
    document = read_document(path)
    names = keypoint_names(document)
    with coco_errors("The category of the annotations", needs="an id"):
        category = keypoint_category(document)["id"]
    with coco_errors("An image of the annotation file", needs="an id"):
        named = [(a.get("image_id"), a.get("infant")) for a in document["annotations"]]
        infants = {picture: infant for picture, infant in named if infant is not None}
        pictures = tuple(
            LabelledPicture(id=record["id"], cluster=_cluster(record, infants), attributes=record)
            for record in document["images"]
        )
        place = {picture.id: i for i, picture in enumerate(pictures)}
    people = []
    needs = f"a category_id, an area of 0 or more, {person_needs(len(names))}"
    for number, annotation in enumerate(document["annotations"], 1):
        with coco_errors(f"Annotation {number}", needs=needs):
            if annotation["category_id"] == category and annotation["image_id"] in place:
                picture = place[annotation["image_id"]]
                people.append(_labelled_person(annotation, picture, len(names)))
    if not pictures:
        raise AnnotationError("The annotations list no picture.", hint="Give another file.")
    return Truth(names, category, pictures, tuple(people))


def _cluster(record: dict[str, Any], infants: dict[Any, Any]) -> str:
    """Who is in a picture: the infant that it or its annotations name, else nobody else's."""
    infant = record.get("infant")
    infant = infants.get(record["id"]) if infant is None else infant
    return f"#{record['id']}" if infant is None else str(infant)


def _labelled_person(annotation: dict[str, Any], picture: int, count: int) -> LabelledPerson:
    points = labelled_points(annotation, count)
    keypoints = np.where(points[:, 2:] > 0, points[:, :2], np.nan)
    x, y, width, height = box_of(annotation) or _box(keypoints)
    area = float(annotation.get("area") or width * height)
    if not 0 <= area < math.inf:
        raise ValueError("An area is below 0 or not finite.")
    return LabelledPerson(
        picture=picture,
        keypoints=keypoints,
        area=area,
        box=(x, y, width, height),
        crowd=bool(annotation.get("iscrowd", False)),
    )


def _box(keypoints: NDArray[np.float64]) -> tuple[float, float, float, float]:
    found = keypoints[np.isfinite(keypoints[:, 0])]
    if not len(found):
        return (0.0, 0.0, 0.0, 0.0)
    low, high = found.min(0), found.max(0)
    return (float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1]))


def in_order(people: People, given: Sequence[str], wanted: Sequence[str]) -> People:
    """The same people with other keypoints: matched by name, missing where there is none.

    Args:
        people: P people of the keypoints `given`.
        given: their K names.
        wanted: the names wanted, in their order.

    Returns:
        Those of the P people that have any of the wanted keypoints; their scores stay.
    """
    source = [given.index(name) if name in given else -1 for name in wanted]
    absent = np.array([i < 0 for i in source])
    keypoints, confidence = people.keypoints[:, source], people.confidence[:, source]
    keypoints[:, absent], confidence[:, absent] = np.nan, np.nan
    moved = People(keypoints, confidence, people.score)
    return _found_people(moved)


def predict(
    estimator: Estimator,
    pictures: CocoKeypoints,
    truth: Truth,
    *,
    zoom: bool = True,
    progress: Callable[[int], None] | None = None,
) -> list[People]:
    """What a model finds in the annotated pictures.

    Args:
        estimator: the model.
        pictures: the pictures of `truth`.
        truth: the annotations; nothing of them but the keypoints' names is used.
        zoom: whether to look a second time, at a crop around who was found.
        progress: called with the number of pictures done.

    Returns:
        For each picture of `truth` the people found, keypoints in the order of the annotations.

    Raises:
        AnnotationError: a picture is missing or cannot be decoded.
    """
    from vid2kp.pose.watch import look_at_picture

    found = [People.none(len(truth.keypoints)) for _ in truth.pictures]
    place = truth.index()
    for i, record in enumerate(pictures.records):
        people = look_at_picture(estimator, pictures.load(i).image, zoom=zoom)
        found[place[record["id"]]] = in_order(people, estimator.skeleton.keypoints, truth.keypoints)
        if progress:
            progress(i + 1)
    return found


def write_results(path: Path, predictions: Sequence[People], truth: Truth) -> None:
    """Writes found people as a COCO results file.

    Raises:
        OutputError: the file cannot be written.
    """
    entries = [
        {
            "image_id": picture.id,
            "category_id": truth.category,
            "keypoints": _flat(people, i),
            "score": round(float(people.score[i]), 6),
        }
        for picture, people in zip(truth.pictures, predictions, strict=True)
        for i in range(len(people))
    ]
    lines = ",\n".join(json.dumps(entry) for entry in entries)
    write_text(path, f"[\n{lines}\n]\n" if entries else "[]\n")


def _flat(people: People, i: int) -> list[float]:
    least = 10**-_CONFIDENCE_DECIMALS  # 0 would say that it was not found
    triples = [
        (round(float(x), 2), round(float(y), 2), max(round(float(c), _CONFIDENCE_DECIMALS), least))
        if math.isfinite(c)
        else (0.0, 0.0, 0.0)
        for (x, y), c in zip(people.keypoints[i], people.confidence[i], strict=True)
    ]
    return [value for triple in triples for value in triple]


def read_results(path: Path, truth: Truth) -> list[People]:
    """The people of a COCO results file.

    An entry without a score gets the mean confidence over its keypoints.

    Args:
        path: the file.
        truth: the annotations to which the results belong.

    Returns:
        For each picture of `truth` the people found, best first.

    Raises:
        AnnotationError: it is no results file, or not one for these annotations.
    """
    entries = read_json(path, what="results file", hint="Give COCO keypoint results.")
    place, count = truth.index(), len(truth.keypoints)
    rows: list[list[tuple[NDArray[np.float32], float]]] = [[] for _ in truth.pictures]
    try:
        if not isinstance(entries, list):
            raise TypeError("Results are a list.")
        for entry in entries:
            points = np.asarray(entry["keypoints"], np.float32).reshape(count, 3)
            points[points[:, 2] == 0] = 0
            score = float(entry.get("score", np.clip(points[:, 2], 0, 1).mean()))
            if not (np.isfinite(points).all() and math.isfinite(score)):
                raise ValueError("A result has a number that is not finite.")
            rows[place[entry["image_id"]]].append((points, score))
    except KeyError as error:
        unknown = error.args[0] not in ("keypoints", "image_id")
        raise AnnotationError(
            "The results are of pictures that the annotations do not have."
            if unknown
            else f"A result has no {error.args[0]}.",
            hint="Results and annotations must belong together.",
        ) from error
    except (AttributeError, TypeError, ValueError) as error:
        raise AnnotationError(
            "The results file is not as COCO keypoint results are.",
            hint=f"It is a list of entries with image_id, score and "
            f"{3 * count} finite keypoint numbers.",
        ) from error
    return [_people(found, count) for found in rows]


def _people(found: list[tuple[NDArray[np.float32], float]], count: int) -> People:
    if not found:
        return People.none(count)
    found = sorted(found, key=lambda one: -one[1])
    points = np.stack([row for row, _ in found])
    is_found = points[..., 2] > 0
    people = People(
        np.where(is_found[..., None], points[..., :2], np.nan).astype(np.float32),
        np.where(is_found, points[..., 2], np.nan).astype(np.float32),
        np.array([score for _, score in found], np.float32),
    )
    return _found_people(people)


def _found_people(people: People) -> People:
    """Those of whom anything was found."""
    return people[np.flatnonzero(people.found.any(1))]
