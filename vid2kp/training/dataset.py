"""COCO keypoint annotations → labelled pictures in the order of one keypoint set.

Pictures lie in a folder or a zip file. A keypoint has one of three states, which the loss keeps
apart: PRESENT (labelled, seen or hidden), ABSENT (known to be outside the picture) and UNKNOWN
(not labelled: the loss is masked, it is not background).
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vid2kp.errors import AnnotationError
from vid2kp.pose.skeleton import Skeleton
from vid2kp.training.coco import (
    box_of,
    coco_errors,
    keypoint_category,
    keypoint_names,
    labelled_points,
    person_needs,
    read_document,
)

UNKNOWN, ABSENT, PRESENT = -1, 0, 1

_MEANS = {
    "neck": ("right_shoulder", "left_shoulder"),
    "mid_hip": ("right_hip", "left_hip"),
}
"""Keypoints that are the middle of two others in every data set, labelled or not."""

_UNREADABLE = (
    OSError,
    EOFError,
    KeyError,
    RuntimeError,  # an encrypted zip file
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What reading a picture from a folder or a zip file may raise."""

_LOOK_AT_IMAGES = "Check the folder or zip file of the images."


@dataclass(frozen=True)
class Sample:
    """One labelled picture.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        keypoints: (P, K, 2) float32 pixels, origin at the centre of the top-left pixel.
        state: (P, K) int8, UNKNOWN, ABSENT or PRESENT.
        boxes: (P, 4) float32 x0, y0, x1, y1: where a person's UNKNOWN keypoints may be.
    """

    image: NDArray[np.uint8]
    keypoints: NDArray[np.float32]
    state: NDArray[np.int8]
    boxes: NDArray[np.float32]


