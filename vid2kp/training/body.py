"""A procedural infant's body: shape and joint angles in, joints and spheres out, in batches.

The body is a tree of bones driven by joint angles, so that a smooth path of angles is a smooth
movement. Its surface is a set of spheres strung along the bones, which `training.raster` splats
into a depth buffer. Everything is batched torch: (B, ...) for B infants at once.

Body frame, unit = about one body length: x toward the infant's left, y toward its feet, z out of
its chest. Lying on its back under a camera that looks down, this is the image frame: x right,
y down, z toward the camera.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

ARM = ("abduct", "forward", "flex", "swivel", "wrist_a", "wrist_b")
LEG = ("abduct", "forward", "flex", "swivel", "ankle", "toe_out")
ANGLES = (
    "roll", "bend", "shoulder_twist", "hip_twist", "head_yaw", "head_pitch", "head_roll",
    *(f"{side}_arm_{a}" for side in ("right", "left") for a in ARM),
    *(f"{side}_leg_{a}" for side in ("right", "left") for a in LEG),
)  # fmt: skip
"""Names of the columns of a pose, radians. `roll` turns the body about its length:
0 on the back, ±π/2 on a side, π on the belly."""

LENGTHS = {
    "trunk": 0.27, "shoulder": 0.098, "hip": 0.072, "neck": 0.012, "head": 0.088,
    "upper_arm": 0.110, "forearm": 0.094, "hand": 0.042,
    "thigh": 0.114, "shank": 0.146, "foot": 0.066,
    "girth": 1.0, "arm_girth": 1.0, "leg_girth": 1.0,
}  # fmt: skip
"""Mean infant: half widths for shoulder and hip, the head's radius, bones, relative girths."""

PARTS = (
    "torso", "pelvis", "neck", "head", "ear", "nose",
    "upper_arm", "forearm", "hand", "thigh", "shank", "foot", "object",
)  # fmt: skip
"""Names of the surface's parts; a sphere's part decides what it can be dressed in."""

SIDES = ((-1.0, "right"), (1.0, "left"))


@dataclass(frozen=True)
class Body:
    """B infants: joints and surface in the body frame, before the camera.

    Attributes:
        joints: name → (B, 3).
        centre: (B, N, 3) sphere centres.
        radius: (B, N) sphere radii.
        part: (N,) int64, index into `PARTS`.
        axis: (B, N, 3) unit direction of the bone that a sphere belongs to, for its texture.
        along: (B, N) position along the bone, body units.
        head_frame: (B, 3, 3) columns: the head's left, down and forward (face) directions.
    """

    joints: dict[str, Tensor]
    centre: Tensor
    radius: Tensor
    part: Tensor
    axis: Tensor
    along: Tensor
    head_frame: Tensor


def random_shape(count: int, rng: torch.Generator) -> dict[str, Tensor]:
    """Lengths and girths of `count` infants, each (B,), spread by a tenth; some preterm-thin."""
    size = {k: v * (1 + 0.10 * _normal(count, rng)).clamp(0.7, 1.35) for k, v in LENGTHS.items()}
    thin = (torch.rand(count, generator=rng) < 0.2).float()
    size["arm_girth"] = size["arm_girth"] * (1 - 0.25 * thin)
    size["leg_girth"] = size["leg_girth"] * (1 - 0.25 * thin)
    return size


def pose_bodies(shape: dict[str, Tensor], pose: Tensor) -> Body:
    """Forward kinematics and surface.

    Args:
        shape: as `random_shape` makes it, each (B,).
        pose: (B, len(ANGLES)) radians.
    """
    angle = dict(zip(ANGLES, pose.unbind(1), strict=True))
    joints, head = _joints(shape, angle)
    turn = rotation("y", angle["roll"])
    joints = {name: _apply(turn, x) for name, x in joints.items()}
    head = turn @ head
    _rest_on_bed(joints, shape)
    strings = _Strings()
    _dress_bones(strings, joints, shape, head)
    return Body(joints, *strings.stack(), head_frame=head)


