"""A whole output folder for tests, made with the project's own writers from moving people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import people

from vid2kp.files import fix_folder_times
from vid2kp.privacy.manifest import COUNTS, Manifest, shaping_libraries, write_manifest
from vid2kp.render.skeleton_video import RenderOptions, render_video
from vid2kp.tracks.index import write_index
from vid2kp.tracks.load import load_frames
from vid2kp.tracks.schema import (
    FOOTER_KEY,
    FRAMES_FILE,
    FRAMES_SCHEMA,
    INDEX_FILE,
    VIDEO_FILE,
    Footer,
    parquet_writer,
)

FIRST = "a" * 25 + "2"
SECOND = "b" * 25 + "3"
RENDER = RenderOptions(size=256)


def write_deliverable(out: Path, videos: Sequence[str] = (FIRST, SECOND)) -> Path:
    """An output folder with these videos, one that failed, and an index; returns it."""
    rows: list[dict[str, object]] = []
    for number, pseudonym in enumerate(videos):
        write_video_folder(out / pseudonym, seed=7 * number)
        done = {"status": "done", "reason": "", "frames": 12, "seconds": 0.44}
        rows.append({"pseudonym": pseudonym} | done)
    rows.append({"pseudonym": "c" * 26, "status": "unreadable", "reason": "The file is empty."})
    write_index(out / INDEX_FILE, rows)
    fix_folder_times(out)
    return out


def write_video_folder(folder: Path, *, seed: int = 0) -> None:
    """The deliverables of one video."""
    tracks = people.write_people(folder, frames=12, people=2, seed=seed)
    render_video(tracks, folder / VIDEO_FILE, frames_path=folder / FRAMES_FILE, options=RENDER)
    seal(folder)


def seal(folder: Path, **changes: object) -> None:
    """Writes the manifest of what lies in the folder now and fixes all times."""
    values: dict[str, object] = {
        "pseudonym": folder.name, "status": "done", "model_name": "infant-lite",
        "model_sha256": "0" * 64, "tool_version": "0.1.0", "reason": "Nobody was seen.",
        "counts": dict.fromkeys(COUNTS, 0) | {"frames": 12}, "options": {"people": "all"},
        "render": asdict(RENDER), "libraries": shaping_libraries(),
    }  # fmt: skip
    write_manifest(folder, Manifest(**{**values, **changes}))  # type: ignore[arg-type]
    fix_folder_times(folder)


def rewrite_frames(folder: Path, footer: Footer) -> None:
    """The frames file of a video once more, with another footer."""
    table = load_frames(folder / FRAMES_FILE)
    with (folder / FRAMES_FILE).open("wb") as file, parquet_writer(file, FRAMES_SCHEMA) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({FOOTER_KEY: footer.to_json()})
