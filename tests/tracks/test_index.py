"""The index: one row per video, the same bytes for the same rows."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vid2kp.errors import OutputError, TracksError
from vid2kp.tracks.index import INDEX_SCHEMA, NUMBERS, read_index, write_index

DONE = {
    "pseudonym": "b",
    "status": "done",
    "reason": "Seen throughout.",
    "frames": 100,
    "seconds": 3.96,
    "found": 0.5,
    "completeness": 0.75,
    "frames_ambiguous": 3,
    "frames_suspect": 2,
    "people": 4,
    "look": "unseen,swaps",
    "usable_seconds": 3.5,
    "jitter": None,
    "frames_swapped": 3,
    "view_changes": 0,
}
FAILED = {"pseudonym": "a", "status": "failed", "reason": "The disk is full."}
UNMEASURED = dict.fromkeys(INDEX_SCHEMA.names)


def test_rows_are_sorted_and_failures_have_no_numbers(tmp_path: Path) -> None:
    write_index(tmp_path / "index.parquet", [DONE, FAILED])
    table = read_index(tmp_path / "index.parquet")
    assert table.schema.names == INDEX_SCHEMA.names
    failed = FAILED | dict.fromkeys(NUMBERS, 0) | {"look": ""}
    assert table.to_pylist() == [UNMEASURED | failed, UNMEASURED | DONE]


def test_why_to_look_follows_from_the_numbers(tmp_path: Path) -> None:
    found = {**DONE, "found": 1.0, "frames_swapped": 0, "look": "unseen"}
    write_index(tmp_path / "index.parquet", [found, {**FAILED, "found": 0.1}])
    assert read_index(tmp_path / "index.parquet")["look"].to_pylist() == ["", ""]


def test_the_order_of_the_rows_and_foreign_values_change_no_byte(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    write_index(one, [DONE, FAILED])
    write_index(two, [FAILED, {**DONE, "source": "Mustermann.mp4"}])
    assert one.read_bytes() == two.read_bytes()
    assert b"Mustermann" not in two.read_bytes()


def test_an_empty_index_is_an_index(tmp_path: Path) -> None:
    write_index(tmp_path / "index.parquet", [])
    assert read_index(tmp_path / "index.parquet").num_rows == 0


def test_what_is_no_index_is_told(tmp_path: Path) -> None:
    path = tmp_path / "index.parquet"
    pq.write_table(pa.table({"pseudonym": ["a"]}), path)
    with pytest.raises(TracksError, match="damaged"):
        read_index(path)
    path.write_text("hello")
    with pytest.raises(TracksError, match="damaged"):
        read_index(path)
    with pytest.raises(TracksError, match="damaged") as caught:
        read_index(tmp_path / "SURNAME" / "index.parquet")
    assert "SURNAME" not in str(caught.value)


def test_a_missing_folder_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        write_index(tmp_path / "none" / "index.parquet", [])
