"""The infants of one labelled picture: which points and which rectangle are of the same one.

Marks of one group are one infant. People draw a rectangle and forget its group, or that of the
points: a rectangle without a group is that of the grouped points in it, and points without one
belong to the rectangle they lie in. An infant made of a forgotten group would lie over the real one
and, with every keypoint unknown, hide that one's labels from the training.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1, as labelme measures."""

Point = tuple[float, float, int]
"""x, y and COCO's visibility."""

_NEAR = 0.5
"""How far beyond its rectangle a hand may be, of the rectangle's longer side."""


@dataclass(frozen=True)
class LabelledPoint:
    """A keypoint, and its group if it has one."""

    name: str
    place: Point
    group: str | None


@dataclass(frozen=True)
class Rectangle:
    """What is drawn around an infant, and its group if it has one."""

    box: Box
    group: str | None


@dataclass
class Person:
    """One infant of one picture, in labelme's coordinates."""

    points: dict[str, Point] = field(default_factory=dict)
    box: Box | None = None
    twice: set[str] = field(default_factory=set)

    def add(self, point: LabelledPoint) -> None:
        """Takes a point; notes the keypoint if there is one already."""
        if point.name in self.points:
            self.twice.add(point.name)
        self.points[point.name] = point.place


def gather(
    rectangles: Sequence[Rectangle], points: Sequence[LabelledPoint], said: list[str]
) -> list[Person]:
    """The infants of a picture; adds what is wrong with the labels to `said`."""
    groups: defaultdict[str, Person] = defaultdict(Person)
    for point in points:
        if point.group is not None:
            groups[point.group].add(point)
    for rectangle in rectangles:
        if rectangle.group is None:
            continue
        if groups[rectangle.group].box is not None:
            said.append(f"group {rectangle.group} has two rectangles: the first counts")
        else:
            groups[rectangle.group].box = rectangle.box
    people = list(groups.values())
    people += _hand_out([r.box for r in rectangles if r.group is None], people)
    _gather_loose([point for point in points if point.group is None], people, said)
    for person in people:
        for name in sorted(person.twice):
            del person.points[name]
            said.append(f"{name} is labelled twice for one infant: left out")
    return [person for person in people if _is_somebody(person, people, said)]


def _hand_out(boxes: Sequence[Box], people: Sequence[Person]) -> list[Person]:
    """Gives rectangles to those whose points lie in them; an infant for each that is left."""
    fits = sorted(
        (-_overlap(box, _span(person)), b, p)
        for b, box in enumerate(boxes)
        for p, person in enumerate(people)
        if sum(_holds(box, place) for place in person.points.values()) > len(person.points) / 2
    )
    left = dict(enumerate(boxes))
    for _, b, p in fits:
        if b in left and people[p].box is None:
            people[p].box = left.pop(b)
    return [Person(box=box) for box in left.values()]


def _gather_loose(points: Sequence[LabelledPoint], people: list[Person], said: list[str]) -> None:
    """Gives each point without a group to its infant; adds one to `people` where there is none."""
    if not points:
        return
    if not people:
        people.append(Person())
    elif len(people) == 1 and not people[0].box and {p.name for p in points} & {*people[0].points}:
        said.append("points without a group are taken for a second infant")
        people.append(Person())
        for point in points:
            people[1].add(point)
        return
    for point in points:
        if owner := _owner(point, people, said):
            owner.add(point)


def _owner(point: LabelledPoint, people: Sequence[Person], said: list[str]) -> Person | None:
    """Whose rectangle a point lies in; the only infant's if it is not far from that one's."""
    inside = [p for p in people if p.box and _holds(p.box, point.place)]
    if len(inside) > 1:
        said.append(
            f"{point.name} lies in {len(inside)} rectangles: the first counts (use group_id)"
        )
    if inside:
        return inside[0]
    if len(people) == 1 and (not people[0].box or _holds(_wider(people[0].box), point.place)):
        return people[0]
    said.append(f"{point.name} has no group and lies in no rectangle: left out")
    return None


def _is_somebody(person: Person, people: Sequence[Person], said: list[str]) -> bool:
    """Whether there is an infant: with keypoints, or with a rectangle that is over nobody's.

    The place of somebody who is not labelled must not be taught as background.
    """
    if person.points:
        return True
    over = [p for other in people for p in other.points.values()]
    if person.box and not any(_holds(person.box, place) for place in over):
        return True
    what = "a rectangle over another infant has" if person.box else "an infant is left with"
    said.append(f"{what} no keypoints: left out")
    return False


def _holds(box: Box, place: Point) -> bool:
    x0, y0, x1, y1 = box
    return x0 <= place[0] <= x1 and y0 <= place[1] <= y1


def _wider(box: Box) -> Box:
    x0, y0, x1, y1 = box
    reach = _NEAR * max(x1 - x0, y1 - y0)
    return x0 - reach, y0 - reach, x1 + reach, y1 + reach


def _span(person: Person) -> Box:
    """The box around a person's points."""
    x, y, _ = zip(*person.points.values(), strict=True)
    return min(x), min(y), max(x), max(y)


def _overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    sides = [min(a[i + 2], b[i + 2]) - max(a[i], b[i]) for i in (0, 1)]
    shared = max(0.0, sides[0]) * max(0.0, sides[1])
    both = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return shared / (both - shared) if shared else 0.0
