"""Synthetic scenes as they happen in a ward, with the true tracks of everybody in them.

An infant lies in any direction and size; what else happens is named by the scene's events. The
same seed and events give the same scene.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vid2kp.errors import UsageError
from vid2kp.pose.skeleton import INFANT22
from vid2kp.tracks.schema import individual_name
from vid2kp.tracks.store import Pose
from vid2kp.training.actors import Actor, Part, Stage
from vid2kp.training.actors import Path as Way
from vid2kp.training.body import LENGTHS
from vid2kp.training.synthetic_video import (
    Shot,
    VideoFiles,
    VideoOptions,
    frame_times,
    write_shots,
)
from vid2kp.training.textures import Noise

EVENTS: Final = {
    "arms": "an adult's arms reach into the picture and move about",
    "adult": "an adult leans in beside the infant, larger than it",
    "crowd": "an adult fills most of the picture from the beginning",
    "twin": "a second infant lies beside the first",
    "blanket": "a blanket covers the infant's legs",
    "knock": "somebody knocks against the camera: it swings and ends up elsewhere",
    "light": "the light goes dim and comes back",
    "leave": "the infant is taken out of the picture and brought back",
}
"""What can happen in a scene, in plain words."""

_GONE: Final = 0.34, 0.70
"""Parts of the scene's length at which the infant has left, and at which it begins to come back."""

_HASTE: Final = 0.4  # seconds in which it is taken out
_HERE: Final = 0.4  # share of its keypoints in the picture from which on somebody is there


@dataclass(frozen=True)
class SceneOptions:
    """A scene.

    Attributes:
        events: names of `EVENTS`.
        video: length, size, frame rate, direction and liveliness; ``fill`` is the torso's length
            as a share of the picture's shorter side, three tenths of the usual one.
    """

    events: tuple[str, ...] = ()
    video: VideoOptions = field(default_factory=VideoOptions)

    def __post_init__(self) -> None:
        unknown = sorted(set(self.events) - EVENTS.keys())
        if unknown:
            raise UsageError(
                f"There is no event {unknown[0]!r}.", hint=f"Events: {', '.join(EVENTS)}."
            )


