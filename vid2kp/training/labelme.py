"""labelme's JSON files → one file of COCO keypoint annotations.

Each JSON file describes one picture. Its points are keypoints, its rectangles are drawn around
infants; which of them are of the same infant, `vid2kp.training.labelled_people` finds out. The
pictures stay where they are, and the copy of a picture that labelme keeps in ``imageData`` is never
looked at.

labelme measures from the corner of the top-left pixel in the picture as it is shown; here points
are measured from that pixel's centre in the picture as it is stored, which is what
`vid2kp.training.dataset` reads.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vid2kp.errors import AnnotationError, UsageError
from vid2kp.files import write_text
from vid2kp.pose.skeleton import INFANT22, Skeleton, canonical_name
from vid2kp.training.coco import CATEGORY, category_of, read_json
from vid2kp.training.labelled_people import LabelledPoint, Person, Point, Rectangle, gather
from vid2kp.training.orientation import Unusable, as_stored, look_at_file

Aliases = Mapping[str, str | None]
"""The name of a keypoint or a person for each label of one's own; None for labels to pass over."""

PEOPLE = (
    *("infant", "baby", "newborn", "neonate", "child", "toddler", "twin", "patient"),
    *("person", "human", "adult"),
)
"""What a rectangle's label says if it is drawn around somebody: ``infant``, ``Baby 2``."""

HIDDEN_FLAGS = ("occluded", "hidden", "invisible")
"""Flags of a point that is not seen, but known where it is."""

_LABELLED, _HIDDEN = 2, 1


@dataclass(frozen=True, kw_only=True)
class LabelmeOptions:
    """How to read labels.

    Attributes:
        skeleton: the keypoint set.
        aliases: labels of one's own; others are matched by name (``RWrist``: ``right_wrist``).
            A rectangle's label is mapped to one of `PEOPLE`.
        hidden_flags: flags of points that are not seen.
        images: where the pictures are, if not beside the labels.
    """

    skeleton: Skeleton = INFANT22
    aliases: Aliases = field(default_factory=dict)
    hidden_flags: tuple[str, ...] = HIDDEN_FLAGS
    images: Path | None = None


@dataclass(frozen=True)
class Problem:
    """Something that is wrong with one file of labels.

    Attributes:
        file: the file, from the folder of the labels.
        text: what is wrong.
        left_out: the whole file was left out, not only what the text says.
    """

    file: str
    text: str
    left_out: bool = False


@dataclass(frozen=True)
class Converted:
    """COCO keypoint annotations, and what was wrong with the labels."""

    document: dict[str, Any]
    problems: tuple[Problem, ...]

    @property
    def pictures(self) -> int:
        """How many pictures the annotations list."""
        return len(self.document["images"])

    @property
    def people(self) -> int:
        """How many people are annotated."""
        return len(self.document["annotations"])

    def write(self, path: Path) -> None:
        """Writes the annotations.

        Raises:
            OutputError: the file cannot be written.
        """
        write_text(path, json.dumps(self.document, ensure_ascii=False) + "\n")


def read_aliases(path: Path) -> dict[str, str | None]:
    """Labels of one's own, from a JSON object: ``{"Handgelenk re": "right_wrist", "toy": null}``.

    Raises:
        AnnotationError: it is no such file.
    """
    hint = 'Give an object of labels and keypoints, null to pass over: {"re Hand": "right_hand"}.'
    aliases = read_json(path, what="mapping file", hint=hint)
    if not isinstance(aliases, dict) or not all(
        name is None or isinstance(name, str) for name in aliases.values()
    ):
        raise AnnotationError("The mapping file does not map labels to keypoints.", hint=hint)
    return aliases


def check_no_labels(out: Path) -> None:
    """Refuses an output that would take the place of labels.

    Raises:
        UsageError: it is a file of labelme.
    """
    try:
        content = json.loads(out.read_bytes())
    except (OSError, ValueError):
        return
    if isinstance(content, dict) and "shapes" in content:
        raise UsageError(
            "The output is a file of labels: they would be lost.", hint="Choose another name."
        )


