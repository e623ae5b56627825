"""Does time grow only with the work, and memory not at all?

    python benchmarks/growth.py WORK [--json FILE]

Converts clips of growing length and of growing resolution, one process each, and prints frames per
second and peak memory; then batches of growing numbers of videos and of workers, and prints frames
per second. WORK is a folder for clips and results.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from clips import make_clip

HERE = Path(__file__).parent
SHORT = 300


def main() -> None:
    """Measure, print, keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--model", default="infant-lite", help="name or path")
    parser.add_argument("--frames", type=int, nargs="*", default=[300, 1800, 9000])
    parser.add_argument("--lines", type=int, nargs="*", default=[360, 720, 1080, 2160])
    parser.add_argument("--videos", type=int, nargs="*", default=[1, 4, 16])
    parser.add_argument("--jobs", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--height", type=int, default=1080, help="of clips that grow in length")
    parser.add_argument("--json", type=Path, help="file to keep the figures in")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    rows = [
        *(_one(options, options.height, frames) for frames in options.frames),
        *(_one(options, lines, SHORT) for lines in options.lines),
        *(_batch(options, videos, jobs) for videos in options.videos for jobs in options.jobs),
    ]
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="ascii")


def _clip(work: Path, lines: int, frames: int) -> Path:
    clip = work / f"{lines}-{frames}.mp4"
    if not clip.exists():
        make_clip(clip, width=lines * 16 // 9 // 2 * 2, height=lines, frames=frames)
    return clip


def _one(options: argparse.Namespace, lines: int, frames: int) -> dict[str, float]:
    clip = _clip(options.work, lines, frames)
    command = [sys.executable, HERE / "whole.py", clip, options.work / "out", options.model]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    peak, speed = map(float, run.stdout.split()[-2:])
    print(f"{lines:5} lines {frames:6} frames {speed:8.1f} frames/s {peak:7.0f} MiB", flush=True)
    return {"lines": lines, "frames": frames, "frames_per_second": speed, "peak_mib": peak}


def _batch(options: argparse.Namespace, videos: int, jobs: int) -> dict[str, float]:
    source = _clip(options.work, 720, SHORT)
    folder, out = options.work / "videos", options.work / "batch"
    for old in (folder, out, out.with_name("batch.private")):
        shutil.rmtree(old, ignore_errors=True)
    folder.mkdir()
    for number in range(videos):
        shutil.copy2(source, folder / f"{number}.mp4")
    command = [sys.executable, "-m", "vid2kp.cli", "convert", folder, "-o", out]
    command += ["--model", options.model, "--jobs", str(jobs), "--quiet"]
    begin = time.perf_counter()
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    speed = videos * SHORT / (time.perf_counter() - begin)
    print(f"{videos:5} videos {jobs:4} jobs {speed:10.1f} frames/s, start included", flush=True)
    return {"videos": videos, "jobs": jobs, "frames_per_second": speed}


if __name__ == "__main__":
    main()
