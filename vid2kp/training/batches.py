"""Samples of any number of people → batches."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import default_collate

from vid2kp.errors import Vid2kpError
from vid2kp.training.dataset import ABSENT, PRESENT, UNKNOWN, Sample

_NOWHERE = -1e6
"""Corners of the box of a place for nobody."""


def as_tensors(sample: Sample) -> dict[str, Tensor]:
    """A sample with everybody who says something about the view: in it, or perhaps in it.

    Nobody in the view is left out, however many there are: without label and mask they would be
    taught as background.
    """
    x0, y0, x1, y1 = sample.boxes.T
    height, width = sample.image.shape[:2]
    in_view = (x0 < width) & (x1 > -1) & (y0 < height) & (y1 > -1)
    may_be_there = in_view & (sample.state == UNKNOWN).any(1)
    here = may_be_there | (sample.state == PRESENT).any(1)
    return {
        "image": torch.from_numpy(np.ascontiguousarray(sample.image)),
        "keypoints": torch.from_numpy(sample.keypoints[here]),
        "state": torch.from_numpy(sample.state[here]),
        "boxes": torch.from_numpy(sample.boxes[here]),
    }


def _with_places(sample: dict[str, Tensor], places: int) -> dict[str, Tensor]:
    """A sample with nobody in the places that are left over."""
    left = places - len(sample["boxes"])
    return sample | {
        "keypoints": functional.pad(sample["keypoints"], (0, 0, 0, 0, 0, left)),
        "state": functional.pad(sample["state"], (0, 0, 0, left), value=ABSENT),
        "boxes": functional.pad(sample["boxes"], (0, 0, 0, left), value=_NOWHERE),
    }


def collate(samples: list[dict[str, Tensor] | Vid2kpError]) -> dict[str, Tensor] | Vid2kpError:
    """A batch with as many places as its fullest picture needs, or the first error among them."""
    good: list[dict[str, Tensor]] = []
    for sample in samples:
        if isinstance(sample, Vid2kpError):
            return sample
        good.append(sample)
    places = max(1, *(len(sample["boxes"]) for sample in good))
    padded = [_with_places(sample, places) for sample in good]
    return cast("dict[str, Tensor]", default_collate(padded))


def with_moved(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """A batch of B samples, and behind them the same samples once more, moved.

    Args:
        batch: with ``move``, (B, 2) int64: pixels to the right and down, not below 0.

    Returns:
        2 · B samples. The borders that come free show what they showed before.
    """
    images, move = batch["image"], batch["move"]
    moved = images.clone()
    for picture, before, (right, down) in zip(moved, images, move.tolist(), strict=True):
        height, width = before.shape[:2]
        picture[down:, right:] = before[: height - down, : width - right]
    by = move[:, None].to(batch["keypoints"])
    return {
        "image": torch.cat([images, moved]),
        "keypoints": torch.cat([batch["keypoints"], batch["keypoints"] + by[:, None]]),
        "state": torch.cat([batch["state"], batch["state"]]),
        "boxes": torch.cat([batch["boxes"], batch["boxes"] + by.repeat(1, 1, 2)]),
    }
