"""Peaks are found where the Gaussians are, finer than the grid, whatever is done to their tops."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vid2kp.pose.peaks import Peaks, find_peaks


def gaussians(
    centres: torch.Tensor, sigma: float, *, size: tuple[int, int] = (17, 21)
) -> torch.Tensor:
    """(1, n, h, w) maps exp(−d² / σ²), one for each of (n, 2) centres in cells (x, y)."""
    y, x = torch.meshgrid(torch.arange(size[0]), torch.arange(size[1]), indexing="ij")
    dx, dy = (axis - centres[:, i, None, None] for i, axis in enumerate((x, y)))
    return torch.exp(-(dx.square() + dy.square()) / sigma**2)[None].float()


def find(maps: torch.Tensor, *, threshold: float = 0.1, most: int = 12) -> Peaks:
    return find_peaks(maps, threshold=threshold, most=most)


def errors(peaks: Peaks, centres: torch.Tensor) -> torch.Tensor:
    assert peaks.count.tolist() == [[1] * len(centres)]
    return (peaks.xy - centres).norm(dim=1)


@pytest.fixture
def centres() -> torch.Tensor:
    return torch.rand(400, 2, generator=torch.Generator().manual_seed(0)) * 1.5 + 8


@pytest.mark.parametrize("sigma", [1.0, 1.5, 2.0, 3.0, 5.0])
def test_gaussian_peaks_are_exact(centres: torch.Tensor, sigma: float) -> None:
    peaks = find(gaussians(centres, sigma))
    assert errors(peaks, centres).max() < 0.005
    assert (peaks.value - 1).abs().max() < 0.01


@pytest.mark.parametrize(
    ("sigma", "top", "mean", "worst"),
    [(1.5, 0.8, 0.03, 0.06), (2.0, 0.8, 0.02, 0.05), (2.0, 0.5, 0.08, 0.25), (3.0, 0.8, 0.04, 0.1)],
)
def test_a_top_cut_off_moves_the_peak_little(
    centres: torch.Tensor, sigma: float, top: float, mean: float, worst: float
) -> None:
    error = errors(find(gaussians(centres, sigma).clamp(max=top)), centres)
    assert error.mean() < mean
    assert error.max() < worst


def test_the_estimate_has_no_bias_toward_cells(centres: torch.Tensor) -> None:
    noise = 0.02 * torch.randn(1, 400, 17, 21, generator=torch.Generator().manual_seed(1))
    peaks = find(gaussians(centres, 2.0) + noise, threshold=0.5)
    offset = peaks.xy - centres
    assert errors(peaks, centres).mean() < 0.03
    assert offset.mean(dim=0).abs().max() < 0.005


def test_rounding_to_bfloat16_hardly_matters(centres: torch.Tensor) -> None:
    maps = gaussians(centres, 2.0).bfloat16().float()
    assert errors(find(maps), centres).max() < 0.01


@pytest.mark.parametrize("corner", [(0.3, 7.2), (-0.4, 7.2), (20.4, 7.7), (9.1, 16.3), (0.2, 0.4)])
def test_peaks_at_the_border_are_exact(corner: tuple[float, float]) -> None:
    centres = torch.tensor([corner])
    assert errors(find(gaussians(centres, 2.0)), centres).max() < 0.01


def test_a_plateau_is_one_peak_in_its_middle() -> None:
    maps = torch.zeros(1, 1, 12, 12)
    maps[0, 0, 4:7, 5:8] = 0.9
    peaks = find(maps)
    assert peaks.count.tolist() == [[1]]
    assert (peaks.xy[0] - torch.tensor([6.0, 5.0])).abs().max() < 0.05


def test_a_single_cell_is_a_peak() -> None:
    maps = torch.full((1, 1, 9, 9), -0.01)
    maps[0, 0, 3, 4] = 0.7
    peaks = find(maps)
    assert peaks.xy.round().tolist() == [[4.0, 3.0]]
    assert 0.69 < peaks.value.item() < 0.72


def test_two_people_close_by_are_two_peaks() -> None:
    a = torch.tensor([[6.2, 8.1]])
    b = torch.tensor([[10.4, 8.3]])
    peaks = find(torch.maximum(gaussians(a, 1.5), 0.8 * gaussians(b, 1.5)))
    assert peaks.count.tolist() == [[2]]
    assert (peaks.xy - torch.cat((a, b))).norm(dim=1).max() < 0.35
    assert peaks.value[0] > peaks.value[1]


def test_the_highest_are_kept() -> None:
    maps = torch.zeros(2, 1, 30, 30)
    maps[1, 0, 3::6, 3::6] = torch.arange(1, 26).view(5, 5) / 25
    peaks = find(maps, most=4, threshold=0.01)
    assert peaks.count.tolist() == [[0], [4]]
    assert peaks.value.tolist() == pytest.approx([1.0, 0.96, 0.92, 0.88], abs=0.01)
    assert peaks.image.tolist() == [1, 1, 1, 1]


def test_nothing_is_found_in_nothing() -> None:
    assert find(torch.zeros(2, 3, 8, 8)).count.sum() == 0
    assert find(torch.zeros(0, 3, 8, 8)).count.shape == (0, 3)
    assert find(torch.full((1, 3, 8, 8), torch.nan)).count.sum() == 0


@settings(max_examples=60, deadline=None)
@given(
    x=st.floats(-0.49, 20.49),
    y=st.floats(-0.49, 16.49),
    sigma=st.floats(1.0, 6.0),
    height=st.floats(0.15, 1.0),
)
def test_any_gaussian_on_the_map_is_found(x: float, y: float, sigma: float, height: float) -> None:
    centres = torch.tensor([(x, y)], dtype=torch.float64)
    peaks = find(height * gaussians(centres, sigma), threshold=0.05)
    # Of a narrow one in a corner no more than four cells can be seen.
    at_edge = min(x, y, 20 - x, 16 - y) < 0.5
    assert errors(peaks, centres).max() < (0.6 if at_edge and sigma < 2 else 0.02)


@pytest.mark.parametrize("noise", range(20))
def test_a_flat_ridge_has_no_two_peaks_in_one_place(noise: int) -> None:
    """A peak found once from this and once from that maximum of a ridge would jump."""
    y, x = torch.meshgrid(torch.arange(24.0), torch.arange(24.0), indexing="ij")
    beside = (x - x.clamp(10, 14)).square() + (y - 12).square()
    generator = torch.Generator().manual_seed(noise)
    ridge = 0.4 * torch.exp(-beside / 4) * (1 + 0.02 * torch.rand(24, 24, generator=generator))
    apart = 0.3 * torch.exp(-((x - 20).square() + (y - 12).square()) / 4)
    found = find_peaks((ridge + apart)[None, None], threshold=0.1, most=20)
    distances = torch.cdist(found.xy, found.xy) + 9 * torch.eye(len(found.xy))
    assert distances.min() >= 2
    assert found.count.tolist() == [[len(found.xy)]]
    assert ((found.xy - torch.tensor([20.0, 12.0])).norm(dim=1) < 0.5).sum() == 1