def convert_labelme(
    folder: Path,
    *,
    options: LabelmeOptions | None = None,
    skip: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Converted:
    """Reads every labelme file of a folder and its folders.

    Args:
        folder: the labels.
        options: names, flags, and where the pictures are.
        skip: a JSON file that holds no labels, such as the annotations of an earlier run.
        progress: called with the files done and all of them.

    Returns:
        Annotations whose ``file_name`` starts at the folder of the pictures (at `folder` if
        they are beside the labels), in the order of the labels' paths.

    Raises:
        AnnotationError: the folder has no JSON file, or a mapping names no keypoint of the set.
    """
    options = options or LabelmeOptions()
    _check_aliases(options)
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() == ".json" and p.is_file())
    files = [file for file in files if skip is None or file.resolve() != skip.resolve()]
    if not files:
        raise AnnotationError(
            "There is no JSON file in the folder.", hint="Give the folder that labelme wrote to."
        )
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    problems: list[Problem] = []
    listed: set[str] = set()
    for done, file in enumerate(files, 1):
        name, said = file.relative_to(folder).as_posix(), list[str]()
        try:
            image, people = _read_labels(file, folder, options, said)
            if image["file_name"] in listed:
                raise Unusable("its picture has labels in another file already")
        except Unusable as reason:
            problems.append(Problem(name, str(reason), left_out=True))
        else:
            listed.add(image["file_name"])
            image["id"] = len(images) + 1
            images.append(image)
            for person in people:
                person |= {"id": len(annotations) + 1, "image_id": image["id"]}
                annotations.append(person)
        problems += [Problem(name, text) for text in said]
        if progress:
            progress(done, len(files))
    document = {
        "images": images,
        "annotations": annotations,
        "categories": [category_of(options.skeleton)],
    }
    return Converted(document, tuple(problems))


def _check_aliases(options: LabelmeOptions) -> None:
    for name in options.aliases.values():
        if name is None or _is_person(canonical_name(name)):
            continue
        if canonical_name(name) not in options.skeleton.keypoints:
            raise AnnotationError(
                f"The mapping file names {name}, which the set {options.skeleton.name} has not.",
                hint=f"It has: {', '.join(options.skeleton.keypoints)}. Rectangles: infant.",
            )


