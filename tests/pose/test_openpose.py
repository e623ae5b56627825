"""The paper's network: its size, its layers, its maps; and that it learns."""

from __future__ import annotations

import pytest
import torch

from vid2kp.pose.openpose import OpenPose
from vid2kp.pose.skeleton import BODY25, COCO18, INFANT22


@pytest.fixture(scope="module")
def paper() -> OpenPose:
    return OpenPose()


def test_parameters_are_those_of_the_paper(paper: OpenPose) -> None:
    assert sum(p.numel() for p in paper.parameters()) == 52_311_446


def test_layers_are_those_of_the_paper(paper: OpenPose) -> None:
    layers = {
        name: (conv.in_channels, conv.out_channels, *conv.kernel_size)
        for name, conv in ((n, paper.get_submodule(p)) for n, p in paper.caffe_names().items())
    }
    assert len(layers) == 12 + 10 + 5 * 14
    assert list(layers)[:12] == [
        "conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv3_3", "conv3_4",
        "conv4_1", "conv4_2", "conv4_3_CPM", "conv4_4_CPM",
    ]  # fmt: skip
    assert layers["conv4_2"] == (512, 512, 3, 3)
    assert layers["conv4_3_CPM"] == (512, 256, 3, 3)
    assert layers["conv4_4_CPM"] == (256, 128, 3, 3)
    assert layers["conv5_4_CPM_L1"] == (128, 512, 1, 1)
    assert layers["conv5_5_CPM_L1"] == (512, 38, 1, 1)
    assert layers["conv5_5_CPM_L2"] == (512, 19, 1, 1)
    assert layers["Mconv1_stage2_L1"] == (128 + 38 + 19, 128, 7, 7)
    assert layers["Mconv5_stage6_L2"] == (128, 128, 7, 7)
    assert layers["Mconv6_stage6_L2"] == (128, 128, 1, 1)
    assert layers["Mconv7_stage6_L2"] == (128, 19, 1, 1)


def test_every_stage_gives_maps_at_an_eighth() -> None:
    network = OpenPose(INFANT22, stages=3)
    images = torch.randint(0, 256, (2, 32, 48, 3), dtype=torch.uint8)
    with torch.inference_mode():
        maps = network(network.normalise(images))
    assert len(maps) == len(network.strides) == 3
    for confidence, paf in maps:
        assert confidence.shape == (2, 23, 4, 6)
        assert paf.shape == (2, 46, 4, 6)


def test_any_keypoint_set_will_do() -> None:
    network = OpenPose(BODY25, stages=1)
    with torch.inference_mode():
        confidence, paf = network(torch.zeros(1, 3, 16, 16))[-1]
    assert (confidence.shape[1], paf.shape[1]) == (26, 48)
    with pytest.raises(ValueError, match="stages"):
        OpenPose(COCO18, stages=0)


def test_a_later_stage_reads_both_branches_of_the_one_before() -> None:
    network = OpenPose(stages=2)
    x = torch.randn(1, 3, 16, 16)
    with torch.no_grad():
        before = network(x)[1]
        for branch in ("paf", "confidence"):
            network.stages[0][branch][-1].bias.add_(1.0)  # type: ignore[index]
            after = network(x)[1]
            assert all(not torch.allclose(a, b) for a, b in zip(before, after, strict=True))
            before = after


def test_normalise_keeps_the_order_of_colours() -> None:
    images = torch.tensor([0, 128, 255], dtype=torch.uint8).expand(1, 8, 8, 3)
    x = OpenPose(stages=1).normalise(images)
    assert x.shape == (1, 3, 8, 8)
    assert x[0, :, 0, 0].tolist() == [-0.5, 0.0, 255 / 256 - 0.5]


def test_a_training_step_lowers_the_loss_of_every_stage() -> None:
    torch.manual_seed(0)
    network = OpenPose(stages=2)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.05)
    x = torch.randn(1, 3, 32, 32)
    targets = torch.rand(1, 19, 4, 4), torch.rand(1, 38, 4, 4) - 0.5

    def losses() -> torch.Tensor:
        return torch.stack(
            [
                sum((m - t).square().mean() for m, t in zip(maps, targets, strict=True))
                for maps in network(x)
            ]
        )

    before = losses()
    before.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    optimiser.step()
    assert (losses() < before).all()
