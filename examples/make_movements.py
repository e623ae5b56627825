"""Tracks of synthetic infants of two hospitals: varied movements, and ones of reduced variability.

    python examples/make_movements.py out/movements --infants 8

For each hospital a folder of results as vid2kp writes them, without videos, and ``labels.csv``
with the columns pseudonym, infant, label: 0 varied, 1 reduced. No infant and no picture stands
behind them; they are for trying out programs, and show nothing about real infants.

Both kinds move as much. In varied movements every joint follows paths of its own, from slow travel
to small quick parts; in reduced ones all joints follow two rhythms that hardly change. The second
hospital has another camera: frames are unevenly spaced and more keypoints are missing.
"""

from __future__ import annotations

import argparse
import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

import vid2kp
from vid2kp.pose.skeleton import INFANT22
from vid2kp.tracks.schema import FRAMES_FILE, TRACKS_FILE, Footer
from vid2kp.tracks.store import FramesWriter, Pose, TracksWriter
from vid2kp.training.body import ANGLES, pose_bodies, random_shape
from vid2kp.training.postures import ARM_POSES, LEG_POSES

WIDTH, HEIGHT = 1280, 720
VARIED, REDUCED = 0, 1
SWING = 0.28
"""Standard deviation of a limb's joint angle about its rest, radians, for both kinds."""


@dataclass(frozen=True)
class Hospital:
    """How a hospital films.

    Attributes:
        name: of its folder.
        fps: frames per second.
        jitter: how far frames are from even spacing, in parts of it.
        noise: error of the keypoints, pixels.
        lost: share of keypoints that are missing.
    """

    name: str
    fps: float
    jitter: float
    noise: float
    lost: float


HOSPITALS = (
    Hospital("hospital_a", fps=25.0, jitter=0.0, noise=1.0, lost=0.01),
    Hospital("hospital_b", fps=30.0, jitter=0.3, noise=2.0, lost=0.06),
)


def main() -> None:
    """Write both hospitals."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--infants", type=int, default=8, help="per hospital, half of each kind")
    parser.add_argument("--recordings", type=int, default=2, help="per infant")
    parser.add_argument("--seconds", type=float, default=40.0, help="per recording")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for number, hospital in enumerate(HOSPITALS):
        count = write_hospital(
            options.out / hospital.name,
            hospital,
            infants=options.infants,
            recordings=options.recordings,
            seconds=options.seconds,
            seed=1000 * options.seed + number,
        )
        print(f"{hospital.name}: {count} recordings")


def write_hospital(
    folder: Path, hospital: Hospital, *, infants: int, recordings: int, seconds: float, seed: int
) -> int:
    """A folder with a recording per pseudonym and ``labels.csv``; returns how many recordings."""
    rng = np.random.default_rng(seed)
    rows = []
    for infant in range(infants):
        label = (VARIED, REDUCED)[infant % 2]
        shape = random_shape(1, torch.Generator().manual_seed(int(rng.integers(2**31))))
        for _ in range(recordings):
            pseudonym = "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz234567"), 26))
            write_recording(folder / pseudonym, hospital, shape, label, seconds=seconds, rng=rng)
            rows.append((pseudonym, f"{hospital.name}_{infant:02d}", label))
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("pseudonym", "infant", "label"), *rows])
    return len(rows)


def write_recording(
    folder: Path,
    hospital: Hospital,
    shape: dict[str, torch.Tensor],
    label: int,
    *,
    seconds: float,
    rng: np.random.Generator,
) -> None:
    """Tracks and frames of one recording."""
    time = frame_times(hospital, seconds, rng)
    points = keypoints(shape, angles(time, label, rng), rng)
    points = points + rng.normal(0, hospital.noise, points.shape)
    lost = rng.random(points.shape[:2]) < hospital.lost
    confidence = np.where(lost, np.nan, rng.uniform(0.6, 0.95, lost.shape)).astype(np.float32)
    points = np.where(lost[..., None], np.nan, points).astype(np.float32)
    footer = Footer(
        skeleton=INFANT22, width=WIDTH, height=HEIGHT,
        fps=float(1 / np.median(np.diff(time))), vfr=hospital.jitter > 0,
        rotation_applied=0, mirrored=False, time_source="pts",
        model_name="synthetic-movements", model_sha256="", tool_version=vid2kp.__version__,
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    with (
        TracksWriter(folder / TRACKS_FILE, INFANT22) as tracks,
        FramesWriter(folder / FRAMES_FILE) as frames,
    ):
        for f, seconds_ in enumerate(time.tolist()):
            tracks.write(f, seconds_, {"infant": Pose(points[f], confidence[f])})
            frames.write(
                f, seconds_, pts=round(seconds_ * 90_000), width=WIDTH, height=HEIGHT,
                suspect=False, people=1, subject="certain",
            )  # fmt: skip
        tracks.finish(footer)
        frames.finish(footer)


def frame_times(hospital: Hospital, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """(F,) seconds from 0, rising."""
    count = max(2, round(seconds * hospital.fps))
    steps = (1 + hospital.jitter * rng.uniform(-1, 1, count)) / hospital.fps
    time = np.cumsum(steps)
    return np.asarray(time - time[0])


def angles(time: np.ndarray, label: int, rng: np.random.Generator) -> np.ndarray:
    """(F, len(ANGLES)) joint angles in radians, of one kind of movement."""
    rest = rest_angles(rng)
    signal = varied(time, rng) if label == VARIED else reduced(time, rng)
    # The same amount of movement whatever its kind: nothing can be told from size alone.
    signal *= SWING / signal.std(axis=0)
    calm = np.array([1.0 if "_arm_" in name or "_leg_" in name else 0.2 for name in ANGLES])
    calm[ANGLES.index("roll")] = 0
    return np.asarray(rest + signal * calm)


def rest_angles(rng: np.random.Generator) -> np.ndarray:
    """(len(ANGLES),) on the back, arms beside the head, legs bent."""
    rest = dict.fromkeys(ANGLES, 0.0)
    for side in ("right", "left"):
        for limb, (mean, spread) in (("arm", ARM_POSES[0]), ("leg", LEG_POSES[0])):
            names = [name for name in ANGLES if name.startswith(f"{side}_{limb}_")]
            for name, value, wide in zip(names, mean, spread, strict=True):
                rest[name] = value + 0.4 * wide * rng.normal()
    return np.array([rest[name] for name in ANGLES])


def varied(time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(F, len(ANGLES)) each column a path of its own: slow travel, some quicker parts."""
    slow = np.stack([_wander(time, 0.1, 0.7, rng) for _ in ANGLES], axis=1)
    quick = np.stack([_wander(time, 0.8, 3.0, rng) for _ in ANGLES], axis=1)
    swell = np.stack([_wander(time, 0.05, 0.2, rng) for _ in ANGLES], axis=1)
    return np.asarray(slow + 0.35 * quick * (1 + np.tanh(swell)))


