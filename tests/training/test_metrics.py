"""Errors, missing and redundant people, exchanged sides: each on a case made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from annotated import NAMES, annotation, body, people, truth

from vid2kp.pose.people import People
from vid2kp.training.metrics import (
    Comparison,
    body_length,
    compare,
    correct,
    partners,
    similarity,
    swapped,
    torso_length,
)

TORSO = 80.0


def compared(folder: Path, found: People, **more: object) -> Comparison:
    return compare(truth(folder, [annotation(body(), **more)]), [found])


def test_lengths_are_those_of_the_drawing() -> None:
    points = body()[None]
    assert torso_length(points, NAMES) == pytest.approx(TORSO)
    head_to_hip = TORSO * (1 + (0.4 + 0.5 * 2 + 0.45 * 2) / 5)
    assert body_length(points, NAMES) == pytest.approx(np.sqrt(0.8 * TORSO * head_to_hip))


def test_lengths_without_their_points_are_unknown() -> None:
    points = np.repeat(body()[None], 3, axis=0)
    points[0, NAMES.index("neck")] = np.nan
    points[1, NAMES.index("left_hip")] = np.nan
    points[2, [0, 14, 15, 16, 17]] = np.nan
    assert torso_length(points, NAMES)[0] == pytest.approx(TORSO), "shoulders do instead"
    assert np.isnan(torso_length(points, NAMES)[1])
    assert np.isnan(body_length(points, NAMES)[1:]).all()


def test_errors_are_in_torso_lengths(tmp_path: Path) -> None:
    moved = body()
    moved[3] += (0.15 * TORSO, 0)
    moved[4] += (0, -0.25 * TORSO)
    both = compared(tmp_path, people(moved))
    assert both.torso_error[0, [0, 3, 4]] == pytest.approx([0, 0.15, 0.25], abs=1e-6)
    within = [correct(both, w, scale=both.torso)[0].sum() for w in (0.1, 0.2, 0.3)]
    assert within == [20, 21, 22]


def test_what_was_not_found_is_not_correct(tmp_path: Path) -> None:
    partly = body()
    partly[[2, 5]] = np.nan
    both = compared(tmp_path, people(partly), unlabelled=("nose", "right_shoulder"))
    right, counted = correct(both, 0.2, scale=both.torso)
    assert (right.sum(), counted.sum()) == (19, 20)
    assert np.isnan(both.torso_error[0, [0, 2, 5]]).all()


def test_nobody_found_is_nothing_correct(tmp_path: Path) -> None:
    both = compared(tmp_path, People.none(22))
    right, counted = correct(both, 0.2, scale=both.torso)
    assert (right.sum(), counted.sum(), both.matched.tolist()) == (0, 22, [False])


def test_exchanged_sides_are_told_from_mere_errors(tmp_path: Path) -> None:
    crossed = body()
    wrists = [NAMES.index("right_wrist"), NAMES.index("left_wrist")]
    crossed[wrists] = crossed[wrists[::-1]]
    crossed[NAMES.index("right_knee")] += (0, 2 * TORSO)
    exchanged, counted = swapped(compared(tmp_path, people(crossed)))
    assert np.flatnonzero(exchanged[0]).tolist() == wrists
    assert counted.sum() == 20, "nose and neck have no partner"


def test_feet_side_by_side_are_not_exchanged(tmp_path: Path) -> None:
    close = body()
    ankles = [NAMES.index("right_ankle"), NAMES.index("left_ankle")]
    close[ankles, 0] = 200 + 0.05 * TORSO * np.array([-1, 1])
    read = truth(tmp_path, [annotation(close)])
    crossed = close.copy()
    crossed[ankles] = crossed[ankles[::-1]]
    assert not swapped(compare(read, [people(crossed)]))[0].any()


def test_a_wholly_exchanged_person_is_still_the_same(tmp_path: Path) -> None:
    both = compared(tmp_path, people(body()[partners(NAMES)]))
    assert both.matched.all()
    assert swapped(both)[0].sum() == 18, "eyes are too close together to tell"


def test_two_people_are_matched_whatever_their_order(tmp_path: Path) -> None:
    other = body(300, 150, 60)
    read = truth(tmp_path, [annotation(body()), annotation(other)])
    both = compare(read, [people(other, body())])
    assert np.nanmax(both.error) < 1e-4
    assert both.redundant.tolist() == [0]


def test_more_people_than_labelled_are_redundant(tmp_path: Path) -> None:
    both = compared(tmp_path, people(body(), body(360, 330, 20), body(205)))
    assert (both.predicted.tolist(), both.redundant.tolist()) == ([3], [2])


def test_unlabelled_people_may_be_found(tmp_path: Path) -> None:
    aside = body(330, 250, 40)
    read = truth(tmp_path, [annotation(body()), annotation(aside, unlabelled=NAMES)])
    both = compare(read, [people(body(), aside)])
    assert (both.predicted.tolist(), both.redundant.tolist()) == ([1], [0])


def test_similarity_falls_with_distance(tmp_path: Path) -> None:
    moved = body()
    nose, knee = NAMES.index("nose"), NAMES.index("left_knee")
    size = float(body_length(body()[None], NAMES)[0])
    moved[nose] += (2 * 0.026 * size, 0)
    moved[knee] = np.nan
    values, counted = similarity(compared(tmp_path, people(moved)))
    assert values[0, nose] == pytest.approx(np.exp(-0.5), rel=1e-4), "d = S · 2σ"
    assert (values[0, knee], values[0, 1], counted.sum()) == (0, pytest.approx(1), 22)


def test_parts_of_a_comparison_keep_their_pictures(tmp_path: Path) -> None:
    read = truth(tmp_path, [annotation(body(), image_id=i) for i in (1, 2, 3)])
    whole = compare(read, [people(body()), People.none(22), people(body(), body(360, 330, 20))])
    part = whole.of([0, 4], np.array([False, True, True]))
    assert part.keypoints == ("nose", "right_wrist")
    assert part.picture.tolist() == [0, 1]
    assert part.per_picture(np.isfinite(part.error)).tolist() == [0, 2]
    assert part.redundant.tolist() == [0, 1]
