"""Procedural textures for synthetic scenes: tileable noise, patterns, colours of skin and cloth.

All functions work on lists of pixels with broadcasting rows of parameters, so that a batch of
different scenes is one tensor operation, on the CPU or a GPU. Colours are RGB in [0, 1].
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

TILE = 256
KINDS = 7  # plain (three times as likely), stripes, checks, dots, blotches


@dataclass(frozen=True)
class Material:
    """What a surface looks like; each field has one row per material, shape (..., [3])."""

    colour: Tensor
    second: Tensor
    kind: Tensor
    period: Tensor
    turn: Tensor
    duty: Tensor
    mottle: Tensor
    noise: Tensor

    def __getitem__(self, index: Tensor | tuple[Tensor, ...]) -> Material:
        """Rows picked by index, e.g. one per pixel."""
        return Material(*(getattr(self, name)[index] for name in self.__dataclass_fields__))

    def to(self, device: torch.device) -> Material:
        """The same on another device."""
        return Material(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


class Noise:
    """A bank of tileable noise pictures, made once from a seed.

    Attributes:
        bank: (M, TILE, TILE) float32, mean 0.5, mostly within [0, 1]; rough to smooth.
    """

    def __init__(self, rng: torch.Generator, *, count: int = 12) -> None:
        f = torch.fft.fftfreq(TILE)
        radius = (f[:, None] ** 2 + f[None] ** 2).sqrt().clamp_min(1 / TILE)
        slope = torch.linspace(0.9, 2.2, count)[:, None, None]
        white = torch.fft.fft2(torch.randn(count, TILE, TILE, generator=rng))
        shaped = torch.fft.ifft2(white * radius ** (-slope)).real
        shaped = shaped - shaped.mean((1, 2), keepdim=True)
        shaped = shaped / shaped.std((1, 2), keepdim=True)
        self.bank = (0.5 + 0.2 * shaped).float()

    def to(self, device: torch.device) -> Noise:
        """Move the bank to a device, in place."""
        self.bank = self.bank.to(device)
        return self

    def __call__(self, which: Tensor, u: Tensor, v: Tensor) -> Tensor:
        """Bilinear look-up at (u, v), in tiles (1 = one repeat), in picture `which`; any shape."""
        x, y = u * TILE, v * TILE
        x0, y0 = x.floor(), y.floor()
        fx, fy = x - x0, y - y0
        x0, y0 = x0.long() % TILE, y0.long() % TILE
        x1, y1 = (x0 + 1) % TILE, (y0 + 1) % TILE
        flat, base = self.bank.view(-1), which * (TILE * TILE)
        row0, row1 = base + y0 * TILE, base + y1 * TILE
        low = flat[row0 + x0] * (1 - fx) + flat[row0 + x1] * fx
        high = flat[row1 + x0] * (1 - fx) + flat[row1 + x1] * fx
        return torch.lerp(low, high, fy)


def paint(material: Material, noise: Noise, u: Tensor, v: Tensor) -> Tensor:
    """Colour of each pixel.

    Args:
        material: rows that broadcast with the pixels: (n,), or (B, 1) for (B, n) pixels.
        noise: the noise bank.
        u: first surface coordinate, body lengths.
        v: second surface coordinate.

    Returns:
        The pixels' shape with (R, G, B) behind, about [0, 1.2].
    """
    cos, sin = material.turn.cos(), material.turn.sin()
    p, q = (u * cos + v * sin) / material.period, (v * cos - u * sin) / material.period
    share = torch.zeros_like(p)
    for code, draw in ((3, _stripes), (4, _checks), (5, _dots), (6, _blotches)):
        mine = material.kind == code
        if bool(mine.any()):  # most batches lack most kinds
            share = torch.where(mine, draw(p, q, material, noise), share)
    mottle = noise(material.noise, 2.1 * u + 0.37, 2.1 * v + 0.11)
    tone = 1 + material.mottle * (mottle - 0.5)
    mixed = torch.lerp(material.colour, material.second, share[..., None])
    return mixed * tone[..., None]


def _stripes(p: Tensor, q: Tensor, material: Material, noise: Noise) -> Tensor:
    return torch.sigmoid((torch.sin(2 * math.pi * p) + 1 - 2 * material.duty) / 0.06)


def _checks(p: Tensor, q: Tensor, material: Material, noise: Noise) -> Tensor:
    return torch.sigmoid(torch.sin(2 * math.pi * p) * torch.sin(2 * math.pi * q) / 0.06)


def _dots(p: Tensor, q: Tensor, material: Material, noise: Noise) -> Tensor:
    spot = (p - p.floor() - 0.5).square() + (q - q.floor() - 0.5).square()
    return torch.sigmoid((material.duty.square() * 0.25 - spot) / 0.01)


def _blotches(p: Tensor, q: Tensor, material: Material, noise: Noise) -> Tensor:
    return torch.sigmoid((noise(material.noise, 0.3 * p, 0.3 * q) - 0.5) / 0.03)


def cloth(shape: tuple[int, ...], rng: torch.Generator) -> Material:
    """Random cloth: plain or patterned, any colour, often pale."""

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(shape, generator=rng)

    return Material(
        colour=random_colour(shape, rng),
        second=random_colour(shape, rng),
        kind=torch.randint(0, KINDS, shape, generator=rng),
        period=0.03 * (8.0 ** uniform(0, 1)),
        turn=uniform(0, math.pi),
        duty=uniform(0.3, 0.8),
        mottle=uniform(0, 0.5),
        noise=torch.randint(0, 12, shape, generator=rng),
    )


SKIN = (
    (0.96, 0.80, 0.70), (0.93, 0.72, 0.58), (0.85, 0.62, 0.47), (0.75, 0.52, 0.37),
    (0.60, 0.40, 0.26), (0.45, 0.29, 0.18), (0.32, 0.20, 0.13), (0.97, 0.70, 0.62),
)  # fmt: skip
"""Skin tones over the whole human range, and a flushed newborn's."""


def skin(shape: tuple[int, ...], rng: torch.Generator) -> Material:
    """Random skin, evenly over the tones, slightly mottled."""
    tone = torch.tensor(SKIN)[torch.randint(0, len(SKIN), shape, generator=rng)]
    light = 0.85 + 0.25 * torch.rand((*shape, 1), generator=rng)
    base = cloth(shape, rng)
    colour = (tone * light + 0.02 * torch.randn((*shape, 3), generator=rng)).clamp(0, 1)
    return Material(
        colour=colour,
        second=colour * torch.tensor([1.0, 0.85, 0.82]),
        kind=torch.zeros_like(base.kind),
        period=base.period,
        turn=base.turn,
        duty=base.duty,
        mottle=0.35 * base.mottle + 0.1,
        noise=base.noise,
    )


def random_colour(shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    """(*shape, 3) RGB: any hue, saturation mostly low, value 0.2 to 1."""
    hue = torch.rand(shape, generator=rng)
    saturation = torch.rand(shape, generator=rng) ** 1.8
    value = 0.2 + 0.8 * torch.rand(shape, generator=rng) ** 0.6
    k = (torch.tensor([5.0, 3.0, 1.0]) + 6 * hue[..., None]) % 6
    ramp = torch.minimum(k, 4 - k).clamp(0, 1)
    return value[..., None] * (1 - saturation[..., None] * ramp)
