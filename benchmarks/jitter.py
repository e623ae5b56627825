"""How still are the tracks of a still infant, and how much of a small movement do they keep?

    python benchmarks/jitter.py --model infant-lite

makes three kinds of clips of synthetic infants, converts them as `vid2kp convert` does, and prints

- *still*: one picture, repeated without loss. Jitter must be exactly 0.
- *noise*: the same with the noise of a camera, compressed by H.264. The aim is 0.5 % of the torso
  a frame.
- *circles*: a wrist goes round in circles of a few per cent of the arm's length. Within 20 % of the
  movement must be kept.

Jitter is the mean distance between a keypoint's places in two frames that follow each other, in per
cent of the torso (neck to middle of the hips); the mean and the median over the keypoints are
shown, and the worst. What is kept is the slope of the found path on the true one, 1 = all of it;
off is how far from its place the wrist is found: one that is hidden is guessed, and guesses hardly
move.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from clips import GRAIN, PSEUDONYM
from numpy.typing import NDArray
from torch import Tensor

from vid2kp.convert import ConvertOptions, convert_video, make_estimator
from vid2kp.pose.estimate import Estimator
from vid2kp.pose.skeleton import INFANT22
from vid2kp.tracks.load import load_tracks
from vid2kp.training.body import ANGLES, pose_bodies
from vid2kp.training.metrics import torso_length
from vid2kp.training.synthetic_video import MovingInfant, VideoOptions

Image = NDArray[np.uint8]
Floats = NDArray[np.float64]

FPS = 25
ROUNDS_A_SECOND = 1.0
JOINT = "right_wrist"
LOSSLESS = {"crf": "0", "preset": "ultrafast"}
CAMERA = {"crf": "18", "preset": "veryfast"}


@dataclass(frozen=True)
class Jitter:
    """How restless the tracks of a still infant are; see the module."""

    clip: str
    seed: int
    frames: int
    found: int
    mean: float
    median: float
    worst: float
    worst_keypoint: str


@dataclass(frozen=True)
class Circle:
    """What is left of a small movement.

    Attributes:
        seed: of the infant.
        radius: of the wrist's path, share of the arm's length.
        kept: slope of the found path on the true one.
        residual: root mean square distance from that slope, share of the radius.
        off: mean distance of the found path from the true one, in per cent of the torso.
    """

    seed: int
    radius: float
    kept: float
    residual: float
    off: float


class CirclingInfant(MovingInfant):
    """Lies still but for one forearm, whose wrist goes round.

    Args:
        options: size and direction.
        seed: everything follows from it.
        radius: of the wrist's path as a share of the arm's length.
    """

    def __init__(self, options: VideoOptions, seed: int, *, radius: float) -> None:
        self._swing = 0.0
        super().__init__(options, seed)
        wanted, trial = radius, 0.1
        self._swing = trial
        self._swing = trial * wanted / self._radius()

    def pose(self, time: Tensor) -> Tensor:
        """(T, len(ANGLES)) joint angles: the elbow bends and swivels a quarter turn apart."""
        angles = super().pose(time).clone()
        turn = 2 * math.pi * ROUNDS_A_SECOND * time
        angles[:, ANGLES.index("right_arm_flex")] += self._swing * turn.cos()
        angles[:, ANGLES.index("right_arm_swivel")] += self._swing * turn.sin()
        return angles

    def _radius(self) -> float:
        """Of the wrist's path at the present swing, share of the arm's length, in the picture."""
        time = torch.arange(FPS) / FPS
        shape = {k: v.expand(FPS) for k, v in self.shape.items()}
        joints = pose_bodies(shape, self.pose(time)).joints
        wrist = (joints[JOINT] @ self.camera.turn[0].T)[:, :2]
        arm = self.shape["upper_arm"] + self.shape["forearm"]
        return float((wrist - wrist.mean(0)).norm(dim=1).mean() / arm)


def main() -> None:
    """Parses the arguments, measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", default="infant-lite")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--height", type=int, default=1080, help="of still clips, pixels")
    parser.add_argument("--circle-height", type=int, default=540, help="of the circles' clips")
    parser.add_argument("--frames", type=int, default=50)
    parser.add_argument("--seeds", type=int, nargs="+", default=[*range(1, 13)])
    parser.add_argument("--radii", type=float, nargs="+", default=[0.02, 0.04, 0.08])
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    estimator = make_estimator(ConvertOptions(model=arguments.model, device=arguments.device))
    jitters, circles = [], []
    print("clip     seed  keypoints   mean %  median %  worst %  (keypoint)")
    for seed in arguments.seeds:
        for clip in ("still", "noise"):
            jitters.append(
                measure_jitter(clip, seed, lying(arguments.height), arguments.frames, estimator)
            )
            one = jitters[-1]
            print(
                f"{clip:8} {seed:4}  {one.found:9}  {one.mean:7.3f}  {one.median:8.3f}  "
                f"{one.worst:7.3f}  ({one.worst_keypoint})",
                flush=True,
            )
    print("circle   seed  radius     kept     residual  off %")
    for seed in arguments.seeds:
        for radius in arguments.radii:
            circles.append(
                measure_circle(
                    radius, seed, lying(arguments.circle_height), arguments.frames, estimator
                )
            )
            two = circles[-1]
            print(
                f"{'':8} {seed:4}  {two.radius:6.2f}  {two.kept:7.2f}  {two.residual:11.2f}  "
                f"{two.off:5.1f}",
                flush=True,
            )
    if arguments.json:
        rows = {"jitter": [asdict(j) for j in jitters], "circles": [asdict(c) for c in circles]}
        arguments.json.write_text(json.dumps(rows, indent=2), encoding="utf-8")


