"""Display matrices: turned, mirrored, and nonsense."""

from __future__ import annotations

import struct

import pytest

from vid2kp.video.orientation import Orientation, orientation_from_matrix

ONE = 1 << 16


def matrix(a: float, b: float, c: float, d: float) -> bytes:
    whole = [round(value * ONE) for value in (a, b)]
    rest = [round(value * ONE) for value in (c, d)]
    return struct.pack("=9i", *whole, 0, *rest, 0, 0, 0, 1 << 30)


@pytest.mark.parametrize(
    ("values", "rotation", "mirrored"),
    [
        ((1, 0, 0, 1), 0, False),
        ((0, 1, -1, 0), 270, False),  # a phone held upright
        ((-1, 0, 0, -1), 180, False),
        ((0, -1, 1, 0), 90, False),
        ((-1, 0, 0, 1), 0, True),
        ((1, 0, 0, -1), 180, True),  # upside down mirrored: turned, then left to right
        ((0, 1, 1, 0), 270, True),
        ((0, -1, -1, 0), 90, True),
    ],
)
def test_all_eight_orientations(values: tuple[float, ...], rotation: int, mirrored: bool) -> None:
    assert orientation_from_matrix(matrix(*values)) == Orientation(rotation, mirrored)


def test_scale_in_the_matrix_is_not_orientation() -> None:
    assert orientation_from_matrix(matrix(0, 2, -0.5, 0)) == Orientation(270, False)


@pytest.mark.parametrize(
    "data",
    [
        matrix(0, 0, 0, 0),
        matrix(0.799, 0.602, -0.602, 0.799),  # 37 degrees
        matrix(1, 0, 1, 1),  # skewed
        struct.pack("=9i", *[-(1 << 31)] * 9),
        b"short",
    ],
)
def test_nonsense_leaves_the_picture_alone(data: bytes) -> None:
    assert orientation_from_matrix(data) == Orientation(0, False, understood=False)
