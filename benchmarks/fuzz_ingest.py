"""Reads many damaged copies of small clips, each in a limited process, and reports what happened.

Each copy of ten generated clips has one to three seeded faults (bits flipped, ranges zeroed, cut
out, overwritten or moved). It is read twice in a process that may use two gigabytes and twenty
seconds. Nothing may hang or crash, and both readings must agree in every pixel.

Some of the copies are then converted by `vid2kp convert`: each must end in a status that is not
``failed``, and the output folder may hold whole deliverables only.

    python benchmarks/fuzz_ingest.py --copies 1000 --convert 100
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SECONDS_PER_COPY = 20.0
MEMORY_BYTES = 2 << 30
_OF_ALL = {"index.parquet", "report.html"}


def main() -> int:
    """Runs the command line; 0 when nothing hung, crashed or differed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--copies", type=int, default=1000)
    parser.add_argument("--convert", type=int, default=0, help="of the copies, to convert too")
    parser.add_argument("--seed", type=int, default=0, help="of the first copy")
    parser.add_argument("--read", nargs="+", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.read:
        read_files(arguments.read)
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips = make_clips(folder)
        started = time.monotonic()
        results = list(run(clips, copies=arguments.copies, seed=arguments.seed))
        found = report(results, seconds=time.monotonic() - started)
        if arguments.convert:
            made = make_copies(clips, folder / "copies", arguments.convert, seed=arguments.seed)
            found["converted"] = convert_copies(made, folder / "out")
    print(json.dumps(found, indent=1))
    faults = [found["crashed_or_hung"], found["differing"], found.get("converted", {}).get("wrong")]
    return int(any(faults))


def make_clips(folder: Path) -> list[Path]:
    """Ten clips in the containers and codecs that hospitals have."""
    sys.path.insert(0, str(ROOT / "tests"))
    media: Any = importlib.import_module("media")
    fast = {"movflags": "+faststart"}
    clip = media.Clip
    forms = {
        "h264.mp4": clip(),
        "faststart.mp4": clip(muxer=fast),
        "fragments.mp4": clip(muxer={"movflags": "+frag_keyframe+empty_moov"}),
        "hevc.mov": clip(codec="libx265", muxer=fast),
        "h264.mkv": clip(),
        "vp9.webm": clip(codec="libvpx-vp9", options={"deadline": "realtime", "cpu-used": "8"}),
        "h264.ts": clip(),
        "mpeg2.mpg": clip(codec="mpeg2video"),
        "mpeg4.avi": clip(codec="mpeg4"),
        "mjpeg.avi": clip(codec="mjpeg", pixel_format="yuvj422p"),
    }
    return [media.make(folder / name, form) for name, form in forms.items()]


def run(clips: list[Path], *, copies: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Makes and reads damaged copies; yields one record each.

    Args:
        clips: the whole files, all in one folder, where the copies are made too.
        copies: how many.
        seed: of the first; each copy has the next one.
    """
    broken: Any = importlib.import_module("broken_media")
    made: dict[Path, dict[str, Any]] = {}
    for number in range(copies):
        clip = clips[number % len(clips)]
        copy = clip.with_name(f"{number:05d}{clip.suffix}")
        faults = broken.mutated(clip, copy, seed=seed + number)
        made[copy] = {"seed": seed + number, "clip": clip.name, "faults": faults}
        if len(made) == 100 or number == copies - 1:
            for path, result in read_limited(list(made)):
                yield made[path] | result
                path.unlink()
            made.clear()


def read_limited(paths: list[Path]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Reads files in a process of their own; one that dies or hangs loses its file only."""
    waiting = list(paths)
    while waiting:
        command = [sys.executable, __file__, "--read", *map(str, waiting)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, bufsize=1)
        assert process.stdout is not None
        with process, contextlib.closing(process.stdout) as lines:
            for line in lines:
                yield waiting.pop(0), json.loads(line)
        if waiting and process.returncode == 0:
            raise RuntimeError("the reading process ended early without an error")
        if waiting:
            # SIGALRM, whose default action ends the process, is the limit of time.
            outcome = "hang" if process.returncode == -14 else f"crash {process.returncode}"
            yield waiting.pop(0), {"outcome": outcome, "status": "", "differs": False}


def read_files(paths: list[Path]) -> None:
    """In the limited process: reads each file twice and prints one JSON line."""
    import resource
    import signal

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for path in paths:
        signal.setitimer(signal.ITIMER_REAL, SECONDS_PER_COPY)
        started = time.monotonic()
        first, second = reading(path), reading(path)
        record = {
            "outcome": "read",
            "status": first["status"],
            "differs": first != second,
            "seconds": round(time.monotonic() - started, 3),
        }
        print(json.dumps(record), flush=True)


def reading(path: Path) -> dict[str, Any]:
    """All that a consumer could see of a file, as plain values that can be compared."""
    from vid2kp.errors import UnreadableVideo
    from vid2kp.video.read import VideoReader, read_video

    def consume(reader: VideoReader) -> dict[str, Any]:
        rows = []
        for frame in reader.frames():
            digest = hashlib.sha256()
            if frame.planes is not None:
                for plane in (frame.planes.y, frame.planes.u, frame.planes.v):
                    digest.update(plane.tobytes())
            rows.append((frame.time, frame.suspect, frame.width, digest.hexdigest()))
        return {"status": reader.summary.status, "summary": reader.summary, "rows": rows}

    try:
        return read_video(path, consume)
    except UnreadableVideo as error:
        return {"status": "unreadable", "message": error.message}


def make_copies(clips: list[Path], folder: Path, copies: int, *, seed: int) -> Path:
    """The first damaged copies, as `run` makes them, in a folder of their own."""
    broken: Any = importlib.import_module("broken_media")
    folder.mkdir()
    for number in range(copies):
        clip = clips[number % len(clips)]
        broken.mutated(clip, folder / f"{number:05d}{clip.suffix}", seed=seed + number)
    return folder


def convert_copies(videos: Path, out: Path) -> dict[str, Any]:
    """Converts a folder as a user would and looks at what is left."""
    batches: Any = importlib.import_module("batches")
    model = batches.make_model(out.with_name("model.safetensors"))
    started = time.monotonic()
    command = [sys.executable, "-m", "vid2kp.cli", "convert", videos, "-o", out, "--json"]
    options = ["--model", model, "--device", "cpu", "--jobs", "1"]
    done = subprocess.run(
        [str(part) for part in command + options],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    results = json.loads(done.stdout)["videos"] if done.returncode in (0, 1) else []
    delivered = {Path(result["folder"]).name for result in results if result["folder"]}
    wrong = [result for result in results if result["status"] == "failed"]
    wrong += [{"unfinished": name} for name in unfinished(out, delivered)]
    if len(results) != len(list(videos.iterdir())):
        wrong.append({"exit code": done.returncode, "results": len(results)})
    return {
        "statuses": dict(Counter(result["status"] for result in results)),
        "delivered": len(delivered),
        "seconds": round(time.monotonic() - started, 1),
        "wrong": wrong,
    }


def unfinished(out: Path, delivered: set[str]) -> list[str]:
    """Whatever lies in the output folder without being part of a whole deliverable."""
    from vid2kp.privacy.manifest import FileHash, read_manifest
    from vid2kp.tracks.schema import MANIFEST_FILE

    stray = [path.name for path in out.iterdir() if path.name not in delivered | _OF_ALL]
    for name in delivered:
        _, files = read_manifest(out / name)
        present = {path.name: path for path in (out / name).iterdir()}
        if set(present) != set(files) | {MANIFEST_FILE}:
            stray.append(f"{name}: {sorted(present)}")
        stray += [
            f"{name}/{file}"
            for file, promised in files.items()
            if file in present and FileHash.of(present[file]) != promised
        ]
    return stray


def report(results: list[dict[str, Any]], *, seconds: float) -> dict[str, Any]:
    """Counts by outcome and status, and whatever must not have happened."""
    return {
        "copies": len(results),
        "seconds": round(seconds, 1),
        "outcomes": dict(Counter(result["outcome"] for result in results)),
        "statuses": dict(Counter(result["status"] for result in results)),
        "slowest_seconds": max((result.get("seconds", 0.0) for result in results), default=0.0),
        "crashed_or_hung": [r for r in results if r["outcome"] != "read"],
        "differing": [r for r in results if r["differs"]],
    }


if __name__ == "__main__":
    sys.exit(main())
