"""Synthetic infants with exact keypoints: labelled pictures and videos without a patient.

Everything comes from a seed: the same seed gives the same bodies, looks and pictures on one
device. `SyntheticInfants` makes batches for training, on the CPU or a GPU.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vid2kp.files import output_errors, write_text
from vid2kp.pose.estimate import choose_device
from vid2kp.pose.skeleton import INFANT22, Skeleton
from vid2kp.training.body import Body, pose_bodies, random_shape, rotation
from vid2kp.training.coco import CATEGORY, category_of
from vid2kp.training.look import OTHER_CLOTH, OTHER_SKIN, TOY, random_look
from vid2kp.training.postures import LYING_WEIGHTS, random_pose
from vid2kp.training.scene import Camera, Things, photograph
from vid2kp.training.textures import Noise

SIZE = 288
"""Side of the pictures that are made for a training, pixels."""

HIDDEN_DEPTH = 0.085
"""A keypoint is hidden when the surface lies this far (body lengths) before it."""


@dataclass(frozen=True)
class Pictures:
    """Labelled pictures.

    Attributes:
        images: (B, H, W, 3) uint8 RGB.
        keypoints: (B, K, 2) float32 pixels; may lie outside the picture.
        visibility: (B, K) int64 as in COCO: 2 seen, 1 hidden or outside the picture.
    """

    images: NDArray[np.uint8]
    keypoints: NDArray[np.float32]
    visibility: NDArray[np.int64]


class SyntheticInfants:
    """Makes labelled pictures of procedural infants.

    Args:
        seed: everything follows from it.
        height: of the pictures, pixels.
        width: of the pictures, pixels.
        skeleton: any set whose keypoints a body has.
        backgrounds: RGB uint8 photographs without an infant to put behind some of them.
        device: where to render.
        lying: how often an infant lies on its back, half turned, on a side, on its belly.
        upright: share of the arms whose forearm points at the camera, besides those that chance to.
    """

    def __init__(
        self,
        seed: int,
        *,
        height: int = 320,
        width: int = 320,
        skeleton: Skeleton = INFANT22,
        backgrounds: list[NDArray[np.uint8]] | None = None,
        device: str = "cpu",
        lying: tuple[float, ...] = LYING_WEIGHTS,
        upright: float = 0.0,
    ) -> None:
        self.lying, self.upright = lying, upright
        self.rng = torch.Generator().manual_seed(seed)
        self.height, self.width = height, width
        self.skeleton = skeleton
        self.device = choose_device(device)
        self.noise = Noise(self.rng).to(self.device)
        self.backgrounds = backgrounds or []

    def batch(self, count: int) -> Pictures:
        """`count` unrelated pictures."""
        shape = random_shape(count, self.rng)
        pose = random_pose(count, self.rng, lying=self.lying, upright=self.upright)
        body = pose_bodies(shape, pose)
        camera = self._camera(body)
        look = random_look(count, self.rng)
        things = random_things(body, self.rng)
        background = self._background(count)
        with torch.inference_mode():
            pictures, depth, hidden = photograph(
                _move(body, self.device),
                look.to(self.device),
                _move(camera, self.device),
                self.noise,
                height=self.height,
                width=self.width,
                things=_move(things, self.device),
                background=None if background is None else background.to(self.device),
            )
        grain = look.noise.to(self.device)[:, None, None, None]
        pictures = pictures + grain * torch.randn(pictures.shape, generator=self.rng).to(
            self.device
        )
        points, _ = camera.project(
            torch.stack([body.joints[k] for k in self.skeleton.keypoints], 1)
        )
        return Pictures(
            images=to_uint8(pictures),
            keypoints=points[..., :2].numpy().astype(np.float32),
            visibility=visibility(points, depth.cpu(), hidden.cpu(), camera),
        )

    def _camera(self, body: Body) -> Camera:
        """Mostly from above, any direction; the body fills 35 to 105 % of the picture."""
        count = len(body.centre)

        def normal(spread: float) -> Tensor:
            return spread * torch.randn(count, generator=self.rng)

        def uniform(low: float, high: float) -> Tensor:
            return low + (high - low) * torch.rand(count, generator=self.rng)

        upright = uniform(0, 1) < 0.5
        azimuth = torch.where(upright, normal(0.35), uniform(-math.pi, math.pi))
        tilt = normal(0.45).clamp(-1.15, 1.15)
        turn = rotation("x", tilt) @ rotation("y", normal(0.25)) @ rotation("z", azimuth)
        distance = uniform(1.3, 5.0)
        unit = Camera(turn, torch.ones(count), torch.zeros(count, 2), distance)
        centre, zoom = unit.project(body.centre)
        reach = (body.radius * zoom)[..., None]
        low, high = (centre[..., :2] - reach).amin(1), (centre[..., :2] + reach).amax(1)
        size = torch.tensor([self.width, self.height], dtype=torch.float32)
        fill = uniform(0.35, 1.05)
        scale = fill * (size / (high - low)).amin(1)
        slack = (size - (high - low) * scale[:, None]).clamp_min(0)
        start = slack * torch.rand(count, 2, generator=self.rng)
        return Camera(turn, scale, start - low * scale[:, None], distance)

    def _background(self, count: int) -> Tensor | None:
        """Random crops of the photographs behind two thirds of the pictures; NaN elsewhere."""
        if not self.backgrounds:
            return None
        out = torch.full((count, 3, self.height, self.width), torch.nan)
        for i in range(count):
            if float(torch.rand(1, generator=self.rng)) > 0.66:
                continue
            pick = int(torch.randint(len(self.backgrounds), (1,), generator=self.rng))
            out[i] = _crop(self.backgrounds[pick], self.height, self.width, self.rng)
        return out


def visibility(points: Tensor, depth: Tensor, hidden: Tensor, camera: Camera) -> NDArray[np.int64]:
    """Which keypoints can be seen.

    Args:
        points: (B, K, 3) pixels and depth of the keypoints.
        depth: (B, H, W) of the surface, pixels toward the camera.
        hidden: (B, H, W) bool, under a blanket.
        camera: for the size of a body length in pixels.

    Returns:
        (B, K) 2 = seen, 1 = hidden or outside the picture.
    """
    height, width = depth.shape[1:]
    x, y = points[..., 0].round().long(), points[..., 1].round().long()
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    x, y = x.clamp(0, width - 1), y.clamp(0, height - 1)
    image = torch.arange(len(points))[:, None].expand_as(x)
    before = depth[image, y, x] - points[..., 2]
    seen = inside & (before < HIDDEN_DEPTH * camera.scale[:, None]) & ~hidden[image, y, x]
    return torch.where(seen, 2, 1).numpy()


def _crop(photo: NDArray[np.uint8], height: int, width: int, rng: torch.Generator) -> Tensor:
    h, w = photo.shape[:2]
    share = 0.5 + 0.5 * float(torch.rand(1, generator=rng))
    side = max(8, int(share * min(h, w)))
    x = int(torch.randint(w - side + 1, (1,), generator=rng))
    y = int(torch.randint(h - side + 1, (1,), generator=rng))
    crop = np.rot90(photo[y : y + side, x : x + side], int(torch.randint(4, (1,), generator=rng)))
    resized = cv2.resize(crop, (width, height), interpolation=cv2.INTER_LINEAR)
    return torch.from_numpy(resized).permute(2, 0, 1).float() / 255


def random_things(body: Body, rng: torch.Generator) -> Things:
    """An adult's forearm with a hand, and toys, in some of the scenes; elsewhere radius 0."""
    count = len(body.centre)
    centre, radius, material = [], [], []

    def string(
        start: Tensor, stop: Tensor, r0: float, r1: float, steps: int, kind: Tensor, on: Tensor
    ) -> None:
        t = torch.linspace(0, 1, steps)[None, :, None]
        centre.append(start[:, None] * (1 - t) + stop[:, None] * t)
        r = (r0 * (1 - t) + r1 * t)[..., 0].expand(count, -1)
        radius.append(torch.where(on[:, None], r, torch.zeros_like(r)))
        material.append(kind[:, None].expand(count, steps))

    for _ in range(2):
        on = torch.rand(count, generator=rng) < 0.14
        sleeve = torch.rand(count, generator=rng) < 0.4
        target = _near(body, rng, 0.06)
        angle = 2 * math.pi * torch.rand(count, generator=rng)
        away = torch.stack(
            [angle.cos(), angle.sin(), 0.25 + 0.4 * torch.rand(count, generator=rng)], 1
        )
        wrist, far = target + 0.14 * away, target + 0.95 * away
        skin = torch.full((count,), OTHER_SKIN)
        string(wrist, far, 0.045, 0.075, 34, torch.where(sleeve, OTHER_CLOTH, skin), on)
        string(target + 0.04 * away, wrist, 0.050, 0.040, 6, skin, on)
        wide = torch.stack([-away[:, 1], away[:, 0], torch.zeros(count)], 1)
        for spread in (-1.0, -0.35, 0.35, 1.0):
            knuckle = target + 0.04 * away + 0.032 * spread * wide
            tip = target - 0.075 * away + 0.045 * spread * wide - torch.tensor([0.0, 0.0, 0.03])
            string(knuckle, tip, 0.018, 0.014, 8, skin, on)
    for _ in range(2):
        on = torch.rand(count, generator=rng) < 0.15
        start = _near(body, rng, 0.35)
        stop = start + 0.12 * torch.randn(count, 3, generator=rng) * torch.tensor([1.0, 1.0, 0.3])
        size = 0.02 + 0.06 * float(torch.rand(1, generator=rng))
        string(start, stop, size, size * 1.3, 14, torch.full((count,), TOY), on)
    return Things(torch.cat(centre, 1), torch.cat(radius, 1), torch.cat(material, 1))


