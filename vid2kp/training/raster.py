"""Spheres into a depth buffer: the geometry half of the synthetic renderer, in batches."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

_DEPTH_STEPS = 32  # depth is compared in 1/32 of a pixel
_ID_BITS = 13


@dataclass(frozen=True)
class Surface:
    """The visible surface of a batch, as a flat list of its n covered pixels.

    Attributes:
        image: (n,) int64, which picture of the batch.
        x: (n,) float32 pixel column; `y` the row.
        y: (n,) float32.
        sphere: (n,) int64, which sphere of that picture is seen.
        normal: (n, 3) float32 unit normals (x right, y down, z toward the camera).
        depth: (B, H, W) float32 pixels toward the camera; -inf where nothing is.
    """

    image: Tensor
    x: Tensor
    y: Tensor
    sphere: Tensor
    normal: Tensor
    depth: Tensor


def splat(centre: Tensor, radius: Tensor, height: int, width: int) -> Surface:
    """Draw spheres under orthographic projection, nearest first.

    Args:
        centre: (B, N, 3) pixels; x right, y down, z toward the camera.
        radius: (B, N) pixels; 0 draws nothing.
        height: of the pictures, pixels.
        width: of the pictures, pixels.

    Raises:
        ValueError: more spheres than the buffer can number.
    """
    batch, count, _ = centre.shape
    if count >= 1 << _ID_BITS:
        raise ValueError(f"at most {(1 << _ID_BITS) - 1} spheres a picture, not {count}")
    centre, radius = centre.float().reshape(-1, 3), radius.float().reshape(-1)
    x0 = (centre[:, 0] - radius).ceil().clamp(0, width)
    x1 = (centre[:, 0] + radius).floor().clamp(-1, width - 1)
    y0 = (centre[:, 1] - radius).ceil().clamp(0, height)
    y1 = (centre[:, 1] + radius).floor().clamp(-1, height - 1)
    columns, rows = (x1 - x0 + 1).clamp_min(0).long(), (y1 - y0 + 1).clamp_min(0).long()
    pixels = torch.where(radius > 0, columns * rows, 0)
    owner = torch.repeat_interleave(torch.arange(len(pixels), device=pixels.device), pixels)
    first = pixels.cumsum(0) - pixels
    local = torch.arange(len(owner), device=owner.device) - first[owner]
    dy = torch.div(local, columns[owner], rounding_mode="floor")
    x = x0[owner] + (local - dy * columns[owner])
    y = y0[owner] + dy
    square = (
        radius[owner].square() - (x - centre[owner, 0]).square() - (y - centre[owner, 1]).square()
    )
    hit = square > 0
    owner, x, y, square = owner[hit], x[hit], y[hit], square[hit]
    z = centre[owner, 2] + square.sqrt()

    image = torch.div(owner, count, rounding_mode="floor")
    place = (image * height + y.long()) * width + x.long()
    shifted = ((z + 4096).clamp(1, 65535) * _DEPTH_STEPS).long()
    key = (shifted << _ID_BITS) | (owner - image * count)
    buffer = torch.zeros(batch * height * width, dtype=torch.int64, device=key.device)
    buffer.scatter_reduce_(0, place, key, "amax")

    seen = buffer.nonzero()[:, 0]
    value = buffer[seen]
    sphere = value & ((1 << _ID_BITS) - 1)
    image = torch.div(seen, height * width, rounding_mode="floor")
    rest = seen - image * height * width
    py = torch.div(rest, width, rounding_mode="floor")
    px = (rest - py * width).float()
    index = image * count + sphere
    dx, dy_ = (px - centre[index, 0]) / radius[index], (py - centre[index, 1]) / radius[index]
    dz = (1 - dx.square() - dy_.square()).clamp_min(1e-4).sqrt()
    depth = torch.full((batch * height * width,), -torch.inf, device=key.device)
    depth[seen] = centre[index, 2] + dz * radius[index]
    return Surface(
        image=image,
        x=px,
        y=py.float(),
        sphere=sphere,
        normal=torch.stack([dx, dy_, dz], 1),
        depth=depth.view(batch, height, width),
    )


def blur(picture: Tensor, sigma: float) -> Tensor:
    """Gaussian-like blur of (B, C, H, W): shrink, smooth, enlarge; cheap at any sigma."""
    height, width = picture.shape[-2:]
    factor = max(1, min(int(sigma / 1.5), height // 8, width // 8))
    small = F.avg_pool2d(picture, factor, ceil_mode=True, count_include_pad=False)
    for _ in range(3):
        small = F.avg_pool2d(F.pad(small, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    return F.interpolate(small, size=(height, width), mode="bilinear", align_corners=False)
