"""Synthetic videos of moving infants with their true tracks, for examples and tests."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import vid2kp
from vid2kp.files import output_errors, replacing
from vid2kp.pose.skeleton import INFANT22, Skeleton
from vid2kp.tracks.footer import Footer
from vid2kp.tracks.schema import FRAMES_FILE, INFANT, TRACKS_FILE
from vid2kp.tracks.store import FramesWriter, Pose, TracksWriter
from vid2kp.training.body import ANGLES, Body, pose_bodies, random_shape, rotation
from vid2kp.training.look import Look, random_look
from vid2kp.training.postures import random_pose
from vid2kp.training.scene import Camera, photograph
from vid2kp.training.synthetic import to_uint8, visibility
from vid2kp.training.textures import Noise

_ROOT = ("roll", "bend", "shoulder_twist", "hip_twist", "head_yaw", "head_pitch", "head_roll")
_RATE = 90_000  # ticks a second of the files' time base


@dataclass(frozen=True)
class VideoOptions:
    """A synthetic video.

    Attributes:
        seconds: length.
        fps: frames per second.
        width: pixels.
        height: pixels.
        fill: longest side of the body as a share of the picture's shorter side.
        direction: degrees by which the infant is turned in the picture; 0 = head up.
        movement: 1 = lively; 0 = lying still.
        crf: x264's constant rate factor; lower is finer.
    """

    seconds: float = 10.0
    fps: float = 25.0
    width: int = 960
    height: int = 540
    fill: float = 0.8
    direction: float = 0.0
    movement: float = 1.0
    crf: int = 23


@dataclass(frozen=True)
class VideoFiles:
    """Where a synthetic video and its truth are."""

    video: Path
    tracks: Path
    frames: Path


class Movement:
    """Joint angles that move smoothly in time, of somebody lying on the back.

    General movements are made of slow travel between postures with small, faster components on
    top; here each angle is a sum of a smooth path through random postures and three sinusoids.

    Args:
        postures: (N, len(ANGLES)) random postures; one more is reached every `PAUSE` seconds.
        strength: 1 = lively; 0 = lying still.
        rng: phases and frequencies follow from it.
    """

    PAUSE = 2.2

    def __init__(self, postures: Tensor, strength: float, rng: torch.Generator) -> None:
        self._postures, self._strength = _lying(postures), strength
        self._phase = 2 * math.pi * torch.rand(3, len(ANGLES), generator=rng)
        self._frequency = torch.tensor([0.35, 0.9, 1.7])[:, None] * (
            0.7 + 0.6 * torch.rand(3, len(ANGLES), generator=rng)
        )

    def __call__(self, time: Tensor) -> Tensor:
        """(T, len(ANGLES)) joint angles at the given times (T,), seconds."""
        place = time / self.PAUSE
        index = place.floor().long().clamp(0, len(self._postures) - 2)
        share = (place - index).clamp(0, 1)[:, None]
        share = share * share * (3 - 2 * share)
        path = torch.lerp(self._postures[index], self._postures[index + 1], share)
        still = self._postures[:1]
        swing = torch.tensor([0.10, 0.05, 0.025])[:, None, None] * torch.sin(
            2 * math.pi * self._frequency[:, None] * time[None, :, None] + self._phase[:, None]
        )
        calm = torch.tensor([0.25 if name in _ROOT else 1.0 for name in ANGLES])
        return still + self._strength * ((path - still) + swing.sum(0) * calm)


class MovingInfant:
    """One infant who moves on its back, alone in the picture.

    Args:
        options: size, direction and liveliness.
        seed: everything follows from it.
        skeleton: keypoints wanted.
    """

    def __init__(self, options: VideoOptions, seed: int, *, skeleton: Skeleton = INFANT22) -> None:
        rng = torch.Generator().manual_seed(seed)
        self.options, self.skeleton = options, skeleton
        self.noise = Noise(rng)
        self.shape = random_shape(1, rng)
        count = 2 + math.ceil(options.seconds / Movement.PAUSE)
        self._movement = Movement(random_pose(count, rng), options.movement, rng)
        self.look: Look = plain_room(random_look(1, rng))
        self.camera = self._camera()
        self._grain = torch.Generator().manual_seed(seed + 1)

    def pose(self, time: Tensor) -> Tensor:
        """(T, len(ANGLES)) joint angles at the given times (T,), seconds."""
        return self._movement(time)

    def frames(
        self, time: Tensor
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int64]]:
        """The infant at the given times.

        Args:
            time: (T,) seconds.

        Returns:
            (T, H, W, 3) uint8 RGB; (T, K, 2) float32 keypoints in pixels; (T, K) visibility as in
            COCO.
        """
        options, count = self.options, len(time)
        body, camera = self._posed(time)
        with torch.inference_mode():
            pictures, depth, hidden = photograph(
                body,
                self.look.repeat(count),
                camera,
                self.noise,
                height=options.height,
                width=options.width,
            )
        grain = 0.012 * torch.randn(pictures.shape, generator=self._grain)
        points = self._points(body, camera)
        seen = visibility(points, depth, hidden, camera)
        return to_uint8(pictures + grain), points[..., :2].numpy().astype(np.float32), seen

    def keypoints(self, time: Tensor) -> NDArray[np.float32]:
        """(T, K, 2) keypoints in pixels at the given times (T,); nothing is drawn."""
        return self._points(*self._posed(time))[..., :2].numpy().astype(np.float32)

    def _posed(self, time: Tensor) -> tuple[Body, Camera]:
        count = len(time)
        body = pose_bodies({k: v.expand(count) for k, v in self.shape.items()}, self.pose(time))
        camera = Camera(
            self.camera.turn.expand(count, 3, 3),
            self.camera.scale.expand(count),
            self.camera.offset.expand(count, 2),
            self.camera.distance.expand(count),
        )
        return body, camera

    def _points(self, body: Body, camera: Camera) -> Tensor:
        """(T, K, 3) pixels and depth."""
        joints = torch.stack([body.joints[k] for k in self.skeleton.keypoints], 1)
        return camera.project(joints)[0]

    def _camera(self) -> Camera:
        options = self.options
        angle = torch.tensor([math.radians(options.direction)])
        turn = rotation("x", torch.tensor([0.15])) @ rotation("z", angle)
        unit = Camera(turn, torch.ones(1), torch.zeros(1, 2), torch.tensor([3.5]))
        times = torch.linspace(0, options.seconds, 12)
        body = pose_bodies({k: v.expand(12) for k, v in self.shape.items()}, self.pose(times))
        many = Camera(
            turn.expand(12, 3, 3), torch.ones(12), torch.zeros(12, 2), unit.distance.expand(12)
        )
        centre, zoom = many.project(body.centre)
        reach = (body.radius * zoom)[..., None]
        low = (centre[..., :2] - reach).amin((0, 1))
        high = (centre[..., :2] + reach).amax((0, 1))
        size = torch.tensor([options.width, options.height], dtype=torch.float32)
        scale = options.fill * size.min() / (high - low).max()
        offset = size / 2 - scale * (low + high) / 2
        return Camera(turn, scale[None], offset[None], unit.distance)


def _lying(postures: Tensor) -> Tensor:
    """The same postures on the back, held calmly together: an infant does not jump about."""
    postures = postures.clone()
    for i, name in enumerate(ANGLES):
        if name in _ROOT:
            postures[:, i] *= 0.35
    postures[:, ANGLES.index("roll")] = 0
    first = postures[:1]
    return first + 0.6 * (postures - first)


def plain_room(look: Look) -> Look:
    """No blanket, no mosaic, even light: a recording as a clinic would make it."""
    return replace(
        look,
        blanket=torch.tensor([[0.0, 1.0, 9.0]]),
        mosaic=torch.zeros_like(look.mosaic),
        ambient=look.ambient.clamp_min(0.5),
        tint=torch.full_like(look.tint, 0.95),
        gamma=torch.full_like(look.gamma, 0.95),
        shade=look.shade.clamp_max(0.6),
    )


def write_video(
    folder: Path,
    *,
    seed: int = 0,
    options: VideoOptions | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> VideoFiles:
    """A video of one infant (``video.mp4``) with its true ``tracks.parquet``, ``frames.parquet``.

    Args:
        folder: made if need be.
        seed: the same seed gives the same video.
        options: see `VideoOptions`.
        progress: called with (done, frames).

    Raises:
        OutputError: the folder cannot be written.
    """
    options = options or VideoOptions()
    infant = MovingInfant(options, seed)

    def shots() -> Iterator[Shot]:
        for time in frame_times(options.seconds, options.fps):
            images, keypoints, seen = infant.frames(torch.tensor([time]))
            certainty = np.where(seen[0] == 2, 1.0, 0.5).astype(np.float32)
            yield Shot(images[0], {INFANT: Pose(keypoints[0], certainty)}, "certain")

    return write_shots(folder, shots(), options, infant.skeleton, progress=progress)


class Shot(NamedTuple):
    """One frame: (H, W, 3) uint8 RGB, everybody's true pose by name, value of ``subject``."""

    image: NDArray[np.uint8]
    people: dict[str, Pose]
    subject: str


