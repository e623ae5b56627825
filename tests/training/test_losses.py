"""What training makes small: peaks that do not follow their pictures."""

import pytest
import torch

from vid2kp.training.batches import with_moved
from vid2kp.training.losses import unsteadiness
from vid2kp.training.targets import confidence_maps

STRIDE, SIZE = 4, (16, 20)


def views(*places: tuple[float, float]) -> torch.Tensor:
    """(views, 1, 1, 2) input pixels of one keypoint of one person."""
    return torch.tensor(places).view(-1, 1, 1, 2)


def unsteady(drawn: torch.Tensor, true: torch.Tensor, present: torch.Tensor | None = None) -> float:
    """Of maps with peaks at ``drawn`` instead of ``true``."""
    here = torch.ones(drawn.shape[:3], dtype=torch.bool)
    maps = confidence_maps(drawn, here, size=SIZE, stride=STRIDE, sigma=5.6)[:, :1]
    cells = (true + 0.5) / STRIDE - 0.5
    return float(unsteadiness(maps, cells, here if present is None else present))


def test_peaks_that_follow_are_steady_wherever_they_lie_in_their_cells():
    for shift in range(8):
        true = views((20.3, 31.2), (20.3 + shift, 31.2 + 7 - shift))
        assert unsteady(true, true) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("x", [0.0, 1.0, 4.0, 7.0, 9.0])
def test_peaks_that_the_border_cuts_off_say_nothing(x: float):
    true = views((x, 31.0), (x + 7, 31.0))
    assert unsteady(true, true) == pytest.approx(0, abs=1e-3)


def test_the_same_error_in_both_views_is_steady():
    true = views((30.0, 31.0), (33.0, 37.0))
    assert unsteady(true + 1.5, true) == pytest.approx(0, abs=2e-3)


def test_peaks_that_stay_behind_are_not():
    true = views((20.3, 31.2), (23.3, 36.2))
    behind = [unsteady(true - views((0, 0), (lag, 0)), true) for lag in (0.0, 1.0, 2.0, 4.0, 8.0)]
    assert behind == sorted(behind)
    assert behind[2] == pytest.approx(0.5 * 0.5**2, rel=0.2), "half a cell, by its square"
    assert behind[4] < 1


def test_keypoints_that_are_not_in_both_views_say_nothing():
    beyond = views((77.0, 31.0), (85.0, 31.0))
    assert unsteady(beyond, beyond) == 0
    true = views((20.0, 31.0), (23.0, 31.0))
    one = torch.tensor([True, False]).view(2, 1, 1)
    assert unsteady(true + views((0, 0), (4, 0)), true, one) == 0


def test_its_gradient_moves_peaks_to_each_other():
    true = views((40.0, 31.0), (44.0, 31.0))
    drawn = (true + views((0, 0), (3, 0))).requires_grad_()
    present = torch.ones(2, 1, 1, dtype=torch.bool)
    maps = confidence_maps(drawn, present, size=SIZE, stride=STRIDE, sigma=5.6)[:, :1]
    unsteadiness(maps, (true + 0.5) / STRIDE - 0.5, present).backward()
    (here, there) = drawn.grad[:, 0, 0]
    assert here[0] < 0 < there[0], "against the gradient: forward and back"
    assert here[1].abs() < 1e-3 * here[0].abs()


def test_a_second_view_is_moved_with_all_that_is_in_it():
    image = torch.arange(64 * 64 * 3).view(1, 64, 64, 3).to(torch.uint8)
    batch = {
        "image": image,
        "keypoints": torch.tensor([[[[10.0, 20.0]], [[30.0, 40.0]]]]),
        "state": torch.tensor([[[1], [0]]]),
        "boxes": torch.tensor([[[5.0, 6.0, 25.0, 26.0], [0.0, 1.0, 2.0, 3.0]]]),
        "move": torch.tensor([[5, 2]]),
    }
    both = with_moved(batch)
    assert torch.equal(both["image"][:1], image)
    assert torch.equal(both["image"][1, 2:, 5:], image[0, :-2, :-5])
    assert torch.equal(both["image"][1, :2], image[0, :2])
    assert both["keypoints"][1].tolist() == [[[15.0, 22.0]], [[35.0, 42.0]]]
    assert both["boxes"][1].tolist() == [[10.0, 8.0, 30.0, 28.0], [5.0, 3.0, 7.0, 5.0]]
    assert torch.equal(both["state"][0], both["state"][1])
