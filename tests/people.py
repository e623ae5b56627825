"""Moving people for tests: smooth, seeded, anatomically plausible enough to look at."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vid2kp.pose.skeleton import INFANT22, Skeleton
from vid2kp.tracks.schema import FRAMES_FILE, TRACKS_FILE, Footer, individual_name
from vid2kp.tracks.store import FramesWriter, Pose, TracksWriter

# An infant on its back, seen from above, head up: (right, down) in torso lengths from the neck.
# The infant's right is at the left of the picture.
_REST = {
    "nose": (0.0, -0.48), "neck": (0.0, 0.0), "mid_hip": (0.0, 1.0),
    "right_shoulder": (-0.33, 0.02), "right_elbow": (-0.62, 0.32), "right_wrist": (-0.80, -0.06),
    "right_hip": (-0.19, 1.0), "right_knee": (-0.50, 1.40), "right_ankle": (-0.30, 1.82),
    "right_eye": (-0.12, -0.57), "right_ear": (-0.31, -0.50),
    "right_hand": (-0.84, -0.22), "right_foot": (-0.40, 2.00),
    "right_big_toe": (-0.40, 2.00), "right_small_toe": (-0.47, 1.95), "right_heel": (-0.26, 1.88),
}  # fmt: skip

# How far each part is carried along by its own swing and by what it hangs on.
_CHAINS = (
    ("shoulder", "elbow", 0.30), ("elbow", "wrist", 0.75), ("wrist", "hand", 0.5),
    ("hip", "knee", 0.35), ("knee", "ankle", 0.55), ("ankle", "foot", 0.4),
    ("ankle", "big_toe", 0.4), ("ankle", "small_toe", 0.4), ("ankle", "heel", 0.4),
)  # fmt: skip


def rest_pose(skeleton: Skeleton = INFANT22) -> np.ndarray:
    """(K, 2) float64 in torso lengths, (0, 0) at the neck."""
    points = []
    for name in skeleton.keypoints:
        x, y = _REST[name.replace("left_", "right_")]
        points.append((-x, y) if name.startswith("left_") else (x, y))
    return np.array(points)


def moving_infant(
    frames: int,
    *,
    seed: int = 0,
    skeleton: Skeleton = INFANT22,
    width: int = 640,
    height: int = 480,
    fps: float = 25.0,
    torso: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints of somebody who kicks and waves.

    Returns:
        keypoints: (frames, K, 2) float32 display pixels, none missing.
        confidence: (frames, K) float32 in [0.3, 1].
    """
    rng = np.random.default_rng(seed)
    time = np.arange(frames) / fps
    torso = torso or 0.27 * height
    points = np.repeat(rest_pose(skeleton)[None], frames, axis=0)
    for side in ("right_", "left_"):
        turned = np.zeros(frames)
        for parent, child, swing in _CHAINS:
            if parent in ("shoulder", "hip"):
                turned = np.zeros(frames)
            if side + parent not in skeleton.keypoints or side + child not in skeleton.keypoints:
                continue
            turned = turned + swing * _wave(time, rng)
            _swing(points, skeleton, side + parent, side + child, turned)
    lean = 0.12 * _wave(time, rng)
    points = np.einsum("fij,fkj->fki", _rotations(lean), points)
    centre = np.array([width / 2, height * 0.42]) + 0.02 * height * np.stack(
        [_wave(time, rng), _wave(time, rng)], axis=-1
    )
    confidence = 0.75 + 0.2 * np.stack([_wave(time, rng) for _ in skeleton.keypoints], axis=-1)
    keypoints = (points - [0, 0.55]) * torso + centre[:, None] + [0, 0.1 * torso]
    return keypoints.astype(np.float32), np.clip(confidence, 0.3, 1).astype(np.float32)


def footer(skeleton: Skeleton = INFANT22, **changes: object) -> Footer:
    """A footer as a conversion writes it."""
    values: dict[str, object] = {
        "skeleton": skeleton, "width": 640, "height": 480, "fps": 25.0, "vfr": False,
        "rotation_applied": 0, "mirrored": False, "time_source": "pts",
        "model_name": "infant-lite", "model_sha256": "0" * 64, "tool_version": "0.1.0",
    }  # fmt: skip
    return Footer(**{**values, **changes})  # type: ignore[arg-type]


def write_people(
    folder: Path,
    *,
    frames: int = 40,
    people: int = 1,
    skeleton: Skeleton = INFANT22,
    width: int = 640,
    height: int = 480,
    seed: int = 0,
    times: np.ndarray | None = None,
    gaps: bool = True,
    **changes: object,
) -> Path:
    """Tracks and frames files of moving people in a folder; returns the path of the tracks.

    With ``gaps`` the infant is unseen in every eleventh frame, the second person in every
    third, and one keypoint in seven is missing here and there.
    """
    times = np.arange(frames) / 25.0 if times is None else times
    movers = [
        moving_infant(
            frames, seed=seed + 17 * i, skeleton=skeleton, width=width, height=height,
            torso=(0.27, 0.2, 0.16)[min(i, 2)] * height,
        )
        for i in range(people)
    ]  # fmt: skip
    for i in range(1, people):
        movers[i][0][:, :, 0] += (0.22 * width) * (1 if i % 2 else -1)
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    with (
        TracksWriter(folder / TRACKS_FILE, skeleton) as tracks,
        FramesWriter(folder / FRAMES_FILE) as rows,
    ):
        for f in range(frames):
            seen = {}
            for i, (xy, confidence) in enumerate(movers):
                if gaps and (f + i) % (11, 3)[min(i, 1)] == 10 % (11, 3)[min(i, 1)]:
                    continue
                lost = rng.random(len(skeleton)) < (1 / 7 if gaps and f % 5 == 0 else 0)
                seen[individual_name(i)] = Pose(
                    np.where(lost[:, None], np.nan, xy[f]), np.where(lost, np.nan, confidence[f])
                )
            tracks.write(f, float(times[f]), seen)
            rows.write(
                f,
                float(times[f]),
                pts=round(times[f] * 12800),
                width=width,
                height=height,
                suspect=False,
                people=len(seen),
                subject="certain" if "infant" in seen else "absent",
            )
        about = footer(skeleton, width=width, height=height, **changes)
        tracks.finish(about)
        rows.finish(about)
    return folder / TRACKS_FILE


def _wave(time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A smooth wander in about [-1, 1]: three sines of random rate and phase."""
    rates, phases = rng.uniform(0.15, 1.1, 3), rng.uniform(0, 2 * np.pi, 3)
    waves = [np.sin(2 * np.pi * r * time + p) for r, p in zip(rates, phases, strict=True)]
    return np.mean(waves, axis=0) * 1.4


def _rotations(angles: np.ndarray) -> np.ndarray:
    c, s = np.cos(angles), np.sin(angles)
    return np.stack([np.stack([c, -s], -1), np.stack([s, c], -1)], -2)


def _swing(
    points: np.ndarray, skeleton: Skeleton, parent: str, child: str, angle: np.ndarray
) -> None:
    rest = rest_pose(skeleton)
    a, b = skeleton.index(parent), skeleton.index(child)
    points[:, b] = points[:, a] + np.einsum("fij,j->fi", _rotations(angle), rest[b] - rest[a])