def frame_times(seconds: float, fps: float) -> list[float]:
    """Times of the frames of a video of that length; at least one."""
    return [index / fps for index in range(max(1, round(seconds * fps)))]


def write_shots(
    folder: Path,
    shots: Iterable[Shot],
    options: VideoOptions,
    skeleton: Skeleton,
    *,
    preset: str = "slow",
    progress: Callable[[int, int], None] | None = None,
) -> VideoFiles:
    """A video and its truth, frame by frame.

    Args:
        folder: made if need be.
        shots: the frames, at `frame_times`.
        options: length, size and so on of the video.
        skeleton: keypoint set of the poses.
        preset: x264's.
        progress: called with (done, frames).

    Raises:
        OutputError: the folder cannot be written.
    """
    times = frame_times(options.seconds, options.fps)
    files = VideoFiles(folder / "video.mp4", folder / TRACKS_FILE, folder / FRAMES_FILE)
    with output_errors():
        folder.mkdir(parents=True, exist_ok=True)
    footer = Footer(
        skeleton=skeleton,
        width=options.width,
        height=options.height,
        fps=options.fps,
        vfr=False,
        rotation_applied=0,
        mirrored=False,
        time_source="pts",
        model_name="truth",
        model_sha256="",
        tool_version=vid2kp.__version__,
    )
    with (
        replacing(files.video) as part,
        av.open(str(part), "w", format="mp4") as container,
        TracksWriter(files.tracks, skeleton) as tracks,
        FramesWriter(files.frames) as frames,
    ):
        stream = container.add_stream("libx264", rate=Fraction(options.fps).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = options.width, options.height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, _RATE)
        stream.options = {"crf": str(options.crf), "preset": preset}
        for index, (time, shot) in enumerate(zip(times, shots, strict=True)):
            picture = av.VideoFrame.from_ndarray(shot.image, format="rgb24")
            picture.pts = round(time * _RATE)
            picture.time_base = Fraction(1, _RATE)
            container.mux(stream.encode(picture))
            tracks.write(index, time, shot.people)
            frames.write(
                index,
                time,
                pts=picture.pts,
                width=options.width,
                height=options.height,
                suspect=False,
                people=len(shot.people),
                subject=shot.subject,
            )
            if progress:
                progress(index + 1, len(times))
        container.mux(stream.encode(None))
        tracks.finish(footer)
        frames.finish(footer)
    return files
