"""The crop: it is filled by the infant, moves as rarely as it can, and lets go in time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vid2kp.pose.framing import keypoints_to_display, keypoints_to_network
from vid2kp.pose.zoom import Zoom, ZoomOptions

WIDTH, HEIGHT = 1920, 1080


def body(x: float, y: float, size: float, *, frames: int = 4, seed: int = 0) -> np.ndarray:
    """(frames, 22, 2) keypoints spread over a square of that size around (x, y)."""
    rng = np.random.default_rng(seed)
    spots = rng.uniform(-0.5, 0.5, (22, 2))
    spots[:2] = [[-0.5, -0.5], [0.5, 0.5]]
    return np.repeat((spots * size + (x, y))[None], frames, 0).astype(np.float32)


def test_the_whole_frame_is_looked_at_until_somebody_is_found():
    zoom = Zoom(256)
    view = zoom.view(WIDTH, HEIGHT)
    assert (view.width, view.height) == (256, 144) and zoom.box is None
    assert [view.width for view in zoom.search_views(WIDTH, HEIGHT)] == [192, 256, 448]


@pytest.mark.parametrize("size", [90, 200, 400])
def test_the_infant_fills_the_crop(size: float):
    zoom = Zoom(256)
    assert zoom.follow(body(700, 400, size))
    seen = keypoints_to_network(zoom.view(WIDTH, HEIGHT), body(700, 400, size)[0])
    extent = (seen.max(0) - seen.min(0)).max()
    assert 0.5 * 256 < extent < 0.8 * 256
    assert seen.min() > 0 and seen.max() < 255


def test_a_small_infant_is_magnified_severalfold():
    zoom = Zoom(256)
    whole = zoom.view(WIDTH, HEIGHT).scale
    zoom.follow(body(700, 400, 200))
    assert zoom.view(WIDTH, HEIGHT).scale > 4 * whole


def test_an_infant_that_fills_the_frame_gets_a_crop_larger_than_it():
    zoom = Zoom(256)
    assert zoom.follow(body(960, 540, 1000))
    x0, y0, _, y1 = zoom.box
    assert y0 < 0 and y1 > HEIGHT and x0 > 0


def test_small_movements_leave_the_crop_where_it_is():
    zoom = Zoom(256)
    zoom.follow(body(700, 400, 200))
    for step in range(12):
        shift = 10 * np.sin(step)
        assert not zoom.follow(body(700 + shift, 400 - shift, 190 + step))
    assert zoom.moves == 1


def test_leaving_the_crop_moves_it_once():
    zoom = Zoom(256)
    zoom.follow(body(700, 400, 200))
    assert zoom.follow(body(900, 400, 200))
    assert not zoom.follow(body(900, 400, 200))
    assert zoom.moves == 2


def test_too_few_keypoints_decide_nothing():
    zoom = Zoom(256)
    alone = np.full((3, 22, 2), np.nan, np.float32)
    alone[0, :3] = 100
    assert not zoom.follow(alone) and zoom.box is None


def test_forgetting_goes_back_to_the_whole_frame():
    zoom = Zoom(256)
    zoom.follow(body(700, 400, 200))
    zoom.forget()
    assert zoom.box is None and zoom.moves == 2


def test_a_refused_crop_is_not_tried_again_from_the_same_place():
    zoom = Zoom(256)
    zoom.follow(body(700, 400, 200))
    first = zoom.place
    assert zoom.follow(body(900, 400, 200))
    zoom.refuse(first)
    assert zoom.place == first
    assert not zoom.follow(body(900, 400, 200)) and zoom.place == first
    assert zoom.follow(body(1100, 400, 200)), "elsewhere it may go"
    assert zoom.follow(body(900, 400, 200)), "and from there it may come here"


@settings(max_examples=60, deadline=None)
@given(
    x=st.floats(100, 1800),
    y=st.floats(100, 1000),
    size=st.floats(40, 600),
)
def test_a_crop_holds_the_infant_and_ends_on_whole_steps(x: float, y: float, size: float):
    zoom = Zoom(256)
    points = body(x, y, size)
    if not zoom.follow(points):
        return
    x0, y0, x1, y1 = zoom.box
    side = x1 - x0
    assert side == pytest.approx(y1 - y0)
    assert x0 <= points[..., 0].min() and x1 >= points[..., 0].max()
    assert y0 <= points[..., 1].min() and y1 >= points[..., 1].max()
    steps = 4 * np.log2(side / 32)
    assert steps == pytest.approx(round(steps), abs=1e-6)
    assert (x0 + x1) / 2 / (side / 16) == pytest.approx(
        round((x0 + x1) / 2 / (side / 16)), abs=1e-6
    )
    view = zoom.view(WIDTH, HEIGHT)
    back = keypoints_to_display(view, keypoints_to_network(view, points[0]))
    assert np.allclose(back, points[0], atol=1e-3)


def test_the_crop_does_not_flip_between_two_sizes():
    """Whatever size led to a crop, a tenth more or less keeps it."""
    options = ZoomOptions()
    for size in np.linspace(60, 500, 40):
        zoom = Zoom(256, options)
        zoom.follow(body(900, 500, size))
        first = zoom.box
        for factor in (0.9, 1.1):
            zoom.follow(body(900, 500, size * factor))
            assert zoom.box == first