def rotation(axis: str, angle: Tensor) -> Tensor:
    """(B, 3, 3) rotation about x, y or z by `angle` (B,) radians."""
    c, s, one, zero = angle.cos(), angle.sin(), torch.ones_like(angle), torch.zeros_like(angle)
    rows = {
        "x": (one, zero, zero, zero, c, -s, zero, s, c),
        "y": (c, zero, s, zero, one, zero, -s, zero, c),
        "z": (c, -s, zero, s, c, zero, zero, zero, one),
    }[axis]
    return torch.stack(rows, 1).view(-1, 3, 3)


def _normal(count: int, rng: torch.Generator) -> Tensor:
    return torch.randn(count, generator=rng)


def _apply(matrix: Tensor, vector: Tensor) -> Tensor:
    return torch.bmm(matrix, vector[:, :, None])[:, :, 0]


def _unit(x: Tensor) -> Tensor:
    return torch.nn.functional.normalize(x, dim=-1, eps=1e-6)


def _joints(shape: dict[str, Tensor], angle: dict[str, Tensor]) -> tuple[dict[str, Tensor], Tensor]:
    zero = torch.zeros_like(shape["trunk"])
    spine = rotation("z", angle["bend"])
    chest = spine @ rotation("y", angle["shoulder_twist"])
    pelvis = rotation("y", angle["hip_twist"])
    joints = {"mid_hip": torch.stack([zero, zero, zero], 1)}
    top = _apply(spine, torch.stack([zero, -shape["trunk"], zero], 1))
    joints["top"] = top
    for sign, side in SIDES:
        width = sign * shape["shoulder"]
        joints[f"{side}_shoulder"] = top + _apply(
            chest, torch.stack([width, zero + 0.015, zero], 1)
        )
        joints[f"{side}_hip"] = _apply(pelvis, torch.stack([sign * shape["hip"], zero, zero], 1))
        _limb(joints, side, sign, "arm", chest, shape, angle)
        _limb(joints, side, sign, "leg", pelvis, shape, angle)
    joints["neck"] = (joints["right_shoulder"] + joints["left_shoulder"]) / 2

    head = spine @ rotation("y", angle["head_yaw"]) @ rotation("x", angle["head_pitch"])
    head = head @ rotation("z", angle["head_roll"])
    radius = shape["head"]
    reach = shape["neck"] + 0.85 * radius
    tilt = (
        spine @ rotation("z", 0.5 * angle["head_roll"]) @ rotation("x", 0.5 * angle["head_pitch"])
    )
    centre = top + _apply(tilt, torch.stack([zero, -reach, zero + 0.015], 1))
    joints["head"] = centre
    for name, local in FACE.items():
        direction = torch.tensor(local, dtype=radius.dtype, device=radius.device)
        joints[name] = centre + _apply(head, direction * radius[:, None])
    return joints, head


FACE = {
    "nose": (0.0, 0.27, 1.06),
    "right_eye": (-0.36, -0.04, 0.86),
    "left_eye": (0.36, -0.04, 0.86),
    "right_ear": (-0.93, 0.12, -0.02),
    "left_ear": (0.93, 0.12, -0.02),
    "mouth": (0.0, 0.58, 0.80),
}
"""Places on the head in its own frame (left, down, forward), in units of the head's radius."""


