"""How fast is each stage, how fast the whole, and how much memory does it take?

    python benchmarks/stages.py --model infant-lite --device cpu

prints a table; ``--json FILE`` keeps the same figures for comparison. See README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from clips import PSEUDONYM, make_clip
from numpy.typing import NDArray

import vid2kp
from vid2kp.batch.pool import available_cores
from vid2kp.convert import ConvertOptions, convert_video, make_estimator
from vid2kp.pose.estimate import Estimator
from vid2kp.pose.framing import crop, sample
from vid2kp.pose.parse import parse
from vid2kp.render.skeleton_video import render_video
from vid2kp.tracks.schema import FRAMES_FILE, TRACKS_FILE
from vid2kp.video.read import open_video

SAMPLED = 64
"""Frames that are kept in memory, at the network's size, to measure network and parser with."""

LEAST_SECONDS = 2.0
"""A stage is repeated until it has taken this long."""


@dataclass(frozen=True)
class Speed:
    """Frames per second of one stage alone, or of everything together."""

    model: str
    device: str
    precision: str
    stage: str
    frames_per_second: float


@dataclass(frozen=True)
class Overlap:
    """How well the stages overlap in one conversion.

    Attributes:
        model: name of the model.
        device: where the network runs.
        slowest: time of the slowest stage alone over the time of the whole.
        processor: processor time of all threads over what the cores had to give in that time: where
            every stage needs the same few cores, no overlap can do better than 1.
        milliseconds: of the processor, per frame.
    """

    model: str
    device: str
    slowest: float
    processor: float
    milliseconds: float


@dataclass(frozen=True)
class Memory:
    """Highest resident memory of a process that converts one clip."""

    model: str
    device: str
    frames: int
    peak_mib: float


