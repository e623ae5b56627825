"""A small classifier of movement: windows from tracks, a network, training, counting.

Used by federated_training.py. It needs torch, pandas and NumPy; vid2kp is not needed, for tracks
are plain Parquet files.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

RATE = 12.8
"""Hertz of the windows: recordings of all frame rates are brought to one."""
SAMPLES = 64
"""Of a window: 5 seconds."""
STEP = 32
"""Samples from one window to the next."""
SEEN = 0.7
"""Share of the positions of a window that must have been found."""

KEYPOINTS = (
    "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow",
    "left_wrist", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
)  # fmt: skip
CHANNELS = 2 * len(KEYPOINTS)


@dataclass(frozen=True)
class Infant:
    """All windows of one infant, whichever recording they are from.

    Attributes:
        name: as in ``labels.csv``.
        label: 0 or 1.
        windows: (N, BINS + DIRECTIONS) float32, as `described` describes them.
    """

    name: str
    label: int
    windows: Tensor


def load_infants(folder: Path) -> list[Infant]:
    """The infants of a hospital's folder, sorted by name.

    Args:
        folder: with ``<pseudonym>/tracks.parquet`` and ``labels.csv`` (pseudonym, infant, label).
    """
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    windows: dict[str, list[Tensor]] = {}
    labels: dict[str, int] = {}
    for row in rows:
        found = windows_of(pd.read_parquet(folder / row["pseudonym"] / "tracks.parquet"))
        windows.setdefault(row["infant"], []).append(described(found))
        labels[row["infant"]] = int(row["label"])
    return [Infant(name, labels[name], torch.cat(windows[name])) for name in sorted(windows)]


def windows_of(table: pd.DataFrame) -> Tensor:
    """(N, CHANNELS, SAMPLES) float32 windows of the infant of one tracks file.

    Positions are taken at even times from the true ones, turned so that the trunk points up,
    counted from the middle of the hips and measured in torso lengths: place, size and direction
    in the picture say nothing of the movement.
    """
    infant = table[table["individual"] == "infant"]
    by_axis = [
        infant.pivot(index="time", columns="keypoint", values=axis)[list(KEYPOINTS)]
        for axis in ("x", "y")
    ]
    time = by_axis[0].index.to_numpy()
    xy = np.stack([frame.to_numpy(np.float64) for frame in by_axis], axis=-1)
    even = np.arange(time[0], time[-1], 1 / RATE)
    found = np.isfinite(xy).all(axis=-1)
    points = np.stack(
        [_at(even, time[found[:, k]], xy[found[:, k], k]) for k in range(len(KEYPOINTS))], axis=1
    )
    there = np.stack([np.interp(even, time, found[:, k]) for k in range(len(KEYPOINTS))], axis=1)
    points = _upright(points)
    starts = range(0, len(even) - SAMPLES + 1, STEP)
    kept = [s for s in starts if there[s : s + SAMPLES].mean() >= SEEN]
    cut = [points[s : s + SAMPLES].reshape(SAMPLES, CHANNELS).T for s in kept]
    if not cut:
        return torch.empty(0, CHANNELS, SAMPLES)
    return torch.from_numpy(np.stack(cut)).float()


def _at(even: np.ndarray, time: np.ndarray, xy: np.ndarray) -> np.ndarray:
    if not len(time):
        return np.zeros((len(even), 2))
    return np.stack([np.interp(even, time, xy[:, axis]) for axis in range(2)], axis=-1)


def _upright(points: np.ndarray) -> np.ndarray:
    """(T, K, 2) → the same in torso lengths from the mid hip, the trunk upwards on the whole."""
    hips = [KEYPOINTS.index("right_hip"), KEYPOINTS.index("left_hip")]
    middle = points[:, hips].mean(axis=1)
    trunk = np.median(points[:, KEYPOINTS.index("neck")] - middle, axis=0)
    length = max(float(np.hypot(*trunk)), 1e-6)
    c, s = -trunk[1] / length, -trunk[0] / length
    turn = np.array([[c, -s], [s, c]])
    return np.asarray((points - np.median(middle, axis=0)) @ turn.T / length)


BINS, DIRECTIONS = 24, 6


def described(windows: Tensor) -> Tensor:
    """(N, BINS + DIRECTIONS) what a window says of the variety of movement, whatever its size.

    The logarithms of the shares of power at 0.2 to 4.8 Hz, and those of the largest directions of
    movement: one rhythm in all limbs has few of both.
    """
    moving = windows - windows.mean(dim=2, keepdim=True)
    power = torch.fft.rfft(moving * torch.hann_window(SAMPLES), dim=2).abs().square().sum(1)
    directions = torch.linalg.eigvalsh(moving @ moving.transpose(1, 2)).flip(1)
    shares = [
        part[:, :count] / part.sum(dim=1, keepdim=True).clamp_min(1e-9)
        for part, count in ((power[:, 1:], BINS), (directions, DIRECTIONS))
    ]
    return torch.log(torch.cat(shares, dim=1).clamp_min(1e-5))


class Classifier(nn.Module):
    """Windows as `described` describes them, (N, BINS + DIRECTIONS), to logits (N,) of label 1.

    Two layers: few infants are enough. There is no batch normalisation, whose
    running means would mix badly when models are averaged.
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(BINS + DIRECTIONS, width), nn.GELU(), nn.Linear(width, 1)
        )

    def forward(self, windows: Tensor) -> Tensor:
        """The logits."""
        logits: Tensor = self.layers((windows + 4) / 2)[:, 0]
        return logits