def lying(height: int) -> VideoOptions:
    """A wide picture of that height with an infant that lies still."""
    return VideoOptions(fps=FPS, height=height, width=16 * height // 18 * 2, fill=0.6, movement=0.0)


def measure_jitter(
    clip: str, seed: int, options: VideoOptions, frames: int, estimator: Estimator
) -> Jitter:
    """Converts a clip of a still infant, ``still`` or with ``noise``."""
    infant = MovingInfant(options, seed)
    pictures, keypoints, _ = infant.frames(torch.zeros(1))
    if clip == "still":
        found = convert((pictures[0] for _ in range(frames)), LOSSLESS, estimator)
    else:
        found = convert(noisy((pictures[0] for _ in range(frames)), seed), CAMERA, estimator)
    shares = 100 * jitter(found) / torso_length(keypoints.astype(np.float64), INFANT22.keypoints)
    known = np.isfinite(shares)
    if not known.any():
        return Jitter(clip, seed, frames, 0, math.nan, math.nan, math.nan, "")
    worst = int(np.nanargmax(shares))
    return Jitter(
        clip,
        seed,
        frames,
        int(known.sum()),
        float(np.nanmean(shares)),
        float(np.nanmedian(shares)),
        float(shares[worst]),
        INFANT22.keypoints[worst],
    )


def measure_circle(
    radius: float, seed: int, options: VideoOptions, frames: int, estimator: Estimator
) -> Circle:
    """Converts a clip in which a wrist goes round."""
    infant = CirclingInfant(options, seed, radius=radius)
    wrist = INFANT22.index(JOINT)
    truth: list[NDArray[np.float32]] = []

    def pictures() -> Iterator[Image]:
        for index in range(frames):
            images, keypoints, _ = infant.frames(torch.tensor([index / FPS]))
            truth.append(keypoints[0])
            yield images[0]

    found = convert(pictures(), CAMERA, estimator)[:, wrist]
    true = np.array(truth, np.float64)
    off = np.hypot(*(found - true[:, wrist]).T) / torso_length(true, INFANT22.keypoints)
    return Circle(seed, radius, *kept(found, true[:, wrist]), 100 * float(np.nanmean(off)))


def noisy(pictures: Iterable[Image], seed: int) -> Iterator[Image]:
    """The pictures with the noise of a camera."""
    rng = np.random.default_rng(seed)
    for picture in pictures:
        grain = rng.normal(0, GRAIN, picture.shape)
        yield np.clip(np.rint(picture + grain), 0, 255).astype(np.uint8)


def convert(pictures: Iterable[Image], quality: dict[str, str], estimator: Estimator) -> Floats:
    """(F, K, 2) the infant's tracks in a clip of these pictures, by the tool's own spine."""
    with tempfile.TemporaryDirectory() as scratch:
        clip, out = Path(scratch) / "clip.mp4", Path(scratch) / "out"
        write_clip(clip, pictures, quality)
        convert_video(
            clip,
            out,
            pseudonym=PSEUDONYM,
            estimator=estimator,
            options=ConvertOptions(video=False),
        )
        positions, _ = load_tracks(out / "tracks.parquet").to_numpy()
    return np.asarray(positions[:, 0], np.float64)


def write_clip(path: Path, pictures: Iterable[Image], quality: dict[str, str]) -> None:
    """An H.264 clip of pictures (H, W, 3) uint8 RGB of one size."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options=quality)
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, FPS)
        for index, picture in enumerate(pictures):
            if not index:
                stream.height, stream.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def jitter(positions: Floats) -> Floats:
    """(K,) mean distance from frame to frame of tracks (F, K, 2); NaN where never seen twice."""
    steps = np.hypot(*np.moveaxis(np.diff(positions, axis=0), -1, 0))
    count = np.isfinite(steps).sum(0)
    return np.asarray(np.nansum(steps, axis=0) / np.where(count > 0, count, np.nan))


def kept(found: Floats, true: Floats) -> tuple[float, float]:
    """How much of a movement a found path (F, 2) keeps of the true one, and what it adds.

    Returns:
        Slope by least squares over the frames where it was found, 1 = all of it; root mean
        square of what the slope does not explain, in root mean squares of the movement.
    """
    seen = np.isfinite(found).all(1)
    if seen.sum() < len(found) / 2:
        return math.nan, math.nan
    found, true = found[seen] - found[seen].mean(0), true[seen] - true[seen].mean(0)
    slope = float((found * true).sum() / (true * true).sum())
    rest = found - slope * true
    return slope, float(np.sqrt((rest * rest).sum() / (true * true).sum()))


if __name__ == "__main__":
    main()
