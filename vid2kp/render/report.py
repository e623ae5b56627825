"""Tracks in, one page out: how usable the recordings of a run are, to be read in any browser."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any, Final

import vid2kp
from vid2kp.errors import TracksError, UsageError
from vid2kp.files import fix_time, write_text
from vid2kp.render.report_data import read_detail
from vid2kp.render.report_page import page, section
from vid2kp.tracks.index import read_index
from vid2kp.tracks.schema import FAILURES, INDEX_FILE, REPORT_FILE

MOST_LETTERS: Final = 24_000_000
"""So much is shown of single videos: some forty of three minutes; a browser opens it at once."""


def write_report(
    out: str | os.PathLike[str],
    path: str | os.PathLike[str] | None = None,
    *,
    videos: Collection[str] = (),
    progress: Callable[[int], None] | None = None,
) -> Path:
    """Writes the report of an output folder; the same results give the same bytes.

    The overview has all videos. Those that need a look are shown one by one first, then the
    others in the order of their pseudonyms, until `MOST_LETTERS` are full.

    Args:
        out: the output folder of `convert`.
        path: where to write it; by default ``report.html`` in the output folder.
        videos: pseudonyms; only these are in the report, each with all there is.
        progress: called with the number of videos shown so far.

    Returns:
        the path of the report.

    Raises:
        UsageError: there is no such folder, index or video.
        TracksError: the index is damaged.
        OutputError: the report cannot be written.
    """
    folder = Path(out)
    state = None
    # Another process may finish a video meanwhile and have written its report already.
    while state != (state := _state(folder)):
        text = report_text(folder, videos, progress or (lambda count: None))
        target = folder / REPORT_FILE if path is None else Path(path)
        write_text(target, text)
    if path is None:
        fix_time(folder)
    return target


def _state(folder: Path) -> tuple[int, int, int]:
    """Changes whenever the index is written."""
    try:
        status = (folder / INDEX_FILE).stat()
    except OSError:
        raise UsageError(
            "There is no index of results in the folder.", hint="Give the folder of convert's -o."
        ) from None
    # The number of a file that was replaced is given out again; its time is the fixed one.
    return status.st_ino, status.st_ctime_ns, status.st_size


def report_text(folder: Path, videos: Collection[str], progress: Callable[[int], None]) -> str:
    """The page that `write_report` writes, for whoever wants to compare it.

    Raises:
        UsageError: there is no such folder, index or video.
        TracksError: the index is damaged.
    """
    rows = _rows(folder)
    if videos:
        unknown = set(videos) - {row["pseudonym"] for row in rows}
        if unknown:
            raise UsageError(f"{len(unknown)} of the videos are not in the index of the folder.")
        rows = [row for row in rows if row["pseudonym"] in videos]
    most = None if videos else MOST_LETTERS
    sections = _sections(folder, rows, most=most, progress=progress)
    return page(rows, sections, tool_version=vid2kp.__version__)


def _rows(folder: Path) -> list[dict[str, Any]]:
    return list(read_index(folder / INDEX_FILE).to_pylist())


def _sections(
    folder: Path,
    rows: Iterable[dict[str, Any]],
    *,
    most: int | None,
    progress: Callable[[int], None],
) -> dict[str, str]:
    """What is shown of single videos, in the order in which it is shown."""
    made = [row for row in rows if row["status"] not in FAILURES]
    made.sort(key=lambda row: (row["status"] == "done" and not row["look"], row["pseudonym"]))
    sections: dict[str, str] = {}
    letters = 0
    for row in made:
        try:
            detail = read_detail(folder / row["pseudonym"])
        except TracksError:
            continue  # handed over without this video, or damaged: `verify` says which
        if detail is None:
            continue
        text = section(row, detail, is_open=len(made) == 1)
        letters += len(text)
        if most is not None and letters > most and sections:
            break
        sections[row["pseudonym"]] = text
        progress(len(sections))
    return sections
