"""Exchanged sides are found where they were planted, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from crowd import FPS, infant, only

from vid2kp.pose.oks import body_size
from vid2kp.pose.skeleton import BODY25, INFANT22, Skeleton
from vid2kp.pose.swaps import SideWatch, SwapDetector

MIRROR = np.array(INFANT22.mirror)
PARTS = {
    "body": ("",),
    "legs": ("hip", "knee", "ankle", "foot"),
    "arms": ("shoulder", "elbow", "wrist", "hand"),
    "lower legs": ("ankle", "foot"),
}


def clip(seconds: float, seed: int, *, noise: float = 1.5, lost: float = 0.05) -> np.ndarray:
    """(frames, K, 2) of a kicking infant of 300 pixels, seen with noise and gaps."""
    rng = np.random.default_rng(seed)
    frames = np.stack([infant(i / FPS, seed=seed) for i in range(int(seconds * FPS))])
    frames += rng.normal(0, noise, frames.shape)
    frames[rng.random(frames.shape[:2]) < lost] = np.nan
    return frames


def detect(frames: np.ndarray, skeleton: Skeleton = INFANT22) -> np.ndarray:
    detector = SwapDetector(skeleton)
    size = float(np.median(body_size(frames)))
    return np.stack([detector.update(i / FPS, frame, size) for i, frame in enumerate(frames)])


def exchanged(frames: np.ndarray, begin: int, end: int, part: str) -> tuple[np.ndarray, np.ndarray]:
    """The clip with the sides of a part exchanged in some frames, and (frames, K) where."""
    paired = np.arange(len(MIRROR)) != MIRROR
    which = np.array([n.endswith(PARTS[part]) for n in INFANT22.keypoints]) & paired
    truth = np.zeros(frames.shape[:2], bool)
    truth[begin:end, which] = True
    changed = np.where(truth[..., None], frames[:, MIRROR], frames)
    return changed, truth & ~np.isnan(changed[..., 0])


@pytest.mark.parametrize("seed", range(2))
def test_clean_clips_raise_less_than_one_alarm_a_minute(seed: int) -> None:
    flagged = detect(clip(60, seed)).any(axis=1)
    alarms = np.count_nonzero(np.diff(flagged.astype(int), prepend=0) == 1)
    assert alarms < 1


@pytest.mark.parametrize("part", PARTS)
def test_planted_exchanges_are_found(part: str) -> None:
    found = planted = wrong = frames = 0
    for seed in range(3):
        clean = clip(5, seed)
        for begin, length in ((30, 1), (50, 1), (77, 1), (40, 4), (65, 4), (50, 25)):
            changed, truth = exchanged(clean, begin, begin + length, part)
            flags = detect(changed)
            found += int((flags & truth).any(axis=1).sum())
            planted += int(truth.any(axis=1).sum())
            wrong += int((flags & ~truth).any(axis=1).sum())
            frames += len(clean)
    assert found >= 0.95 * planted
    assert wrong <= 0.01 * frames


def test_most_keypoints_of_an_exchanged_body_are_named() -> None:
    frames, truth = exchanged(clip(6, 0), 50, 90, "body")
    flags = detect(frames)
    assert (flags & truth).sum() > 0.9 * truth.sum()


def test_what_stays_exchanged_is_taken_for_right() -> None:
    frames, _ = exchanged(clip(12, 1), 50, 300, "body")
    flags = detect(frames).any(axis=1)
    assert flags[50:120].all()
    assert not flags[130:].any()


def test_slowly_crossing_legs_are_no_exchange() -> None:
    frames = np.stack([infant(0.0)] * 100)
    for joint in ("ankle", "foot"):
        right, left = (INFANT22.index(f"{side}_{joint}") for side in ("right", "left"))
        path = np.linspace(0, 1, 100)[:, None]
        a, b = frames[0, right].copy(), frames[0, left].copy()
        frames[:, right], frames[:, left] = a + (b - a) * path, b + (a - b) * path
    assert not detect(frames).any()


def test_a_missing_keypoint_is_never_exchanged() -> None:
    frames, _ = exchanged(clip(4, 2, lost=0.3), 40, 60, "body")
    assert not detect(frames)[np.isnan(frames[..., 0])].any()


def test_nothing_is_told_without_a_before() -> None:
    empty = np.full((5, 22, 2), np.nan)
    assert not detect(np.concatenate((empty, clip(0.2, 0), empty))).any()
    assert not detect(np.stack([only(infant(0.0), "nose", "neck")] * 10)).any()


def test_every_keypoint_set_will_do() -> None:
    frames = np.random.default_rng(0).normal(0, 0.1, (20, 25, 2)) + np.arange(50).reshape(25, 2)
    assert detect(frames, BODY25).shape == (20, 25)


def test_pairs_are_named_without_a_size_being_given() -> None:
    frames, _ = exchanged(clip(4, 0, lost=0), 50, 54, "arms")
    watch = SideWatch(INFANT22)
    names = [watch.update(i / FPS, frame) for i, frame in enumerate(frames)]
    assert {"elbow", "wrist", "hand"} <= set(names[51])
    assert not any(names[:50]) and not any(names[55:])