def reduced(time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(F, len(ANGLES)) all columns mixed of two rhythms, one for the arms and one for the legs."""
    rates = rng.uniform(0.3, 0.9, 2)
    drift = np.stack([0.4 * _wander(time, 0.02, 0.1, rng) for _ in rates], axis=1)
    rhythms = np.sin(2 * math.pi * rates * time[:, None] + drift + rng.uniform(0, 6.28, 2))
    mix = rng.normal(0, 1, (2, len(ANGLES)))
    legs = np.array(["_leg_" in name for name in ANGLES])
    mix[0, legs] *= 0.2
    mix[1, ~legs] *= 0.2
    own = np.stack([_wander(time, 0.1, 3.0, rng) for _ in ANGLES], axis=1)
    return np.asarray(rhythms @ mix + rng.uniform(0.05, 0.4) * own)


def keypoints(
    shape: dict[str, torch.Tensor], pose: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """(F, 22, 2) display pixels of a body seen from above, turned somehow."""
    many = {name: value.expand(len(pose)) for name, value in shape.items()}
    body = pose_bodies(many, torch.from_numpy(pose).float())
    points = torch.stack([body.joints[name] for name in INFANT22.keypoints], dim=1).numpy()
    turn = rng.uniform(0, 2 * math.pi)
    matrix = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    scale = HEIGHT * rng.uniform(0.45, 0.6)
    centre = np.array([WIDTH / 2, HEIGHT / 2]) + rng.uniform(-60, 60, 2)
    return np.asarray(points[..., :2] @ matrix.T * scale + centre)


def _wander(
    time: np.ndarray, low: float, high: float, rng: np.random.Generator, parts: int = 8
) -> np.ndarray:
    """(F,) noise of about unit deviation with frequencies between ``low`` and ``high`` hertz."""
    rates = np.exp(rng.uniform(math.log(low), math.log(high), parts))
    phases = rng.uniform(0, 2 * math.pi, parts)
    waves = np.sin(2 * math.pi * rates[:, None] * time + phases[:, None])
    return np.asarray(waves.sum(axis=0) * math.sqrt(2 / parts))


if __name__ == "__main__":
    main()
