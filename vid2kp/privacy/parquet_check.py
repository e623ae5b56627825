"""Checks Parquet files value by value; shares with their writers the schema and nothing else.

A Parquet file can hold much that no reader shows: bytes between the pages, words of a dictionary
that no row uses, NaNs with a payload, keys in the footer. All of it is looked for. At last the rows
are encoded again, by the pyarrow that wrote the file or not at all: the bytes must be the same,
which leaves no room for anything.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vid2kp.errors import TracksError
from vid2kp.privacy.finding import NotAllowed
from vid2kp.privacy.profile_check import PLACELESS, ProfileCheck, check_ticks, options_of
from vid2kp.privacy.pseudonym import PSEUDONYM
from vid2kp.privacy.reasons import REASON
from vid2kp.tracks.footer import FOOTER_KEY, Footer
from vid2kp.tracks.index import INDEX_SCHEMA, NUMBERS
from vid2kp.tracks.quality import RULE_NAMES
from vid2kp.tracks.schema import (
    FAILURES,
    FRAMES_SCHEMA,
    INFANT,
    MISSING,
    OBSERVED,
    ROTATIONS,
    ROW_GROUP_FRAMES,
    STATES,
    STATUSES,
    SUBJECTS,
    TRACKS_SCHEMA,
    parquet_writer,
    swapped_pairs,
)

_CREATED_BY: Final = re.compile(r"parquet-cpp-arrow version \d+\.\d+\.\d+")
_INDIVIDUAL: Final = re.compile(r"infant|person[1-9][0-9]{0,5}")
_ENCODINGS: Final = {"PLAIN", "RLE", "RLE_DICTIONARY", "BYTE_STREAM_SPLIT"}
_FAR: Final = 1e6
"""Farther out than any pixel: what lies beyond is no coordinate."""


@dataclass(frozen=True)
class TracksFacts:
    """What a clean tracks file says.

    Attributes:
        footer: its footer.
        frames: (F,) int32 decoder ordinals.
        times: (F,) float64 seconds.
    """

    footer: Footer
    frames: np.ndarray
    times: np.ndarray


def check_tracks(path: Path, *, product: str) -> TracksFacts:
    """Checks a tracks file: its columns, types and footer, and every value.

    Args:
        path: of the file.
        product: ``raw`` or ``clean``, what it must say it is.

    Returns:
        what it says.

    Raises:
        NotAllowed: something in it is not as the schema says, or the file is damaged.
        OSError: it cannot be read.
    """
    with _opened(path, TRACKS_SCHEMA) as file:
        footer = _footer(file.parquet)
        if footer.product != product:
            raise NotAllowed(f"the footer does not say that it is the {product} product")
        profile = ProfileCheck(footer)
        groups = [_check_group(rows, footer, profile) for rows in file.groups()]
        profile.end()
        if any(len(frames) != ROW_GROUP_FRAMES for frames, _ in groups[:-1]):
            raise NotAllowed("row groups of another size than the writer's")
        frames = np.concatenate([g[0] for g in groups] or [np.empty(0, np.int32)])
        times = np.concatenate([g[1] for g in groups] or [np.empty(0)])
        _check_order(frames, times)
        return TracksFacts(footer, frames, times)


def check_frames(path: Path) -> TracksFacts:
    """Checks a frames file: its columns, types and footer, and every value.

    Returns:
        what it says.

    Raises:
        NotAllowed: something in it is not as the schema says, or the file is damaged.
        OSError: it cannot be read.
    """
    with _opened(path, FRAMES_SCHEMA) as file:
        footer = _footer(file.parquet)
        rows = pa.concat_tables([FRAMES_SCHEMA.empty_table(), *file.groups()])
        _words(rows["subject"], lambda word: 0 if word in SUBJECTS else None)
        frames, times = rows["frame"].to_numpy(), rows["time"].to_numpy()
        _check_order(frames, times)
        _check_view(rows, footer)
        ticks = rows["pts"].cast(pa.float64()).to_numpy()
        check_ticks(ticks, times, is_usable=footer.time_source == "pts")
        for name in ("width", "height"):
            if len(frames) and pc.min(rows[name]).as_py() < 1:
                raise NotAllowed(f"a {name} that is none")
        if len(frames) and pc.min(rows["people"]).as_py() < 0:
            raise NotAllowed("a number of people that is none")
        return TracksFacts(footer, frames, times)


def check_index(path: Path) -> dict[str, dict[str, Any]]:
    """Checks the index of an output folder.

    Returns:
        its rows, values by column, by pseudonym.

    Raises:
        NotAllowed: something in it is not as the schema says, or the file is damaged.
        OSError: it cannot be read.
    """
    with _opened(path, INDEX_SCHEMA) as file:
        if file.parquet.metadata.metadata:
            raise NotAllowed("the footer of the index has keys")
        if file.parquet.num_row_groups > 1:
            raise NotAllowed("rows that are not in one group")
        rows = pa.concat_tables([INDEX_SCHEMA.empty_table(), *file.groups()])
        _words(rows["status"], lambda word: 0 if word in (*STATUSES, *FAILURES) else None)
        pseudonyms = rows["pseudonym"].to_pylist()
        if not all(PSEUDONYM.fullmatch(name) for name in pseudonyms):
            raise NotAllowed("a pseudonym that is none")
        if pseudonyms != sorted(set(pseudonyms)):
            raise NotAllowed("rows that are not sorted by pseudonym, or twice")
        if not all(REASON.fullmatch(text) for text in rows["reason"].to_pylist()):
            raise NotAllowed("a reason that this version of vid2kp does not give")
        for field in INDEX_SCHEMA:
            if pa.types.is_floating(field.type):
                values = rows[field.name].drop_null().to_numpy()
                if not np.isfinite(values).all():
                    raise NotAllowed(f"a value in the column {field.name} that is no number")
        looks = {word for text in rows["look"].to_pylist() for word in text.split(",") if text}
        if not looks <= set(RULE_NAMES):
            raise NotAllowed("a reason to look that is none")
        by_pseudonym = {row["pseudonym"]: row for row in rows.to_pylist()}
        for row in by_pseudonym.values():
            if row["status"] in FAILURES and any(row[name] for name in NUMBERS):
                raise NotAllowed("numbers of a video that has no deliverables")
        return by_pseudonym


# ---------------------------------------------------------------------------------------------
# Values


def _check_group(
    rows: pa.Table, footer: Footer, profile: ProfileCheck
) -> tuple[np.ndarray, np.ndarray]:
    """Frames and times of a row group of tracks whose every value is as it must be."""
    names = footer.skeleton.keypoints
    keypoint = _words(rows["keypoint"], {name: i for i, name in enumerate(names)}.get)
    rank = _words(rows["individual"], _rank)
    frame, time = rows["frame"].to_numpy(), rows["time"].to_numpy()
    blocks = [column.reshape(-1, len(names)) for column in (keypoint, rank, frame, time)]
    if (blocks[0] != np.arange(len(names))).any():
        raise NotAllowed("rows that are not in the order of the keypoints")
    if any((block != block[:, :1]).any() for block in blocks[1:]):
        raise NotAllowed("an individual whose rows are not together")
    rank, frame, time = (block[:, 0] for block in blocks[1:])
    # Every frame begins with the infant; others follow by number, each once.
    begins = np.append(True, frame[1:] != frame[:-1])[: len(frame)]
    if (begins != (rank == 0)).any() or (np.diff(rank) <= 0)[~begins[1:]].any():
        raise NotAllowed("rows that are not in the order of the individuals")
    if (np.diff(time) != 0)[~begins[1:]].any():
        raise NotAllowed("a frame with two times")
    _check_values(rows, footer)
    xy = np.stack([rows[name].to_numpy() for name in ("x", "y")], axis=-1)
    profile.add(frame, rank, xy.reshape(-1, len(names), 2))
    return frame[begins], time[begins]


def _rank(individual: str) -> int | None:
    if not _INDIVIDUAL.fullmatch(individual):
        return None
    return 0 if individual == INFANT else int(individual.removeprefix("person"))


def _check_values(rows: pa.Table, footer: Footer) -> None:
    state = _words(rows["state"], {word: i for i, word in enumerate(STATES)}.get)
    null = {name: rows[name].is_null().to_numpy() for name in ("x", "y", "confidence")}
    missing, observed = state == STATES.index(MISSING), state == STATES.index(OBSERVED)
    if footer.product == "raw" and not (missing | observed).all():
        raise NotAllowed("raw tracks with values that were not observed")
    if (null["x"] != missing).any() or (null["y"] != missing).any():
        raise NotAllowed("a state that does not fit its coordinates")
    if (null["confidence"] & observed).any() or (~null["confidence"] & missing).any():
        raise NotAllowed("a state that does not fit its confidence")
    for name, low, high in (("x", -_FAR, _FAR), ("y", -_FAR, _FAR), ("confidence", 0.0, 1.0)):
        values = rows[name].drop_null().to_numpy()
        # Not (outside): a NaN, which could hold a payload, is inside of nothing.
        if not ((values >= low) & (values <= high)).all():
            raise NotAllowed(f"a value in the column {name} that is none")


def _check_view(rows: pa.Table, footer: Footer) -> None:
    """What the network looked at, and the pairs of keypoints that look exchanged."""
    views = [rows[name] for name in ("view_x", "view_y", "view_width", "view_height")]
    null = np.stack([view.is_null().to_numpy() for view in views])
    if (null != null[0]).any():
        raise NotAllowed("a view of which a part is missing")
    if options_of(footer) & PLACELESS and not null.all():
        raise NotAllowed("a view, which tells where in the picture the infant lay")
    for view, low in zip(views, (-_FAR, -_FAR, 0.0, 0.0), strict=True):
        values = view.drop_null().to_numpy()
        if not ((values >= low) & (values <= 2 * _FAR)).all():
            raise NotAllowed("a view that is none")
    if not np.isin(rows["rotation"].to_numpy(), ROTATIONS).all():
        raise NotAllowed("a rotation that is none")
    _words(rows["swapped"], lambda word: _swapped(word, footer))


def _swapped(word: str, footer: Footer) -> int | None:
    try:
        return len(swapped_pairs(footer.skeleton, word))
    except TracksError:
        return None


def _check_order(frames: np.ndarray, times: np.ndarray) -> None:
    if (np.diff(frames) <= 0).any() or (frames < 0).any():
        raise NotAllowed("frames that are not in order")
    if not np.isfinite(times).all() or (np.diff(times) < 0).any() or (times < 0).any():
        raise NotAllowed("times that are not in order")


def _words(column: pa.ChunkedArray, code: Callable[[str], int | None]) -> np.ndarray:
    """The code of each row's word.

    The dictionaries themselves are looked at, word by word: they may hold words that no row uses.
    """
    codes = [np.empty(0, dtype=np.int64)]
    for chunk in column.chunks:
        words = chunk.dictionary.to_pylist()
        known = [code(word) for word in words]
        if len(set(words)) != len(words) or None in known:
            raise NotAllowed("a word that the schema does not know")
        codes.append(np.array(known, dtype=np.int64)[chunk.indices.to_numpy()])
    return np.concatenate(codes)


# ---------------------------------------------------------------------------------------------
# The file


@dataclass(frozen=True)
class _File:
    parquet: pq.ParquetFile
    schema: pa.Schema

    def groups(self) -> Iterator[pa.Table]:
        for i in range(self.parquet.num_row_groups):
            rows = self.parquet.read_row_group(i).replace_schema_metadata(None)
            yield rows.cast(self.schema).combine_chunks()


@contextmanager
def _opened(path: Path, schema: pa.Schema) -> Iterator[_File]:
    """The open file, whose frame is checked before its values, and its bytes after them."""
    words = [field.name for field in schema if pa.types.is_dictionary(field.type)]
    with path.open("rb") as opened:
        try:
            with pq.ParquetFile(opened, read_dictionary=words) as parquet:
                _check_columns(parquet, schema)
                _check_layout(parquet, opened)
                file = _File(parquet, schema)
                yield file
                _check_bytes(file, opened)
        except (pa.ArrowException, OSError, ValueError, KeyError, TypeError):
            raise NotAllowed("the Parquet file is damaged") from None


def _check_columns(parquet: pq.ParquetFile, schema: pa.Schema) -> None:
    found = parquet.schema_arrow
    if found.names != schema.names:
        raise NotAllowed("columns that are not those of the schema")
    for have, want in zip(found, schema, strict=True):
        kinds = [t.value_type if pa.types.is_dictionary(t) else t for t in (have.type, want.type)]
        if kinds[0] != kinds[1] or have.nullable != want.nullable:
            raise NotAllowed(f"the column {want.name} has another type than in the schema")
        if have.metadata and set(have.metadata) != {b"PARQUET:field_id"}:
            raise NotAllowed(f"the column {want.name} has metadata")


def _check_layout(parquet: pq.ParquetFile, opened: IO[bytes]) -> None:
    """Column chunks and footer fill the file without a gap."""
    metadata = parquet.metadata
    if not _CREATED_BY.fullmatch(metadata.created_by):
        raise NotAllowed("a name of the writer that is not that of pyarrow")
    size = opened.seek(0, io.SEEK_END)
    opened.seek(size - 8)
    tail = opened.read()
    footer_start = size - 8 - int.from_bytes(tail[:4], "little")
    at = 4
    for group in range(metadata.num_row_groups):
        for column in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(column)
            start = chunk.data_page_offset
            if chunk.has_dictionary_page:
                start = min(start, chunk.dictionary_page_offset)
            if start != at:
                raise NotAllowed("bytes that belong to no column")
            if chunk.compression != "ZSTD" or not set(chunk.encodings) <= _ENCODINGS:
                raise NotAllowed("pages that are not encoded as the format says")
            if chunk.metadata or chunk.file_path:
                raise NotAllowed("a column with metadata of its own")
            at += chunk.total_compressed_size
    opened.seek(0)
    if at != footer_start or opened.read(4) != b"PAR1" or tail[4:] != b"PAR1":
        raise NotAllowed("bytes that belong to no column")
    _check_thrift(metadata, opened, footer_start, size)


def _check_thrift(metadata: pq.FileMetaData, opened: IO[bytes], start: int, size: int) -> None:
    """The footer holds nothing but what was read from it: written again it is the same."""
    again = io.BytesIO()
    metadata.write_metadata_file(again)
    opened.seek(start)
    if opened.read(size - start) != again.getvalue()[4:]:
        raise NotAllowed("a footer with fields that no reader shows")


def _footer(parquet: pq.ParquetFile) -> Footer:
    keys = parquet.metadata.metadata or {}
    if set(keys) != {FOOTER_KEY.encode()}:
        raise NotAllowed(f"a footer with other keys than {FOOTER_KEY}")
    try:
        return Footer.from_json(keys[FOOTER_KEY.encode()].decode("utf-8", "replace"))
    except TracksError as error:
        raise NotAllowed(error.message.rstrip(".").lower()) from None


def _check_bytes(file: _File, opened: IO[bytes]) -> None:
    """Encodes the rows again, which only the same pyarrow does in the same way."""
    metadata = file.parquet.metadata
    if not metadata.created_by.endswith(f" {pa.__version__}"):
        raise NotAllowed(
            "the work of another version of pyarrow: verify with the installation that converted"
        )
    again = io.BytesIO()
    with parquet_writer(again, file.schema) as writer:
        for rows in file.groups():
            writer.write_table(rows, row_group_size=max(len(rows), 1))
        if metadata.metadata:
            writer.add_key_value_metadata(metadata.metadata)
    opened.seek(0)
    if opened.read() != again.getvalue():
        raise NotAllowed("bytes that its rows do not account for")
