"""Tampering with the tables of a video; each function does one thing to its folder."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import people
import pyarrow as pa
import pyarrow.parquet as pq
from tampered_videos import NAME, Tampering, change_bytes

from vid2kp.tracks.schema import FRAMES_SCHEMA, TRACKS_SCHEMA, parquet_writer


def _rows(folder: Path, change: Callable[[pa.Table], pa.Table], schema: pa.Schema) -> None:
    """The tracks written again by the project's own format writer after a change."""
    path = folder / "tracks.parquet"
    footer = pq.ParquetFile(path).metadata.metadata
    table = change(pq.read_table(path).replace_schema_metadata(None).cast(TRACKS_SCHEMA))
    with path.open("wb") as file, parquet_writer(file, schema) as writer:
        writer.write_table(table.cast(schema))
        writer.add_key_value_metadata(footer)


def extra_column(folder: Path) -> None:
    schema = TRACKS_SCHEMA.append(pa.field("source", pa.string()))
    _rows(folder, lambda t: t.append_column("source", pa.array([NAME.decode()] * len(t))), schema)


def binary_column(folder: Path) -> None:
    schema = TRACKS_SCHEMA.append(pa.field("pixels", pa.binary()))
    _rows(folder, lambda t: t.append_column("pixels", pa.array([b"\xff\xd8"] * len(t))), schema)


def column_missing(folder: Path) -> None:
    schema = TRACKS_SCHEMA.remove(7)
    _rows(folder, lambda t: t.drop_columns(["state"]), schema)


def other_type(folder: Path) -> None:
    schema = TRACKS_SCHEMA.set(4, pa.field("x", pa.float64()))
    _rows(folder, lambda t: t, schema)


def _set(table: pa.Table, name: str, values: object) -> pa.Table:
    index = table.schema.get_field_index(name)
    field = TRACKS_SCHEMA.field(name)
    kind = pa.string() if pa.types.is_dictionary(field.type) else field.type
    return table.set_column(index, field, pa.array(values, kind).cast(field.type))


def name_as_individual(folder: Path) -> None:
    def rename(table: pa.Table) -> pa.Table:
        names = table["individual"].to_pylist()
        return _set(table, "individual", [n.replace("person1", "SURNAME_1234") for n in names])

    _rows(folder, rename, TRACKS_SCHEMA)


def word_that_no_row_uses(folder: Path) -> None:
    def add(table: pa.Table) -> pa.Table:
        column = table["state"].combine_chunks()
        words = pa.array([*column.dictionary.to_pylist(), NAME.decode()])
        wider = pa.DictionaryArray.from_arrays(column.indices, words)
        return table.set_column(7, TRACKS_SCHEMA.field("state"), wider)

    _rows(folder, add, TRACKS_SCHEMA)


def _floats(folder: Path, name: str, change: Callable[[np.ndarray], None]) -> None:
    def edit(table: pa.Table) -> pa.Table:
        column = table[name].combine_chunks()
        values = column.to_numpy(zero_copy_only=False).copy()
        mask = column.is_null().to_numpy(zero_copy_only=False)
        change(values)
        index = table.schema.get_field_index(name)
        return table.set_column(index, TRACKS_SCHEMA.field(name), pa.array(values, mask=mask))

    _rows(folder, edit, TRACKS_SCHEMA)


def payload_in_a_nan(folder: Path) -> None:
    def hide(values: np.ndarray) -> None:
        seen = np.flatnonzero(~np.isnan(values))[3]
        values.view(np.uint32)[seen] = 0x7FC0BEEF

    _floats(folder, "x", hide)


def coordinate_far_away(folder: Path) -> None:
    _floats(folder, "y", lambda v: v.__setitem__(np.flatnonzero(~np.isnan(v))[0], 1e30))


def confidence_above_one(folder: Path) -> None:
    _floats(folder, "confidence", lambda v: v.__setitem__(np.flatnonzero(~np.isnan(v))[0], 1.5))


def one_keypoint_moved(folder: Path) -> None:
    _floats(folder, "x", lambda v: v.__setitem__(np.flatnonzero(~np.isnan(v))[40], 5.0))


def rows_shuffled(folder: Path) -> None:
    _rows(folder, lambda t: t.take(list(range(len(t)))[::-1]), TRACKS_SCHEMA)


def rows_missing(folder: Path) -> None:
    _rows(folder, lambda t: t.slice(0, len(t) - 22), TRACKS_SCHEMA)


def _first_state(folder: Path, was: str, becomes: str) -> None:
    def change(table: pa.Table) -> pa.Table:
        states = table["state"].to_pylist()
        states[states.index(was)] = becomes
        return _set(table, "state", states)

    _rows(folder, change, TRACKS_SCHEMA)