def _limb(
    joints: dict[str, Tensor],
    side: str,
    sign: float,
    kind: str,
    base: Tensor,
    shape: dict[str, Tensor],
    angle: dict[str, Tensor],
) -> None:
    """Two bones and an end; `swivel` says to which side the second bone bends.

    The first bone points `abduct` away from the feet toward the side (π: overhead) and `forward`
    out of the chest's plane; swivel 0 bends onward along abduction, π/2 toward the front.
    """
    names = {
        "arm": ("shoulder", "elbow", "wrist", "hand", "upper_arm", "forearm", "hand"),
        "leg": ("hip", "knee", "ankle", "foot", "thigh", "shank", "foot"),
    }[kind]
    root, mid, end, tip, first, second, third = names
    a, f, flex, swivel, last_a, last_b = (
        angle[f"{side}_{kind}_{n}"] for n in (ARM if kind == "arm" else LEG)
    )
    zero = torch.zeros_like(a)
    plane = torch.stack([sign * a.sin(), a.cos(), zero], 1)
    onward = _apply(base, torch.stack([sign * a.cos(), -a.sin(), zero], 1))
    front = torch.stack([zero, zero, zero + 1], 1)
    bone = _apply(base, f.cos()[:, None] * plane + f.sin()[:, None] * front)
    raising = _apply(base, -f.sin()[:, None] * plane + f.cos()[:, None] * front)
    bend = swivel.cos()[:, None] * onward + swivel.sin()[:, None] * raising
    lower = flex.cos()[:, None] * bone + flex.sin()[:, None] * bend
    further = flex.cos()[:, None] * bend - flex.sin()[:, None] * bone
    across = torch.linalg.cross(lower, further)
    if kind == "arm":
        end_direction = _unit(
            lower + last_a.tan()[:, None] * further + last_b.tan()[:, None] * across
        )
    else:  # toes point away from the side to which the knee bends
        end_direction = last_a.sin()[:, None] * lower - last_a.cos()[:, None] * (
            last_b.cos()[:, None] * further - last_b.sin()[:, None] * across
        )
    knee = joints[f"{side}_{root}"] + shape[first][:, None] * bone
    ankle = knee + shape[second][:, None] * lower
    joints[f"{side}_{mid}"] = knee
    joints[f"{side}_{end}"] = ankle
    joints[f"{side}_{tip}"] = ankle + shape[third][:, None] * end_direction


def _rest_on_bed(joints: dict[str, Tensor], shape: dict[str, Tensor]) -> None:
    """Lift whatever would sink into the bed under trunk and head; limbs get shorter to the eye."""
    bed = torch.stack(
        [
            joints["mid_hip"][:, 2] - 0.075,
            joints["top"][:, 2] - 0.075,
            joints["head"][:, 2] - shape["head"],
        ]
    ).amin(0)
    clear = {
        "elbow": 0.03,
        "wrist": 0.022,
        "hand": 0.02,
        "knee": 0.04,
        "ankle": 0.028,
        "foot": 0.02,
    }
    for _, side in SIDES:
        for name, height in clear.items():
            joint = joints[f"{side}_{name}"]
            lifted = torch.maximum(joint[:, 2], bed + height)
            joints[f"{side}_{name}"] = torch.cat([joint[:, :2], lifted[:, None]], 1)