def _near(body: Body, rng: torch.Generator, spread: float) -> Tensor:
    """(B, 3) a random place at the body."""
    count, spheres, _ = body.centre.shape
    pick = torch.randint(spheres, (count,), generator=rng)
    place = body.centre[torch.arange(count), pick]
    return place + spread * torch.randn(count, 3, generator=rng) + torch.tensor([0.0, 0.0, 0.06])


Movable = TypeVar("Movable", Body, Camera, Things)


def _move(thing: Movable, device: torch.device) -> Movable:
    """The same on another device."""

    def move(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: move(v) for k, v in value.items()}
        return value.to(device) if isinstance(value, Tensor) else value

    return replace(thing, **{f.name: move(getattr(thing, f.name)) for f in fields(thing)})


def to_uint8(pictures: Tensor) -> NDArray[np.uint8]:
    """(B, 3, H, W) RGB in [0, 1] → (B, H, W, 3) uint8."""
    scaled = (pictures.clamp(0, 1) * 255).round().to(torch.uint8)
    return scaled.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def write_images(
    folder: Path,
    *,
    count: int,
    seed: int = 0,
    size: int = SIZE,
    backgrounds: list[NDArray[np.uint8]] | None = None,
    device: str = "cpu",
    lying: tuple[float, ...] = LYING_WEIGHTS,
    upright: float = 0.0,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Labelled pictures as a COCO keypoint data set: ``images/*.jpg`` and ``annotations.json``.

    Args:
        folder: made if need be; an older data set of the same names in it is replaced.
        count: number of pictures.
        seed: the same seed gives the same pictures.
        size: side of the square pictures, pixels.
        backgrounds: see `SyntheticInfants`.
        device: where to render.
        lying: how often an infant lies on its back, half turned, on a side, on its belly.
        upright: share of the arms whose forearm points at the camera, besides those that chance to.
        progress: called with (done, count).

    Returns:
        The path of the annotations, which are written last; their ``info`` is `set_info`.

    Raises:
        OutputError: the folder cannot be written.
        UsageError: there is no such device.
    """
    path = folder / "annotations.json"
    with output_errors():
        (folder / "images").mkdir(parents=True, exist_ok=True)
    maker = SyntheticInfants(
        seed,
        height=size,
        width=size,
        backgrounds=backgrounds,
        device=device,
        lying=lying,
        upright=upright,
    )
    with output_errors():  # now: a run that is killed must not leave old labels on new pictures
        path.unlink(missing_ok=True)
    together = 1 if device == "cpu" else 128  # one at a time stays within a processor's cache
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    while len(images) < count:
        pictures = maker.batch(min(together, count - len(images)))
        rows = zip(pictures.images, pictures.keypoints, pictures.visibility, strict=True)
        for image, keypoints, visibility in rows:
            number = len(images) + 1
            name = f"{number:06d}.jpg"
            quality = int(torch.randint(60, 96, (1,), generator=maker.rng))
            _, packed = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
            with output_errors():
                (folder / "images" / name).write_bytes(packed.tobytes())
            images.append({"id": number, "file_name": name, "width": size, "height": size})
            annotations.append(_annotation(number, keypoints, visibility))
        if progress:
            progress(len(images), count)
    document = {
        "info": set_info(count=count, seed=seed, size=size),
        "images": images,
        "annotations": annotations,
        "categories": [category_of(maker.skeleton)],
    }
    write_text(path, json.dumps(document))
    return path


def set_info(*, count: int, seed: int, size: int) -> dict[str, Any]:
    """What tells one set of synthetic pictures from another, as its annotations say it."""
    return {"description": "synthetic infants", "count": count, "seed": seed, "size": size}


def _annotation(
    number: int, keypoints: NDArray[np.float32], visibility: NDArray[np.int64]
) -> dict[str, object]:
    low, high = keypoints.min(0), keypoints.max(0)
    width, height = (float(x) for x in high - low)
    flat = np.concatenate([keypoints.round(2), visibility[:, None]], 1).reshape(-1)
    return {
        "id": number,
        "image_id": number,
        "category_id": CATEGORY,
        "keypoints": [round(float(x), 2) for x in flat],
        "num_keypoints": len(keypoints),
        "bbox": [float(low[0]), float(low[1]), width, height],
        "area": width * height,
        "iscrowd": 0,
    }
