"""Where the confidence maps of a batch have their peaks, finer than the grid.

A drawn or learnt confidence map is close to exp(−‖p − x‖² / σ²) around a keypoint x
(Cao et al.), whose logarithm is a paraboloid. So a paraboloid is fitted to the logarithm over
5 × 5 cells around each local maximum, by least squares weighted with the squared value, which
makes the error of a noisy small value count as little as it should. It is unbiased for every σ, at
the border of the map as well, and stays within a tenth of a cell when the top fifth is cut off
(σ up to 3 cells; tests/pose/test_peaks.py gives the figures).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_RADIUS = 2
"""Cells around a maximum: of the neighbourhood it must dominate, and of the fit; peaks that are
nearer to each other after it are one."""

_FLOOR = 0.05
"""Cells below this share of the maximum say nothing about its place."""

_PRIOR = 1e-4
"""Weight of a curvature of −0.4, for maxima that stand alone among empty cells."""

_FLATTEST = -1e-3
"""Curvature that a plateau wider than the window is taken to have at least."""

_FURTHEST = 1.5
"""Most cells that one fit may move a peak; beyond, it is not the same peak."""


@dataclass(frozen=True, eq=False)
class Peaks:
    """n peaks of a batch of B images, sorted by image, keypoint and falling value.

    Attributes:
        image: (n,) int64 in [0, B).
        keypoint: (n,) int64 in [0, K).
        xy: (n, 2) float64 (x, y) in cells, origin at the centre of the top-left cell.
        value: (n,) float64, height of the fitted paraboloid's top, in [0, 1].
        count: (B, K) int64, number of peaks of each image and keypoint.
    """

    image: Tensor
    keypoint: Tensor
    xy: Tensor
    value: Tensor
    count: Tensor


def find_peaks(confidence: Tensor, *, threshold: float, most: int) -> Peaks:
    """The local maxima of confidence maps, by non-maximum suppression and sub-pixel refinement.

    Args:
        confidence: (B, K, h, w) float32 confidence maps without the background.
        threshold: smallest value of a peak.
        most: number of peaks kept per image and keypoint, highest first.

    Returns:
        The peaks, on the device of the maps.
    """
    batch, keypoints = confidence.shape[:2]
    maps = confidence.flatten(0, 1)
    plane, y, x = _summits(maps, threshold).nonzero().T
    window = _windows(maps, plane, y, x)
    middle = window.shape[1] // 2
    # Of the equal cells of a plateau only the first in reading order is kept.
    kept = (window[:, :middle] < window[:, middle, None]).all(dim=1)
    kept &= (window[:, middle + 1 :] <= window[:, middle, None]).all(dim=1)
    plane, y, x = plane[kept], y[kept], x[kept]

    order = torch.argsort(maps[plane, y, x], descending=True, stable=True)
    order = order[torch.argsort(plane[order], stable=True)]
    plane, y, x = plane[order], y[order], x[order]
    count = torch.bincount(plane, minlength=batch * keypoints)
    rank = torch.arange(len(plane), device=plane.device) - (count.cumsum(0) - count)[plane]
    kept = rank < most
    plane, y, x = plane[kept], y[kept], x[kept]

    xy, value = _refine(maps, plane, y, x)
    kept = _apart(plane, xy, most=int(rank.max()) if len(rank) else 0)
    plane = plane[kept]
    return Peaks(
        image=plane // keypoints,
        keypoint=plane % keypoints,
        xy=xy[kept],
        value=value[kept],
        count=torch.bincount(plane, minlength=batch * keypoints).view(batch, keypoints),
    )


def _apart(plane: Tensor, xy: Tensor, *, most: int) -> Tensor:
    """(n,) bool: peaks that lie apart from the higher ones of their map.

    On a long flat ridge noise makes a second maximum, whose fit then leads to the place of the
    first: a peak that is taken once from here and once from there would jump.

    Args:
        plane: (n,) of their maps, sorted.
        xy: (n, 2) refined places, cells.
        most: peaks that a map has beside its highest.
    """
    kept = torch.ones_like(plane, dtype=torch.bool)
    for further in range(1, most + 1):
        near = torch.linalg.vector_norm(xy[further:] - xy[:-further], dim=1) < _RADIUS
        kept[further:] &= ~(near & (plane[further:] == plane[:-further]))
    return kept


def _summits(maps: Tensor, threshold: float) -> Tensor:
    """(N, h, w) bool: cells of the maps that no direct neighbour exceeds.

    On a CPU these comparisons leave few cells to look at more widely, in a fifth of the time that
    max-pooling takes.
    """
    summit = maps >= threshold
    summit[:, :, 1:] &= maps[:, :, 1:] > maps[:, :, :-1]
    summit[:, :, :-1] &= maps[:, :, :-1] >= maps[:, :, 1:]
    summit[:, 1:] &= maps[:, 1:] > maps[:, :-1]
    summit[:, :-1] &= maps[:, :-1] >= maps[:, 1:]
    return summit


def _windows(maps: Tensor, plane: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """(n, 25) values around n cells of (N, h, w) maps, row by row; −inf outside the map."""
    _, height, width = maps.shape
    near = torch.arange(-_RADIUS, _RADIUS + 1, device=maps.device)
    rows, columns = y[:, None] + near, x[:, None] + near
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[
        :, None, :
    ]
    rows, columns = rows.clamp(0, height - 1), columns.clamp(0, width - 1)
    values = maps[plane[:, None, None], rows[:, :, None], columns[:, None, :]]
    return values.masked_fill(~inside, -torch.inf).flatten(1)


def _refine(maps: Tensor, plane: Tensor, y: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Places (n, 2) and heights (n,) of the tops of the paraboloids around n cells."""
    _, height, width = maps.shape

    xy = torch.stack((x, y), dim=1)
    last = torch.tensor((width - 1, height - 1), device=maps.device)

    def window(cell: Tensor) -> Tensor:
        return _windows(maps, plane, cell[:, 1], cell[:, 0])

    # From the first cell of a plateau to its middle, by as much of it as can be seen, twice.
    for _ in range(2):
        xy = (xy + _middle_of_top(window(xy))).round().long().clamp(min=0).minimum(last)
    # The top of a large plateau that was cut off may still be further away than a cell.
    top, value = xy.double(), maps[plane, y, x].double()
    for _ in range(3):
        cell = top.round().long().clamp(min=0).minimum(last)
        # Beyond the border of the map there are no cells to give weight to.
        offset, value = _fit(window(cell), around=(top - cell).clamp(-0.5, 0.5))
        top = cell + offset
    return top, value


