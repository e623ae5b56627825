"""What the networks take out of a device: batch sweep, share of its matrix rate, end to end.

    python benchmarks/gpu.py --device cuda --clips 16
    python benchmarks/gpu.py --device cpu --size 64 --batch 1 2 --matrix 512     # does it run?

For VGG-19 ``openpose`` (random weights: speed does not depend on them) and the shipped model:
frames per second of the network alone for each batch size, with and without CUDA graphs, and the
share of the rate at which this device multiplies large bf16 matrices, measured first. Then, with
``--clips``, a batch of 1080p clips end to end with as many workers on the device as there are
cores for their decoders.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from clips import make_clip
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from vid2kp.batch import BatchOptions, run
from vid2kp.batch.pool import available_cores
from vid2kp.convert import ConvertOptions
from vid2kp.pose.estimate import choose_precision, prepare
from vid2kp.pose.openpose import OpenPose
from vid2kp.pose.skeleton import SKELETONS
from vid2kp.pose.weights import load_model

NUMBERS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
LEAST_SECONDS = 2.0
CLIP_FRAMES = 900


def main() -> None:
    """Measure and print."""
    options = _arguments()
    device = torch.device(options.device)
    precision = choose_precision("auto", device)
    print(f"{_name(device)}, {precision}, {available_cores()} cores")
    peak = _matrix_rate(device, NUMBERS[precision], options.matrix)
    print(f"{peak / 1e12:10.2f} TFLOP/s  {options.matrix}² matrices")
    networks = {
        "openpose": OpenPose(SKELETONS["coco18"]),
        options.model: load_model(options.model).network,
    }
    for name, network in networks.items():
        _sweep(name, network, device, NUMBERS[precision], peak, options)
    if options.clips:
        _end_to_end(options)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--model", default="infant-lite", help="name or path")
    parser.add_argument("--size", type=int, default=256, help="side of the square input")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 4, 16, 64, 256])
    parser.add_argument("--matrix", type=int, default=8192, help="side of the matrices")
    parser.add_argument("--clips", type=int, default=0, help="1080p clips to convert, none")
    return parser.parse_args()


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _rate(work: Callable[[], object], device: torch.device) -> float:
    """Calls per second, once it has warmed up."""
    for _ in range(3):
        work()
    _wait(device)
    calls, begin, elapsed = 0, time.perf_counter(), 0.0
    while elapsed < LEAST_SECONDS:
        for _ in range(4):
            work()
        _wait(device)
        calls += 4
        elapsed = time.perf_counter() - begin
    return calls / elapsed


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _matrix_rate(device: torch.device, numbers: torch.dtype, side: int) -> float:
    """Floating-point operations per second of a product of two square matrices."""
    a, b = (torch.randn(side, side, device=device, dtype=numbers) for _ in range(2))
    return _rate(lambda: a @ b, device) * 2 * side**3


def _sweep(
    name: str,
    network: nn.Module,
    device: torch.device,
    numbers: torch.dtype,
    peak: float,
    options: argparse.Namespace,
) -> None:
    ready = prepare(network, device, numbers)
    one = torch.zeros(1, 3, options.size, options.size, device=device, dtype=numbers)
    with torch.inference_mode():
        counter = FlopCounterMode(display=False)
        with counter:
            ready(one)
        operations = counter.get_total_flops()
        print(f"{name}: {operations / 1e9:.2f} GFLOP a frame of {options.size}² pixels")
        for batch in options.batch:
            x = one.expand(batch, -1, -1, -1).contiguous(memory_format=torch.channels_last)
            ways: dict[str, Callable[[], object]] = {"": partial(ready, x)}
            if device.type == "cuda":
                ways["with a CUDA graph"] = _graphed(ready, x)
            for way, work in ways.items():
                frames = batch * _rate(work, device)
                share = frames * operations / peak
                print(
                    f"{frames:10.1f} frames/s, {share:.0%} of the matrix rate, batch {batch} {way}",
                    flush=True,
                )


def _graphed(network: nn.Module, x: Tensor) -> Callable[[], object]:
    """The same work as one launch."""
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    with torch.cuda.stream(side):
        for _ in range(3):
            network(x)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        network(x)
    return graph.replay


def _end_to_end(options: argparse.Namespace) -> None:
    """A batch of clips, tracks and videos written, with one decoder for each core."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        first = work / "videos" / "0.mp4"
        first.parent.mkdir()
        make_clip(first, width=1920, height=1080, frames=CLIP_FRAMES)
        for number in range(1, options.clips):
            (first.parent / f"{number}.mp4").write_bytes(first.read_bytes() + bytes(number))
        jobs = min(available_cores(), options.clips)
        begin = time.perf_counter()
        result = run(
            [first.parent],
            work / "out",
            options=ConvertOptions(model=options.model, device=options.device),
            batch=BatchOptions(jobs=jobs),
        )
        seconds = time.perf_counter() - begin
        frames = sum(video.frames for video in result.results)
        print(
            f"{frames / seconds:10.1f} frames/s end to end, {options.clips} 1080p clips, "
            f"{jobs} workers, their start included"
        )


if __name__ == "__main__":
    main()
