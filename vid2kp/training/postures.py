"""How infants hold themselves: random joint angles for `training.body`.

An infant lies on its back, half turned, on a side or on its belly, and each way of lying has its
own arms and legs: on the back thighs are raised and knees fall out, on a side both legs are folded
forward together, on the belly they are tucked in or spread flat.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vid2kp.training.body import ANGLES, ARM, LEG, SIDES

ROLLS = ((0.0, 0.18), (0.75, 0.25), (math.pi / 2, 0.22), (math.pi, 0.25))
"""Mean and spread of the turn about the body's length: back, half turned, side, belly."""

LYING_WEIGHTS = (0.52, 0.10, 0.24, 0.14)

# Each row: mean and spread of (abduct, forward, flex, swivel, end_a, end_b), radians.
ARM_POSES = (
    ((1.45, 0.10, 1.45, 0.30, 0.0, 0.0), (0.35, 0.30, 0.50, 0.50, 0.35, 0.35)),  # beside the head
    ((0.60, 0.15, 0.60, 1.20, 0.0, 0.0), (0.35, 0.35, 0.45, 0.60, 0.35, 0.35)),  # along the body
    ((0.70, 0.75, 2.20, 1.55, 0.2, 0.0), (0.30, 0.30, 0.25, 0.35, 0.40, 0.40)),  # hand at the mouth
    ((0.70, 0.70, 1.50, 2.40, 0.2, 0.0), (0.35, 0.35, 0.50, 0.45, 0.40, 0.40)),  # over the chest
    ((1.10, 1.00, 0.60, 1.00, 0.0, 0.0), (0.50, 0.35, 0.45, 1.00, 0.40, 0.40)),  # reaching up
    ((2.40, 0.05, 0.60, 0.40, 0.0, 0.0), (0.35, 0.25, 0.45, 0.80, 0.35, 0.35)),  # overhead
    ((1.50, 0.00, 0.45, 0.50, 0.0, 0.0), (0.30, 0.25, 0.35, 1.00, 0.35, 0.35)),  # spread wide
    ((0.35, 1.05, 1.70, 1.57, 0.1, 0.0), (0.30, 0.35, 0.45, 0.35, 0.40, 0.40)),  # before the face
    ((0.30, 1.20, 0.60, 1.57, 0.0, 0.0), (0.30, 0.35, 0.40, 0.60, 0.35, 0.35)),  # straight ahead
    ((0.90, 0.85, 1.70, 0.90, 0.0, 0.0), (0.35, 0.30, 0.40, 0.45, 0.35, 0.35)),  # propped on
    ((1.10, 0.05, 1.45, 1.50, 0.0, 0.0), (0.45, 0.25, 0.40, 0.45, 0.35, 0.35)),  # forearm upright
)
LEG_POSES = (
    ((0.75, 0.70, 1.60, 3.90, 0.5, 0.2), (0.25, 0.30, 0.40, 0.30, 0.35, 0.35)),  # frog, flexed
    ((0.30, 0.15, 0.40, 4.50, 0.7, 0.2), (0.18, 0.20, 0.35, 0.50, 0.35, 0.35)),  # stretched
    ((0.35, 1.15, 1.40, 4.60, 0.5, 0.1), (0.25, 0.30, 0.45, 0.35, 0.35, 0.35)),  # feet in the air
    ((0.15, 0.80, 1.30, 3.60, 0.5, 0.1), (0.22, 0.30, 0.40, 0.40, 0.35, 0.35)),  # crossed, folded
    ((0.45, 0.50, 1.00, 4.30, 0.6, 0.2), (0.30, 0.35, 0.45, 0.50, 0.40, 0.40)),  # half bent
    ((0.35, 1.60, 0.50, 4.70, 0.4, 0.0), (0.25, 0.25, 0.35, 0.40, 0.35, 0.35)),  # foot to the face
    ((0.55, 1.05, 1.10, 4.40, 0.5, 0.1), (0.25, 0.25, 0.35, 0.35, 0.35, 0.35)),  # thighs raised
    ((0.05, 1.45, 1.70, 4.71, 0.4, 0.0), (0.14, 0.35, 0.40, 0.22, 0.35, 0.30)),  # curled up
    ((0.05, 0.85, 1.20, 4.71, 0.5, 0.0), (0.14, 0.35, 0.40, 0.25, 0.35, 0.30)),  # half curled up
    ((0.90, 0.35, 1.60, 4.00, 0.8, 0.2), (0.25, 0.25, 0.35, 0.35, 0.35, 0.35)),  # flat frog
)
UPRIGHT = 10
"""Row of the arm whose forearm points at the camera, where a hand hides it."""