def write_scene(
    folder: Path,
    *,
    seed: int = 0,
    options: SceneOptions | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> VideoFiles:
    """A scene as ``video.mp4`` with the true ``tracks.parquet`` and ``frames.parquet``.

    The tracks are those of everybody of whom enough is in the picture: ``infant``, then
    ``person1`` and so on. Keypoints that are hidden have the confidence 0.5; those outside of the
    picture are missing. ``subject`` is ``absent`` where the infant is out of the picture and
    ``ambiguous`` where a twin is in it.

    Args:
        folder: made if need be.
        seed: the same seed gives the same scene.
        options: see `SceneOptions`.
        progress: called with (done, frames).

    Raises:
        OutputError: the folder cannot be written.
    """
    scene = Scene(options or SceneOptions(), seed)
    times = frame_times(scene.options.video.seconds, scene.options.video.fps)
    shots = (scene.shot(time) for time in times)
    return write_shots(
        folder, shots, scene.options.video, INFANT22, preset="veryfast", progress=progress
    )


class Scene:
    """Everybody on the stage, the camera and the light.

    Args:
        options: what happens.
        seed: everything else follows from it.
    """

    def __init__(self, options: SceneOptions, seed: int) -> None:
        self.options = options
        video = options.video
        self._rng = np.random.default_rng(seed)
        noise = Noise(torch.Generator().manual_seed(seed))
        self._stage = Stage(video.width, video.height, noise)
        self._torso = 0.3 * video.fill * min(video.width, video.height)
        self._grain = torch.Generator().manual_seed(seed + 1)
        parts = list(self._cast())
        self._actors = [
            Actor(part, self._stage, seconds=video.seconds, seed=1000 * seed + 10 + i)
            for i, part in enumerate(parts)
        ]
        self._bed = self._actors[0].bed()
        self._swing = self._rng.uniform(0, 2 * math.pi)

    def shot(self, time: float) -> Shot:
        """The scene at a time, seconds."""
        picture = self._bed.clone()
        moved = self._camera(time)
        people: dict[str, Pose] = {}
        for number, actor in enumerate(self._actors):
            keypoints, seen = actor.draw(picture, time)
            pose = self._truth(cv2.transform(keypoints[None], moved)[0], seen)
            if pose is not None:
                people[individual_name(number)] = pose
        picture = picture * self._light(time)
        picture = picture + 0.012 * torch.randn(picture.shape, generator=self._grain)
        image = (picture.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
        size = (self._stage.width, self._stage.height)
        image = cv2.warpAffine(
            np.ascontiguousarray(image), moved, size, borderMode=cv2.BORDER_REFLECT_101
        )
        subject = "certain" if individual_name(0) in people else "absent"
        if subject == "certain" and "twin" in self.options.events and len(people) > 1:
            subject = "ambiguous"
        return Shot(np.asarray(image, np.uint8), people, subject)

    # -----------------------------------------------------------------------------------------
    # Who is there

    def _cast(self) -> Iterator[Part]:
        """The infant, then the others."""
        video, events = self.options.video, self.options.events
        width, height = video.width, video.height
        sideways = self._rng.choice([-1.0, 1.0])
        middle = (width / 2, height / 2)
        if {"twin", "adult", "crowd"} & set(events):  # room for somebody else
            middle = (width * (0.5 - 0.22 * sideways), height / 2)
        infant = Part(
            centre=middle,
            torso=self._torso,
            direction=video.direction,
            movement=video.movement,
            blanket="blanket" in events,
            path=self._way_out() if "leave" in events else lambda time: (0.0, 0.0),
        )
        yield infant
        if "twin" in events:
            turn = self._rng.uniform(-25, 25) + 180 * (self._rng.random() < 0.3)
            yield replace(
                infant,
                centre=(width - middle[0], height * self._rng.uniform(0.45, 0.55)),
                torso=self._torso * self._rng.uniform(0.95, 1.05),
                direction=video.direction + turn,
                path=lambda time: (0.0, 0.0),
            )
        if "arms" in events:
            yield self._adult(1.6 * self._torso, edge=sideways, depth=-0.7, reaching=True)
        if "adult" in events:
            yield self._adult(1.7 * self._torso, edge=sideways, depth=0.35, reaching=False)
        if "crowd" in events:
            yield self._adult(0.55 * height, edge=sideways, depth=0.75, reaching=False)

    def _adult(self, torso: float, *, edge: float, depth: float, reaching: bool) -> Part:
        """Somebody who leans in from the right (edge 1) or left (-1) side of the picture.

        ``depth``: how far the middle of the trunk is in the picture, in torsos.
        """
        width, height = self._stage.width, self._stage.height
        x = width - depth * torso if edge > 0 else depth * torso
        y = height * self._rng.uniform(0.45, 0.6)
        rate, phase = self._rng.uniform(0.2, 0.4), self._rng.uniform(0, 6)

        def path(time: float) -> tuple[float, float]:
            way = 0.25 * torso * math.sin(2 * math.pi * rate * time + phase)
            return edge * abs(way), 0.3 * torso * math.sin(1.3 * rate * 6 * time + phase)

        # The head is toward the middle of the picture when leaning in, upward when standing there.
        direction = edge * (90 if reaching else self._rng.uniform(10, 40))
        return Part(
            centre=(x, y),
            torso=torso,
            direction=direction,
            movement=0.8,
            adult=True,
            reaching=reaching,
            path=path,
        )

    def _way_out(self) -> Way:
        """Out of the picture over its nearer long side, and back."""
        seconds, height = self.options.video.seconds, self._stage.height
        gone, back = (share * seconds for share in _GONE)
        far = -(height / 2 + 0.55 * self._torso / LENGTHS["trunk"] + 4)

        def path(time: float) -> tuple[float, float]:
            share = np.clip((time - gone + _HASTE) / _HASTE, 0, 1)
            share -= np.clip((time - back) / _HASTE, 0, 1)
            return 0.0, float(far * share)

        return path

    def _truth(self, keypoints: NDArray[np.float32], seen: NDArray[np.bool_]) -> Pose | None:
        """A pose of what is in the picture; None where that is too little for a person."""
        low, high = (-0.5, -0.5), (self._stage.width - 0.5, self._stage.height - 0.5)
        x, y = keypoints.T
        inside = (x >= low[0]) & (y >= low[1]) & (x <= high[0]) & (y <= high[1])
        if inside.mean() < _HERE:
            return None
        confidence = np.where(seen, 1.0, 0.5).astype(np.float32)
        return Pose(
            np.where(inside[:, None], keypoints, np.nan).astype(np.float32),
            np.where(inside, confidence, np.nan).astype(np.float32),
        )

    # -----------------------------------------------------------------------------------------
    # Camera and light

    def _camera(self, time: float) -> NDArray[np.float64]:
        """(2, 3) map from the stage to the picture: at rest, then knocked in the middle."""
        moved = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
        since = time - 0.5 * self.options.video.seconds
        if "knock" not in self.options.events or since < 0:
            return moved
        settled = 1 - math.exp(-since / 0.12)
        swing = math.exp(-since / 0.25) * math.sin(2 * math.pi * 4 * since)
        size = min(self._stage.width, self._stage.height)
        angle = math.radians(3.0 * settled + 2.0 * swing)
        cos, sin = math.cos(angle), math.sin(angle)
        middle = np.array([self._stage.width / 2, self._stage.height / 2])
        linear = np.array([[cos, sin], [-sin, cos]])
        away = 0.09 * size * settled + 0.04 * size * swing
        shift = away * np.array([math.cos(self._swing), math.sin(self._swing)])
        moved[:, :2], moved[:, 2] = linear, middle - linear @ middle + shift
        return moved

    def _light(self, time: float) -> Tensor:
        """(3, 1, 1) brightness of red, green and blue."""
        if "light" not in self.options.events:
            return torch.ones(3, 1, 1)
        share = time / self.options.video.seconds
        dim = np.clip((share - 0.3) / 0.05, 0, 1) - np.clip((share - 0.7) / 0.05, 0, 1)
        red, green, blue = (1 - float(dim) * lost for lost in (0.50, 0.58, 0.65))
        return torch.tensor([red, green, blue])[:, None, None]
