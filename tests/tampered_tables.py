"""Tampering with tables, manifests and folders of a deliverable, and all tamperings in one list."""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import deliverable
import numpy as np
import people
import pyarrow as pa
import pyarrow.parquet as pq
from tampered_videos import (
    FIRST,
    NAME,
    SECOND,
    Tamper,
    a_picture_over_one_frame,
    audio_added,
    box_after_the_video,
    bytes_between_pictures,
    change_bytes,
    creation_date,
    encoded_again,
    encoder_name,
    extra_video_stream,
    free_box_with_content,
    handler_name,
    last_frame_cut_off,
    media_language,
    one_block_of_pixels,
    sei_with_text,
    text_after_the_video,
    title_tag,
    track_date,
    tracks_of_another_recording,
    video_at_other_times,
    video_is_a_text,
    video_is_empty,
    video_is_matroska,
    video_of_another_recording,
)

from vid2kp.files import fix_time
from vid2kp.tracks.index import INDEX_SCHEMA, read_index
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


def frames_missing(folder: Path) -> None:
    (folder / "frames.parquet").unlink()


def one_file_too_many(folder: Path) -> None:
    (folder / "notes.txt").write_text("x")


def hidden_file(folder: Path) -> None:
    (folder / ".tracks.parquet.0a1b.part").write_bytes(b"x")


def folder_too_many(folder: Path) -> None:
    (folder / "frames").mkdir()


def file_beside_the_videos(folder: Path) -> None:
    (folder.parent / "links.csv").write_text("x")


def folder_with_a_name(folder: Path) -> None:
    shutil.copytree(folder.parent / SECOND, folder.parent / "SURNAME_1234")


def link_instead_of_a_file(folder: Path) -> None:
    (folder / "skeleton.mp4").rename(folder.parent.parent / "elsewhere.mp4")
    (folder / "skeleton.mp4").symlink_to(folder.parent.parent / "elsewhere.mp4")


def hard_link(folder: Path) -> None:
    (folder.parent.parent / "elsewhere.mp4").hardlink_to(folder / "skeleton.mp4")


def time_of_today(folder: Path) -> None:
    os.utime(folder / "tracks.parquet")


def time_of_the_folder(folder: Path) -> None:
    os.utime(folder)


def hash_off(folder: Path) -> None:
    change_bytes(
        folder, "manifest.json", lambda d: d.replace(b'sha256": "', b'sha256": "0', 2)[:-1]
    )


def another_hash(folder: Path) -> None:
    content = json.loads((folder / "manifest.json").read_text())
    content["files"]["tracks.parquet"]["sha256"] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(content, indent=2) + "\n")


def key_in_the_manifest(folder: Path) -> None:
    content = json.loads((folder / "manifest.json").read_text())
    content["source"] = NAME.decode()
    (folder / "manifest.json").write_text(json.dumps(content, indent=2) + "\n")


def spaces_in_the_manifest(folder: Path) -> None:
    change_bytes(folder, "manifest.json", lambda d: d.replace(b": ", b":  ", 1))


def manifest_missing(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def manifest_of_another_video(folder: Path) -> None:
    shutil.copy(folder.parent / SECOND / "manifest.json", folder / "manifest.json")


def video_missing(folder: Path) -> None:
    (folder / "skeleton.mp4").unlink()


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
    rows.append({"pseudonym": "c" * 26, "status": "unreadable", "reason": "No video."})
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


# Tampering, the check that must find it, and whether it can hide behind a fresh manifest.
TAMPERED: list[tuple[Tamper, str, bool]] = [
    (audio_added, "container", True),
    (title_tag, "container", True),
    (extra_video_stream, "container", True),
    (a_picture_over_one_frame, "pixels", True),
    (one_block_of_pixels, "pixels", True),
    (encoded_again, "pixels", True),
    (creation_date, "container", True),
    (track_date, "container", True),
    (media_language, "container", True),
    (encoder_name, "container", True),
    (handler_name, "container", True),
    (text_after_the_video, "container", True),
    (box_after_the_video, "container", True),
    (free_box_with_content, "container", True),
    (bytes_between_pictures, "container", True),
    (sei_with_text, "container", True),
    (last_frame_cut_off, "agreement", True),
    (video_of_another_recording, "pixels", True),
    (tracks_of_another_recording, "pixels", True),
    (video_at_other_times, "agreement", True),
    (video_is_a_text, "container", True),
    (video_is_empty, "container", True),
    (video_is_matroska, "container", True),
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
    (frames_missing, "files", True),
    (one_file_too_many, "files", True),
    (hidden_file, "files", True),
    (folder_too_many, "files", True),
    (file_beside_the_videos, "files", True),
    (folder_with_a_name, "files", True),
    (link_instead_of_a_file, "files", False),
    (hard_link, "files", True),
    (time_of_today, "times", False),
    (time_of_the_folder, "times", False),
    (hash_off, "manifest", False),
    (another_hash, "manifest", False),
    (key_in_the_manifest, "manifest", False),
    (spaces_in_the_manifest, "manifest", False),
    (manifest_missing, "files", False),
    (manifest_of_another_video, "manifest", False),
    (video_missing, "manifest", False),
    (index_of_other_videos, "index", True),
    (index_with_a_name, "index", True),
    (index_with_a_path_as_reason, "index", True),
    (index_with_words_to_look_at, "index", True),
    (index_with_a_number_that_is_none, "index", True),
    (index_of_another_length, "index", True),
    (index_with_another_status, "index", True),
    (index_with_numbers_of_no_video, "index", True),
    (index_in_two_groups, "index", True),
    (index_encoded_otherwise, "index", True),
    (report_with_a_picture, "report", True),
]
