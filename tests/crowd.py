"""People who move, as the parser would give them, and a tracker that follows them."""

from __future__ import annotations

import numpy as np
from belief_maps import person

from vid2kp.pose.choose import Choice, choose_infant
from vid2kp.pose.people import People
from vid2kp.pose.skeleton import INFANT22
from vid2kp.pose.track import Tracker

FPS = 25.0


def people(*bodies: np.ndarray, confidence: float = 0.8) -> People:
    """People as the parser gives them, best first as they come."""
    if not bodies:
        return People.none(22)
    keypoints = np.stack(bodies).astype(np.float32)
    sure = np.where(np.isnan(keypoints[..., 0]), np.nan, np.float32(confidence))
    score = np.nansum(sure, axis=1) / 22 - 1e-4 * np.arange(len(bodies))
    return People(keypoints, sure.astype(np.float32), score.astype(np.float32))


_CHAINS = (("shoulder", "elbow", "wrist", "hand"), ("hip", "knee", "ankle", "foot"))


def infant(time: float, x: float = 300, y: float = 240, *, seed: int = 0) -> np.ndarray:
    """An infant 300 pixels long who kicks and waves about once a second, its trunk swaying."""
    rng = np.random.default_rng(seed)
    body = person(0, 0, length=300, angle=5 * np.sin(time))
    for side in ("right", "left"):
        for names in _CHAINS:
            chain = [INFANT22.index(f"{side}_{name}") for name in names]
            for joint, swing in enumerate((0.3, 0.6, 0.4)):
                speed, phase = rng.uniform(4, 9), rng.uniform(0, 6)
                turn = swing * np.sin(speed * time + phase)
                cos, sin = np.cos(turn), np.sin(turn)
                centre, outer = body[chain[joint]], chain[joint + 1 :]
                body[outer] = (body[outer] - centre) @ np.array([(cos, sin), (-sin, cos)]) + centre
    return body + np.array([x, y])


def adult(x: float, y: float, *, length: float = 700) -> np.ndarray:
    """A standing adult: small head, long legs."""
    body = person(0, 0, length=length)
    for name, right, down in (("eye", 0.018, -0.35), ("ear", 0.04, -0.34), ("knee", 0.07, 0.3),
                              ("ankle", 0.07, 0.55), ("foot", 0.08, 0.58)):  # fmt: skip
        for side, sign in (("right", -1), ("left", 1)):
            body[INFANT22.index(f"{side}_{name}")] = np.array([sign * right, down]) * length
    return body + np.array([x, y])


def only(body: np.ndarray, *parts: str) -> np.ndarray:
    """The body with nothing but these parts."""
    body = body.copy()
    body[[not any(part in name for part in parts) for name in INFANT22.keypoints]] = np.nan
    return body


class Run:
    """Identities frame by frame, and the choice at the end."""

    def __init__(self, tracker: Tracker, seen: list[tuple[int, ...]]) -> None:
        self.tracker, self.seen = tracker, seen

    @property
    def choice(self) -> Choice:
        return choose_infant(self.tracker.statistics, frames=self.tracker.frames)


def follow(frames: list[People], *, fps: float = FPS, times: list[float] | None = None) -> Run:
    tracker = Tracker(INFANT22)
    times = times or [i / fps for i in range(len(frames))]
    seen = [
        tracker.update(i, t, found).identities
        for i, (t, found) in enumerate(zip(times, frames, strict=True))
    ]
    return Run(tracker, seen)
