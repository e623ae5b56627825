"""``index.parquet``: one row per video of an output folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from vid2kp.errors import TracksError
from vid2kp.files import output_errors, replacing
from vid2kp.tracks.quality import COUNTS, COVERAGE, JITTER, SECONDS, look_reasons
from vid2kp.tracks.schema import parquet_writer

_WORD: Final = pa.dictionary(pa.int32(), pa.string())

INDEX_SCHEMA: Final = pa.schema(
    [
        pa.field("pseudonym", pa.string(), nullable=False),
        pa.field("status", _WORD, nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("frames", pa.int32(), nullable=False),
        pa.field("seconds", pa.float64(), nullable=False),
        pa.field("found", pa.float32(), nullable=False),
        pa.field("completeness", pa.float32(), nullable=False),
        pa.field("frames_ambiguous", pa.int32(), nullable=False),
        pa.field("frames_suspect", pa.int32(), nullable=False),
        pa.field("people", pa.int32(), nullable=False),
        pa.field("look", pa.string(), nullable=False),
        *(pa.field(name, pa.float32()) for name in (*COVERAGE.values(), *SECONDS, JITTER)),
        *(pa.field(name, pa.int32()) for name in COUNTS),
    ]
)
"""One row per video, sorted by pseudonym. ``status``: one of `schema.STATUSES`, or of
`schema.FAILURES` for a video without deliverables. ``reason``: in plain words. ``frames``: rows of
its frames file. ``seconds``: time of its last frame. ``found``: share of the frames in which the
infant was seen, 0 to 1. ``completeness``: share of the infant's keypoints found in those frames.
``frames_ambiguous``: frames in which somebody else might be the infant. ``frames_suspect``: frames
near damaged data. ``people``: how many different people were seen. ``look``: names of the rules of
`quality.RULES` by which somebody should look at the video, joined by commas, "" for none. The
others are those of `quality.measure_quality`, null where nothing was measured."""

NUMBERS: Final = tuple(INDEX_SCHEMA.names[3 : INDEX_SCHEMA.get_field_index("look")])
"""The columns that are numbers whatever happened; 0 for a video without deliverables."""


def write_index(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes the index, whole or not at all; the same rows give the same bytes.

    Args:
        path: of the index.
        rows: values by column; `NUMBERS` and those of the quality may be left out. ``look``
            follows from the others, and values of other names are not used.

    Raises:
        OutputError: the folder is full or read-only.
    """
    ordered = sorted(rows, key=lambda row: row["pseudonym"])
    table = pa.Table.from_pylist([_whole(row) for row in ordered], schema=INDEX_SCHEMA)
    with (
        replacing(path) as part,
        output_errors(),
        part.open("wb") as file,
        parquet_writer(file, INDEX_SCHEMA) as writer,
    ):
        writer.write_table(table, row_group_size=max(len(ordered), 1))


def _whole(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with all its columns."""
    whole = dict.fromkeys(NUMBERS, 0) | dict(row)
    return whole | {"look": ",".join(look_reasons(whole))}


def read_index(path: Path) -> pa.Table:
    """The rows of an index, in the columns of `INDEX_SCHEMA`.

    Raises:
        TracksError: it cannot be read, or is no index.
    """
    damaged = TracksError("The index is damaged.", hint="Run convert again.")
    try:
        content = pa.py_buffer(Path(path).read_bytes())
        names = pq.read_schema(pa.BufferReader(content)).names
        if names == INDEX_SCHEMA.names:
            return pq.read_table(pa.BufferReader(content), read_dictionary=["status"])
    except (OSError, pa.ArrowException):
        pass  # the texts of pyarrow's errors may hold the path
    raise damaged
