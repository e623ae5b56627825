"""Tampering with the index and the report of an output folder."""

from __future__ import annotations

from pathlib import Path

import deliverable
import pyarrow as pa
import pyarrow.parquet as pq
from tampered_videos import FIRST, NAME, SECOND, Tampering

from vid2kp.files import fix_time
from vid2kp.tracks.index import INDEX_SCHEMA, read_index
from vid2kp.tracks.schema import parquet_writer


def index_of_other_videos(folder: Path) -> None:
    deliverable.write_index(folder.parent / "index.parquet", [])
    fix_time(folder.parent / "index.parquet")


def index_with_a_name(folder: Path) -> None:
    table = pq.read_table(folder.parent / "index.parquet")
    schema = table.schema.append(pa.field("name", pa.string()))
    pq.write_table(
        table.append_column("name", pa.array([NAME.decode()] * 3)).cast(schema),
        folder.parent / "index.parquet",
    )


def index_with_a_path_as_reason(folder: Path) -> None:
    rows = [
        {"pseudonym": p, "status": "done", "reason": "/home/SURNAME_1234/a.mp4"}
        for p in (FIRST, SECOND)
    ]
    deliverable.write_index(folder.parent / "index.parquet", rows)


def index_with_a_name_as_reason(folder: Path) -> None:
    _index(folder)
    table = pq.read_table(folder.parent / "index.parquet").to_pylist()
    table[2]["reason"] = "Emma Smith was seen."
    deliverable.write_index(folder.parent / "index.parquet", table)


def index_with_a_reason_of_another_video(folder: Path) -> None:
    _index(folder, reason="The file is cut; the tracks end where it ends.")


def index_missing(folder: Path) -> None:
    (folder.parent / "index.parquet").unlink()


def _index_with(folder: Path, column: str, value: object) -> None:
    """The index again, with the encodings of the format and that value in every row."""
    path = folder.parent / "index.parquet"
    rows = read_index(path)
    field = rows.schema.get_field_index(column)
    values = pa.array([value] * rows.num_rows, rows.schema.field(column).type)
    with path.open("wb") as file, parquet_writer(file, INDEX_SCHEMA) as writer:
        writer.write_table(rows.set_column(field, column, values).cast(INDEX_SCHEMA))
    fix_time(path)


def index_with_words_to_look_at(folder: Path) -> None:
    _index_with(folder, "look", "unseen,surname")


def index_with_a_number_that_is_none(folder: Path) -> None:
    _index_with(folder, "jitter", float("nan"))


def _index(folder: Path, **first: object) -> None:
    rows: list[dict[str, object]] = [
        {"pseudonym": p, "status": "done", "reason": "", "frames": 12, "seconds": 0.44}
        for p in (FIRST, SECOND)
    ]
    rows[0] |= first
    rows.append({"pseudonym": "c" * 26, "status": "unreadable", "reason": "The file is empty."})
    deliverable.write_index(folder.parent / "index.parquet", rows)


def index_of_another_length(folder: Path) -> None:
    _index(folder, seconds=0.4400001)


def index_with_another_status(folder: Path) -> None:
    _index(folder, status="damaged")


def index_with_numbers_of_no_video(folder: Path) -> None:
    _index(folder)
    table = pq.read_table(folder.parent / "index.parquet").to_pylist()
    table[2]["frames"] = 12
    deliverable.write_index(folder.parent / "index.parquet", table)


def index_in_two_groups(folder: Path) -> None:
    path = folder.parent / "index.parquet"
    table = pq.read_table(path, read_dictionary=["status"]).cast(INDEX_SCHEMA)
    with path.open("wb") as file, parquet_writer(file, INDEX_SCHEMA) as writer:
        writer.write_table(table.slice(0, 1).combine_chunks())
        writer.write_table(table.slice(1).combine_chunks())


def index_encoded_otherwise(folder: Path) -> None:
    path = folder.parent / "index.parquet"
    table = pq.read_table(path, read_dictionary=["status"]).cast(INDEX_SCHEMA)
    pq.write_table(table, path, compression="zstd", compression_level=1, store_schema=False)


def report_with_a_picture(folder: Path) -> None:
    (folder.parent / "report.html").write_text('<!doctype html><img src="data:image/png;base64,">')


INDEX: list[Tampering] = [
    (index_of_other_videos, "index", True),
    (index_with_a_name, "index", True),
    (index_with_a_path_as_reason, "index", True),
    (index_with_a_name_as_reason, "index", True),
    (index_with_a_reason_of_another_video, "index", True),
    (index_missing, "files", True),
    (index_with_words_to_look_at, "index", True),
    (index_with_a_number_that_is_none, "index", True),
    (index_of_another_length, "index", True),
    (index_with_another_status, "index", True),
    (index_with_numbers_of_no_video, "index", True),
    (index_in_two_groups, "index", True),
    (index_encoded_otherwise, "index", True),
    (report_with_a_picture, "report", True),
]