ARM_WEIGHTS = (
    (0.24, 0.22, 0.14, 0.13, 0.12, 0.06, 0.09, 0.00, 0.00, 0.00),
    (0.15, 0.15, 0.14, 0.14, 0.08, 0.06, 0.06, 0.16, 0.06, 0.00),
    (0.05, 0.14, 0.16, 0.12, 0.03, 0.08, 0.02, 0.27, 0.13, 0.00),
    (0.34, 0.12, 0.06, 0.05, 0.02, 0.10, 0.08, 0.05, 0.03, 0.15),
)
LEG_WEIGHTS = (
    (0.20, 0.16, 0.16, 0.08, 0.16, 0.04, 0.20, 0.00, 0.00, 0.00),
    (0.10, 0.12, 0.12, 0.12, 0.14, 0.02, 0.12, 0.12, 0.14, 0.00),
    (0.03, 0.14, 0.04, 0.10, 0.10, 0.00, 0.03, 0.26, 0.30, 0.00),
    (0.16, 0.28, 0.06, 0.02, 0.12, 0.00, 0.04, 0.10, 0.00, 0.22),
)
"""How often each row is taken, by the way of lying; `UPRIGHT` is taken on demand."""

TOGETHER = (0.30, 0.40, 0.75, 0.50)
"""How often the left leg does what the right one does, by the way of lying."""


def random_pose(
    count: int,
    rng: torch.Generator,
    *,
    lying: tuple[float, ...] = LYING_WEIGHTS,
    upright: float = 0.0,
) -> Tensor:
    """(B, len(ANGLES)) poses as infants hold them: back to belly, flexed to loose.

    Args:
        count: B.
        rng: every choice comes from it.
        lying: how often an infant lies on its back, half turned, on a side, on its belly.
        upright: share of the arms that are held `UPRIGHT`.
    """

    def draw(mean: float, spread: float) -> Tensor:
        return mean + spread * torch.randn(count, generator=rng)

    def pick(weights: tuple[float, ...]) -> Tensor:
        return torch.multinomial(torch.tensor(weights), count, replacement=True, generator=rng)

    pose: dict[str, Tensor] = {}
    way = pick(lying)
    mean, spread = torch.tensor(ROLLS)[way].unbind(1)
    pose["roll"] = torch.sign(draw(0, 1)) * mean + spread * draw(0, 1)
    pose["bend"] = draw(0, 0.16)
    pose["shoulder_twist"], pose["hip_twist"] = draw(0, 0.2), draw(0, 0.22)
    turn = torch.where(way == 3, 1.2 * torch.sign(draw(0, 1)), torch.zeros(count))
    pose["head_yaw"] = (turn + draw(0, 0.6)).clamp(-1.5, 1.5)
    pose["head_pitch"], pose["head_roll"] = draw(0.1, 0.25), draw(0, 0.25)
    together = torch.rand(count, generator=rng) < torch.tensor(TOGETHER)[way]
    first: Tensor | None = None
    for _, side in SIDES:
        arm, leg = (_kinds(way, table, rng) for table in (ARM_WEIGHTS, LEG_WEIGHTS))
        if upright:
            arm[torch.rand(count, generator=rng) < upright] = UPRIGHT
        first = leg if first is None else first
        leg = torch.where(together, first, leg)
        for limb, table, kind, names in (
            ("arm", ARM_POSES, arm, ARM),
            ("leg", LEG_POSES, leg, LEG),
        ):
            mean, spread = torch.tensor(table)[kind].unbind(1)
            angles = mean + spread * torch.randn(mean.shape, generator=rng)
            pose.update({f"{side}_{limb}_{n}": angles[:, i] for i, n in enumerate(names)})
    _limit(pose)
    return torch.stack([pose[name] for name in ANGLES], 1)


def _kinds(way: Tensor, weights: tuple[tuple[float, ...], ...], rng: torch.Generator) -> Tensor:
    """(B,) which row of a table of poses each infant takes."""
    return torch.multinomial(torch.tensor(weights)[way], 1, generator=rng)[:, 0]


def _limit(pose: dict[str, Tensor]) -> None:
    """Keep joints within what they can do."""
    for _, side in SIDES:
        pose[f"{side}_arm_flex"] = pose[f"{side}_arm_flex"].abs().clamp(0.05, 2.5)
        pose[f"{side}_leg_flex"] = pose[f"{side}_leg_flex"].abs().clamp(0.05, 2.4)
        pose[f"{side}_leg_forward"] = pose[f"{side}_leg_forward"].clamp(-0.3, 2.0)
        pose[f"{side}_arm_forward"] = pose[f"{side}_arm_forward"].clamp(-0.4, 1.5)
        for name in ("arm_wrist_a", "arm_wrist_b"):
            pose[f"{side}_{name}"] = pose[f"{side}_{name}"].clamp(-0.9, 0.9)