class _Strings:
    """Collects strings of spheres along bones."""

    def __init__(self) -> None:
        self.rows: list[tuple[Tensor, Tensor, int, Tensor, Tensor]] = []

    def add(
        self, part: str, start: Tensor, stop: Tensor, r0: Tensor, r1: Tensor, count: int
    ) -> None:
        t = torch.linspace(0, 1, count, device=start.device)[None, :, None]
        centre = start[:, None] * (1 - t) + stop[:, None] * t
        radius = r0[:, None] * (1 - t[..., 0]) + r1[:, None] * t[..., 0]
        length = (stop - start).norm(dim=1)
        axis = _unit(stop - start)[:, None].expand_as(centre)
        self.rows.append((centre, radius, PARTS.index(part), axis, length[:, None] * t[..., 0]))

    def stack(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        centre, radius, part, axis, along = zip(*self.rows, strict=True)
        index = torch.cat([torch.full((c.shape[1],), p) for c, p in zip(centre, part, strict=True)])
        return (
            torch.cat(centre, 1),
            torch.cat(radius, 1),
            index.to(centre[0].device),
            torch.cat(axis, 1),
            torch.cat(along, 1),
        )


def _dress_bones(
    strings: _Strings, joints: dict[str, Tensor], shape: dict[str, Tensor], head: Tensor
) -> None:
    g, arm, leg = shape["girth"], shape["arm_girth"], shape["leg_girth"]
    hips = (joints["right_hip"] + joints["left_hip"]) / 2
    top = joints["top"]
    belly = hips * 0.7 + top * 0.3
    strings.add("torso", hips, belly, 0.080 * g, 0.088 * g, 6)
    strings.add("torso", belly, top * 0.92 + hips * 0.08, 0.088 * g, 0.070 * g, 10)
    r_sho, l_sho = joints["right_shoulder"], joints["left_shoulder"]
    strings.add(
        "torso", r_sho * 0.8 + l_sho * 0.2, l_sho * 0.8 + r_sho * 0.2, 0.052 * g, 0.052 * g, 8
    )
    strings.add("pelvis", joints["right_hip"], joints["left_hip"], 0.064 * g, 0.064 * g, 7)
    strings.add("neck", joints["neck"], joints["head"], 0.042 * g, 0.048 * g, 6)
    radius = shape["head"]
    for local, size in SKULL:
        centre = joints["head"] + _apply(
            head, torch.tensor(local, device=g.device) * radius[:, None]
        )
        strings.add("head", centre, centre, radius * size, radius * size, 1)
    nose = joints["nose"] * 0.93 + joints["head"] * 0.07
    strings.add("nose", nose, nose, radius * 0.12, radius * 0.12, 1)
    for _, side in SIDES:
        ear = joints[f"{side}_ear"]
        strings.add("ear", ear, ear, radius * 0.19, radius * 0.19, 1)
        _dress_arm(strings, joints, side, arm)
        _dress_leg(strings, joints, side, leg)


SKULL = (
    ((0.0, 0.0, 0.0), 1.0),
    ((0.0, -0.25, -0.12), 0.95),
    ((0.0, 0.30, 0.25), 0.72),
    ((0.27, 0.32, 0.38), 0.46),
    ((-0.27, 0.32, 0.38), 0.46),
    ((0.0, 0.62, 0.42), 0.30),
)
"""Spheres of the head in its own frame: skull, brow, jaw, cheeks, chin."""


def _dress_arm(strings: _Strings, joints: dict[str, Tensor], side: str, girth: Tensor) -> None:
    shoulder, elbow = joints[f"{side}_shoulder"], joints[f"{side}_elbow"]
    wrist, hand = joints[f"{side}_wrist"], joints[f"{side}_hand"]
    strings.add("upper_arm", shoulder, elbow, 0.040 * girth, 0.030 * girth, 16)
    strings.add("forearm", elbow, wrist, 0.031 * girth, 0.021 * girth, 18)
    strings.add("hand", wrist, hand, 0.020 * girth, 0.026 * girth, 6)
    forward = _unit(hand - wrist)
    wide = _unit(torch.linalg.cross(forward, _unit(elbow - wrist) + 0.3 * forward.roll(1, 1)))
    curl = torch.linalg.cross(wide, forward)
    for spread, reach in ((-0.9, 0.7), (-0.35, 1.0), (0.2, 1.0), (0.75, 0.85)):
        knuckle = hand + 0.017 * spread * wide
        tip = knuckle + 0.026 * reach * forward + (0.010 * spread) * wide + 0.016 * curl
        strings.add("hand", knuckle, tip, 0.0095 * girth, 0.0075 * girth, 4)
    thumb = (wrist + hand) / 2 - 0.018 * wide
    strings.add(
        "hand", thumb, thumb - 0.014 * wide + 0.018 * forward, 0.010 * girth, 0.008 * girth, 3
    )


def _dress_leg(strings: _Strings, joints: dict[str, Tensor], side: str, girth: Tensor) -> None:
    hip, knee = joints[f"{side}_hip"], joints[f"{side}_knee"]
    ankle, foot = joints[f"{side}_ankle"], joints[f"{side}_foot"]
    strings.add("thigh", hip, knee, 0.058 * girth, 0.042 * girth, 16)
    strings.add("shank", knee, ankle, 0.041 * girth, 0.026 * girth, 18)
    heel = ankle - 0.30 * (foot - ankle)
    strings.add("foot", heel, foot, 0.024 * girth, 0.021 * girth, 9)
    forward = _unit(foot - ankle)
    wide = _unit(torch.linalg.cross(forward, _unit(knee - ankle)))
    for spread, size in ((-1.0, 0.011), (-0.45, 0.009), (0.05, 0.009), (0.5, 0.008), (0.95, 0.007)):
        toe = foot + 0.016 * spread * wide + (0.014 - 0.004 * abs(spread)) * forward
        strings.add("foot", toe, toe + 0.010 * forward, size * girth, size * girth, 2)
