"""Groups and rectangles as people forget them: the infants are the same, and nothing hides them."""

from __future__ import annotations

from itertools import compress
from pathlib import Path
from typing import Any

import pytest
import torch
from labelled import box, labels, people, point, said

from vid2kp.pose.skeleton import INFANT22
from vid2kp.training.dataset import CocoKeypoints
from vid2kp.training.labelme import Converted, LabelmeOptions, convert_labelme
from vid2kp.training.targets import Spread, make_targets

FIRST = {"nose": (10, 8), "neck": (10, 14), "right_hip": (7, 28), "left_hip": (13, 28)}
SECOND = {name: (x + 33, y + 2) for name, (x, y) in FIRST.items()}
AROUND_FIRST, AROUND_SECOND = (2, 4, 18, 34), (30, 5, 55, 36)

WRITTEN = {"both": (True, True), "points only": (False, True), "rectangle only": (True, False)}
"""Whether the rectangle and whether the points have a group."""


def points(places: dict[str, tuple[int, int]], group: int | None = None) -> list[dict[str, Any]]:
    return [point(name, *place, group_id=group) for name, place in places.items()]


def convert(folder: Path, *shapes: dict[str, Any], **options: Any) -> Converted:
    labels(folder / "a.json", *shapes)
    return convert_labelme(folder, options=LabelmeOptions(**options))


def names(converted: Converted) -> list[list[str]]:
    return [sorted(one) for one in people(converted)]


def seen_by_the_loss(converted: Converted, folder: Path) -> bool:
    """Whether the loss of a training looks at every labelled keypoint."""
    converted.write(folder / "coco.json")
    sample = CocoKeypoints(folder / "coco.json", folder, INFANT22).load(0)
    targets = make_targets(
        *(torch.from_numpy(a)[None] for a in (sample.keypoints, sample.state, sample.boxes)),
        INFANT22,
        size=(40, 60),
        stride=1,
        spread=Spread(2, 1),
    )
    peaks = targets.confidence[:, :-1] > 0.5
    assert peaks.any()
    return bool((targets.confidence_mask[:, :-1][peaks] == 1).all())


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("infants", [1, 2])
def test_a_forgotten_group_changes_nothing(tmp_path: Path, written: str, infants: int) -> None:
    rectangle, grouped = WRITTEN[written]
    shapes = []
    for group, (places, around) in enumerate(
        [(FIRST, AROUND_FIRST), (SECOND, AROUND_SECOND)][:infants], 1
    ):
        shapes += points(places, group if grouped else None)
        shapes.append(box(*around, group_id=group if rectangle else None))
    converted = convert(tmp_path, *shapes)
    assert names(converted) == [sorted(FIRST)] * infants
    boxes = [one["bbox"] for one in converted.document["annotations"]]
    assert boxes == [[1.5, 3.5, 16, 30], [29.5, 4.5, 25, 31]][:infants]
    assert said(converted) == []
    assert seen_by_the_loss(converted, tmp_path)


def test_a_rectangle_goes_to_whom_it_fits_best(tmp_path: Path) -> None:
    """The first infant's rectangle holds the second as well, whose own is the smaller one."""
    twin = {name: (x + 6, 10 + y // 3) for name, (x, y) in FIRST.items()}
    shapes = [*points(FIRST, 1), *points(twin, 2), box(2, 4, 24, 34), box(10, 10, 22, 22)]
    boxes = [one["bbox"] for one in convert(tmp_path, *shapes).document["annotations"]]
    assert boxes == [[1.5, 3.5, 22, 30], [9.5, 9.5, 12, 12]]


@pytest.mark.parametrize("rectangle", [[], [box(*AROUND_FIRST)], [box(*AROUND_FIRST, group_id=1)]])
def test_points_whose_group_was_forgotten_join_the_infant(
    tmp_path: Path, rectangle: list[dict[str, Any]]
) -> None:
    some, rest = points(FIRST, 1)[:2], points(FIRST)[2:]
    converted = convert(tmp_path, *some, *rest, *rectangle)
    assert names(converted) == [sorted(FIRST)]
    assert said(converted) == []


def test_whoever_has_other_noses_is_a_second_infant(tmp_path: Path) -> None:
    converted = convert(tmp_path, *points(FIRST, 1), *points(SECOND))
    assert names(converted) == [sorted(FIRST)] * 2
    assert said(converted) == ["points without a group are taken for a second infant"]


def test_a_rectangle_of_another_group_is_no_infant_over_the_labelled_one(tmp_path: Path) -> None:
    converted = convert(tmp_path, *points(FIRST, 1), box(*AROUND_FIRST, group_id=2))
    assert names(converted) == [sorted(FIRST)]
    assert said(converted) == ["a rectangle over another infant has no keypoints: left out"]
    assert seen_by_the_loss(converted, tmp_path)


def test_a_rectangle_apart_is_somebody_who_is_not_labelled(tmp_path: Path) -> None:
    converted = convert(tmp_path, *points(FIRST, 1), box(*AROUND_SECOND, label="adult"))
    assert names(converted) == [sorted(FIRST), []]
    assert seen_by_the_loss(converted, tmp_path)


def test_nobody_is_left_of_a_keypoint_labelled_twice(tmp_path: Path) -> None:
    converted = convert(tmp_path, point("nose", 5, 5), point("nose", 9, 5))
    assert people(converted) == []
    assert said(converted) == [
        "nobody could be made of its labels",
        "nose is labelled twice for one infant: left out",
        "an infant is left with no keypoints: left out",
    ]


@pytest.mark.parametrize(("x", "kept"), [(20, True), (32, True), (50, False)])
def test_a_hand_may_be_beyond_the_only_rectangle_but_not_far(
    tmp_path: Path, x: float, kept: bool
) -> None:
    hand = point("left_hand", x, 20)
    converted = convert(tmp_path, *points(FIRST), box(*AROUND_FIRST), hand)
    assert ("left_hand" in people(converted)[0]) == kept
    told = ["left_hand has no group and lies in no rectangle: left out"]
    assert said(converted) == list(compress(told, [not kept]))


@pytest.mark.parametrize("label", ["Baby", "infant 2", "Person1", "Kind"])
def test_rectangles_named_after_a_person_are_infants(tmp_path: Path, label: str) -> None:
    converted = convert(tmp_path, box(*AROUND_FIRST, label=label), aliases={"Kind": "infant"})
    assert (names(converted), said(converted)) == ([[]], [])


@pytest.mark.parametrize(
    ("aliases", "told"),
    [({"blanket": None}, []), ({}, ["unknown rectangle 'blanket': left out"])],
)
def test_other_rectangles_are_nobody(
    tmp_path: Path, aliases: dict[str, str | None], told: list[str]
) -> None:
    blanket = box(*AROUND_SECOND, label="blanket")
    converted = convert(tmp_path, blanket, *points(FIRST), aliases=aliases)
    assert names(converted) == [sorted(FIRST)]
    assert converted.document["annotations"][0]["bbox"] == [6.5, 7.5, 6, 20]
    assert said(converted) == told


def test_labels_mapped_to_nothing_are_passed_over_whatever_their_shape(tmp_path: Path) -> None:
    toy = point("toy", 1, 1, shape_type="polygon")
    assert said(convert(tmp_path, toy, *points(FIRST), aliases={"toy": None})) == []


def test_a_person_is_no_keypoint(tmp_path: Path) -> None:
    converted = convert(tmp_path, point("Kind", 5, 5), aliases={"Kind": "infant"})
    assert people(converted) == []
    assert said(converted)[1:] == ["unknown label 'Kind': left out"]
