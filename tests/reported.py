"""An output folder with an index, for tests of the report: no skeleton videos, no manifests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from people import write_people

from vid2kp.tracks.index import write_index
from vid2kp.tracks.quality import measure_quality
from vid2kp.tracks.schema import FRAMES_FILE, INDEX_FILE, TRACKS_FILE
from vid2kp.tracks.series import read_series

FINE, CROWDED, UNREADABLE = "f" * 25 + "2", "z" * 25 + "3", "k" * 26
UNEVEN = np.cumsum(np.random.default_rng(1).uniform(0.02, 0.06, 120)) - 0.02


def write_run(out: Path) -> Path:
    """Three videos: without remarks; with somebody else in view and uneven times; unreadable."""
    write_people(out / FINE, frames=100, gaps=False)
    write_people(out / CROWDED, frames=120, people=2, seed=3, times=UNEVEN)
    failure = {"pseudonym": UNREADABLE, "status": "unreadable", "reason": "No <video> at all."}
    write_index(out / INDEX_FILE, [row_of(out / FINE), row_of(out / CROWDED), failure])
    return out


def row_of(folder: Path, **changes: object) -> dict[str, Any]:
    """The row of the index that `convert` would write for these tracks."""
    series = read_series(folder / TRACKS_FILE, folder / FRAMES_FILE)
    row = {
        "pseudonym": folder.name,
        "status": "done",
        "reason": "",
        "frames": len(series),
        "seconds": float(series.time[-1]) if len(series) else 0.0,
        "found": float(series.seen.mean()) if len(series) else 0.0,
        **measure_quality(series),
    }
    return row | changes
