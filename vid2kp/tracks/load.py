"""Reads tracks: as a whole for analysis (`load_tracks`), frame by frame for rendering."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vid2kp.errors import TracksError
from vid2kp.pose.skeleton import Skeleton
from vid2kp.tracks.schema import (
    FRAMES_FILE,
    FRAMES_SCHEMA,
    STATES,
    TRACKS_SCHEMA,
    Footer,
    check_frames_file,
    check_tracks_file,
    individual_rank,
)
from vid2kp.tracks.store import Pose

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_WORDS = ["individual", "keypoint", "state"]
_FRAME_WORDS = ["subject", "swapped"]


class PosedFrame(NamedTuple):
    """One frame of a tracks file.

    Attributes:
        frame: decoder ordinal from 0.
        time: seconds since the first frame.
        people: pose by name of the individual, ``infant`` first.
    """

    frame: int
    time: float
    people: dict[str, Pose]


@dataclass(frozen=True)
class Tracks:
    """The tracks of one video, in memory. F frames, I individuals, K keypoints.

    Attributes:
        footer: what the file says of itself.
        table: the rows, in the columns and order of `schema.TRACKS_SCHEMA`.
        frames_table: the rows of the frames file beside it (`schema.FRAMES_SCHEMA`), or None.
    """

    footer: Footer
    table: pa.Table
    frames_table: pa.Table | None = None

    @property
    def skeleton(self) -> Skeleton:
        """The keypoint set."""
        return self.footer.skeleton

    @property
    def individuals(self) -> tuple[str, ...]:
        """The I names: ``infant``, then the others that were seen in any frame."""
        return self._blocks.names

    @cached_property
    def frame(self) -> np.ndarray:
        """(F,) int32 decoder ordinals."""
        return self._blocks.frames

    @cached_property
    def time(self) -> np.ndarray:
        """(F,) float64 seconds since the first frame."""
        return self._blocks.times

    @property
    def frames(self) -> pd.DataFrame | None:
        """The frames file as a table, or None when there is none beside the tracks."""
        if self.frames_table is None:
            return None
        table: pd.DataFrame = self.frames_table.to_pandas()
        return table

    def to_pandas(self) -> pd.DataFrame:
        """The rows as a DataFrame in the columns of `schema.TRACKS_SCHEMA`; NaN = missing.

        ``individual``, ``keypoint`` and ``state`` are categorical, their categories in the
        order of `individuals`, of the skeleton and of `schema.STATES`.
        """
        import pandas as pd

        frame: pd.DataFrame = self.table.to_pandas()
        orders = (self.individuals, self.skeleton.keypoints, STATES)
        for column, order in zip(_WORDS, orders, strict=True):
            frame[column] = pd.Categorical(frame[column].astype(object), categories=list(order))
        return frame

    def to_numpy(self) -> tuple[np.ndarray, np.ndarray]:
        """Positions and confidence as arrays.

        Returns:
            positions: (F, I, K, 2) float32, (x, y) in source display pixels (or the footer's
                unit), NaN = missing.
            confidence: (F, I, K) float32 in [0, 1], NaN = missing.
        """
        shape = (len(self.frame), len(self.individuals), len(self.skeleton))
        positions = np.full((*shape, 2), np.nan, dtype=np.float32)
        confidence = np.full(shape, np.nan, dtype=np.float32)
        blocks = self._blocks
        positions[blocks.frame_index, blocks.individual] = blocks.xy
        confidence[blocks.frame_index, blocks.individual] = blocks.confidence
        return positions, confidence

    def states(self) -> np.ndarray:
        """(F, I, K) int8 indices into `schema.STATES`; ``missing`` where there is no row."""
        shape = (len(self.frame), len(self.individuals), len(self.skeleton))
        states = np.full(shape, STATES.index("missing"), dtype=np.int8)
        states[self._blocks.frame_index, self._blocks.individual] = self._blocks.state
        return states

    def to_xarray(self) -> xr.Dataset:
        """The dataset of the ``movement`` package.

        Returns:
            ``position`` (time, space, keypoints, individuals) and ``confidence`` (time, keypoints,
            individuals), both float32, NaN = missing; coordinate ``time`` in seconds.
        """
        positions, confidence = self.to_numpy()
        return movement_dataset(self.footer, self.individuals, self.time, positions, confidence)

    def check(self) -> None:
        """Checks every row against the schema (`vid2kp.tracks.validate`).

        Raises:
            TracksError: something is not as the schema says; the message says what and where.
        """
        from vid2kp.tracks.validate import check_rows

        check_rows(self)

    @cached_property
    def _blocks(self) -> Blocks:
        return Blocks.of(self.table, self.skeleton)


@dataclass(frozen=True)
class Blocks:
    """Rows gathered by frame × individual: B blocks of K keypoints in F frames.

    Attributes:
        names: of the individuals.
        frames: (F,) int32 decoder ordinals.
        times: (F,) float64 seconds since the first frame.
        frame_index: (B,) indices into ``frames``.
        individual: (B,) indices into ``names``.
        xy: (B, K, 2) float32, NaN = missing.
        confidence: (B, K) float32, NaN = missing or interpolated.
        state: (B, K) int8, indices into `schema.STATES`.
    """

    names: tuple[str, ...]
    frames: np.ndarray
    times: np.ndarray
    frame_index: np.ndarray
    individual: np.ndarray
    xy: np.ndarray
    confidence: np.ndarray
    state: np.ndarray

    @classmethod
    def of(cls, table: pa.Table, skeleton: Skeleton) -> Blocks:
        """Gathers the rows of whole frames.

        Raises:
            TracksError: they are not in order, or hold a name that the footer does not know.
        """
        count = len(skeleton)
        names = tuple(sorted(table["individual"].unique().to_pylist(), key=individual_rank))
        table = table.combine_chunks()
        keypoint = _codes(table["keypoint"], skeleton.keypoints)
        if len(keypoint) % count or (keypoint.reshape(-1, count) != np.arange(count)).any():
            raise TracksError("The rows of the tracks are not in the order of the keypoints.")
        frame = table["frame"].to_numpy()[::count]
        frames, first, index = np.unique(frame, return_index=True, return_inverse=True)
        if (np.diff(frame) < 0).any():
            raise TracksError("The rows of the tracks are not in the order of the frames.")
        x, y, confidence = (_floats(table[name]).reshape(-1, count) for name in _VALUES)
        return cls(
            names=names,
            frames=frames,
            times=table["time"].to_numpy()[::count][first],
            frame_index=index,
            individual=_codes(table["individual"], names)[::count],
            xy=np.stack([x, y], axis=-1),
            confidence=confidence,
            state=_codes(table["state"], STATES).reshape(-1, count).astype(np.int8),
        )


_VALUES = ("x", "y", "confidence")


def movement_dataset(
    footer: Footer,
    individuals: Sequence[str],
    time: np.ndarray,
    positions: np.ndarray,
    confidence: np.ndarray,
) -> xr.Dataset:
    """Arrays of tracks as the dataset of the ``movement`` package.

    Args:
        footer: of the tracks.
        individuals: I names.
        time: (F,) seconds.
        positions: (F, I, K, 2).
        confidence: (F, I, K).

    Returns:
        what `Tracks.to_xarray` says.
    """
    import xarray as xr

    return xr.Dataset(
        {
            "position": (
                ("time", "space", "keypoints", "individuals"),
                positions.transpose(0, 3, 2, 1),
            ),
            "confidence": (("time", "keypoints", "individuals"), confidence.transpose(0, 2, 1)),
        },
        coords={
            "time": time,
            "space": ["x", "y"],
            "keypoints": list(footer.skeleton.keypoints),
            "individuals": list(individuals),
        },
        attrs={
            "ds_type": "poses",
            "fps": footer.fps,
            "time_unit": "seconds",
            "source_software": "vid2kp",
        },
    )


def load_tracks(path: str | Path, *, frames_path: str | Path | None = None) -> Tracks:
    """The tracks of one video, whole, in memory.

    Args:
        path: a tracks file.
        frames_path: its frames file; by default ``frames.parquet`` beside it, if it is there.

    Raises:
        TracksError: there is no such file, or it does not follow the schema.
    """
    with _parquet(Path(path), _WORDS) as file:
        footer = check_tracks_file(file)
        table = _as(file.read(), TRACKS_SCHEMA)
    beside = Path(path).with_name(FRAMES_FILE)
    wanted = Path(frames_path) if frames_path else beside
    frames = load_frames(wanted) if frames_path or beside.exists() else None
    tracks = Tracks(footer, table, frames)
    _ = tracks._blocks  # a file whose rows are out of order is refused here, not later
    return tracks


def load_frames(path: str | Path) -> pa.Table:
    """The rows of a frames file, in the columns of `schema.FRAMES_SCHEMA`.

    Raises:
        TracksError: there is no such file, or it does not follow the schema.
    """
    with _parquet(Path(path), _FRAME_WORDS) as file:
        check_frames_file(file)
        return _as(file.read(), FRAMES_SCHEMA)


def read_tracks_footer(path: str | Path) -> Footer:
    """What a tracks file says of itself, without reading its rows.

    Raises:
        TracksError: there is no such file, or it does not follow the schema.
    """
    with _parquet(Path(path), _WORDS) as file:
        return check_tracks_file(file)


def iter_frames(path: str | Path) -> Iterator[PosedFrame]:
    """The frames of a tracks file, one after the other, in memory that does not grow.

    Raises:
        TracksError: there is no such file, or it does not follow the schema.
    """
    for blocks in iter_blocks(path):
        yield from _posed(blocks)


def iter_blocks(path: str | Path) -> Iterator[Blocks]:
    """The frames of a tracks file as arrays, some thousand whole frames after the other.

    Raises:
        TracksError: there is no such file, or it does not follow the schema.
    """
    with _parquet(Path(path), _WORDS) as file:
        skeleton = check_tracks_file(file).skeleton
        rest = TRACKS_SCHEMA.empty_table()
        for group in range(file.num_row_groups):
            rows = pa.concat_tables([rest, _as(file.read_row_group(group), TRACKS_SCHEMA)])
            # Files written by others may cut a frame in two: its rows wait for the next group.
            whole = _rows_before_last_frame(rows)
            rest = rows.slice(whole)
            yield Blocks.of(rows.slice(0, whole), skeleton)
        yield Blocks.of(rest, skeleton)


class FrameSize(NamedTuple):
    """From this frame on the display picture has this size in pixels."""

    frame: int
    width: int
    height: int


def iter_frame_sizes(path: str | Path) -> Iterator[FrameSize]:
    """Where in a video the display size changes, the first frame included.

    Raises:
        TracksError: there is no such frames file, or it does not follow the schema.
    """
    size = (0, 0)
    with _parquet(Path(path), _FRAME_WORDS) as file:
        check_frames_file(file)
        for group in range(file.num_row_groups):
            rows = file.read_row_group(group, columns=["frame", "width", "height"])
            frame, width, height = (rows[n].to_numpy() for n in ("frame", "width", "height"))
            before = np.concatenate([[size], np.stack([width, height], -1)])
            for i in np.flatnonzero((np.diff(before, axis=0) != 0).any(axis=1)):
                yield FrameSize(int(frame[i]), int(width[i]), int(height[i]))
            size = (int(width[-1]), int(height[-1])) if len(frame) else size


def _posed(blocks: Blocks) -> Iterator[PosedFrame]:
    names = blocks.names
    edges = np.searchsorted(blocks.frame_index, np.arange(len(blocks.frames) + 1))
    for i, (frame, time) in enumerate(zip(blocks.frames, blocks.times, strict=True)):
        people = {
            names[blocks.individual[b]]: Pose(blocks.xy[b], blocks.confidence[b], blocks.state[b])
            for b in range(edges[i], edges[i + 1])
        }
        yield PosedFrame(int(frame), float(time), people)


def _rows_before_last_frame(rows: pa.Table) -> int:
    frames = rows["frame"].to_numpy()
    return int(np.searchsorted(frames, frames[-1])) if len(frames) else 0


def _codes(column: pa.ChunkedArray, words: tuple[str, ...]) -> np.ndarray:
    """Each row's index into ``words``; a word that is not among them is an error."""
    array = column.combine_chunks()
    position = {word: i for i, word in enumerate(words)}
    mapping = np.array([position.get(w, -1) for w in array.dictionary.to_pylist()], dtype=np.int32)
    codes = mapping[array.indices.to_numpy()] if len(array) else np.empty(0, dtype=np.int32)
    if (codes < 0).any():
        raise TracksError("The tracks hold a name that is not in their footer.")
    return codes


def _floats(column: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(column.combine_chunks().to_numpy(zero_copy_only=False))


def _as(table: pa.Table, schema: pa.Schema) -> pa.Table:
    return table.replace_schema_metadata(None).cast(schema)


@contextmanager
def _parquet(path: Path, words: list[str]) -> Iterator[pq.ParquetFile]:
    try:
        with path.open("rb") as opened:
            known = set(words) & set(pq.read_schema(opened).names)  # of others: KeyError
            with pq.ParquetFile(opened, read_dictionary=sorted(known)) as file:
                yield file
    except OSError as error:
        # Of damaged pages pyarrow's errors are OSErrors too, with texts that may hold the path.
        why = error.strerror or "damaged file"
        raise TracksError(f"The tracks cannot be read: {why}.") from None
    except pa.ArrowInvalid:
        raise TracksError("It is not a Parquet file, or it is damaged.") from None
