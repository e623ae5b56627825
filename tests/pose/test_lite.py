"""The compact network: shapes, size, both stages."""

import pytest
import torch

from vid2kp.pose.lite import Lite
from vid2kp.pose.skeleton import BODY25, COCO18, INFANT22, Skeleton


@pytest.mark.parametrize("skeleton", [COCO18, INFANT22, BODY25], ids=lambda s: s.name)
def test_maps_have_the_shapes_of_the_keypoint_set(skeleton: Skeleton):
    network = Lite(skeleton, width=16).eval()
    images = torch.randint(0, 256, (2, 64, 96, 3), dtype=torch.uint8)
    with torch.inference_mode():
        stages = network(network.normalise(images))
    assert len(stages) == len(network.strides) == 2
    for (confidence, affinity), stride in zip(stages, network.strides, strict=True):
        assert confidence.shape == (2, len(skeleton) + 1, 64 // stride, 96 // stride)
        assert affinity.shape == (2, 2 * len(skeleton.limbs), 64 // stride, 96 // stride)
    assert network.stride == 4


def test_it_is_small_enough_for_a_pc():
    assert sum(p.numel() for p in Lite(INFANT22).parameters()) <= 5_000_000


def test_normalise_maps_bytes_to_minus_one_to_one():
    images = torch.tensor([0, 255, 128], dtype=torch.uint8).view(1, 1, 1, 3)
    assert Lite.normalise(images).flatten().tolist() == pytest.approx(
        [-1, 1, 128 / 127.5 - 1], abs=1e-6
    )
