"""How a synthetic scene looks: every random choice of appearance, apart from the body.

A `Look` holds the choices for B pictures, so that a video keeps one look while the body moves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from vid2kp.training import textures
from vid2kp.training.textures import Material

SKIN, TOP, BOTTOM, NAPPY, HAIR, OTHER_SKIN, OTHER_CLOTH, TOY, BED, BEHIND, BLANKET = range(11)
MATERIALS = 11
SMOOTH = 6  # pictures of the noise bank from here on are smooth enough to be folds


@dataclass(frozen=True)
class Look:
    """Appearance of B pictures; every tensor has B rows."""

    materials: Material  # (B, MATERIALS)
    sleeve: Tensor  # 0 bare arms … 1 elbow … 2 wrist … 3 mittens
    leg: Tensor  # the same for trousers; 3 covers the feet
    shirt: Tensor  # bool
    loose: Tensor  # how far cloth stands off the limb
    folds: Tensor  # strength of folds
    hairline: Tensor
    mouth: Tensor  # how open
    mosaic: Tensor  # bool: face made unrecognisable, as in published data
    light: Tensor  # (B, 3)
    ambient: Tensor
    shade: Tensor  # strength of ambient occlusion
    shadow: Tensor  # strength of the shadow on the bed
    bed_turn: Tensor
    bed_scale: Tensor
    wrinkle: Tensor
    edge: Tensor  # (B, 3, 3) half planes of the bed's ends: normal, offset
    bars: Tensor  # period of crib bars on the part behind, 0 = none
    blanket: Tensor  # (B, 3) half plane of the body frame that is covered; offset 9 = none
    tint: Tensor  # (B, 3) white balance × exposure
    gamma: Tensor
    noise: Tensor

    def to(self, device: torch.device) -> Look:
        """The same on another device."""
        return replace(self, **{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    def repeat(self, count: int) -> Look:
        """One look (B = 1) for `count` pictures."""

        def rows(x: Tensor) -> Tensor:
            return x.expand(count, *x.shape[1:])

        values = {f.name: getattr(self, f.name) for f in fields(self)}
        cloth = values.pop("materials")
        whole = {f.name: rows(getattr(cloth, f.name)) for f in fields(cloth)}
        return Look(materials=Material(**whole), **{k: rows(v) for k, v in values.items()})


def random_look(count: int, rng: torch.Generator) -> Look:
    """Random appearance of `count` pictures."""

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=rng)

    def chance(p: float) -> Tensor:
        return torch.rand(count, generator=rng) < p

    def among(values: tuple[float, ...], weights: tuple[float, ...]) -> Tensor:
        picked = torch.multinomial(torch.tensor(weights), count, replacement=True, generator=rng)
        return torch.tensor(values)[picked]

    one_piece = chance(0.5)
    angle = uniform(0, 2 * math.pi)
    edge_angle = 2 * math.pi * torch.rand(count, 3, generator=rng)
    edge_offset = 0.25 + 0.6 * torch.rand(count, 3, generator=rng)
    edge_offset = torch.where(torch.rand(count, 3, generator=rng) < 0.6, 9.0, edge_offset)
    slope = 0.5 * torch.randn(count, generator=rng)
    cover = torch.where(chance(0.10), uniform(-0.18, 0.25), torch.full((count,), 9.0))
    side = uniform(0.2, 1.3)
    return Look(
        materials=_wardrobe(count, one_piece, chance(0.7), chance(0.25), rng),
        sleeve=among((0.0, 0.5, 1.2, 1.95, 3.0), (0.22, 0.20, 0.15, 0.35, 0.08)),
        leg=among((0.0, 0.6, 1.5, 1.95, 3.0), (0.38, 0.12, 0.12, 0.20, 0.18)),
        shirt=chance(0.78),
        loose=torch.where(chance(0.3), uniform(0.35, 0.9), uniform(0.0, 0.35)),
        folds=uniform(0.0, 1.0),
        hairline=uniform(0.25, 0.75),
        mouth=uniform(0.06, 0.22),
        mosaic=chance(0.04),
        light=torch.stack([side * angle.cos(), side * angle.sin(), torch.ones(count)], 1),
        ambient=uniform(0.3, 0.8),
        shade=uniform(0.3, 0.9),
        shadow=uniform(0.1, 0.6),
        bed_turn=uniform(0, math.pi),
        bed_scale=uniform(0.5, 2.0),
        wrinkle=uniform(0, 1) ** 1.5,
        edge=torch.stack([edge_angle.cos(), edge_angle.sin(), edge_offset], 2),
        bars=torch.where(chance(0.3), uniform(0.06, 0.2), torch.zeros(count)),
        blanket=torch.stack([slope.sin(), slope.cos(), cover], 1),
        tint=uniform(0.65, 1.25)[:, None] * (1 + 0.06 * torch.randn(count, 3, generator=rng)),
        gamma=uniform(0.65, 1.5),
        noise=0.04 * uniform(0, 1) ** 2,
    )


def _wardrobe(
    count: int, one_piece: Tensor, nappy: Tensor, hat: Tensor, rng: torch.Generator
) -> Material:
    skin = textures.skin((count, MATERIALS), rng)
    worn = textures.cloth((count, MATERIALS), rng)
    is_skin = torch.zeros(MATERIALS, dtype=torch.bool)
    is_skin[[SKIN, OTHER_SKIN]] = True

    def merge(a: Tensor, b: Tensor) -> Tensor:
        mask = is_skin.view(1, MATERIALS, *([1] * (a.dim() - 2)))
        return torch.where(mask, a, b)

    look = Material(
        *(merge(getattr(skin, f.name), getattr(worn, f.name)) for f in fields(Material))
    )
    same = one_piece[:, None]
    for f in fields(Material):
        values = getattr(look, f.name)
        wide = one_piece.view(-1, *([1] * (values.dim() - 2)))
        values[:, BOTTOM] = torch.where(wide, values[:, TOP], values[:, BOTTOM])
    plain = torch.zeros_like(look.kind[:, 0])
    white = (0.8 + 0.2 * torch.rand(count, 1, generator=rng)).expand(-1, 3)
    look.colour[:, NAPPY] = torch.where(nappy[:, None] | same, white, look.colour[:, NAPPY])
    look.kind[:, NAPPY] = torch.where(nappy, plain, look.kind[:, NAPPY])
    pale = (
        0.85
        * torch.rand(count, 2, 1, generator=rng)
        * (torch.rand(count, 2, 1, generator=rng) < 0.7)
    )
    soft = 0.9 * (torch.rand(count, 1, 1, generator=rng) < 0.4)
    for colour in (look.colour, look.second):  # infants are often dressed in pale cloth
        worn_now = colour[:, [TOP, BOTTOM]]
        colour[:, [TOP, BOTTOM]] = worn_now + (0.9 - worn_now) * soft
    for colour in (look.colour, look.second):  # bed linen is mostly pale
        linen = colour[:, [BED, BLANKET]]
        colour[:, [BED, BLANKET]] = linen + (0.95 - linen) * pale
    dark = look.colour[:, SKIN] * (0.1 + 0.8 * torch.rand(count, 1, generator=rng))
    look.colour[:, HAIR] = torch.where(hat[:, None], look.colour[:, HAIR], dark)
    look.kind[:, HAIR] = torch.where(hat, look.kind[:, HAIR], plain)
    return look