def state_that_lies(folder: Path) -> None:
    _first_state(folder, "missing", "observed")


def raw_tracks_with_smoothed_values(folder: Path) -> None:
    _first_state(folder, "observed", "smoothed")


def _footer(folder: Path, name: str, footer: dict[bytes, bytes]) -> None:
    path = folder / name
    file = pq.ParquetFile(path)
    schema = TRACKS_SCHEMA if name == "tracks.parquet" else None
    assert schema is not None
    table = file.read().replace_schema_metadata(None).cast(schema)
    with path.open("wb") as opened, parquet_writer(opened, schema) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata(footer)


def second_footer_key(folder: Path) -> None:
    old = pq.ParquetFile(folder / "tracks.parquet").metadata.metadata
    _footer(folder, "tracks.parquet", {**old, b"pandas": NAME})


def key_inside_the_footer(folder: Path) -> None:
    old = json.loads(pq.ParquetFile(folder / "tracks.parquet").metadata.metadata[b"vid2kp"])
    text = json.dumps({**old, "source": NAME.decode()}, separators=(",", ":"))
    _footer(folder, "tracks.parquet", {b"vid2kp": text.encode()})


def footer_of_another_model(folder: Path) -> None:
    text = people.footer(model_name="other").to_json()
    _footer(folder, "tracks.parquet", {b"vid2kp": text.encode()})


def bytes_before_the_footer(folder: Path) -> None:
    def insert(data: bytearray) -> bytes:
        length = struct.unpack_from("<I", data, len(data) - 8)[0]
        at = len(data) - 8 - length
        return bytes(data[:at] + NAME + data[at:])

    change_bytes(folder, "tracks.parquet", insert)


def tracks_cut_off(folder: Path) -> None:
    change_bytes(folder, "tracks.parquet", lambda d: d[: len(d) // 2])


def tracks_written_by_pandas(folder: Path) -> None:
    import pandas as pd

    pd.read_parquet(folder / "tracks.parquet").to_parquet(folder / "tracks.parquet")


def frames_cut_off(folder: Path) -> None:
    change_bytes(folder, "frames.parquet", lambda d: d[:-1])


def _frames(folder: Path, name: str, value: object) -> None:
    """One value of the frames changed, written again by the project's own format writer."""
    path = folder / "frames.parquet"
    footer = pq.ParquetFile(path).metadata.metadata
    table = pq.read_table(path).replace_schema_metadata(None)
    values = table[name].to_pylist()
    values[3] = value
    field = FRAMES_SCHEMA.field(name)
    kind = pa.string() if pa.types.is_dictionary(field.type) else field.type
    table = table.set_column(table.schema.get_field_index(name), name, pa.array(values, kind))
    with path.open("wb") as file, parquet_writer(file, FRAMES_SCHEMA) as writer:
        writer.write_table(table.cast(FRAMES_SCHEMA))
        writer.add_key_value_metadata(footer)


def name_as_exchanged_pair(folder: Path) -> None:
    _frames(folder, "swapped", NAME.decode())


def exchanged_pairs_in_a_code(folder: Path) -> None:
    _frames(folder, "swapped", "wrist,elbow")


def half_a_view(folder: Path) -> None:
    _frames(folder, "view_x", 4.0)


def turned_by_a_secret_angle(folder: Path) -> None:
    _frames(folder, "rotation", 17)


TABLES: list[Tampering] = [
    (extra_column, "tracks", True),
    (binary_column, "tracks", True),
    (column_missing, "tracks", True),
    (other_type, "tracks", True),
    (name_as_individual, "tracks", True),
    (word_that_no_row_uses, "tracks", True),
    (payload_in_a_nan, "tracks", True),
    (coordinate_far_away, "tracks", True),
    (confidence_above_one, "tracks", True),
    (one_keypoint_moved, "pixels", True),
    (rows_shuffled, "tracks", True),
    (rows_missing, "pixels", True),
    (state_that_lies, "tracks", True),
    (raw_tracks_with_smoothed_values, "tracks", True),
    (second_footer_key, "tracks", True),
    (key_inside_the_footer, "tracks", True),
    (footer_of_another_model, "agreement", True),
    (bytes_before_the_footer, "tracks", True),
    (tracks_cut_off, "tracks", True),
    (tracks_written_by_pandas, "tracks", True),
    (frames_cut_off, "frames", True),
    (name_as_exchanged_pair, "frames", True),
    (exchanged_pairs_in_a_code, "frames", True),
    (half_a_view, "frames", True),
    (turned_by_a_secret_angle, "frames", True),
]