class CocoKeypoints:
    """A COCO keypoint data set in the order of one keypoint set.

    Keypoints are matched by name; what a data set does not have is UNKNOWN. If a picture has one
    person only, others may stand in it unlabelled, so that person's box is the whole picture.
    Annotations of other categories than the first that names keypoints are passed over; where all
    people are of such categories, everything is UNKNOWN: the picture is not one of nobody.

    Args:
        annotations: the JSON file.
        images: folder or zip file of the pictures.
        skeleton: the keypoint set wanted.
        min_score: leave out annotations whose ``teacher_score`` is lower.

    Raises:
        AnnotationError: not COCO keypoints, or no keypoint in common. The pictures are looked for
            later, by `check_pictures` or `load`.
    """

    def __init__(
        self,
        annotations: Path,
        images: Path,
        skeleton: Skeleton,
        *,
        min_score: float = 0.0,
    ) -> None:
        self.skeleton = skeleton
        self.images = images
        self._zip: zipfile.ZipFile | None = None
        document = read_document(annotations)
        names = keypoint_names(document)
        self._source = [names.index(k) if k in names else -1 for k in skeleton.keypoints]
        if max(self._source) < 0:
            raise AnnotationError(
                "The annotations have no keypoint of the model's set.",
                hint=f"The model knows {', '.join(skeleton.keypoints)}.",
            )
        self._labelled = len(names)
        self.people: dict[int, list[dict[str, Any]]] = {}
        for number, record in enumerate(document["images"], 1):
            with coco_errors(f"Image {number}", needs="an id, a file_name, a width and a height"):
                _check_record(record)
                self.people[record["id"]] = []
        dropped, others = set(), set()
        foreign = _other_categories(document)
        for number, annotation in enumerate(document["annotations"], 1):
            with coco_errors(f"Annotation {number}", needs=person_needs(len(names))):
                if (category := annotation.get("category_id")) in foreign:
                    others |= {annotation["image_id"]} if foreign[category] else set()
                    continue
                labelled_points(annotation, len(names))
                box_of(annotation)
                if annotation.get("teacher_score", 1.0) < min_score:
                    dropped.add(annotation["image_id"])
                elif annotation["image_id"] in self.people:
                    self.people[annotation["image_id"]].append(annotation)
        for picture in others & self.people.keys():
            self.people[picture] = self.people[picture] or [{"image_id": picture}]
        self.records = [r for r in document["images"] if r["id"] not in dropped]
        if not self.records:
            raise AnnotationError(
                "The annotations list no usable picture.",
                hint="Check the file, or lower the score.",
            )

    def __len__(self) -> int:
        return len(self.records)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_zip": None}  # each process opens the zip file for itself

    def digest(self) -> str:
        """SHA-256 of what is labelled: the pictures, the people in them and their keypoints."""
        sha = hashlib.sha256(json.dumps(self._source).encode())
        for record in self.records:
            labels = [record, self.people[record["id"]]]
            sha.update(json.dumps(labels, sort_keys=True).encode())
        return sha.hexdigest()

    def check_pictures(self) -> None:
        """Sees that every picture is there, without decoding any.

        Raises:
            AnnotationError: the folder, the zip file or a picture in it is missing.
        """
        if not self.images.exists():
            raise AnnotationError(
                "The folder or zip file of the images does not exist.", hint="Check the path."
            )
        missing = [r["id"] for r in self.records if not self._is_there(r["file_name"])]
        if missing:
            raise AnnotationError(
                f"{len(missing):,} of the {len(self):,} pictures are not there, "
                f"such as the one with the id {missing[0]}.",
                hint=_LOOK_AT_IMAGES,
            )

    def load(self, index: int, *, shrink: int = 1) -> Sample:
        """One picture with its labels, decoded at 1/`shrink` (1, 2 or 4) of its size.

        Raises:
            AnnotationError: the picture is missing, cannot be decoded or has another size than
            its annotation says.
        """
        record = self.records[index]
        image = self._picture(record, shrink)
        people = self.people[record["id"]]
        keypoints = np.zeros((len(people), len(self.skeleton), 2), np.float32)
        state = np.full((len(people), len(self.skeleton)), UNKNOWN, np.int8)
        boxes = np.zeros((len(people), 4), np.float32)
        for row, person in enumerate(people):
            keypoints[row], state[row] = self._labels(person, record)
            boxes[row] = self._box(person, record, alone=len(people) == 1)
        keypoints = ((keypoints + 0.5) / shrink - 0.5).astype(np.float32)
        boxes = (boxes / shrink).astype(np.float32)
        return Sample(image=image, keypoints=keypoints, state=state, boxes=boxes)

    def size(self, index: int) -> tuple[int, int]:
        """(width, height) of a picture, pixels, as annotated."""
        record = self.records[index]
        return int(record["width"]), int(record["height"])

    def _picture(self, record: dict[str, Any], shrink: int) -> NDArray[np.uint8]:
        flags = {1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4}[
            shrink
        ]
        data = np.frombuffer(self._bytes(record), np.uint8)
        try:
            image = cv2.imdecode(data, flags | cv2.IMREAD_IGNORE_ORIENTATION)
        except cv2.error:  # of an empty file, or of one that says it is gigantic
            image = None
        if image is None:
            raise AnnotationError(
                f"The picture with the id {record['id']} cannot be decoded.",
                hint="Replace or remove it.",
            )
        width, height = int(record["width"]), int(record["height"])
        off = max(abs(image.shape[1] * shrink - width), abs(image.shape[0] * shrink - height))
        if off >= shrink:  # less is what shrunk decoding rounds
            raise AnnotationError(
                f"The picture with the id {record['id']} is not {width} × {height} pixels large, "
                "as its annotation says.",
                hint="Its labels would be elsewhere: give the picture that was labelled.",
            )
        return np.ascontiguousarray(image[..., ::-1])

    def _bytes(self, record: dict[str, Any]) -> bytes:
        name: str = record["file_name"]
        try:
            if not self._is_packed:
                return (self.images / name).read_bytes()
            archive = self._archive()
            return archive.read(self._member(archive, name))
        except _UNREADABLE as error:
            raise AnnotationError(
                # Not its name: that may be a patient's.
                f"The picture with the id {record['id']} is not there or cannot be read.",
                hint=_LOOK_AT_IMAGES,
            ) from error

    def _is_there(self, name: str) -> bool:
        if self._is_packed:
            archive = self._archive()
            return self._member(archive, name) in archive.NameToInfo
        try:
            return (self.images / name).is_file()
        except OSError:  # may not be looked at
            return False

    @property
    def _is_packed(self) -> bool:
        return self.images.suffix.lower() == ".zip"

    def _archive(self) -> zipfile.ZipFile:
        if self._zip is None:
            try:
                self._zip = zipfile.ZipFile(self.images)
            except (OSError, zipfile.BadZipFile) as error:
                raise AnnotationError(
                    "The zip file of the images cannot be opened.", hint="Pack it again."
                ) from error
        return self._zip

    def _member(self, archive: zipfile.ZipFile, name: str) -> str:
        return name if name in archive.NameToInfo else f"{self.images.stem}/{name}"

    def _labels(
        self, person: dict[str, Any], record: dict[str, Any]
    ) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
        flat = labelled_points(person, self._labelled)
        keypoints = np.zeros((len(self.skeleton), 2), np.float32)
        state = np.full(len(self.skeleton), UNKNOWN, np.int8)
        for k, source in enumerate(self._source):
            if source >= 0 and flat[source, 2] > 0:
                keypoints[k], state[k] = flat[source, :2], PRESENT
        for name, pair in _MEANS.items():
            if name in self.skeleton.keypoints:
                k, (a, b) = self.skeleton.index(name), (self.skeleton.index(p) for p in pair)
                if state[a] == state[b] == PRESENT:
                    keypoints[k], state[k] = (keypoints[a] + keypoints[b]) / 2, PRESENT
        x, y = keypoints.T
        outside = (x < 0) | (y < 0) | (x > record["width"] - 1) | (y > record["height"] - 1)
        state[(state == PRESENT) & outside] = ABSENT
        return keypoints, state

    def _box(self, person: dict[str, Any], record: dict[str, Any], *, alone: bool) -> list[float]:
        box = box_of(person)
        if alone or box is None:
            return [0.0, 0.0, float(record["width"]), float(record["height"])]
        x, y, w, h = box
        return [x - 0.15 * w, y - 0.15 * h, x + 1.15 * w, y + 1.15 * h]


def _other_categories(document: dict[str, Any]) -> dict[Any, bool]:
    """Ids of the categories beside that of the keypoints, and whether they have keypoints too."""
    own = keypoint_category(document).get("id")
    others = {
        category.get("id"): bool(category.get("keypoints"))
        for category in document["categories"]
        if isinstance(category.get("id"), int | str)
    }
    others.pop(own, None)
    return others


def _check_record(record: dict[str, Any]) -> None:
    """Raises KeyError, TypeError or ValueError for a picture that could not be loaded."""
    sides = (record["width"], record["height"])
    if not isinstance(record["file_name"], str) or not all(1 <= s < 1e6 for s in sides):
        raise ValueError("A picture has no name or no size.")
