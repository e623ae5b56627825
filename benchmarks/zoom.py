"""What zoom and tracking bring, and what they cost, on synthetic infants.

    python benchmarks/zoom.py [small] [steps] [swaps] [cost] [--pictures N] [--model NAME]

small: PCK of an infant of a quarter of the frame's height at 1080p, with zoom and without.
steps: how far keypoints move when the crop changes on a still clip.
swaps: exchanged sides planted in true tracks with the jitter of the network: found, false alarms.
cost:  time of everything but decoding and the network, and what the network sees besides the view.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vid2kp.pose.estimate import Estimator
from vid2kp.pose.find import Still, sample_still
from vid2kp.pose.skeleton import INFANT22
from vid2kp.pose.swaps import SideWatch
from vid2kp.pose.watch import Watcher, look_at_picture
from vid2kp.pose.weights import load_model
from vid2kp.tracks.store import Pose
from vid2kp.training.scenes import Scene, SceneOptions
from vid2kp.training.synthetic_video import VideoOptions

SMALL = VideoOptions(seconds=1, fps=1, width=1920, height=1080, fill=0.35)
CLIP = VideoOptions(seconds=60, fps=12.5, width=640, height=360, fill=0.6)


def _scene(video: VideoOptions, seed: int) -> Scene:
    return Scene(SceneOptions(video=replace(video, direction=53.0 * seed)), 100 + seed)


def _torso(xy: NDArray[np.floating]) -> float:
    hips = xy[[INFANT22.index("right_hip"), INFANT22.index("left_hip")]].mean(axis=0)
    return float(np.hypot(*(xy[INFANT22.index("neck")] - hips)))


def small(estimator: Estimator, pictures: int) -> None:
    """PCK@0.05 of the torso, over the visible keypoints."""
    right: dict[bool, list[bool]] = {True: [], False: []}
    heights = []
    for seed in range(pictures):
        shot = _scene(SMALL, seed).shot(0.0)
        truth: Pose = shot.people["infant"]
        heights.append(float(np.ptp(truth.xy, axis=0).max() / SMALL.height))
        visible = truth.confidence > 0.75
        for zoom, errors in right.items():
            people = look_at_picture(estimator, shot.image, zoom=zoom)
            xy = people.keypoints[0] if len(people) else np.full((22, 2), np.inf)
            off = np.hypot(*(xy - truth.xy).T) / _torso(truth.xy)
            errors += list((off < 0.05)[visible])
    zoomed, whole = (float(np.mean(right[zoom])) for zoom in (True, False))
    print(
        f"{pictures} infants as long as {np.mean(heights):.0%} of the frame's height at 1080p: "
        f"PCK@0.05 {zoomed:.2f} with zoom, {whole:.2f} without, {zoomed / max(whole, 0.01):.1f} x"
    )


def steps(estimator: Estimator, pictures: int) -> None:
    """The crop is moved and resized by a step between chunks; the picture stands still."""
    at_once, later, bare = [], [], []
    for seed in range(pictures):
        image = _scene(CLIP, seed).shot(0.0).image
        watcher: Watcher[Still] = Watcher(estimator, sample_still)
        clip = (Still(image, i, i / 25) for i in range(7 * 16))
        poses, views = [], []
        for i, seen in enumerate(watcher.watch(clip)):
            poses.append(seen.tracked.people.keypoints[0])
            views.append(seen.view.box)
            if i % 32 == 31 and watcher.zoom.place is not None:
                x, y, side = watcher.zoom.place
                way = 1 if i % 64 == 31 else -1
                watcher.zoom.move_to((x + way * side / 16, y, side * 2 ** (way / 4)))
        torso = _torso(poses[0])
        moved = np.hypot(*np.moveaxis(np.diff(poses, axis=0), -1, 0)) / torso
        changes = [i for i in range(len(views) - 1) if views[i] != views[i + 1]]
        at_once += list(moved[changes])
        later.append(np.hypot(*(poses[-1] - poses[31]).T) / torso)
        place = watcher.zoom.place
        assert place is not None
        first, second = (
            estimator_pose(estimator, image, watcher, side)
            for side in (place[2], place[2] * 2**0.25)
        )
        bare.append(np.hypot(*(first - second).T) / torso)
    for name, values in (
        ("at a change of the crop", at_once),
        ("in three seconds", later),
        ("between crops, were nothing done", bare),
    ):
        known = np.concatenate(values)
        known = known[np.isfinite(known)]
        print(
            f"keypoints on a still clip move by {np.median(known):.2%} of the torso "
            f"(95 %: {np.percentile(known, 95):.2%}, most: {known.max():.2%}) {name}"
        )


def estimator_pose(
    estimator: Estimator, image: NDArray[np.uint8], watcher: Watcher[Still], side: float
) -> NDArray[np.float32]:
    """The best person through a crop of another side, display pixels."""
    from vid2kp.pose.framing import crop, keypoints_to_display, sample_image

    assert watcher.zoom.place is not None
    x, y, _ = watcher.zoom.place
    view = crop((x, y), side, size=estimator.card.input_size, rotation=watcher.direction.rotation)
    (people,) = estimator.find(sample_image(image, view)[None])
    return np.asarray(keypoints_to_display(view, people.keypoints[0]))


def swaps(minutes: int) -> None:
    """Legs, arms and whole bodies exchanged in true tracks that jitter."""
    rng = np.random.default_rng(0)
    mirror = np.array(INFANT22.mirror)
    found = planted = alarms = 0
    for seed in range(minutes):
        clean = np.stack(list(_track(seed)))
        clean += rng.normal(0, 0.015 * _torso(clean[0]), clean.shape)
        clean[rng.random(clean.shape[:2]) < 0.05] = np.nan
        flagged = np.flatnonzero(_flagged(clean))
        alarms += int((np.diff(flagged, prepend=-1000) > 25).sum())  # a second apart
        changed = clean.copy()
        where = np.zeros(len(clean), bool)
        for begin in range(25, len(clean) - 50, 75):
            length = int(rng.choice([1, 3, 8, 20]))
            parts = (("",), ("hip", "knee", "ankle", "foot"), ("elbow", "wrist", "hand"))
            names = parts[int(rng.integers(3))]
            which = np.array([n.endswith(names) for n in INFANT22.keypoints])
            which &= mirror != np.arange(len(mirror))
            span = slice(begin, begin + length)
            changed[span] = np.where(which[:, None], changed[span][:, mirror], changed[span])
            where[span] = True
        found += int((_flagged(changed) & where).sum())
        planted += int(where.sum())
    print(
        f"exchanged sides: {found / planted:.1%} of {planted} planted frames found, "
        f"{alarms / minutes:.1f} false alarms a minute in {minutes} clean minutes"
    )


def _track(seed: int) -> Iterator[NDArray[np.float64]]:
    """A minute of true keypoints at 25 frames a second; nothing is drawn."""
    import torch

    from vid2kp.training.synthetic_video import MovingInfant

    infant = MovingInfant(VideoOptions(seconds=60, fps=25), seed)
    yield from infant.keypoints(torch.arange(1500) / 25).astype(np.float64)


def _flagged(frames: NDArray[np.floating]) -> NDArray[np.bool_]:
    watch = SideWatch(INFANT22)
    return np.array([bool(watch.update(i / 25, frame)) for i, frame in enumerate(frames)])


def cost(estimator: Estimator) -> None:
    """Processor time of the network, and of what follows the infant, in a minute of video."""
    image = _scene(CLIP, 0).shot(0.0).image
    pixels: list[int] = []
    sampled: list[float] = []
    find = estimator.find

    def counted(inputs: NDArray[np.uint8]) -> object:
        pixels.append(int(inputs.shape[0] * inputs.shape[1] * inputs.shape[2]))
        return find(inputs)

    estimator.find = counted  # type: ignore[method-assign, assignment]

    def sample(still: Still, view: object) -> NDArray[np.uint8]:
        begin = time.thread_time()
        picture = sample_still(still, view)  # type: ignore[arg-type]
        sampled.append(time.thread_time() - begin)
        return picture

    watcher: Watcher[Still] = Watcher(estimator, sample)
    frames = 94 * 16
    everything, here = time.process_time(), time.thread_time()
    for _ in watcher.watch(Still(image, i, i / 25) for i in range(frames)):
        pass
    following = time.thread_time() - here  # the network works in threads of its own
    network = time.process_time() - everything - following - sum(sampled)
    view = watcher.zoom.view(CLIP.width, CLIP.height)
    extra = sum(pixels) / (frames * view.width * view.height) - 1
    print(
        f"following takes {following / network:.1%} of the network's time; the network sees "
        f"{extra:.1%} more than one view a frame (search, direction, glances over {frames} frames)"
    )


def main() -> None:
    """Runs what is asked for; everything if nothing is."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", nargs="*", help="small, steps, swaps, cost")
    parser.add_argument("--pictures", type=int, default=12)
    parser.add_argument("--model", default="infant-lite")
    arguments = parser.parse_args()
    wanted = arguments.what or ["small", "steps", "swaps", "cost"]
    estimator = Estimator(load_model(arguments.model))
    if "small" in wanted:
        small(estimator, arguments.pictures)
    if "steps" in wanted:
        steps(estimator, arguments.pictures)
    if "swaps" in wanted:
        swaps(16)
    if "cost" in wanted:
        cost(estimator)


if __name__ == "__main__":
    main()
