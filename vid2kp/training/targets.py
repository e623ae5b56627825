"""What the networks shall predict: confidence maps and part affinity fields from keypoints.

Equations of Cao et al. (OpenPose), in pixels of the network's input; cell (i, j) of a map of stride
s has its centre at x = (j + 0.5) s - 0.5, y = (i + 0.5) s - 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vid2kp.pose.skeleton import Skeleton
from vid2kp.training.dataset import PRESENT, UNKNOWN


@dataclass(frozen=True)
class Spread:
    """Widths of targets in input pixels: σ of equation 2, half width of equation 3's limbs."""

    sigma: float
    limb: float


@dataclass(frozen=True)
class Targets:
    """Targets and loss weights of one stage.

    Attributes:
        confidence: (B, K + 1, h, w) in [0, 1], background last.
        affinity: (B, 2 · limbs, h, w) in [-1, 1].
        confidence_mask: as confidence; 0 where the truth is not known, else 1.
        affinity_mask: as affinity.
    """

    confidence: Tensor
    affinity: Tensor
    confidence_mask: Tensor
    affinity_mask: Tensor


def cell_centres(count: int, stride: int, device: torch.device | None = None) -> Tensor:
    """(count,) float32 input coordinates of the cells' centres along one axis."""
    return (torch.arange(count, device=device) + 0.5) * stride - 0.5


def confidence_maps(
    keypoints: Tensor, present: Tensor, *, size: tuple[int, int], stride: int, sigma: float
) -> Tensor:
    """Confidence maps, equation 2: S*(p) = max over people of exp(-‖p - x‖² / σ²).

    Args:
        keypoints: (B, P, K, 2) input pixels.
        present: (B, P, K) bool.
        size: (h, w) of the maps.
        stride: input pixels per cell.
        sigma: σ, input pixels.

    Returns:
        (B, K + 1, h, w) float32; the last is the background, 1 - max of the others.
    """
    x = cell_centres(size[1], stride, keypoints.device)
    y = cell_centres(size[0], stride, keypoints.device)
    batch, people, count, _ = keypoints.shape
    maps = keypoints.new_zeros(batch, count, *size)
    for person in range(people):
        drawn = present[:, person].any(1).nonzero()[:, 0]  # most pictures have one person only
        point = keypoints[drawn, person]
        # exp(-(dx² + dy²)) is a product: two vectors a keypoint instead of a picture
        along_x = torch.exp(-((x - point[..., :1]) / sigma).square())
        along_y = torch.exp(-((y - point[..., 1:]) / sigma).square())
        along_y = along_y * present[drawn, person, :, None]
        maps[drawn] = torch.maximum(maps[drawn], along_y[..., :, None] * along_x[..., None, :])
    background = 1 - maps.amax(1, keepdim=True)
    return torch.cat([maps, background], 1)


def part_affinity_fields(
    keypoints: Tensor,
    present: Tensor,
    skeleton: Skeleton,
    *,
    size: tuple[int, int],
    stride: int,
    limb: float,
) -> Tensor:
    """Part affinity fields, equation 3: the limb's unit vector where p lies on the limb, else 0.

    p lies on the limb from a to b if 0 ≤ v·(p - a) ≤ ‖b - a‖ and |v⊥·(p - a)| ≤ width; where limbs
    of several people cross, their average.

    Args:
        keypoints: (B, P, K, 2) input pixels.
        present: (B, P, K) bool.
        skeleton: gives the limbs.
        size: (h, w) of the maps.
        stride: input pixels per cell.
        limb: half width of a limb, input pixels.

    Returns:
        (B, 2 · limbs, h, w) float32.
    """
    batch, people = keypoints.shape[:2]
    x = cell_centres(size[1], stride, keypoints.device)
    y = cell_centres(size[0], stride, keypoints.device)[:, None]
    limbs = torch.tensor(skeleton.limbs, device=keypoints.device)
    total = keypoints.new_zeros(batch, len(limbs), 2, *size)
    count = keypoints.new_zeros(batch, len(limbs), 1, *size)
    for person in range(people):
        start, stop = keypoints[:, person, limbs[:, 0]], keypoints[:, person, limbs[:, 1]]
        length = (stop - start).norm(dim=-1)
        drawn = present[:, person, limbs[:, 0]] & present[:, person, limbs[:, 1]] & (length > 1e-3)
        image, which = drawn.nonzero(as_tuple=True)
        start, length = start[image, which], length[image, which]
        unit = (stop[image, which] - start) / length[:, None]
        ux, uy = unit[:, 0, None, None], unit[:, 1, None, None]
        dx, dy = x - start[:, 0, None, None], y - start[:, 1, None, None]
        along, across = ux * dx + uy * dy, ux * dy - uy * dx
        on = (along >= 0) & (along <= length[:, None, None]) & (across.abs() <= limb)
        total[image, which] += on[:, None] * unit[:, :, None, None]
        count[image, which] += on[:, None]
    return (total / count.clamp_min(1)).flatten(1, 2)


def make_targets(
    keypoints: Tensor,
    state: Tensor,
    boxes: Tensor,
    skeleton: Skeleton,
    *,
    size: tuple[int, int],
    stride: int,
    spread: Spread,
) -> Targets:
    """Targets and masks of one stage.

    Args:
        keypoints: (B, P, K, 2) float32 input pixels.
        state: (B, P, K) int8 of `training.dataset`: PRESENT, ABSENT, UNKNOWN.
        boxes: (B, P, 4) x0, y0, x1, y1: a person's UNKNOWN keypoints mask the loss in here.
        skeleton: keypoint set.
        size: (h, w) of the maps.
        stride: input pixels per cell.
        spread: widths of the targets.
    """
    present = state == PRESENT
    confidence = confidence_maps(keypoints, present, size=size, stride=stride, sigma=spread.sigma)
    affinity = part_affinity_fields(
        keypoints, present, skeleton, size=size, stride=stride, limb=spread.limb
    )
    x = cell_centres(size[1], stride, keypoints.device)
    y = cell_centres(size[0], stride, keypoints.device)
    in_x = (x >= boxes[..., 0, None]) & (x <= boxes[..., 2, None])
    in_y = (y >= boxes[..., 1, None]) & (y <= boxes[..., 3, None])
    unknown = (state == UNKNOWN).float()
    first = [a for a, _ in skeleton.limbs]
    second = [b for _, b in skeleton.limbs]
    limb_unknown = torch.maximum(unknown[:, :, first], unknown[:, :, second])

    def mask(flags: Tensor) -> Tensor:  # (B, P, C) → (B, C, h, w), 0 where a flagged person may be
        shade = torch.einsum("bpc,bpy,bpx->bcyx", flags, in_y.float(), in_x.float())
        return (shade == 0).float()

    keypoint_mask = mask(unknown)
    somebody = confidence[:, :-1].amax(1, keepdim=True) > 0.5  # known not to be background
    background_mask = torch.maximum(keypoint_mask.amin(1, keepdim=True), somebody)
    return Targets(
        confidence=confidence,
        affinity=affinity,
        confidence_mask=torch.cat([keypoint_mask, background_mask.float()], 1),
        affinity_mask=mask(limb_unknown).repeat_interleave(2, 1),
    )
