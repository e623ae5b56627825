"""Dress a procedural infant, put it on a bed and photograph it: the picture half of the renderer.

`photograph` turns bodies and a look into pictures, batched on any device.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vid2kp.training import textures
from vid2kp.training.body import PARTS, Body
from vid2kp.training.look import (
    BED,
    BEHIND,
    BLANKET,
    BOTTOM,
    HAIR,
    NAPPY,
    OTHER_SKIN,
    SKIN,
    SMOOTH,
    TOP,
    Look,
)
from vid2kp.training.raster import Surface, blur, splat
from vid2kp.training.textures import Noise


@dataclass(frozen=True)
class Camera:
    """Where B cameras look from; each (B, ...).

    Attributes:
        turn: (B, 3, 3) rotation from the body frame to the camera frame.
        scale: (B,) pixels per body length.
        offset: (B, 2) where the body's origin is, pixels.
        distance: (B,) body lengths from camera to body; small = strong perspective.
    """

    turn: Tensor
    scale: Tensor
    offset: Tensor
    distance: Tensor

    def project(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Points of the body frame in the picture.

        Args:
            points: (B, N, 3).

        Returns:
            (B, N, 3) pixels x, y and depth toward the camera; (B, N) pixels per body length there.
        """
        seen = torch.einsum("bij,bnj->bni", self.turn, points)
        zoom = 1 / (1 - seen[..., 2] / self.distance[:, None]).clamp_min(0.2)
        scale = self.scale[:, None]
        x = seen[..., 0] * zoom * scale + self.offset[:, None, 0]
        y = seen[..., 1] * zoom * scale + self.offset[:, None, 1]
        return torch.stack([x, y, seen[..., 2] * scale], -1), zoom * scale


@dataclass(frozen=True)
class Things:
    """Other spheres in the scene (arms of adults, toys), in the body frame; (B, M, ...)."""

    centre: Tensor
    radius: Tensor
    material: Tensor


