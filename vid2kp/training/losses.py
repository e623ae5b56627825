"""What training makes small: wrong maps, and peaks that do not follow their pictures."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from vid2kp.training.targets import Targets

_RADIUS: Final = 3
"""Cells around a keypoint in which its peak is looked for."""

_MARGIN: Final = 2
"""Cells from the border within which a part of the peak is cut off."""

_NEAR: Final = 0.5
"""Distances below so many cells count by their square."""


def stage_loss(confidence: Tensor, affinity: Tensor, targets: Targets, keypoints: int) -> Tensor:
    """Masked L2 of one stage (equation 5), foreground weighted.

    A map is almost all background, and plain L2 stays on the plateau "zero everywhere" for long;
    weights of 1 + 10 S*, 0.25 + 1.5 |L*| and 0.3 for the background channel leave it at once.

    Args:
        confidence: (B, K + 1, h, w) predicted.
        affinity: (B, 2 · limbs, h, w) predicted.
        targets: of this stage.
        keypoints: K.

    Returns:
        Scalar: weighted squared error summed over channels, averaged over cells and pictures.
    """
    weight = 1 + 10 * targets.confidence
    weight[:, keypoints:] = 0.3
    error = weight * targets.confidence_mask * (confidence.float() - targets.confidence).square()
    field_weight = (0.25 + 1.5 * targets.affinity.abs()) * targets.affinity_mask
    field_error = field_weight * (affinity.float() - targets.affinity).square()
    return error.sum(1).mean() + field_error.sum(1).mean()


def unsteadiness(confidence: Tensor, cells: Tensor, present: Tensor) -> Tensor:
    """How differently the peaks of two views of one picture lie to their keypoints.

    A network with strides sees a picture that is moved by a part of a cell as another one, and its
    peaks do not quite follow; L2 of wide maps hardly minds, and labels are not that exact. The
    difference between two views is known exactly.

    Args:
        confidence: (2 · B, K, h, w) predicted: of B pictures, then of the same ones moved.
        cells: (2 · B, P, K, 2) x and y of the keypoints in cells of each.
        present: (2 · B, P, K) bool; a keypoint outside a map, or at its border, counts for nothing.

    Returns:
        Scalar: mean Huber distance over the keypoints, cells.
    """
    last = torch.tensor(confidence.shape[:1:-1], device=cells.device) - 1
    x, y = cells.round().long().unbind(-1)
    inside = present & ((cells >= _MARGIN) & (cells <= last - _MARGIN)).all(-1)
    before, after = inside.chunk(2)
    image, person, keypoint = (before & after).nonzero(as_tuple=True)
    near = torch.arange(-_RADIUS, _RADIUS + 1, device=confidence.device)
    padded = functional.pad(confidence.float(), [_RADIUS] * 4)

    def peak(image: Tensor) -> tuple[Tensor, Tensor]:
        """Where the centre of the squares around keypoints lies to them, cells; and the height."""
        column, row = x[image, person, keypoint], y[image, person, keypoint]
        rows = row[:, None, None] + near[:, None] + _RADIUS
        columns = column[:, None, None] + near + _RADIUS
        window = padded[image[:, None, None], keypoint[:, None, None], rows, columns].clamp(min=0)
        mass = window.square()
        middle = torch.stack(((mass.sum(1) * near).sum(1), (mass.sum(2) * near).sum(1)), 1)
        middle = middle / (mass.sum((1, 2)) + 1e-3)[:, None]
        cell = torch.stack((column, row), 1)
        return middle + cell - cells[image, person, keypoint], window.amax((1, 2))

    here, height_here = peak(image)
    there, height_there = peak(image + len(before))
    distance = functional.huber_loss(here, there, reduction="none", delta=_NEAR).sum(1)
    weight = torch.minimum(height_here, height_there).detach().clamp(max=1)
    return (weight * distance).sum() / max(len(image), 1)
