"""The parser finds known people in belief maps drawn from them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from belief_maps import draw, person
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from vid2kp.pose.parse import BeliefMaps, ParseOptions, parse
from vid2kp.pose.people import People
from vid2kp.pose.skeleton import BODY25, COCO18, INFANT22, Skeleton


def worst_error(found: People, truth: list[np.ndarray]) -> float:
    """Largest distance in pixels; infinite unless exactly the true keypoints of all were found."""
    if len(found) != len(truth):
        return np.inf
    if not truth:
        return 0.0
    distance = np.linalg.norm(found.keypoints[:, None] - np.stack(truth)[None], axis=-1)
    rows, columns = linear_sum_assignment(np.nan_to_num(distance, nan=0.0).sum(axis=-1))
    wrong = np.isnan(found.keypoints[rows, :, 0]) != np.isnan(np.stack(truth)[columns, :, 0])
    return np.inf if wrong.any() else float(np.nanmax(distance[rows, columns]))


def quarters(count: int, seed: int) -> list[np.ndarray]:
    """Up to four people, each in a quarter of 256 × 256 pixels."""
    rng = np.random.default_rng(seed)
    places = [(64, 64), (192, 64), (64, 192), (192, 192)][:count]
    return [
        person(x, y, length=105, angle=rng.uniform(0, 360), seed=seed * 10 + i)
        for i, (x, y) in enumerate(places)
    ]


def without(one: np.ndarray, *names: str, skeleton: Skeleton = INFANT22) -> np.ndarray:
    one = one.copy()
    one[[skeleton.index(name) for name in names]] = np.nan
    return one


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_everybody_is_found(count: int) -> None:
    images = [quarters(count, seed) for seed in range(6)]
    for found, truth in zip(parse(draw(images, sigma=6), INFANT22), images, strict=True):
        assert worst_error(found, truth) < 0.6


@pytest.mark.parametrize(("stride", "sigma"), [(4, 7.0), (8, 12.0)])
def test_one_person_is_placed_within_a_fiftieth_of_a_pixel(stride: int, sigma: float) -> None:
    images = [[person(128, 128, length=180, angle=15 * i, seed=i)] for i in range(24)]
    maps = draw(images, stride=stride, sigma=sigma, limb=1.2 * stride)
    for found, truth in zip(parse(maps, INFANT22), images, strict=True):
        assert worst_error(found, truth) < 0.02
        assert found.score[0] == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("skeleton", [COCO18, INFANT22])
def test_every_keypoint_set_can_be_parsed(skeleton: Skeleton) -> None:
    truth = [person(120, 130, length=160, seed=3, skeleton=skeleton)]
    found = parse(draw([truth], skeleton=skeleton), skeleton)[0]
    assert worst_error(found, truth) < 0.05


def test_body25_has_its_own_limbs() -> None:
    truth = np.full((25, 2), np.nan)
    for row, place in enumerate(person(120, 130, length=160, skeleton=COCO18)):
        truth[BODY25.index(COCO18.keypoints[row])] = place
    hips = [BODY25.index(f"{side}_hip") for side in ("right", "left")]
    truth[BODY25.index("mid_hip")] = truth[hips].mean(axis=0)
    assert worst_error(parse(draw([[truth]], skeleton=BODY25), BODY25)[0], [truth]) < 0.05


def test_missing_keypoints_are_missing() -> None:
    truth = [
        without(person(70, 128, seed=1), "right_wrist", "right_hand", "left_ear"),
        without(person(190, 128, seed=2), "nose", "left_ankle", "left_foot"),
    ]
    found = parse(draw([truth]), INFANT22)[0]
    assert worst_error(found, truth) < 0.1
    assert np.array_equal(np.isnan(found.confidence), np.isnan(found.keypoints[..., 0]))


def test_crossing_limbs_keep_their_owners() -> None:
    left, right = person(90, 120, length=140), person(170, 120, length=140)
    # Each reaches over the other's arm.
    for joint, x in (("elbow", 118), ("wrist", 146), ("hand", 154)):
        left[INFANT22.index(f"left_{joint}")] = x, 104 + 0.35 * (x - 118)
        right[INFANT22.index(f"right_{joint}")] = 260 - x, 116 - 0.35 * (x - 118)
    crossed = person(128, 128, length=170)
    for joint in ("knee", "ankle", "foot"):
        sides = [INFANT22.index(f"{side}_{joint}") for side in ("right", "left")]
        crossed[sides, 0] = crossed[sides[::-1], 0]
    images = [[left, right], [crossed]]
    for found, truth in zip(parse(draw(images, sigma=5, limb=4), INFANT22), images, strict=True):
        assert worst_error(found, truth) < 1.0


def test_an_empty_image_has_nobody() -> None:
    for found in parse(draw([[], []]), INFANT22):
        assert len(found) == 0
        assert found.keypoints.shape == (0, 22, 2)
    assert parse(draw([]), INFANT22) == []


def test_noise_alone_is_nobody() -> None:
    noise = torch.randn(2, 22, 64, 64, generator=torch.Generator().manual_seed(0))
    paf = 0.05 * torch.randn(2, 23, 2, 64, 64, generator=torch.Generator().manual_seed(1))
    assert [len(p) for p in parse(BeliefMaps(0.03 * noise, paf, 4), INFANT22)] == [0, 0]


def test_a_batch_gives_what_single_images_give() -> None:
    maps = draw([quarters(count, count) for count in (4, 0, 1, 3, 2, 1)])
    together = parse(maps, INFANT22)
    for i, found in enumerate(together):
        alone = BeliefMaps(maps.confidence[i : i + 1], maps.paf[i : i + 1], maps.stride)
        single = parse(alone, INFANT22)[0]
        np.testing.assert_array_equal(found.keypoints, single.keypoints)
        np.testing.assert_array_equal(found.confidence, single.confidence)


def test_threads_are_left_as_they_were() -> None:
    before = torch.get_num_threads()
    parse(draw([quarters(1, 0)]), INFANT22)
    assert torch.get_num_threads() == before


def test_people_come_best_first_and_no_more_than_asked_for() -> None:
    truth = quarters(4, 7)
    truth[1] = without(truth[1], "nose", "right_eye", "right_ear", "left_eye", "left_ear")
    maps = draw([truth], sigma=6)
    found = parse(maps, INFANT22)[0]
    assert np.all(np.diff(found.score) <= 0)
    assert np.isnan(found.keypoints[3, INFANT22.index("nose")]).all()
    assert len(parse(maps, INFANT22, ParseOptions(max_people=2))[0]) == 2


def test_few_keypoints_are_nobody() -> None:
    arm = without(person(128, 128), *(n for n in INFANT22.keypoints if "right_" not in n))
    hidden = without(arm, *(n for n in INFANT22.keypoints if n not in _ARM))
    assert len(parse(draw([[hidden]]), INFANT22)[0]) == 0
    assert len(parse(draw([[hidden]]), INFANT22, ParseOptions(min_keypoints=3))[0]) == 1


_ARM = ("right_shoulder", "right_elbow", "right_wrist")


def _without_limbs(maps: BeliefMaps, *keypoints: str) -> BeliefMaps:
    """The maps with nothing in the fields of all limbs that touch these keypoints."""
    paf = maps.paf.clone()
    hidden = {INFANT22.index(name) for name in keypoints}
    for limb, ends in enumerate(INFANT22.limbs):
        if hidden & set(ends):
            paf[:, limb] = 0
    return BeliefMaps(maps.confidence, paf, maps.stride)


def test_a_plain_wrist_without_a_forearm_is_the_only_infants() -> None:
    truth = person(128, 128, length=170, seed=4)
    maps = _without_limbs(draw([[truth]]), "right_wrist", "right_hand")
    assert worst_error(parse(maps, INFANT22)[0], [truth]) < 0.05


def test_a_wrist_beyond_a_hidden_elbow_is_found() -> None:
    truth = without(person(128, 128, length=170, seed=5), "right_elbow")
    assert worst_error(parse(draw([[truth]]), INFANT22)[0], [truth]) < 0.05


def test_an_infant_is_whole_even_where_no_field_says_so() -> None:
    truth = person(128, 128, length=150, seed=6)
    maps = draw([[truth]])
    nothing = BeliefMaps(maps.confidence, torch.zeros_like(maps.paf), maps.stride)
    assert worst_error(parse(nothing, INFANT22)[0], [truth]) < 0.05


def test_a_wrist_that_could_be_of_two_people_is_nobodys() -> None:
    near, far = person(90, 128, length=120), person(166, 128, length=120)
    lone = np.full((22, 2), np.nan)
    near, far = without(near, "left_wrist", "left_hand"), without(far, "left_wrist", "left_hand")
    lone[INFANT22.index("left_wrist")] = 150, 128
    found = parse(draw([[near, far, lone]]), INFANT22)[0]
    assert worst_error(found, [near, far]) < 0.5


def test_a_wrist_out_of_reach_is_nobodys() -> None:
    truth = without(person(60, 60, length=80), "left_wrist", "left_hand")
    lone = np.full((22, 2), np.nan)
    lone[INFANT22.index("left_wrist")] = 230, 230
    assert worst_error(parse(draw([[truth, lone]]), INFANT22)[0], [truth]) < 0.5


def test_two_rival_wrists_are_both_left_out() -> None:
    truth = without(person(128, 128, length=150), "left_wrist", "left_hand")
    rivals = np.full((2, 22, 2), np.nan)
    rivals[:, INFANT22.index("left_wrist")] = (170, 110), (165, 160)
    assert worst_error(parse(draw([[truth, *rivals]]), INFANT22)[0], [truth]) < 0.1


@settings(max_examples=40, deadline=None)
@given(
    angle=st.floats(0, 360),
    length=st.floats(110, 190),
    x=st.floats(110, 146),
    y=st.floats(110, 146),
    hidden=st.sets(st.sampled_from(INFANT22.keypoints), max_size=5),
    seed=st.integers(0, 1000),
)
def test_any_single_infant_is_found_whole(
    angle: float, length: float, x: float, y: float, hidden: set[str], seed: int
) -> None:
    truth = without(person(x, y, length=length, angle=angle, seed=seed), *hidden)
    assert worst_error(parse(draw([[truth]], sigma=6), INFANT22)[0], [truth]) < 0.3


@settings(max_examples=20, deadline=None)
@given(turns=st.integers(1, 3), seed=st.integers(0, 1000))
def test_turned_maps_give_turned_people(turns: int, seed: int) -> None:
    maps = draw([quarters(2, seed)], sigma=6)
    confidence, paf = maps.confidence, maps.paf
    for _ in range(turns):  # counter-clockwise: (x, y) to (y, W - 1 - x)
        confidence, paf = confidence.rot90(dims=(-2, -1)), paf.rot90(dims=(-2, -1))
        paf = torch.stack((paf[:, :, 1], -paf[:, :, 0]), dim=2)
    turned = parse(BeliefMaps(confidence.contiguous(), paf.contiguous(), 4), INFANT22)[0]
    upright = parse(maps, INFANT22)[0].keypoints
    for _ in range(turns):
        upright = np.stack((upright[..., 1], 255 - upright[..., 0]), axis=-1)
    assert worst_error(turned, list(upright)) < 0.01


def test_parsing_costs_little() -> None:
    """A loose bound for a busy machine; the benchmark measures."""
    import time

    maps = draw([[person(128, 128, length=170, seed=i)] for i in range(16)])
    parse(maps, INFANT22)
    begin = time.process_time()
    for _ in itertools.repeat(None, 3):
        parse(maps, INFANT22)
    assert (time.process_time() - begin) / 48 < 0.004