def photograph(
    body: Body,
    look: Look,
    camera: Camera,
    noise: Noise,
    *,
    height: int,
    width: int,
    things: Things | None = None,
    background: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures of bodies.

    Args:
        body: B infants.
        look: their appearance.
        camera: one each.
        noise: the noise bank, on the same device.
        height: pixels.
        width: pixels.
        things: other objects.
        background: (B, 3, H, W) RGB in [0, 1] in place of the drawn bed where not NaN.

    Returns:
        (B, 3, H, W) RGB in [0, 1]; (B, H, W) depth toward the camera in pixels, -inf on the bed;
        (B, H, W) bool, covered by the blanket.
    """
    covered, radius = _clothe(body, look)
    centre, zoom = camera.project(body.centre)
    radius = radius * zoom
    axis = torch.einsum("bij,bnj->bni", camera.turn, body.axis)
    material, along = covered, body.along
    if things is not None:
        spot, magnify = camera.project(things.centre)
        centre = torch.cat([centre, spot], 1)
        radius = torch.cat([radius, things.radius * magnify], 1)
        material = torch.cat([material, things.material], 1)
        unit_x = torch.zeros_like(things.centre)
        unit_x[..., 0] = 1
        axis = torch.cat([axis, unit_x], 1)
        along = torch.cat([along, things.centre[..., 1]], 1)
    surface = splat(centre, radius, height, width)
    picture = _bed(look, camera, noise, height, width)
    if background is not None:
        picture = torch.where(background.isnan(), picture, background)
    picture = _cast_shadow(picture, surface, look, camera)
    colour, normal = _skin_and_cloth(surface, radius, axis, along, material, look, noise, camera)
    colour = _face(colour, surface, body, camera, look, material)
    lit = _light(colour, normal, surface, look, camera)
    flat = picture.permute(0, 2, 3, 1).reshape(-1, 3)
    place = (surface.image * height + surface.y.long()) * width + surface.x.long()
    flat[place] = lit
    picture = flat.view(-1, height, width, 3).permute(0, 3, 1, 2)
    picture, hidden = _cover(picture, surface, look, camera, noise)
    exposed = (picture * look.tint[:, :, None, None]).clamp(0, 1)
    return exposed ** look.gamma[:, None, None, None], surface.depth, hidden


def _clothe(body: Body, look: Look) -> tuple[Tensor, Tensor]:
    """Material and radius of each of the body's spheres."""
    part = body.part
    zero = torch.zeros_like(body.radius)
    reach = {}
    for names in (("upper_arm", "forearm", "hand"), ("thigh", "shank", "foot")):
        for i, name in enumerate(names):
            mine = part == PARTS.index(name)
            longest = body.along[:, mine].amax(1, keepdim=True).clamp_min(1e-6)
            reach[name] = torch.where(mine, i + (body.along / longest).clamp(0, 0.99), zero)
    is_arm = torch.isin(part, _parts("upper_arm", "forearm", "hand", device=part.device))
    is_leg = torch.isin(part, _parts("thigh", "shank", "foot", device=part.device))
    arm = reach["upper_arm"] + reach["forearm"] + reach["hand"]
    leg = reach["thigh"] + reach["shank"] + reach["foot"]
    on_arm = is_arm & look.shirt[:, None] & (arm < look.sleeve[:, None])
    on_leg = is_leg & (leg < look.leg[:, None])
    on_torso = (part == PARTS.index("torso")) & look.shirt[:, None]
    pelvis = part == PARTS.index("pelvis")
    dressed = (look.leg > 0)[:, None]
    material = torch.full_like(zero, SKIN, dtype=torch.int64)
    material = torch.where(on_torso | on_arm, TOP, material)
    material = torch.where(pelvis & ~dressed, NAPPY, material)
    material = torch.where(on_leg | (pelvis & dressed), BOTTOM, material)
    material = torch.where((material == BOTTOM) & (part == PARTS.index("foot")), NAPPY, material)
    cloth = (material != SKIN) & ~torch.isin(part, _parts("hand", "foot", device=part.device))
    wave = 0.5 + 0.5 * torch.sin(body.along * 70 + 9 * look.folds[:, None])
    bulge = 1.04 + look.loose[:, None] * (0.45 + 0.55 * wave)
    return material, body.radius * torch.where(cloth, bulge, torch.ones_like(bulge))


def _parts(*names: str, device: torch.device) -> Tensor:
    return torch.tensor([PARTS.index(n) for n in names], device=device)


def _grid(look: Look, camera: Camera, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Position of every pixel in body lengths from the body's origin; two of (B, H·W)."""
    device = look.gamma.device
    y, x = torch.meshgrid(
        torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij"
    )
    scale = camera.scale[:, None]
    u = (x.reshape(1, -1) - camera.offset[:, :1]) / scale
    v = (y.reshape(1, -1) - camera.offset[:, 1:]) / scale
    return u, v


def _bed(look: Look, camera: Camera, noise: Noise, height: int, width: int) -> Tensor:
    u, v = _grid(look, camera, height, width)
    rows = torch.arange(len(u), device=u.device)[:, None]
    cos, sin, scale = (
        x[:, None] for x in (look.bed_turn.cos(), look.bed_turn.sin(), look.bed_scale)
    )
    p, q = (u * cos + v * sin) * scale, (v * cos - u * sin) * scale
    sheet = look.materials[rows, torch.full_like(rows, BED)]
    colour = textures.paint(sheet, noise, p, q)
    relief = noise(sheet.noise.clamp_min(SMOOTH), 0.45 * p, 0.45 * q).view(-1, height, width)
    colour = colour * (1 + _folds(relief, look, camera.scale)).view(len(u), -1, 1)
    edge = look.edge[:, None]
    beyond = edge[..., 0] * u[..., None] + edge[..., 1] * v[..., None] - edge[..., 2]
    depth, wall = beyond.max(2)
    image, place = (depth > 0).nonzero(as_tuple=True)
    if len(image):
        colour[image, place] = _behind(
            look, noise, image, u[image, place], v[image, place], wall[image, place]
        )
    return colour.view(-1, height, width, 3).permute(0, 3, 1, 2).contiguous()


def _behind(look: Look, noise: Noise, image: Tensor, u: Tensor, v: Tensor, wall: Tensor) -> Tensor:
    """Floor or furniture beyond the edges of the bed, sometimes the bars of a crib; (n, 3)."""
    material = look.materials[image, torch.full_like(image, BEHIND)]
    colour = textures.paint(material, noise, v, u) * 0.8
    period = look.bars[image]
    along = torch.where(wall == 0, u, v)
    bar = (((along / period.clamp_min(1e-3)) % 1) < 0.35) & (period > 0)
    return torch.where(bar[:, None], material.second, colour)


def _folds(relief: Tensor, look: Look, scale: Tensor) -> Tensor:
    """Relative brightness (B, H, W) of wrinkles: a relief's slope toward the light."""
    light = (look.light[:, :2] * (look.wrinkle * 1.7 * scale / 100)[:, None])[:, :, None, None]
    slope_x = relief.diff(dim=2, append=relief[:, :, -1:])
    slope_y = relief.diff(dim=1, append=relief[:, -1:])
    return (5 * (slope_x * light[:, 0] + slope_y * light[:, 1])).clamp(-0.5, 0.5)


def _cast_shadow(picture: Tensor, surface: Surface, look: Look, camera: Camera) -> Tensor:
    mask = torch.isfinite(surface.depth).float()[:, None]
    size = float(camera.scale.mean())
    soft = blur(mask, 0.03 * size)
    wide = blur(mask, 0.10 * size)
    moved = torch.zeros_like(wide)
    for i in range(len(mask)):
        dx, dy = (-0.05 * look.light[i, :2] * camera.scale[i]).round().int().tolist()
        moved[i] = wide[i].roll((dy, dx), (1, 2))
    return picture * (1 - look.shadow[:, None, None, None] * (0.6 * soft + 0.5 * moved).clamp(0, 1))


def _skin_and_cloth(
    surface: Surface,
    radius: Tensor,
    axis: Tensor,
    along: Tensor,
    material: Tensor,
    look: Look,
    noise: Noise,
    camera: Camera,
) -> tuple[Tensor, Tensor]:
    """Colour and folded normal of each visible pixel; textures stick to the limbs."""
    pick = (surface.image, surface.sphere)
    worn = material[pick]
    bone = axis[pick]
    size = (radius[pick] / camera.scale[surface.image]).clamp_min(1e-4)
    forward = (surface.normal * bone).sum(1)
    helper = torch.tensor([0.31, 0.22, 0.92], device=bone.device).expand_as(bone)
    side = torch.linalg.cross(bone, helper)
    side = side / side.norm(dim=1, keepdim=True).clamp_min(1e-3)
    around = (surface.normal * side).sum(1)
    u = along[pick] + size * forward + 0.173 * worn
    v = size * torch.asin(around.clamp(-0.999, 0.999))
    row = look.materials[surface.image, worn]
    colour = textures.paint(row, noise, u, v)
    dressed = ((worn != SKIN) & (worn != OTHER_SKIN)).float()
    bump = look.folds[surface.image] * (0.15 + 0.85 * dressed)
    step = 0.004
    here = noise(row.noise, 0.9 * u, 0.9 * v)
    slope = torch.stack(
        [
            noise(row.noise, 0.9 * u + step, 0.9 * v) - here,
            noise(row.noise, 0.9 * u, 0.9 * v + step) - here,
        ],
        1,
    )
    folded = surface.normal + 9 * bump[:, None] * (slope[:, :1] * bone + slope[:, 1:] * side)
    return colour, folded / folded.norm(dim=1, keepdim=True).clamp_min(1e-3)


def _face(
    colour: Tensor, surface: Surface, body: Body, camera: Camera, look: Look, material: Tensor
) -> Tensor:
    """Hair, cheeks, eyes, brows and mouth on the pixels of the head."""
    on_body = surface.sphere < len(body.part)
    index = torch.where(on_body, surface.sphere, 0)
    mine = (on_body & (body.part[index] == PARTS.index("head"))).nonzero()[:, 0]
    if len(mine) == 0:
        return colour
    image = surface.image[mine]
    head, _ = camera.project(body.joints["head"][:, None])
    scale = camera.scale[image]
    radius = (body.joints["mouth"] - body.joints["head"]).norm(dim=1)
    position = torch.stack(
        [
            surface.x[mine],
            surface.y[mine],
            surface.depth[image, surface.y[mine].long(), surface.x[mine].long()],
        ],
        1,
    )
    offset = (position - head[image, 0]) / (scale * radius[image])[:, None]
    frame = camera.turn @ body.head_frame
    local = torch.einsum("nji,nj->ni", frame[image], offset)  # (left, down, forward)
    left, down, forward = local.unbind(1)
    skin = colour[mine]
    rosy = torch.exp(-((left.abs() - 0.45) ** 2 + (down - 0.3) ** 2) / 0.05) * (forward > 0.2)
    skin = skin * (1 - rosy[:, None] * skin.new_tensor([0.0, 0.12, 0.12]))
    front = forward > 0.3
    eye = (((left.abs() - 0.36) / 0.15) ** 2 + ((down + 0.02) / 0.075) ** 2 < 1) & front
    iris = ((left.abs() - 0.36) ** 2 + (down + 0.02) ** 2 < 0.0065) & front
    brow = (
        ((left.abs() - 0.36) / 0.2) ** 2 + ((down + 0.26 - 0.1 * left.abs()) / 0.035) ** 2 < 1
    ) & front
    open_ = look.mouth[image]
    lips = ((left / 0.24) ** 2 + ((down - 0.58) / (open_ + 0.05)) ** 2 < 1) & front
    gap = ((left / 0.17) ** 2 + ((down - 0.58) / (open_ - 0.05).clamp_min(0.01)) ** 2 < 1) & front
    nostril = (((left.abs() - 0.07) ** 2 + (down - 0.37) ** 2) < 0.0016) & front
    skin = torch.where(brow[:, None], skin * 0.6, skin)
    skin = torch.where(eye[:, None], 0.35 + 0.5 * skin, skin)
    skin = torch.where(iris[:, None], skin * 0.15, skin)
    skin = torch.where(lips[:, None], skin * skin.new_tensor([0.85, 0.5, 0.5]), skin)
    skin = torch.where(gap[:, None], skin * 0.3, skin)
    skin = torch.where(nostril[:, None], skin * 0.45, skin)
    ripple = 0.08 * torch.sin(9 * left + 5 * forward)
    scalp = (-0.9 * down - 0.55 * forward + ripple) > look.hairline[image]
    hair = (
        look.materials.colour[image, HAIR] * (0.9 + 0.2 * torch.sin(40 * left + 31 * down))[:, None]
    )
    skin = torch.where(scalp[:, None], hair, skin)
    blocks = torch.sin(47 * (left * 4).round() + 91 * (down * 4).round()) * 0.25 + 0.5
    mosaic = look.mosaic[image] & (forward > 0.15)
    skin = torch.where(mosaic[:, None], blocks[:, None].expand_as(skin), skin)
    colour = colour.clone()
    colour[mine] = skin
    return colour


def _light(colour: Tensor, normal: Tensor, surface: Surface, look: Look, camera: Camera) -> Tensor:
    light = look.light / look.light.norm(dim=1, keepdim=True)
    facing = (normal * light[surface.image]).sum(1).clamp(0, 1.2)
    ambient = look.ambient[surface.image]
    shade = ambient + (1.15 - ambient) * facing
    floor = surface.depth.masked_fill(~torch.isfinite(surface.depth), torch.inf).amin(
        (1, 2), keepdim=True
    )
    solid = torch.where(torch.isfinite(surface.depth), surface.depth, floor)[:, None]
    size = float(camera.scale.mean())
    dent = (blur(solid, 0.03 * size) - solid)[:, 0] / (0.10 * camera.scale[:, None, None])
    buried = dent[surface.image, surface.y.long(), surface.x.long()].clamp(0, 1)
    brightness: Tensor = shade * (1 - look.shade[surface.image] * buried)
    return colour * brightness[:, None]


def _cover(
    picture: Tensor, surface: Surface, look: Look, camera: Camera, noise: Noise
) -> tuple[Tensor, Tensor]:
    """A blanket over the legs that shows the body's relief; the picture and where it lies."""
    batch, _, height, width = picture.shape
    if not bool((look.blanket[:, 2] < 5).any()):
        return picture, torch.zeros(batch, height, width, dtype=torch.bool, device=picture.device)
    u, v = _grid(look, camera, height, width)
    back = camera.turn.transpose(1, 2)  # in-plane position in the body's own axes
    across = back[:, 0, :1] * u + back[:, 0, 1:2] * v
    down = back[:, 1, :1] * u + back[:, 1, 1:2] * v
    rows = torch.arange(len(u), device=u.device)[:, None]
    material = look.materials[rows, torch.full_like(rows, BLANKET)]
    line = look.blanket[:, None]
    wavy = 0.25 * (noise(material.noise, 0.4 * u, 0.4 * v) - 0.5)
    inside = across * line[..., 0] + down * line[..., 1] + wavy > line[..., 2]
    hidden = (inside & (across.abs() < 0.5) & (down < 0.7)).view(batch, height, width)
    size = float(camera.scale.mean())
    relief = torch.where(torch.isfinite(surface.depth), surface.depth, 0.0).clamp_min(-0.2 * size)
    relief = blur(relief[:, None], 0.02 * size)[:, 0]
    slope_x = relief.diff(dim=2, append=relief[:, :, -1:])
    slope_y = relief.diff(dim=1, append=relief[:, -1:])
    light = look.light[:, :, None, None]
    shade = (1 - 0.6 * (slope_x * light[:, 0] + slope_y * light[:, 1])).clamp(0.5, 1.4)
    folds = noise(material.noise.clamp_min(SMOOTH), 0.7 * u, 0.7 * v).view(batch, height, width)
    shade = shade * (1 + _folds(folds, look, camera.scale))
    colour = textures.paint(material, noise, u, v).view(batch, height, width, 3) * shade[..., None]
    covered = torch.where(hidden[:, None], colour.permute(0, 3, 1, 2), picture)
    return covered, hidden
