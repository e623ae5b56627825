"""How infants hold themselves: random joint angles for `training.body`."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vid2kp.training.body import ANGLES, ARM, LEG, SIDES


def random_pose(count: int, rng: torch.Generator) -> Tensor:
    """(B, len(ANGLES)) poses as infants hold them: back to belly, flexed to loose."""

    def draw(mean: float, spread: float) -> Tensor:
        return mean + spread * torch.randn(count, generator=rng)

    def pick(*weights: float) -> Tensor:
        return torch.multinomial(torch.tensor(weights), count, replacement=True, generator=rng)

    pose: dict[str, Tensor] = {}
    lying = pick(0.72, 0.09, 0.09, 0.10)
    roll = torch.tensor([0.0, math.pi / 2, -math.pi / 2, math.pi])[lying]
    pose["roll"] = roll + draw(0, 0.18)
    pose["bend"] = draw(0, 0.16)
    pose["shoulder_twist"], pose["hip_twist"] = draw(0, 0.2), draw(0, 0.22)
    turn = torch.where(lying == 3, 1.2 * torch.sign(draw(0, 1)), torch.zeros(count))
    pose["head_yaw"] = (turn + draw(0, 0.6)).clamp(-1.5, 1.5)
    pose["head_pitch"], pose["head_roll"] = draw(0.1, 0.25), draw(0, 0.25)
    for _, side in SIDES:
        for limb, table, weights in (
            ("arm", ARM_POSES, ARM_WEIGHTS),
            ("leg", LEG_POSES, LEG_WEIGHTS),
        ):
            kind = pick(*weights)
            mean, spread = torch.tensor(table)[kind].unbind(1)
            for i, name in enumerate(ARM if limb == "arm" else LEG):
                pose[f"{side}_{limb}_{name}"] = mean[:, i] + spread[:, i] * torch.randn(
                    count, generator=rng
                )
    _limit(pose)
    return torch.stack([pose[name] for name in ANGLES], 1)


# Each row: mean and spread of (abduct, forward, flex, swivel, end_a, end_b), radians.
ARM_POSES = (
    (
        (1.45, 0.10, 1.45, 0.30, 0.0, 0.0),
        (0.35, 0.30, 0.50, 0.50, 0.35, 0.35),
    ),  # hands beside the head
    ((0.60, 0.15, 0.60, 1.20, 0.0, 0.0), (0.35, 0.35, 0.45, 0.60, 0.35, 0.35)),  # along the body
    ((0.70, 0.75, 2.20, 1.55, 0.2, 0.0), (0.30, 0.30, 0.25, 0.35, 0.40, 0.40)),  # hand at the mouth
    ((0.70, 0.70, 1.50, 2.40, 0.2, 0.0), (0.35, 0.35, 0.50, 0.45, 0.40, 0.40)),  # over the chest
    ((1.10, 1.00, 0.60, 1.00, 0.0, 0.0), (0.50, 0.35, 0.45, 1.00, 0.40, 0.40)),  # reaching up
    ((2.40, 0.05, 0.60, 0.40, 0.0, 0.0), (0.35, 0.25, 0.45, 0.80, 0.35, 0.35)),  # overhead
    ((1.50, 0.00, 0.45, 0.50, 0.0, 0.0), (0.30, 0.25, 0.35, 1.00, 0.35, 0.35)),  # spread wide
)
ARM_WEIGHTS = (0.24, 0.22, 0.14, 0.13, 0.12, 0.06, 0.09)
LEG_POSES = (
    ((0.75, 0.70, 1.60, 3.90, 0.5, 0.2), (0.25, 0.30, 0.40, 0.30, 0.35, 0.35)),  # frog, flexed
    ((0.30, 0.15, 0.40, 4.50, 0.7, 0.2), (0.18, 0.20, 0.35, 0.50, 0.35, 0.35)),  # stretched
    ((0.35, 1.15, 1.40, 4.60, 0.5, 0.1), (0.25, 0.30, 0.45, 0.35, 0.35, 0.35)),  # feet in the air
    (
        (0.15, 0.80, 1.30, 3.60, 0.5, 0.1),
        (0.22, 0.30, 0.40, 0.40, 0.35, 0.35),
    ),  # crossed, folded in
    ((0.45, 0.50, 1.00, 4.30, 0.6, 0.2), (0.30, 0.35, 0.45, 0.50, 0.40, 0.40)),  # half bent
    (
        (0.35, 1.60, 0.50, 4.70, 0.4, 0.0),
        (0.25, 0.25, 0.35, 0.40, 0.35, 0.35),
    ),  # foot toward the face
)
LEG_WEIGHTS = (0.28, 0.22, 0.15, 0.10, 0.20, 0.05)


def _limit(pose: dict[str, Tensor]) -> None:
    """Keep joints within what they can do."""
    for _, side in SIDES:
        pose[f"{side}_arm_flex"] = pose[f"{side}_arm_flex"].abs().clamp(0.05, 2.5)
        pose[f"{side}_leg_flex"] = pose[f"{side}_leg_flex"].abs().clamp(0.05, 2.4)
        pose[f"{side}_leg_forward"] = pose[f"{side}_leg_forward"].clamp(-0.3, 2.0)
        pose[f"{side}_arm_forward"] = pose[f"{side}_arm_forward"].clamp(-0.4, 1.5)
        for name in ("arm_wrist_a", "arm_wrist_b"):
            pose[f"{side}_{name}"] = pose[f"{side}_{name}"].clamp(-0.9, 0.9)
