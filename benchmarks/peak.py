"""Converts one clip and prints the highest resident memory of this process in MiB."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from clips import PSEUDONYM

from vid2kp.convert import ConvertOptions, convert_video, make_estimator


def main() -> None:
    """``peak.py CLIP OUT MODEL DEVICE``."""
    clip, out, model, device = sys.argv[1:]
    options = ConvertOptions(model=model, device=device)
    convert_video(
        Path(clip),
        Path(out),
        pseudonym=PSEUDONYM,
        estimator=make_estimator(options),
        options=options,
    )
    print(peak_mebibytes())


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
