"""Equations 2 and 3, point by point, and the masks of unlabelled keypoints."""

import math

import pytest
import torch

from vid2kp.pose.skeleton import COCO18, INFANT22
from vid2kp.training.dataset import ABSENT, PRESENT, UNKNOWN
from vid2kp.training.targets import (
    Spread,
    cell_centres,
    confidence_maps,
    make_targets,
    part_affinity_fields,
)

SIZE, STRIDE, SIGMA, LIMB = (20, 24), 4, 7.0, 5.0


def people(*count: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(3)
    points = torch.rand(*count, len(COCO18), 2, generator=rng) * torch.tensor([95.0, 79.0])
    return points, torch.rand(*count, len(COCO18), generator=rng) < 0.8


def test_confidence_map_is_equation_2_at_every_point():
    points, present = people(2, 3)
    maps = confidence_maps(points, present, size=SIZE, stride=STRIDE, sigma=SIGMA)
    assert maps.shape == (2, len(COCO18) + 1, *SIZE)
    for b in range(2):
        for k in range(len(COCO18)):
            for i, j in ((0, 0), (3, 17), (11, 5), (19, 23), (8, 8)):
                px, py = (j + 0.5) * STRIDE - 0.5, (i + 0.5) * STRIDE - 0.5
                values = [
                    math.exp(-((px - x) ** 2 + (py - y) ** 2) / SIGMA**2)
                    for (x, y), there in zip(
                        points[b, :, k].tolist(), present[b, :, k], strict=True
                    )
                    if there
                ]
                assert maps[b, k, i, j] == pytest.approx(max(values, default=0.0), abs=1e-5)


def test_background_is_one_minus_the_highest_confidence():
    points, present = people(1, 2)
    maps = confidence_maps(points, present, size=SIZE, stride=STRIDE, sigma=SIGMA)
    assert torch.allclose(maps[:, -1], 1 - maps[:, :-1].amax(1))


def test_affinity_field_is_equation_3_at_every_point():
    points, present = people(1, 2)
    fields = part_affinity_fields(points, present, COCO18, size=SIZE, stride=STRIDE, limb=LIMB)
    assert fields.shape == (1, 2 * len(COCO18.limbs), *SIZE)
    xs, ys = cell_centres(SIZE[1], STRIDE).tolist(), cell_centres(SIZE[0], STRIDE).tolist()
    several = 0
    for c, (a, b) in enumerate(COCO18.limbs):
        for i, py in enumerate(ys):
            for j, px in enumerate(xs):
                vectors = []
                for person in range(2):
                    if not (present[0, person, a] and present[0, person, b]):
                        continue
                    start, stop = points[0, person, a].tolist(), points[0, person, b].tolist()
                    length = math.dist(start, stop)
                    ux, uy = (stop[0] - start[0]) / length, (stop[1] - start[1]) / length
                    along = ux * (px - start[0]) + uy * (py - start[1])
                    across = ux * (py - start[1]) - uy * (px - start[0])
                    if 0 <= along <= length and abs(across) <= LIMB:
                        vectors.append((ux, uy))
                n = max(len(vectors), 1)
                several += len(vectors) > 1
                wanted = [sum(v[d] for v in vectors) / n for d in (0, 1)]
                assert fields[0, 2 * c : 2 * c + 2, i, j].tolist() == pytest.approx(
                    wanted, abs=1e-4
                )
    assert several > 0, "the case of crossing limbs was not met"


def test_empty_picture_has_empty_targets():
    none = torch.zeros(1, 0, len(COCO18), 2)
    present = torch.zeros(1, 0, len(COCO18), dtype=torch.bool)
    maps = confidence_maps(none, present, size=SIZE, stride=STRIDE, sigma=SIGMA)
    assert maps[:, :-1].abs().max() == 0 and maps[:, -1].min() == 1
    fields = part_affinity_fields(none, present, COCO18, size=SIZE, stride=STRIDE, limb=LIMB)
    assert fields.abs().max() == 0


def test_batched_equals_single():
    points, present = people(4, 2)
    together = confidence_maps(points, present, size=SIZE, stride=STRIDE, sigma=SIGMA)
    for b in range(4):
        alone = confidence_maps(
            points[b : b + 1], present[b : b + 1], size=SIZE, stride=STRIDE, sigma=SIGMA
        )
        assert torch.equal(together[b], alone[0])


def test_unknown_keypoints_are_masked_inside_their_persons_box_only():
    skeleton = INFANT22
    points = torch.full((1, 2, 22, 2), 40.0)
    state = torch.full((1, 2, 22), PRESENT, dtype=torch.int8)
    wrist, hand = skeleton.index("right_wrist"), skeleton.index("right_hand")
    state[0, 0, wrist] = UNKNOWN
    state[0, 1, hand] = ABSENT
    boxes = torch.tensor([[[0.0, 0.0, 30.0, 30.0], [30.0, 30.0, 95.0, 79.0]]])
    targets = make_targets(
        points, state, boxes, skeleton, size=SIZE, stride=STRIDE, spread=Spread(SIGMA, LIMB)
    )
    inside = targets.confidence_mask[0, wrist, :7, :7]
    assert inside.max() == 0
    assert targets.confidence_mask[0, wrist, 8:, 8:].min() == 1
    assert targets.confidence_mask[0, hand].min() == 1, "absent is known"
    masked = {c for c in range(23) if targets.affinity_mask[0, 2 * c].min() == 0}
    assert masked == {c for c, limb in enumerate(skeleton.limbs) if wrist in limb}
    assert torch.equal(targets.affinity_mask[0, 0::2], targets.affinity_mask[0, 1::2])