def _middle_of_top(window: Tensor) -> Tensor:
    """(n, 2) mean offset (x, y) of the cells that share the highest value of (n, 25)."""
    top = (window == window.amax(dim=1, keepdim=True)).double()
    dx, dy = _offsets(window.device)
    return (top @ torch.stack((dx, dy), dim=1)) / top.sum(dim=1, keepdim=True)


def _offsets(device: torch.device) -> tuple[Tensor, Tensor]:
    """(25,) float64 offsets x and y of the cells of a window from its middle."""
    near = torch.arange(-_RADIUS, _RADIUS + 1, device=device, dtype=torch.float64)
    dy, dx = torch.meshgrid(near, near, indexing="ij")
    return dx.flatten(), dy.flatten()


def _fit(window: Tensor, *, around: Tensor) -> tuple[Tensor, Tensor]:
    """The top of exp(a + b·x + c·y + d·(x² + y²)) fitted to (n, 25) values: offset and height.

    The weight of cells fades out from 1.5 to 2.5 cells away from ``around``, (n, 2), where the top
    was seen last: else it would jump by a fifth of a cell whenever the window moves by a whole one.
    """
    dx, dy = _offsets(window.device)
    terms = torch.stack((torch.ones_like(dx), dx, dy, dx * dx + dy * dy), dim=1)
    products = (terms[:, :, None] * terms[:, None, :]).flatten(1)

    highest = window.double().amax(dim=1, keepdim=True)
    share = window.double() / highest
    far = (torch.stack((dx, dy), dim=1) - around[:, None]).abs()
    near = (_RADIUS + 0.5 - far).clamp(0, 1).prod(dim=2)
    weight = torch.where(share < _FLOOR, 0.0, share.square() * near)
    normal = (weight @ products).view(-1, 4, 4)
    right = (weight * share.clamp(min=_FLOOR).log()) @ terms
    normal.diagonal(dim1=1, dim2=2).add_(_PRIOR)
    right[:, 3] -= 0.4 * _PRIOR
    a, b, c, d = torch.linalg.solve(normal, right).unbind(dim=1)

    d = d.clamp(max=_FLATTEST)
    offset = (-torch.stack((b, c), dim=1) / (2 * d[:, None])).clamp(-_FURTHEST, _FURTHEST)
    top = a + (torch.stack((b, c), dim=1) * offset).sum(1) + d * offset.square().sum(1)
    # Between four cells the top of a Gaussian of σ = 1 is 1.65 times as high as they are.
    value = highest[:, 0] * top.exp().clamp(1.0, 1.65)
    return offset, value.clamp(0.0, 1.0)
