"""Checks the rows of tracks against what the schema says of them, with messages for people.

`load_tracks` refuses files whose columns, types, footer or order are wrong. Here every value is
looked at: what another program wrote, or a pipeline changed, may have the right columns and still
say that a keypoint is missing and give it a position.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vid2kp.errors import TracksError
from vid2kp.tracks.schema import INFANT, MISSING, OBSERVED, individual_rank

if TYPE_CHECKING:
    from vid2kp.tracks.load import Tracks

MOST: Final = 5
"""So many problems are told of; the rest are counted."""


def check_rows(tracks: Tracks) -> None:
    """Checks every row of tracks, and that the frames file beside them tells of the same frames.

    Raises:
        TracksError: something is not as the schema says; the message says what and where.
    """
    problems = list(find_problems(tracks))
    if problems:
        more = len(problems) - MOST
        rest = f" And {more} more." if more > 0 else ""
        raise TracksError(
            " ".join(problems[:MOST]) + rest, hint="docs/tracks.md says what the rows must be."
        )


def find_problems(tracks: Tracks) -> Iterator[str]:
    """What is not as the schema says, one sentence per kind of problem, with its first place."""
    table = tracks.table
    if table.num_rows:
        yield from _problems_of_values(tracks)
        yield from _problems_of_frames(tracks)
        yield from _problems_of_people(tracks)
    if tracks.frames_table is not None:
        yield from _problems_between(tracks, tracks.frames_table)


def _problems_of_values(tracks: Tracks) -> Iterator[str]:
    table = tracks.table
    state = np.array(table["state"].to_pylist())
    x, y, confidence = (_floats(table[name]) for name in ("x", "y", "confidence"))
    nulls = {name: pc.is_null(table[name]).to_numpy() for name in ("x", "y", "confidence")}
    missing, observed = state == MISSING, state == OBSERVED
    checks = {
        "x or y is not a finite number": ~missing
        & ~(np.isfinite(x) & np.isfinite(y))
        & ~(nulls["x"] | nulls["y"]),
        "x or y is null although the state is not missing": ~missing & (nulls["x"] | nulls["y"]),
        "it has a value although the state is missing": missing
        & ~(nulls["x"] & nulls["y"] & nulls["confidence"]),
        "the confidence is null although the state is observed": observed & nulls["confidence"],
        "the confidence is not in [0, 1]": ~nulls["confidence"]
        & ~((confidence >= 0) & (confidence <= 1)),
    }
    if tracks.footer.product == "raw":
        checks["its state is one of cleaned tracks, but the footer says raw"] = ~np.isin(
            state, (OBSERVED, MISSING)
        )
    for what, wrong in checks.items():
        yield from _at_rows(table, what, wrong)


def _problems_of_frames(tracks: Tracks) -> Iterator[str]:
    frame, time = (tracks.table[name].to_numpy() for name in ("frame", "time"))
    if frame.min() < 0:
        yield "A frame has a negative number."
    if not np.isfinite(time).all():
        yield "A time is not a finite number."
    same = np.diff(frame) == 0
    steps = np.diff(time)
    if (steps[same] != 0).any():
        row = int(np.flatnonzero(same & (steps != 0))[0])
        yield f"The rows of frame {frame[row]} have different times."
    if (steps[~same] <= 0).any():
        row = int(np.flatnonzero(~same & (steps <= 0))[0]) + 1
        yield f"The time of frame {frame[row]} is not after that of the frame before."


def _problems_of_people(tracks: Tracks) -> Iterator[str]:
    count = len(tracks.skeleton)
    frame = tracks.table["frame"].to_numpy()[::count]
    names = tracks.table["individual"].to_pylist()
    if any(len(set(names[i : i + count])) > 1 for i in range(0, len(names), count)):
        yield "The rows of one individual in one frame do not stand together."
        return
    rank = np.array([individual_rank(name) for name in names[::count]])
    same = np.diff(frame) == 0
    if (np.diff(rank)[same] == 0).any():
        row = int(np.flatnonzero(same & (np.diff(rank) == 0))[0])
        yield f"In frame {frame[row]} there are two sets of rows for {names[row * count]}."
    if (np.diff(rank)[same] < 0).any():
        row = int(np.flatnonzero(same & (np.diff(rank) < 0))[0])
        yield f"In frame {frame[row]} the individuals are not in order, {INFANT} first."
    without = np.setdiff1d(frame, frame[rank == 0])
    if len(without):
        yield f"Frame {without[0]} has no rows for {INFANT}, which every frame must have."


def _problems_between(tracks: Tracks, frames: pa.Table) -> Iterator[str]:
    numbers, times = frames["frame"].to_numpy(), frames["time"].to_numpy()
    if not np.array_equal(numbers, tracks.frame):
        yield (
            f"The frames file tells of {len(numbers)} frames and the tracks of "
            f"{len(tracks.frame)}, or of other ones."
        )
    elif not np.array_equal(times, tracks.time):
        row = int(np.flatnonzero(times != tracks.time)[0])
        yield f"Frame {numbers[row]} has another time in the frames file than in the tracks."


def _at_rows(table: pa.Table, what: str, wrong: np.ndarray) -> Iterator[str]:
    rows = np.flatnonzero(wrong)
    if len(rows):
        frame, individual, keypoint = (
            table[name][int(rows[0])].as_py() for name in ("frame", "individual", "keypoint")
        )
        place = f"frame {frame}, {individual}, {keypoint}"
        yield f"In {len(rows)} rows {what}; the first is {place}."


def _floats(column: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(column.combine_chunks().to_numpy(zero_copy_only=False), dtype=np.float64)
