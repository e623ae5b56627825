"""People for synthetic scenes: infants and adults that move, drawn over a picture one by one.

An adult is the infant's skeleton with an adult's proportions. Each actor is drawn in a window
around it, over what is there already, so that a scene costs as much as its people are large.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vid2kp.training.body import ANGLES, LENGTHS, Body, pose_bodies, random_shape, rotation
from vid2kp.training.look import Look, random_look
from vid2kp.training.postures import random_pose
from vid2kp.training.scene import Camera, photograph
from vid2kp.training.synthetic import visibility
from vid2kp.training.synthetic_video import Movement, plain_room
from vid2kp.training.textures import Noise

# Bones as shares of the torso's length (Drillis and Contini 1966), in the infant's body lengths.
_TORSO = LENGTHS["trunk"]
_ADULT = {
    "head": 0.17, "neck": 0.12, "shoulder": 0.37, "hip": 0.18, "upper_arm": 0.62, "forearm": 0.52,
    "hand": 0.17, "thigh": 0.86, "shank": 0.86, "foot": 0.24,
}  # fmt: skip
_ADULT_GIRTH = {"girth": 0.95, "arm_girth": 1.05, "leg_girth": 1.05}
_MARGIN = 0.12  # of the body's extent, around it: room for its shadow

Path = Callable[[float], tuple[float, float]]
"""Time in seconds to a displacement (x, y) in pixels."""


@dataclass(frozen=True)
class Stage:
    """What all actors of a scene have in common: size of the picture, bank of noise."""

    width: int
    height: int
    noise: Noise


@dataclass(frozen=True)
class Part:
    """How an actor is put on the stage.

    Attributes:
        centre: (x, y) of the middle of the hips and neck at rest, pixels.
        torso: length of the torso, pixels.
        direction: degrees by which the body is turned in the picture, counter-clockwise;
            0 = head up.
        movement: 1 = lively; 0 = still.
        adult: adult proportions.
        reaching: the arms are held out beyond the head.
        blanket: the legs are covered.
        path: where the actor is beside ``centre``.
    """

    centre: tuple[float, float]
    torso: float
    direction: float
    movement: float = 1.0
    adult: bool = False
    reaching: bool = False
    blanket: bool = False
    path: Path = lambda time: (0.0, 0.0)


class Actor:
    """Somebody who moves, drawn window by window.

    Args:
        part: how they are put on the stage.
        stage: the scene's.
        seconds: how long they move.
        seed: everything else follows from it.
    """

    def __init__(self, part: Part, stage: Stage, *, seconds: float, seed: int) -> None:
        rng = torch.Generator().manual_seed(seed)
        self.part, self._stage = part, stage
        shape = random_shape(1, rng)
        self._shape = _adult_shape(shape) if part.adult else shape
        postures = random_pose(2 + math.ceil(seconds / Movement.PAUSE), rng)
        self._movement = Movement(postures, part.movement, rng)
        self.look = _look(part, rng)
        turn = rotation("x", torch.tensor([0.12])) @ rotation(
            "z", torch.tensor([-math.radians(part.direction)])
        )
        distance = torch.tensor([6.0 if part.adult else 3.5])
        self._unit = Camera(turn, torch.ones(1), torch.zeros(1, 2), distance)
        neck, hips = (self._at_rest(name) for name in ("neck", "mid_hip"))
        self._scale = part.torso / max(float(np.hypot(*(neck - hips))), 1e-6)
        self._middle = (neck + hips) / 2

    def draw(self, picture: Tensor, time: float) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Draws the actor over a picture.

        Args:
            picture: (3, H, W) RGB in [0, 1]; changed in place.
            time: seconds.

        Returns:
            (K, 2) keypoints of `INFANT22` in pixels; (K,) whether each is seen, for what of the
            actor is on the stage.
        """
        body = self._body(time)
        centre = np.add(self.part.centre, self.part.path(time))
        offset = torch.tensor(centre - self._scale * self._middle, dtype=torch.float32)
        camera = replace(self._unit, scale=torch.tensor([self._scale]), offset=offset[None])
        points, _ = camera.project(_joints(body))
        window = self._window(body, camera)
        if window is None:
            return points[0, :, :2].numpy(), np.zeros(points.shape[1], bool)
        x0, y0, x1, y1 = window
        inside = replace(camera, offset=camera.offset - torch.tensor([[x0, y0]]))
        with torch.inference_mode():
            drawn, depth, hidden = photograph(
                body,
                self.look,
                inside,
                self._stage.noise,
                height=y1 - y0,
                width=x1 - x0,
                background=picture[None, :, y0:y1, x0:x1],
            )
        picture[:, y0:y1, x0:x1] = drawn[0]
        local, _ = inside.project(_joints(body))
        seen = visibility(local, depth, hidden, inside)[0] == 2
        return points[0, :, :2].numpy(), seen

    def bed(self) -> Tensor:
        """(3, H, W) the bed that this actor would lie on, with nobody on it."""
        body = self._body(0.0)
        nobody = replace(body, radius=torch.zeros_like(body.radius))
        offset = torch.tensor([[self._stage.width / 2, self._stage.height / 2]])
        camera = replace(self._unit, scale=torch.tensor([self._scale]), offset=offset)
        bare = replace(self.look, blanket=torch.tensor([[0.0, 1.0, 9.0]]))
        with torch.inference_mode():
            drawn, _, _ = photograph(
                nobody,
                bare,
                camera,
                self._stage.noise,
                height=self._stage.height,
                width=self._stage.width,
            )
        return drawn[0]

    def _body(self, time: float) -> Body:
        pose = self._movement(torch.tensor([time]))
        if self.part.reaching:
            for side in ("right", "left"):
                pose[:, ANGLES.index(f"{side}_arm_abduct")] = 2.7 + 0.2 * math.sin(1.7 * time)
                pose[:, ANGLES.index(f"{side}_arm_flex")] = 0.4 + 0.2 * math.cos(2.1 * time)
                pose[:, ANGLES.index(f"{side}_arm_forward")] = 0.1
        return pose_bodies(self._shape, pose)

    def _at_rest(self, joint: str) -> NDArray[np.float64]:
        point, _ = self._unit.project(self._body(0.0).joints[joint][:, None])
        return np.asarray(point[0, 0, :2].double().numpy())

    def _window(self, body: Body, camera: Camera) -> tuple[int, int, int, int] | None:
        """Around the actor, within the picture; None when it is outside."""
        centre, zoom = camera.project(body.centre)
        reach = (body.radius * zoom)[0, :, None]
        low, high = (centre[0, :, :2] - reach).amin(0), (centre[0, :, :2] + reach).amax(0)
        margin = _MARGIN * float((high - low).max())
        limit = torch.tensor([self._stage.width, self._stage.height])
        x0, y0 = torch.minimum((low - margin).clamp_min(0).floor().long(), limit).tolist()
        x1, y1 = torch.minimum((high + margin).clamp_min(0).ceil().long(), limit).tolist()
        return (x0, y0, x1, y1) if min(x1 - x0, y1 - y0) >= 8 else None


def _joints(body: Body) -> Tensor:
    from vid2kp.pose.skeleton import INFANT22

    return torch.stack([body.joints[name] for name in INFANT22.keypoints], 1)


def _adult_shape(shape: dict[str, Tensor]) -> dict[str, Tensor]:
    """An adult's bones, spread as the infant's are."""
    spread = {name: shape[name] / LENGTHS[name] for name in LENGTHS}
    own = {name: share * _TORSO for name, share in _ADULT.items()} | _ADULT_GIRTH
    return {name: own.get(name, LENGTHS[name]) * (1 + 0.5 * (spread[name] - 1)) for name in LENGTHS}


def _look(part: Part, rng: torch.Generator) -> Look:
    look = plain_room(random_look(1, rng))
    cover = torch.tensor([[0.0, 1.0, 0.02 if part.blanket else 9.0]])
    neutral = torch.ones_like(look.gamma)
    look = replace(look, blanket=cover, tint=torch.ones_like(look.tint), gamma=neutral)
    if part.adult:  # somebody at work is dressed
        look = replace(
            look,
            shirt=torch.ones_like(look.shirt),
            sleeve=look.sleeve.clamp(0.5, 1.95),
            leg=torch.full_like(look.leg, 1.95),
        )
    return look
