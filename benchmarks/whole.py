"""Converts one clip as a worker does; prints its peak memory in MiB and its frames per second.

    python benchmarks/whole.py CLIP OUT MODEL [DEVICE]

The time begins when the model is loaded and ends when tracks, frames, manifest and skeleton video
are on the disk.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

from clips import PSEUDONYM

from vid2kp.batch.worker import Settings, prepare
from vid2kp.convert import ConvertOptions, convert_video


def main() -> None:
    """Convert, print both figures."""
    clip, out, model, *device = sys.argv[1:]
    options = ConvertOptions(model=model, device=device[0] if device else "auto")
    settings = Settings(
        options=options, device=options.device, threads=0, memory=None, diary=Path(out)
    )
    estimator, _ = prepare(settings)
    begin = time.perf_counter()
    result = convert_video(
        Path(clip), Path(out), pseudonym=PSEUDONYM, estimator=estimator, options=options
    )
    seconds = time.perf_counter() - begin
    print(peak_mebibytes(), result.frames / seconds)


def peak_mebibytes() -> float:
    """Highest resident memory of this process, MiB."""
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss would count what the parent held when it made this process
        lines = status.read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)  # bytes there, KiB elsewhere


if __name__ == "__main__":
    main()
