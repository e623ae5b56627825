from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import people
import pyarrow as pa
import pytest
import recordings

from vid2kp.errors import TracksError
from vid2kp.tracks.load import Tracks, load_tracks
from vid2kp.tracks.schema import TRACKS_SCHEMA

EXAMPLE = Path(__file__).parents[2] / "examples" / "infant" / "tracks.parquet"


def changed(tracks: Tracks, column: str, row: int, value: object) -> Tracks:
    """The tracks with one cell changed."""
    values = tracks.table[column].to_pylist()
    values[row] = value
    field = TRACKS_SCHEMA.field(column)
    array = pa.array(values, field.type)
    return replace(
        tracks, table=tracks.table.set_column(TRACKS_SCHEMA.names.index(column), field, array)
    )


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> Tracks:
    return recordings.uneven(tmp_path_factory.mktemp("tracks"))


@pytest.mark.parametrize("kind", ["uneven", "cleaned", "unseen", "normalised"])
def test_what_the_writers_write_is_right(tmp_path: Path, kind: str) -> None:
    getattr(recordings, kind)(tmp_path).check()


def test_the_example_is_right() -> None:
    load_tracks(EXAMPLE).check()


ROW = 22 + 1  # frame 1, infant, neck: in frame 0 nobody else is seen


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("x", None, "x or y is null although the state is not missing; the first is frame 1"),
        ("x", float("inf"), "x or y is not a finite number"),
        ("state", "missing", "it has a value although the state is missing"),
        ("confidence", None, "the confidence is null although the state is observed"),
        ("confidence", 1.5, r"the confidence is not in \[0, 1\]"),
        ("state", "smoothed", "the footer says raw"),
        ("time", 9.0, "rows of frame 1 have different times"),
        ("individual", "person1", "do not stand together"),
    ],
)
def test_a_wrong_cell_is_found_and_named(
    tracks: Tracks, column: str, value: object, said: str
) -> None:
    with pytest.raises(TracksError, match=said):
        changed(tracks, column, ROW, value).check()


def test_times_that_go_back_are_found(tmp_path: Path) -> None:
    times = np.arange(6) / 25
    times[3] = times[2]
    path = people.write_people(tmp_path, frames=6, times=times)
    with pytest.raises(TracksError, match="time of frame 3 is not after"):
        load_tracks(path).check()


def test_a_frame_without_the_infant_and_one_with_it_twice_are_found(tracks: Tracks) -> None:
    rest = pa.concat_tables([tracks.table.slice(0, 22), tracks.table.slice(44)])
    without = replace(tracks, table=rest, frames_table=None)
    with pytest.raises(TracksError, match="Frame 1 has no rows for infant"):
        without.check()
    twice = pa.concat_tables([tracks.table.slice(0, 22), tracks.table])
    with pytest.raises(TracksError, match="In frame 0 there are two sets of rows for infant"):
        replace(tracks, table=twice).check()


def test_a_frames_file_of_another_recording_is_found(tracks: Tracks, tmp_path: Path) -> None:
    other = load_tracks(people.write_people(tmp_path, frames=30))
    with pytest.raises(TracksError, match="Frame 1 has another time"):
        replace(tracks, frames_table=other.frames_table).check()
    shorter = load_tracks(people.write_people(tmp_path, frames=7))
    with pytest.raises(TracksError, match="tells of 7 frames and the tracks of 30"):
        replace(tracks, frames_table=shorter.frames_table).check()
