"""vid2kp against what people use instead, on the same clip, in the same run, in turns.

    python benchmarks/peers.py WORK

WORK is a folder for the clip, the results and MediaPipe's own environment, which is made there by
the first run. Every peer runs in a process of its own, `--rounds` times in turns, so that other
work on the machine meets all of them; the table gives medians and the ratios within each round.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import venv
from pathlib import Path

from clips import make_clip

HERE = Path(__file__).parent
MEDIAPIPE = "mediapipe==0.10.14"

OURS = "vid2kp convert"
SQUARE = "plain loop, square input"
FIT = "plain loop, input of the frame's shape"
THEIRS = "MediaPipe Pose full, writes nothing"


def main() -> None:
    """Measure, print a table, keep the figures."""
    options = _arguments()
    work: Path = options.work
    work.mkdir(parents=True, exist_ok=True)
    width, height = options.size
    clip = work / f"{width}x{height}-{options.frames}.mp4"
    if not clip.exists():
        make_clip(clip, width=width, height=height, frames=options.frames)
    commands = _commands(clip, work, options)
    speeds: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(options.rounds):
        for name, command in commands.items():
            run = subprocess.run(command, capture_output=True, text=True, check=True)
            speeds[name].append(float(run.stdout.split()[-1]))
            print(f"{turn + 1}  {speeds[name][-1]:8.1f} frames/s  {name}", flush=True)
    _show(speeds)
    if options.json:
        options.json.write_text(json.dumps(speeds, indent=2) + "\n", encoding="ascii")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path, help="folder to work in")
    parser.add_argument("--model", default="infant-lite", help="name or path")
    parser.add_argument("--size", type=_size, default=(1920, 1080), help="1920x1080")
    parser.add_argument("--frames", type=int, default=1800, help="length of the clip")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-mediapipe", action="store_true", help="leave MediaPipe out")
    parser.add_argument("--json", type=Path, help="file to keep the figures in")
    return parser.parse_args()


def _size(text: str) -> tuple[int, int]:
    width, height = text.split("x")
    return int(width), int(height)


def _commands(clip: Path, work: Path, options: argparse.Namespace) -> dict[str, list[str]]:
    own = [sys.executable]
    plain = [*own, str(HERE / "plain_loop.py"), str(clip), str(work / "plain"), options.model]
    commands = {
        OURS: [*own, str(HERE / "whole.py"), str(clip), str(work / "out"), options.model],
        SQUARE: [*plain, "square"],
        FIT: [*plain, "fit"],
    }
    if not options.no_mediapipe:
        commands[THEIRS] = [_mediapipe_python(work), str(HERE / "mediapipe_pose.py"), str(clip)]
    return commands


def _mediapipe_python(work: Path) -> str:
    """The interpreter of an environment that has MediaPipe, made at the first call."""
    folder = work / "mediapipe"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    made = folder / "made"
    if not made.exists():
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", MEDIAPIPE], check=True)
        made.touch()
    return str(python)


def _show(speeds: dict[str, list[float]]) -> None:
    print(f"\n{'frames/s':>10}  {'vid2kp is':>16}")
    for name, values in speeds.items():
        ratios = [ours / other for ours, other in zip(speeds[OURS], values, strict=True)]
        times = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
        print(f"{statistics.median(values):10.1f}  {times:>16} × as fast as {name}")


if __name__ == "__main__":
    main()