def main() -> None:
    """Measure, print a table, keep the figures."""
    options = _arguments()
    cv2.setNumThreads(1)  # as in a worker of vid2kp
    pairs = [(model, device) for model in options.model for device in options.device]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        clip = _clip(work, options.size, options.frames)
        print("{} × {}, {} frames".format(*options.size, options.frames), flush=True)
        speeds = [_shown(Speed("", "cpu", "", "decode", _decode(clip)))]
        overlaps = []
        for pair in pairs:
            stages, overlap = _stages(clip, work / "out", *pair, speeds[0].frames_per_second)
            speeds += stages
            overlaps.append(overlap)
        memories = []
        for frames in options.memory:
            longer = _clip(work, options.size, frames)
            memories += [_memory(longer, work / "out", *pair, frames) for pair in pairs]
    if options.json:
        options.json.write_text(
            json.dumps(_report(options, speeds, overlaps, memories), indent=2) + "\n"
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", action="append", help="name or path; may be repeated")
    parser.add_argument("--device", action="append", help="cpu, cuda …; may be repeated")
    parser.add_argument("--size", type=_size, default=(1920, 1080), help="of the clip, 1920x1080")
    parser.add_argument("--frames", type=int, default=300, help="length of the clip")
    parser.add_argument(
        "--memory",
        type=int,
        nargs="*",
        default=[300, 3000],
        help="clip lengths for peak memory; none after the option: leave it out",
    )
    parser.add_argument("--json", type=Path, help="file to keep the figures in")
    options = parser.parse_args()
    options.model = options.model or ["infant-lite"]
    options.device = options.device or ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    return options


def _size(text: str) -> tuple[int, int]:
    width, height = text.split("x")
    return int(width), int(height)


def _clip(folder: Path, size: tuple[int, int], frames: int) -> Path:
    clip = folder / f"{frames}.mp4"
    if not clip.exists():
        make_clip(clip, width=size[0], height=size[1], frames=frames)
    return clip


def _stages(
    clip: Path, out: Path, model: str, device: str, decoding: float
) -> tuple[list[Speed], Overlap]:
    options = ConvertOptions(model=model, device=device)
    estimator = make_estimator(options)
    inputs, sampling = _inputs(clip, estimator)
    maps = estimator.maps(inputs)
    estimator.find(inputs)  # the first call prepares kernels
    rates = {
        "sample": sampling,
        "network": _rate(len(inputs), lambda: _wait(estimator.maps(inputs).confidence)),
        "parse": _rate(len(inputs), lambda: parse(maps, estimator.skeleton)),
    }
    begin, used = time.perf_counter(), time.process_time()
    result = convert_video(clip, out, pseudonym=PSEUDONYM, estimator=estimator, options=options)
    seconds, used = time.perf_counter() - begin, time.process_time() - used
    rates["render"] = _render(out, result.frames)
    slowest = min(decoding, *rates.values())
    rates["end to end"] = result.frames / seconds
    overlap = Overlap(
        model=estimator.card.name,
        device=device,
        slowest=rates["end to end"] / slowest,
        processor=used / (seconds * available_cores()),
        milliseconds=used / result.frames * 1e3,
    )
    name, precision = estimator.card.name, estimator.precision
    speeds = [_shown(Speed(name, device, precision, *rate)) for rate in rates.items()]
    print(
        f"{'overlap':>12}  {overlap.slowest:8.2f} of the slowest stage, {overlap.processor:.2f} of "
        f"the cores; {overlap.milliseconds:.1f} ms of the processor per frame",
        flush=True,
    )
    return speeds, overlap


def _decode(clip: Path) -> float:
    begin = time.perf_counter()
    with open_video(clip) as reader:
        count = sum(1 for _ in reader.frames())
    return count / (time.perf_counter() - begin)


def _inputs(clip: Path, estimator: Estimator) -> tuple[NDArray[np.uint8], float]:
    """Network inputs of the first frames, and how many are made a second."""
    inputs, seconds = [], 0.0
    with open_video(clip) as reader:
        for frame, _ in zip(reader.frames(), range(SAMPLED), strict=False):
            begin = time.perf_counter()
            # Square, as the crop that follows the infant, and as wide as the frame.
            middle = ((frame.width - 1) / 2, (frame.height - 1) / 2)
            view = crop(middle, frame.width, size=estimator.card.input_size)
            inputs.append(sample(frame, view))
            seconds += time.perf_counter() - begin
    return np.stack(inputs), len(inputs) / seconds


def _wait(tensor: torch.Tensor) -> None:
    if tensor.is_cuda:
        torch.cuda.synchronize()


def _rate(frames: int, work: Callable[[], object]) -> float:
    """Frames per second of work that takes this many frames at a time."""
    done, begin, elapsed = 0, time.perf_counter(), 0.0
    while elapsed < LEAST_SECONDS:
        work()
        done += frames
        elapsed = time.perf_counter() - begin
    return done / elapsed


def _render(folder: Path, frames: int) -> float:
    begin = time.perf_counter()
    render_video(folder / TRACKS_FILE, folder / "again.mp4", frames_path=folder / FRAMES_FILE)
    return frames / (time.perf_counter() - begin)


def _memory(clip: Path, out: Path, model: str, device: str, frames: int) -> Memory:
    """Peak memory, in a process of its own: a peak never goes down again."""
    script = Path(__file__).with_name("whole.py")
    run = subprocess.run(
        [sys.executable, str(script), str(clip), str(out), model, device],
        capture_output=True,
        text=True,
        check=True,
    )
    peak = float(run.stdout.split()[0])
    print(f"{frames:>6} frames  {peak:8.0f} MiB at most  {model} {device}", flush=True)
    return Memory(model, device, frames, peak)


def _shown(speed: Speed) -> Speed:
    what = f"{speed.model} {speed.device} {speed.precision}".strip()
    print(f"{speed.stage:>12}  {speed.frames_per_second:8.1f} frames/s  {what}", flush=True)
    return speed


def _report(
    options: argparse.Namespace,
    speeds: list[Speed],
    overlaps: list[Overlap],
    memories: list[Memory],
) -> dict[str, object]:
    return {
        "vid2kp": vid2kp.__version__,
        "torch": torch.__version__,
        "cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "size": options.size,
        "frames": options.frames,
        "speed": [asdict(speed) for speed in speeds],
        "overlap": [asdict(overlap) for overlap in overlaps],
        "memory": [asdict(memory) for memory in memories],
    }


if __name__ == "__main__":
    main()
