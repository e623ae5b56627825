"""Facts about the odd videos of the shared data folder, where it is there.

`tests/data/ingest_golden.json` is what `facts` gives for each file; after a change on purpose,
`python tests/video/test_golden.py` writes it again, and the difference is to be read.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parent.parent
GOLDEN = TESTS / "data" / "ingest_golden.json"
VIDEOS = TESTS.parent.parent / "shared" / "data" / "videos"

sys.path.insert(0, str(TESTS))  # for running this file by itself

from reading import read_all  # noqa: E402

from vid2kp.errors import UnreadableVideo  # noqa: E402


def facts(path: Path) -> dict[str, Any]:
    """What reading a file gives, in a form that JSON can hold."""
    try:
        seen = read_all(path, images=False)
    except UnreadableVideo as error:
        return {"status": "unreadable", "message": error.message}
    return {
        "status": seen.summary.status,
        "frames": seen.summary.frames,
        "suspect_frames": seen.summary.suspect_frames,
        "lost_frames": seen.summary.lost_frames,
        "first_time": seen.times[0],
        "last_time": round(seen.times[-1], 6),
        "display_sizes": sorted({f"{width}x{height}" for width, height in seen.sizes}),
        "rotation": seen.info.rotation,
        "mirrored": seen.info.mirrored,
        "pixel_aspect": str(seen.info.pixel_aspect),
        "interlaced": seen.summary.interlaced,
        "bit_depth": seen.info.bit_depth,
        "hdr": seen.info.hdr,
        "time_source": seen.summary.time_source,
        "vfr": seen.summary.vfr,
        "fps": round(seen.summary.fps, 3),
        "warnings": list(seen.summary.warnings),
    }


def files() -> list[str]:
    """Names of the videos, relative to their folder."""
    if not VIDEOS.is_dir():
        return []
    listed = json.loads((VIDEOS / "manifest.json").read_text())
    return [entry["file"] for entry in listed]


@pytest.mark.skipif(not VIDEOS.is_dir(), reason="the folder of odd videos is not here")
@pytest.mark.parametrize("name", files())
def test_facts_are_as_they_were(name: str) -> None:
    golden = json.loads(GOLDEN.read_text())
    assert facts(VIDEOS / name) == golden[name]


@pytest.mark.skipif(not VIDEOS.is_dir(), reason="the folder of odd videos is not here")
def test_every_file_has_its_facts() -> None:
    assert sorted(json.loads(GOLDEN.read_text())) == sorted(files())


if __name__ == "__main__":
    written = {name: facts(VIDEOS / name) for name in files()}
    GOLDEN.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n")
