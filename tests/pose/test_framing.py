"""Coordinates and pixels go the same way, and back."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vid2kp.pose import framing


@dataclass(frozen=True)
class Planes:
    y: np.ndarray
    u: np.ndarray
    v: np.ndarray
    full_range: bool = False
    bt709: bool = False


@dataclass(frozen=True)
class Frame:
    display_from_coded: np.ndarray
    planes: Planes | None


def smooth_image(width: int, height: int, seed: int = 0) -> np.ndarray:
    """(height, width, 3) uint8 RGB without detail finer than about eight pixels."""
    rng = np.random.default_rng(seed)
    small = rng.integers(40, 216, (max(2, height // 16), max(2, width // 16), 3), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def planes_of(image: np.ndarray, *, full_range: bool = False, bt709: bool = False) -> Planes:
    """Planes of an RGB picture by the textbook formulas (ITU-R BT.601 and BT.709)."""
    red, blue = (0.2126, 0.0722) if bt709 else (0.299, 0.114)
    r, g, b = np.moveaxis(image.astype(np.float64), -1, 0)
    luma = red * r + (1 - red - blue) * g + blue * b
    u, v = (b - luma) / (2 * (1 - blue)), (r - luma) / (2 * (1 - red))
    y_scale, y_zero, c_scale = (1.0, 0, 1.0) if full_range else (219 / 255, 16, 224 / 255)
    half = (-(-image.shape[1] // 2), -(-image.shape[0] // 2))
    u, v = (cv2.resize(c, half, interpolation=cv2.INTER_AREA) * c_scale + 128 for c in (u, v))
    planes = (np.clip(np.rint(p), 0, 255).astype(np.uint8) for p in (luma * y_scale + y_zero, u, v))
    return Planes(*planes, full_range=full_range, bt709=bt709)


def frame_of(image: np.ndarray, **how: bool) -> Frame:
    height, width = image.shape[:2]
    return Frame(framing.display_from_coded(width, height), planes_of(image, **how))


# -- maps --------------------------------------------------------------------------------------


def test_scaling_moves_edges_not_centres() -> None:
    view = framing.whole_frame(512, 256, size=256)
    assert (view.width, view.height) == (256, 128)
    np.testing.assert_allclose(
        framing.keypoints_to_display(view, np.array([[0.0, 0.0], [255.0, 127.0]])),
        [[0.5, 0.5], [510.5, 254.5]],
    )


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_coded_picture_is_turned_like_rot90(rotation: int) -> None:
    image = np.arange(12).reshape(3, 4)
    matrix = framing.display_from_coded(4, 3, rotation=rotation)
    _assert_places(image, np.rot90(image, rotation // 90), matrix)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_mirror_flips_the_turned_picture(rotation: int) -> None:
    image = np.arange(12).reshape(3, 4)
    matrix = framing.display_from_coded(4, 3, rotation=rotation, mirrored=True)
    _assert_places(image, np.rot90(image, rotation // 90)[:, ::-1], matrix)


def _assert_places(coded: np.ndarray, display: np.ndarray, matrix: np.ndarray) -> None:
    for y in range(coded.shape[0]):
        for x in range(coded.shape[1]):
            column, row = framing.transform_points(matrix, np.array([float(x), float(y)]))
            assert display[round(row), round(column)] == coded[y, x]


def test_pixel_aspect_stretches_x_only() -> None:
    aspect = Fraction(64, 45)
    assert framing.display_size(720, 576, pixel_aspect=aspect) == (1024, 576)
    assert framing.display_size(720, 576, pixel_aspect=aspect, rotation=90) == (576, 1024)
    matrix = framing.display_from_coded(720, 576, pixel_aspect=aspect)
    np.testing.assert_allclose(  # the outer edges stay the outer edges
        framing.transform_points(matrix, np.array([[-0.5, -0.5], [719.5, 575.5]])),
        [[-0.5, -0.5], [1023.5, 575.5]],
    )


views = st.one_of(
    st.builds(
        framing.whole_frame,
        st.integers(16, 4000),
        st.integers(16, 4000),
        size=st.integers(64, 512),
        multiple=st.sampled_from([1, 8, 32]),
        rotation=st.sampled_from([0, 90, 180, 270]),
    ),
    st.builds(
        framing.crop,
        st.tuples(st.floats(-100, 2000), st.floats(-100, 2000)),
        st.floats(8, 3000),
        size=st.integers(64, 512),
        rotation=st.floats(-180, 180),
    ),
)


@given(views, st.lists(st.tuples(st.floats(-50, 600), st.floats(-50, 600)), min_size=1))
def test_keypoints_return_to_where_they_came_from(
    view: framing.View, points: list[tuple[float, float]]
) -> None:
    xy = np.array(points)
    there = framing.keypoints_to_display(view, xy)
    np.testing.assert_allclose(framing.keypoints_to_network(view, there), xy, atol=1e-6)


def test_missing_keypoints_stay_missing_and_float32_stays_float32() -> None:
    view = framing.crop((50, 50), 40, size=64)
    xy = np.array([[1.0, 2.0], [np.nan, np.nan]], np.float32)
    moved = framing.keypoints_to_display(view, xy)
    assert moved.dtype == np.float32
    assert np.isnan(moved[1]).all()
    assert np.isfinite(moved[0]).all()


@given(views)
def test_views_say_how_they_are_turned(view: framing.View) -> None:
    undo = framing.turn(-view.rotation) @ view.network_from_display
    assert undo[0, 0] > 0
    assert abs(undo[1, 0]) < 1e-6 * view.scale


def test_box_of_a_crop_is_the_square() -> None:
    assert framing.crop((100, 60), 40, size=256).box == pytest.approx((80, 40, 120, 80))
    half_diagonal = 20 * 2**0.5
    turned = framing.crop((100, 60), 40, size=256, rotation=45).box
    assert turned == pytest.approx(
        (100 - half_diagonal, 60 - half_diagonal, 100 + half_diagonal, 60 + half_diagonal)
    )


@given(st.integers(16, 4000), st.integers(16, 4000), st.sampled_from([0, 90, 180, 270]))
def test_whole_frame_shows_everything(width: int, height: int, rotation: int) -> None:
    view = framing.whole_frame(width, height, size=256, multiple=8, rotation=rotation)
    assert view.width % 8 == view.height % 8 == 0
    assert max(view.width, view.height) == 256
    x0, y0, x1, y1 = view.box
    assert x0 <= -0.5 + 1e-6
    assert y0 <= -0.5 + 1e-6
    assert x1 >= width - 0.5 - 1e-6
    assert y1 >= height - 0.5 - 1e-6


def test_grid_cells_sit_in_the_middle_of_their_pixels() -> None:
    cells = np.array([0.0, 1.0, 31.0])
    np.testing.assert_allclose(framing.grid_to_input(cells, 8), [3.5, 11.5, 251.5])
    np.testing.assert_allclose(framing.input_to_grid(framing.grid_to_input(cells, 8), 8), cells)


# -- pixels ------------------------------------------------------------------------------------


def test_a_marked_pixel_is_seen_where_the_map_says() -> None:
    for at in ((37, 21), (30, 50), (66, 44)):
        image = np.zeros((72, 100, 3), np.uint8)
        image[at[1] - 2 : at[1] + 3, at[0] - 2 : at[0] + 3] = 255
        for view in (
            framing.crop((50, 36), 80, size=160, rotation=30),
            framing.whole_frame(100, 72, size=400, rotation=90),
        ):
            seen = np.clip(framing.sample_image(image, view)[..., 0].astype(float) - 140, 0, None)
            rows, columns = np.indices(seen.shape)
            middle = [(columns * seen).sum() / seen.sum(), (rows * seen).sum() / seen.sum()]
            expected = framing.keypoints_to_network(view, np.array(at, float))
            np.testing.assert_allclose(middle, expected, atol=0.6)


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("bt709", [False, True])
def test_colours_survive_the_way_through_planes(full_range: bool, bt709: bool) -> None:
    image = smooth_image(320, 192)
    frame = frame_of(image, full_range=full_range, bt709=bt709)
    view = framing.crop((160, 96), 150, size=100)
    straight = framing.sample_image(image, view).astype(int)
    through = framing.sample(frame, view).astype(int)
    assert np.abs(straight - through).mean() < 1.5
    assert np.abs(straight - through).max() <= 8


@pytest.mark.parametrize("shrink", [1.3, 2.0, 3.0, 5.5, 11.0])
def test_shrinking_averages_instead_of_aliasing(shrink: float) -> None:
    rows, columns = np.indices((704, 704))
    board = ((rows + columns) % 2 * 255).astype(np.uint8)  # the finest pattern there is
    image = np.repeat(board[..., None], 3, axis=-1)
    view = framing.crop((351.5, 351.5), 600, size=round(600 / shrink))
    seen = framing.sample_image(image, view).astype(float)
    assert abs(seen.mean() - 127.5) < 2
    assert seen.std() < (75 if shrink < 1.42 else 45)
    if shrink >= 2:
        assert seen.std() < 20


@pytest.mark.parametrize("shrink", [2, 4, 8])
def test_shrinking_by_a_power_of_two_is_the_exact_average(shrink: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 128, 3), np.uint8)
    view = framing.whole_frame(128, 64, size=128 // shrink, multiple=1)
    exact = image.reshape(64 // shrink, shrink, 128 // shrink, shrink, 3).mean(axis=(1, 3))
    # Repeated rounding to 8 bits costs up to half a level per halving.
    assert np.abs(framing.sample_image(image, view) - exact).max() <= 2


@given(st.integers(33, 130), st.integers(33, 130), st.floats(16, 200), st.floats(-40, 170))
def test_a_plain_picture_is_plain_to_its_edges_and_grey_beyond(
    width: int, height: int, side: float, x: float
) -> None:
    image = np.full((height, width, 3), 200, np.uint8)
    view = framing.crop((x, height / 2), side, size=48)
    seen = framing.sample_image(image, view)
    rows, columns = np.indices((48, 48))
    display = framing.keypoints_to_display(view, np.stack([columns, rows], -1).astype(float))
    reach = max(1.0, side / 48) * 2.2  # an averaged cell and half its neighbour
    inside = ((display > reach - 0.5) & (display < np.array([width, height]) - 0.5 - reach)).all(-1)
    outside = ((display < -0.5 - reach) | (display > np.array([width, height]) - 0.5 + reach)).any(
        -1
    )
    assert (seen[inside] == 200).all()
    assert (seen[outside] == framing.GREY).all()


def test_outside_is_the_same_grey_through_planes() -> None:
    for full_range in (False, True):
        frame = frame_of(smooth_image(64, 64), full_range=full_range)
        far = framing.sample(frame, framing.crop((500, 500), 50, size=32))
        assert (far == framing.GREY).all()


def test_a_lost_frame_is_grey() -> None:
    view = framing.whole_frame(64, 48, size=64)
    assert (framing.sample(Frame(np.eye(3), None), view) == framing.GREY).all()


def test_where_a_view_is_cut_does_not_change_its_pixels() -> None:
    image = np.random.default_rng(1).integers(0, 256, (400, 600, 3), np.uint8)
    wide = framing.whole_frame(600, 400, size=120, multiple=1)
    part = framing.View(60, 80, wide.network_from_display)
    np.testing.assert_array_equal(
        framing.sample_image(image, part), framing.sample_image(image, wide)[:80, :60]
    )
