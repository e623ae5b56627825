from __future__ import annotations

import numpy as np
import people
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vid2kp.pose.skeleton import COCO18, INFANT22, SKELETONS, Skeleton
from vid2kp.render import shapes
from vid2kp.render.drawing import SkeletonPainter, Style
from vid2kp.render.pen import BACKGROUND, yuv
from vid2kp.tracks.store import Pose
from vid2kp.video.write import Canvas

WIDTH, HEIGHT = 320, 240


def canvas() -> Canvas:
    return Canvas(
        np.zeros((HEIGHT, WIDTH), np.uint8),
        np.zeros((HEIGHT // 2, WIDTH // 2), np.uint8),
        np.zeros((HEIGHT // 2, WIDTH // 2), np.uint8),
    )


def painter(skeleton: Skeleton = INFANT22, **style: int) -> SkeletonPainter:
    return SkeletonPainter(
        skeleton, width=WIDTH, height=HEIGHT, style=Style(torso=0.27 * HEIGHT, **style)
    )


def pose(frame: int = 0, skeleton: Skeleton = INFANT22, seed: int = 0) -> Pose:
    xy, confidence = people.moving_infant(
        frame + 1, seed=seed, skeleton=skeleton, width=WIDTH, height=HEIGHT
    )
    return Pose(xy[frame], confidence[frame])


def drawn(seen: dict[str, Pose], brush: SkeletonPainter | None = None) -> Canvas:
    brush = brush or painter()
    fresh = canvas()
    brush.clear(fresh)
    brush.paint(fresh, seen)
    return fresh


def planes(one: Canvas) -> bytes:
    return one.y.tobytes() + one.u.tobytes() + one.v.tobytes()


def is_background(one: Canvas, x: float, y: float) -> bool:
    column, row = round(x), round(y)
    found = one.y[row, column], one.u[row // 2, column // 2], one.v[row // 2, column // 2]
    return all(abs(int(a) - b) <= 1 for a, b in zip(found, yuv(BACKGROUND), strict=True))


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda s: s.name)
def test_right_is_warm_and_left_is_cold(skeleton: Skeleton) -> None:
    seen = pose(skeleton=skeleton)
    picture = drawn({"infant": seen}, painter(skeleton))
    for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle"):
        for side, warm in (("right", True), ("left", False)):
            x, y = (seen.xy[skeleton.index(f"{side}_{part}")] / 2).astype(int)
            blue, red = int(picture.u[y, x]), int(picture.v[y, x])
            assert (red > blue) == warm, (side, part)


def test_a_keypoint_that_was_not_observed_is_not_drawn() -> None:
    seen = pose()
    for name in ("left_ankle", "right_wrist"):
        picture = drawn({"infant": seen})
        gone = Pose(seen.xy.copy(), seen.confidence.copy())
        which = INFANT22.index(name)
        foot = INFANT22.index(name.replace("ankle", "foot").replace("wrist", "hand"))
        gone.xy[[which, foot]], gone.confidence[[which, foot]] = np.nan, np.nan
        x, y = seen.xy[which]
        assert not is_background(picture, x, y)
        assert is_background(drawn({"infant": gone}), x, y)


def test_nobody_leaves_the_background() -> None:
    nowhere = Pose(np.full((22, 2), np.nan, np.float32), np.full(22, np.nan, np.float32))
    for seen in ({}, {"infant": nowhere}, {"person1": nowhere}):
        picture = drawn(seen)
        assert set(picture.y.ravel()) == {yuv(BACKGROUND)[0]}
        assert set(picture.u.ravel()) == {yuv(BACKGROUND)[1]}
        assert set(picture.v.ravel()) == {yuv(BACKGROUND)[2]}


def test_a_used_canvas_looks_like_a_fresh_one() -> None:
    brush, used = painter(), canvas()
    brush.clear(used)
    for frame in range(0, 60, 7):
        seen = {"person1": pose(frame, seed=5), "infant": pose(frame)}
        brush.paint(used, seen)
        assert planes(used) == planes(drawn(seen))
    brush.paint(used, {})
    assert planes(used) == planes(drawn({}))


def test_confidence_is_brightness() -> None:
    knee = INFANT22.index("left_knee")
    brightness = []
    for confidence in (0.05, 0.3, 0.5, 0.9):
        seen = pose()
        seen.confidence[:] = confidence
        x, y = np.round(seen.xy[knee]).astype(int)
        brightness.append(int(drawn({"infant": seen}).y[y, x]))
    assert brightness == sorted(brightness)
    assert len(set(brightness)) == 4
    assert brightness[0] > yuv(BACKGROUND)[0] + 10  # faint, but there


def test_others_are_grey_and_darker_than_the_infant() -> None:
    infant, other = drawn({"infant": pose()}), drawn({"person1": pose()})
    assert abs(other.u.astype(int) - 128).max() < 12
    assert abs(other.v.astype(int) - 128).max() < 12
    assert abs(infant.v.astype(int) - 128).max() > 60
    assert other.y.max() < 0.6 * infant.y.max()


def test_the_infant_is_drawn_over_others() -> None:
    alone = drawn({"infant": pose()})
    both = drawn({"infant": pose(), "person1": pose()})
    wrist = np.round(pose().xy[INFANT22.index("left_wrist")]).astype(int)
    assert both.y[wrist[1], wrist[0]] == alone.y[wrist[1], wrist[0]]


def test_trails_show_where_wrists_came_from() -> None:
    brush, plain, used = painter(trail=25), painter(), canvas()
    brush.clear(used)
    for frame in range(30):
        brush.paint(used, {"infant": pose(frame)})
    without = drawn({"infant": pose(29)}, plain)
    more = used.y.astype(int) - without.y
    assert (more > 5).sum() > 50
    path = pose(20).xy[INFANT22.index("left_wrist")]
    assert not is_background(used, *path)


@settings(max_examples=60, deadline=None)
@given(
    xy=st.lists(
        st.tuples(*[st.one_of(st.floats(-1e6, 1e6, width=32), st.just(float("nan")))] * 2),
        min_size=18,
        max_size=18,
    )
)
def test_any_coordinates_can_be_drawn(xy: list[tuple[float, float]]) -> None:
    points = np.array(xy, np.float32)
    confidence = np.where(np.isnan(points).any(axis=1), np.nan, 0.5).astype(np.float32)
    points[np.isnan(confidence)] = np.nan
    brush, used = painter(COCO18, trail=3), canvas()
    brush.clear(used)
    for _ in range(3):
        brush.paint(used, {"infant": Pose(points, confidence)})
    assert used.y.max() <= 235
    nobody = np.full_like(points, np.nan)
    for _ in range(5):
        brush.paint(used, {"infant": Pose(nobody, confidence * np.nan)})
    assert planes(used) == planes(drawn({}))


def test_all_keypoints_at_one_place() -> None:
    seen = Pose(np.full((22, 2), 100, np.float32), np.ones(22, np.float32))
    assert not is_background(drawn({"infant": seen}), 100, 100)


def test_limbs_reach_around_both_ends() -> None:
    outline = shapes.limbs(
        np.array([[10.0, 20.0]]), np.array([[60.0, 20.0]]), np.array([8.0]), np.array([4.0])
    )[0]
    np.testing.assert_allclose(outline.min(axis=0), [2, 12], atol=0.3)
    np.testing.assert_allclose(outline.max(axis=0), [64, 28], atol=0.3)
    turned = shapes.limbs(
        np.array([[0.0, 0.0]]), np.array([[30.0, 40.0]]), np.array([5.0]), np.array([5.0])
    )[0]
    axis = np.array([0.6, 0.8])
    across = turned @ [-axis[1], axis[0]]
    np.testing.assert_allclose([across.min(), across.max()], [-5, 5], atol=0.1)


def test_the_head_encloses_the_face() -> None:
    xy = pose().xy.astype(np.float64)
    torso = 0.27 * HEIGHT
    names = ("nose", "right_eye", "left_eye", "right_ear", "left_ear")
    face = {n: xy[INFANT22.index(n)] for n in names}
    neck = xy[INFANT22.index("neck")]
    outline = shapes.head(face, neck, torso)
    assert outline is not None
    radius = np.hypot(*(outline - outline.mean(axis=0)).T)
    assert 0.26 * torso < radius.min() <= radius.max() < 0.47 * torso
    for point in face.values():
        assert np.hypot(*(point - outline.mean(axis=0))) < radius.max()
    assert shapes.head({}, neck, torso) is None
    assert shapes.head(face, np.full(2, np.nan), torso) is None
    assert shapes.head({"nose": neck}, neck, torso) is None


def test_colours_are_bt709_limited_range() -> None:
    assert yuv((255, 255, 255)) == (235, 128, 128)
    assert yuv((0, 0, 0)) == (16, 128, 128)
    assert yuv((255, 0, 0)) == (63, 102, 240)
    assert yuv((0, 0, 255)) == (32, 240, 118)