def train(
    model: Classifier, infants: Sequence[Infant], *, epochs: int, rate: float, seed: int
) -> float:
    """Trains on all windows of the infants; each infant counts the same. Returns the mean loss."""
    windows = torch.cat([infant.windows for infant in infants])
    labels = torch.cat([torch.full((len(i.windows),), float(i.label)) for i in infants])
    weights = torch.cat([torch.full((len(i.windows),), 1 / len(i.windows)) for i in infants])
    weights *= len(weights) / weights.sum()
    optimizer = torch.optim.Adam(model.parameters(), lr=rate, weight_decay=1e-4)
    rng = torch.Generator().manual_seed(seed)
    model.train()
    losses = []
    for _ in range(epochs):
        order = torch.randperm(len(windows), generator=rng)
        for start in range(0, len(order), 32):
            batch = order[start : start + 32]
            loss = nn.functional.binary_cross_entropy_with_logits(
                model(windows[batch]), labels[batch], weights[batch]
            )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(float(loss.detach()))
    return float(np.mean(losses))


def count_right(model: Classifier, infants: Sequence[Infant]) -> dict[str, int]:
    """How many windows and infants are told right; an infant is judged by its mean probability."""
    counts = dict.fromkeys(("windows", "windows_right", "infants", "infants_right"), 0)
    model.eval()
    with torch.inference_mode():
        for infant in infants:
            if not len(infant.windows):
                continue
            probability = torch.sigmoid(model(infant.windows))
            counts["windows"] += len(probability)
            counts["windows_right"] += int(((probability > 0.5) == bool(infant.label)).sum())
            counts["infants"] += 1
            counts["infants_right"] += int((float(probability.mean()) > 0.5) == bool(infant.label))
    return counts


def split(infants: Sequence[Infant], fold: int, folds: int) -> tuple[list[Infant], list[Infant]]:
    """Infants to train on and infants held out: never two windows of one infant on both sides.

    Each fold holds out infants of both labels, as far as there are enough.
    """
    place: dict[str, int] = {}
    for label in sorted({infant.label for infant in infants}):
        alike = [infant.name for infant in infants if infant.label == label]
        place |= {name: number % folds for number, name in enumerate(alike)}
    held_out = [infant for infant in infants if place[infant.name] == fold]
    rest = [infant for infant in infants if place[infant.name] != fold]
    return rest, held_out