def _read_labels(
    file: Path, folder: Path, options: LabelmeOptions, said: list[str]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The picture and the people of one file; adds what is wrong with single labels to `said`."""
    try:
        labels = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, RecursionError, ValueError):
        raise Unusable("no readable JSON") from None
    if not isinstance(labels, dict) or not isinstance(labels.get("shapes"), list):
        raise Unusable("not written by labelme (no shapes)")
    picture = _find_picture(str(labels.get("imagePath") or ""), file, folder, options)
    stored, orientation = look_at_file(picture)
    shown = stored[::-1] if orientation >= 5 else stored
    given = (labels.get("imageWidth"), labels.get("imageHeight"))
    if None in given:
        given = shown
    if given == stored != shown:
        orientation = 1  # labelled by a version that did not turn pictures
    elif given != shown:
        sizes = f"{shown[0]} × {shown[1]} pixels, its labels are for {given[0]} × {given[1]}"
        raise Unusable(f"the picture has {sizes}")
    people = _people(labels["shapes"], given, options, said)
    if labels["shapes"] and not people:  # listed, it would teach that nobody is there
        raise Unusable("nobody could be made of its labels")
    base = (options.images or folder).resolve()
    image = {
        "file_name": picture.relative_to(base).as_posix(),
        "width": stored[0],
        "height": stored[1],
    }
    return image, [_annotation(p, options.skeleton, stored, orientation) for p in people]


def _find_picture(name: str, file: Path, folder: Path, options: LabelmeOptions) -> Path:
    """The picture of a file of labels, which must lie in the folder of the pictures.

    Looked for where the file says, then on that path in the folder of the pictures, then by its
    name alone, which two pictures must not share: the labels would be put on another infant.
    """
    base = (options.images or folder).resolve()
    path = Path(name.replace("\\", "/"))  # labelme on Windows
    same_name = [file.parent / path.name]
    exact = [file.parent / path]
    if options.images:
        below = [part for part in path.parts if part not in ("..", path.anchor)]
        exact += [options.images.joinpath(*below)] if len(below) > 1 else []
        beside = options.images / file.relative_to(folder).parent
        same_name += [beside / path.name, options.images / path.name]
    is_elsewhere = False
    for places in (*([place] for place in exact), same_name):
        found = {place.resolve() for place in places if path.name and place.is_file()}
        inside = [place for place in found if place.is_relative_to(base)]
        if len(inside) > 1:
            raise Unusable("several pictures have its picture's name")
        if inside:
            return inside[0]
        is_elsewhere |= bool(found)
    if is_elsewhere:
        raise Unusable("its picture is in another folder (say which with --images)")
    raise Unusable("its picture is missing")


def _people(
    shapes: list[Any], size: tuple[int, int], options: LabelmeOptions, said: list[str]
) -> list[Person]:
    """The infants of a picture."""
    rectangles: list[Rectangle] = []
    points: list[LabelledPoint] = []
    for shape in shapes:
        kind, label, group, corners = _shape(shape, options, said)
        name = _name(label, kind, options, said) if kind else None
        if not name:
            continue
        if kind == "rectangle":
            (x0, y0), (x1, y1) = corners.min(0).tolist(), corners.max(0).tolist()
            rectangles.append(Rectangle((x0, y0, x1, y1), group))
        elif place := _point(shape, name, corners, size, options, said):
            points.append(LabelledPoint(name, place, group))
    return gather(rectangles, points, said)


def _shape(
    shape: Any, options: LabelmeOptions, said: list[str]
) -> tuple[str | None, str, str | None, NDArray[np.float64]]:
    """Kind (None: of no use), label, group and points of a shape."""
    try:
        kind, label = str(shape.get("shape_type") or "point"), str(shape["label"]).strip()
        if options.aliases.get(label, label) is None:
            return None, label, None, np.empty((0, 2))
        corners = np.asarray(shape["points"], np.float64).reshape(-1, 2)
        usable = np.isfinite(corners).all() and len(corners) >= {"rectangle": 2}.get(kind, 1)
    except (AttributeError, KeyError, TypeError, ValueError):
        said.append("a shape is malformed: left out")
        return None, "", None, np.empty((0, 2))
    if not usable:
        said.append(f"{label} has no place: left out")
        return None, label, None, corners
    if kind not in ("point", "rectangle"):
        said.append(f"{label} is a {kind}, neither point nor rectangle: left out")
        return None, label, None, corners
    group = shape.get("group_id")
    return kind, label, group if group is None else str(group), corners


def _name(label: str, kind: str, options: LabelmeOptions, said: list[str]) -> str | None:
    """The keypoint that a point's label means, or the person of a rectangle's; None if neither."""
    name = canonical_name(options.aliases.get(label) or label)
    if kind == "rectangle":
        if _is_person(name):
            return name
        said.append(f"unknown rectangle {label!r}: left out")
    else:
        if name in options.skeleton.keypoints:
            return name
        said.append(f"unknown label {label!r}: left out")
    return None


def _is_person(name: str) -> bool:
    return name.rstrip("_0123456789") in PEOPLE


def _point(
    shape: dict[str, Any],
    name: str,
    corners: NDArray[np.float64],
    size: tuple[int, int],
    options: LabelmeOptions,
    said: list[str],
) -> Point | None:
    """Where a point is, and whether it is seen; None outside the picture."""
    x, y = map(float, corners[0])
    if not (0 <= x <= size[0] and 0 <= y <= size[1]):
        said.append(f"{name} is outside the picture: left out")
        return None
    flags = shape.get("flags")
    hidden = isinstance(flags, dict) and any(flags.get(flag) for flag in options.hidden_flags)
    return x, y, _HIDDEN if hidden else _LABELLED


def _annotation(
    person: Person, skeleton: Skeleton, stored: tuple[int, int], orientation: int
) -> dict[str, Any]:
    """A COCO annotation, without the ids."""
    triples: list[float] = []
    for name in skeleton.keypoints:
        if name in person.points:
            x, y, visible = person.points[name]
            triples += [*as_stored((x, y), stored, orientation), visible]
        else:
            triples += [0, 0, 0]
    points = np.reshape(triples, (-1, 3))
    corners = points[points[:, 2] > 0, :2]
    if person.box:
        x0, y0, x1, y1 = person.box
        corners = np.array([as_stored(c, stored, orientation) for c in ((x0, y0), (x1, y1))])
    low, high = (corners.min(0), corners.max(0)) if len(corners) else np.zeros((2, 2))
    width, height = (high - low).round(2).tolist()
    return {
        "category_id": CATEGORY,
        "keypoints": triples,
        "num_keypoints": len(person.points),
        "bbox": [*low.tolist(), width, height],
        "area": round(width * height, 2),
        "iscrowd": 0,
    }
