"""The data contract: which files vid2kp writes, their columns, types, units and footer.

Writers, readers, exporters, the verifier and the documentation all import it; nothing about the
format stands anywhere else. `SCHEMA_VERSION` is on disk in every footer and changes with any
change here that an old reader could not follow.

On disk the ``dictionary<string>`` columns are dictionary-encoded Parquet strings. The footer
holds the one key ``vid2kp`` and not pyarrow's own ``ARROW:schema``, so a plain reader gets them
as strings; `vid2kp.tracks.store` asks for them as dictionaries again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from vid2kp.errors import TracksError
from vid2kp.pose.skeleton import Skeleton
from vid2kp.tracks.footer import FOOTER_KEY, SCHEMA_VERSION, Footer

__all__ = [
    "CLEAN_FILE",
    "FAILURES",
    "FOOTER_KEY",
    "FRAMES_FILE",
    "FRAMES_SCHEMA",
    "INDEX_FILE",
    "INFANT",
    "INTERPOLATED",
    "MANIFEST_FILE",
    "MISSING",
    "NO_INFANT",
    "OBSERVED",
    "REPORT_FILE",
    "ROTATIONS",
    "ROW_GROUP_FRAMES",
    "SCHEMA_VERSION",
    "SMOOTHED",
    "STATES",
    "STATUSES",
    "SUBJECTS",
    "SWAPPED",
    "TRACKS_FILE",
    "TRACKS_SCHEMA",
    "VIDEO_FILE",
    "Footer",
    "check_frames_file",
    "check_tracks_file",
    "individual_name",
    "individual_rank",
    "parquet_writer",
    "swapped_pairs",
    "swapped_word",
]

TRACKS_FILE: Final = "tracks.parquet"
CLEAN_FILE: Final = "clean.parquet"
FRAMES_FILE: Final = "frames.parquet"
VIDEO_FILE: Final = "skeleton.mp4"
MANIFEST_FILE: Final = "manifest.json"
INDEX_FILE: Final = "index.parquet"
REPORT_FILE: Final = "report.html"

INFANT: Final = "infant"
"""The chosen subject. Every decoded frame has its rows, all null where it was not seen."""

OBSERVED: Final = "observed"
MISSING: Final = "missing"
SMOOTHED: Final = "smoothed"
INTERPOLATED: Final = "interpolated"
SWAPPED: Final = "swapped"
STATES: Final = (OBSERVED, MISSING, SMOOTHED, INTERPOLATED, SWAPPED)
"""Values of ``state``; raw files use the first two only."""

SUBJECTS: Final = ("certain", "ambiguous", "absent")
"""Values of ``subject``: how sure it is that ``infant`` is the infant in that frame."""

ROTATIONS: Final = (0, 90, 180, 270)
"""Values of ``rotation``, degrees."""

NO_INFANT: Final = "no_infant"
STATUSES: Final = ("done", "truncated", "damaged", NO_INFANT, "ambiguous")
"""What can be said of a video that has a deliverable."""

FAILURES: Final = ("unreadable", "failed")
"""What can be said of a video that has none."""

ROW_GROUP_FRAMES: Final = 4096

_WORD = pa.dictionary(pa.int32(), pa.string())

TRACKS_SCHEMA: Final = pa.schema(
    [
        pa.field("frame", pa.int32(), nullable=False),
        pa.field("time", pa.float64(), nullable=False),
        pa.field("individual", _WORD, nullable=False),
        pa.field("keypoint", _WORD, nullable=False),
        pa.field("x", pa.float32()),
        pa.field("y", pa.float32()),
        pa.field("confidence", pa.float32()),
        pa.field("state", _WORD, nullable=False),
    ]
)
"""One row per frame × individual × keypoint, sorted by frame, then by individual
(`individual_rank`, the infant first), then in the skeleton's order of keypoints. ``frame``: decoder
ordinal from 0. ``time``: seconds since the first frame. ``individual``: ``infant`` for the chosen
subject, who has rows in every frame; ``person1``, ``person2``, … for others, in the frames in which
they were seen. ``keypoint``: its name; right and left are the infant's own. ``x``, ``y``: source
display pixels (or the footer's unit), null = missing. ``confidence``: in [0, 1], null = missing
or interpolated: the probability that the keypoint lies within 0.1 torso lengths of its true place,
told from the belief map's value at the peak by the curve in the model's card; that value itself
where the card has no curve. ``state``: one of `STATES`; raw files use the first two only."""

FRAMES_SCHEMA: Final = pa.schema(
    [
        pa.field("frame", pa.int32(), nullable=False),
        pa.field("time", pa.float64(), nullable=False),
        pa.field("pts", pa.int64()),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("suspect", pa.bool_(), nullable=False),
        pa.field("people", pa.int16(), nullable=False),
        pa.field("subject", _WORD, nullable=False),
        pa.field("view_x", pa.float32()),
        pa.field("view_y", pa.float32()),
        pa.field("view_width", pa.float32()),
        pa.field("view_height", pa.float32()),
        pa.field("rotation", pa.int16(), nullable=False),
        pa.field("swapped", _WORD, nullable=False),
    ]
)
"""One row per decoded frame. ``frame``, ``time``: as in the tracks. ``pts``: in the source's time
base, counted from the first frame; null where the file's own times were of no use. ``width``,
``height``: display pixels of that frame. ``suspect``: damaged data near. ``people``: how many were
found. ``subject``: how sure it is that ``infant`` is the infant, one of `SUBJECTS`. ``view_x``,
``view_y``, ``view_width``, ``view_height``: left, top, width and height of the box of display
pixels that the network looked at, its edges half a pixel outside of the outermost pixel centres; it
may reach beyond the picture; null where nothing was looked at, and where it must not be told where
the infant lay. ``rotation``: degrees counter-clockwise by which the picture was turned for the
network, one of `ROTATIONS`. ``swapped``: the mirror pairs of the infant whose left and right look
exchanged, without their side and joined by commas as ``elbow,wrist`` (see `swapped_word`)."""


def parquet_writer(file: IO[bytes], schema: pa.Schema) -> pq.ParquetWriter:
    """A writer with the encodings of the format: the same rows give the same bytes."""
    floats = [field.name for field in schema if pa.types.is_float32(field.type)]
    return pq.ParquetWriter(
        file,
        schema,
        version="2.6",
        compression="zstd",
        compression_level=6,
        use_dictionary=[name for name in schema.names if name not in floats],
        column_encoding=dict.fromkeys(floats, "BYTE_STREAM_SPLIT"),
        store_schema=False,
    )


def individual_name(number: int) -> str:
    """The name of the individual of that rank: 0 is the infant, n > 0 is ``person<n>``."""
    return INFANT if number == 0 else f"person{number}"


def individual_rank(name: str) -> int:
    """The rank of an individual in the sort order; the inverse of `individual_name`.

    Raises:
        TracksError: it is no individual's name.
    """
    if name == INFANT:
        return 0
    digits = name.removeprefix("person")
    if digits != name and digits.isascii() and digits.isdigit() and digits[0] != "0":
        return int(digits)
    raise TracksError(f"{name!r} is not the name of an individual.")


def swapped_word(skeleton: Skeleton, pairs: Iterable[str]) -> str:
    """The value of ``swapped`` for mirror pairs by their names without a side.

    Returns:
        The names in the order of the skeleton, joined by commas; empty for none.

    Raises:
        TracksError: the keypoint set has no such pair.
    """
    wanted = set(pairs)
    if not wanted <= skeleton.pairs.keys():
        raise TracksError(f"The keypoint set {skeleton.name} has no such pair of keypoints.")
    return ",".join(name for name in skeleton.pairs if name in wanted)


def swapped_pairs(skeleton: Skeleton, word: str) -> tuple[str, ...]:
    """The mirror pairs that a value of ``swapped`` names; the inverse of `swapped_word`.

    Raises:
        TracksError: it is no such value.
    """
    names = tuple(word.split(",")) if word else ()
    if swapped_word(skeleton, names) != word:
        raise TracksError("The pairs of keypoints are not in the order of the skeleton.")
    return names


def check_tracks_file(file: pq.ParquetFile) -> Footer:
    """Checks columns, types and footer of an open tracks file.

    Returns:
        its footer.

    Raises:
        TracksError: it does not follow the schema; the message says where.
    """
    return _check_file(file, TRACKS_SCHEMA, "tracks")


def check_frames_file(file: pq.ParquetFile) -> Footer:
    """Checks columns, types and footer of an open frames file, which has that of its tracks.

    Returns:
        its footer.

    Raises:
        TracksError: it does not follow the schema; the message says where.
    """
    return _check_file(file, FRAMES_SCHEMA, "frames")


def _check_file(file: pq.ParquetFile, schema: pa.Schema, kind: str) -> Footer:
    found = file.schema_arrow
    if found.names != schema.names:
        raise TracksError(
            f"It is not a {kind} file: its columns are {', '.join(found.names) or 'none'}.",
            hint=f"A {kind} file has {', '.join(schema.names)}.",
        )
    for have, want in zip(found, schema, strict=True):
        if _plain(have.type) != _plain(want.type) or have.nullable != want.nullable:
            raise TracksError(f"The column {want.name} has the type {have.type}, not {want.type}.")
    keys = set(file.metadata.metadata or {})
    if keys != {FOOTER_KEY.encode()}:
        raise TracksError(f"The footer of a {kind} file has one key, {FOOTER_KEY}.")
    return Footer.from_json(file.metadata.metadata[FOOTER_KEY.encode()].decode("utf-8", "replace"))


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind
