"""The worst pictures come first, and a sheet of them holds pixels only when that was asked for."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from annotated import annotation, body, people, truth

from vid2kp.pose.people import People
from vid2kp.training.failures import draw_failures, worst
from vid2kp.training.results import Truth


@pytest.fixture
def three(tmp_path: Path) -> tuple[Truth, list[People]]:
    """Pictures with a small error, nobody found, and one limb far away."""
    read = truth(tmp_path, [annotation(body(), image_id=i) for i in (1, 2, 3)])
    limb = body()
    limb[:2] += 500
    return read, [people(body() + 1), People.none(22), people(limb)]


def test_the_worst_come_first(three: tuple[Truth, list[People]]) -> None:
    failures = worst(*three, 24)
    assert [one.picture for one in failures] == [1, 2, 0]
    assert failures[0].error == pytest.approx(0.5)
    assert failures[1].error == pytest.approx(0.5 * 2 / 22)  # far is no worse than not found
    assert failures[2].error == pytest.approx(np.hypot(1, 1) / 80, rel=1e-3)
    assert len(worst(*three, 2)) == 2


def test_pictures_without_a_torso_are_left_out(tmp_path: Path) -> None:
    hidden = annotation(body(), unlabelled=("neck", "right_shoulder"))
    assert worst(truth(tmp_path, [hidden]), [People.none(22)], 24) == []


def test_a_sheet_has_skeletons_and_no_pixels(
    three: tuple[Truth, list[People]], tmp_path: Path
) -> None:
    draw_failures(tmp_path / "plain.png", *three, worst(*three, 3))
    plain = cv2.imread(str(tmp_path / "plain.png"))
    assert plain.shape == (240, 720, 3)
    nobody, limb, near = np.hsplit(plain, 3)
    assert colourful(nobody) == 0 and (nobody.max(2) > 150).any(), "labels are grey"
    assert colourful(limb) > 500 and colourful(near) > 500

    grain = np.random.default_rng(0).integers(0, 255, (400, 400, 3), np.uint8)
    draw_failures(tmp_path / "full.png", *three, worst(*three, 3), pictures=lambda i: grain)
    full = cv2.imread(str(tmp_path / "full.png"))
    assert (full != plain).mean() > 0.9


def colourful(cell: np.ndarray) -> int:
    """Pixels that are not near grey."""
    return int((np.ptp(cell.astype(int), axis=2) > 60).sum())


def test_nothing_labelled_is_an_empty_sheet(tmp_path: Path) -> None:
    read = truth(tmp_path, [annotation(body())])
    draw_failures(tmp_path / "none.png", read, [People.none(22)], [])
    assert cv2.imread(str(tmp_path / "none.png")).shape == (240, 240, 3)
