"""Writes tracks and frames to Parquet, as a stream, whole or not at all.

What the files hold is said in `vid2kp.tracks.schema`. The same rows give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np
import pyarrow as pa

from vid2kp.errors import TracksError
from vid2kp.files import output_errors, replacing
from vid2kp.pose.skeleton import Skeleton
from vid2kp.tracks.schema import (
    FOOTER_KEY,
    FRAMES_SCHEMA,
    INFANT,
    MISSING,
    OBSERVED,
    ROTATIONS,
    ROW_GROUP_FRAMES,
    STATES,
    SUBJECTS,
    TRACKS_SCHEMA,
    Footer,
    individual_rank,
    parquet_writer,
)

_OBSERVED = STATES.index(OBSERVED)
_MISSING = STATES.index(MISSING)


class Pose(NamedTuple):
    """One individual in one frame.

    Attributes:
        xy: (K, 2) float32, source display pixels (or the footer's unit), NaN = missing.
        confidence: (K,) float32 in [0, 1], NaN = missing.
        state: (K,) indices into `STATES`, or None: what has a value is ``observed``.
    """

    xy: np.ndarray
    confidence: np.ndarray
    state: np.ndarray | None = None


class _ParquetStream:
    """A Parquet file of one schema that appears under its name only after `finish`."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = Path(path)
        self._schema = schema
        self._stack = ExitStack()
        self._finished = False
        self._last_frame = -1

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            part = stack.enter_context(replacing(self._path))
            with output_errors():
                # An open file: pyarrow takes some names for addresses.
                self._file = stack.enter_context(
                    parquet_writer(stack.enter_context(part.open("wb")), self._schema)
                )
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Closing the file writes what is left in its buffer, which a full disk refuses once more.
        if kind is None and not self._finished:
            unfinished = TracksError("The file was not finished: its footer is missing.")
            with output_errors():
                self._stack.__exit__(TracksError, unfinished, None)
            raise unfinished
        with output_errors():
            self._stack.__exit__(kind, error, trace)

    def finish(self, footer: Footer) -> None:
        """Writes the rows still held and the footer; nothing can be written afterwards.

        Raises:
            OutputError: the disk is full.
        """
        self._flush()
        with output_errors():
            self._file.add_key_value_metadata({FOOTER_KEY: footer.to_json()})
            self._file.close()
        self._finished = True

    def _flush(self) -> None:
        raise NotImplementedError

    def _next(self, frame: int) -> None:
        if self._finished:
            raise ValueError("the file is finished")
        if frame <= self._last_frame:
            raise TracksError("Frames must come in order, each once.")
        self._last_frame = frame

    def _put(self, columns: Sequence[pa.Array]) -> None:
        table = pa.Table.from_arrays(list(columns), schema=self._schema)
        with output_errors():
            self._file.write_table(table, row_group_size=max(table.num_rows, 1))


class TracksWriter(_ParquetStream):
    """Writes a tracks file frame by frame, in constant memory.

    ::

        with TracksWriter(path, skeleton) as writer:
            writer.write(0, 0.0, {"infant": Pose(xy, confidence)})
            writer.finish(footer)

    Args:
        path: the file that appears when the block ends without an error.
        skeleton: its K keypoints, in the order of the rows of each frame and individual.
    """

    def __init__(self, path: Path, skeleton: Skeleton) -> None:
        super().__init__(path, TRACKS_SCHEMA)
        self._skeleton = skeleton
        self._times: list[tuple[int, float, int]] = []
        self._ranks: list[tuple[int, str]] = []
        self._poses: list[np.ndarray] = []

    def write(
        self, frame: int, time: float, people: Mapping[str, Pose | tuple[np.ndarray, np.ndarray]]
    ) -> None:
        """Adds the rows of one frame; ``infant`` gets its rows whether it is there or not.

        Args:
            frame: decoder ordinal, greater than that of the last call.
            time: seconds since the first frame.
            people: pose by name of the individual (`schema.individual_name`). A keypoint
                without finite x, y or (when observed) confidence is missing. Confidence above
                1 is written as 1.

        Raises:
            TracksError: frames out of order, or a name that is no individual's.
            ValueError: arrays of other shapes than `Pose` says.
            OutputError: the disk is full.
        """
        self._next(frame)
        ranked = sorted((individual_rank(name), name) for name in {*people, INFANT})
        for rank, name in ranked:
            pose = Pose(*people[name]) if name in people else self._nowhere()
            self._poses.append(self._block(pose))
            self._ranks.append((rank, name))
        self._times.append((frame, time, len(ranked)))
        if len(self._times) == ROW_GROUP_FRAMES:
            self._flush()

    def _nowhere(self) -> Pose:
        gone = np.full((len(self._skeleton), 3), np.nan, dtype=np.float32)
        return Pose(gone[:, :2], gone[:, 2])

    def _block(self, pose: Pose) -> np.ndarray:
        """(K, 4) float32: x, y, confidence, state; NaN = missing."""
        count = len(self._skeleton)
        xy = np.asarray(pose.xy, dtype=np.float32)
        confidence = np.asarray(pose.confidence, dtype=np.float32)
        if xy.shape != (count, 2) or confidence.shape != (count,):
            raise ValueError(f"xy must be ({count}, 2) and confidence ({count},)")
        state = np.zeros(count) if pose.state is None else np.asarray(pose.state)
        there = np.isfinite(xy).all(axis=1) & (state != _MISSING)
        there &= np.isfinite(confidence) | (state != _OBSERVED)
        block = np.empty((count, 4), dtype=np.float32)
        block[:, :2] = xy
        block[:, 2] = np.clip(confidence, 0, 1)
        block[:, 3] = np.where(there, state, _MISSING)
        block[~there, :3] = np.nan
        return block

    def _flush(self) -> None:
        if not self._times:
            return
        count = len(self._skeleton)
        frames, times, people = (np.array(c) for c in zip(*self._times, strict=True))
        values = np.concatenate(self._poses)
        names = [name for _, name in sorted(set(self._ranks))]
        position = {name: i for i, name in enumerate(names)}
        individuals = np.repeat([position[name] for _, name in self._ranks], count)
        keypoints = np.tile(np.arange(count), len(self._ranks))
        self._put(
            [
                pa.array(np.repeat(frames, people * count), pa.int32()),
                pa.array(np.repeat(times, people * count), pa.float64()),
                _words(individuals, names),
                _words(keypoints, self._skeleton.keypoints),
                *(_nullable(values[:, i]) for i in range(3)),
                _words(values[:, 3], STATES),
            ]
        )
        self._times, self._ranks, self._poses = [], [], []


class FramesWriter(_ParquetStream):
    """Writes a frames file row by row, in constant memory; used like `TracksWriter`.

    Args:
        path: the file that appears when the block ends without an error.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, FRAMES_SCHEMA)
        self._rows: list[tuple[int | float | str | None, ...]] = []

    def write(
        self,
        frame: int,
        time: float,
        *,
        pts: int | None,
        width: int,
        height: int,
        suspect: bool,
        people: int,
        subject: str,
        view: tuple[float, float, float, float] | None = None,
        rotation: int = 0,
        swapped: str = "",
    ) -> None:
        """Adds the row of one decoded frame; the arguments are the columns of `FRAMES_SCHEMA`.

        Args:
            frame: decoder ordinal, greater than that of the last call.
            time: seconds since the first frame.
            pts: in the source's time base.
            width: display pixels.
            height: display pixels.
            suspect: damaged data near.
            people: how many were found.
            subject: one of `SUBJECTS`.
            view: left, top, width and height of what the network looked at; None for nothing.
            rotation: one of `ROTATIONS`.
            swapped: from `vid2kp.tracks.schema.swapped_word`.

        Raises:
            TracksError: frames out of order, or a ``subject`` or ``rotation`` that is none.
            OutputError: the disk is full.
        """
        self._next(frame)
        if subject not in SUBJECTS:
            raise TracksError(f"subject must be one of {', '.join(SUBJECTS)}.")
        if rotation not in ROTATIONS:
            raise TracksError(f"rotation must be one of {', '.join(map(str, ROTATIONS))}.")
        seen = (None,) * 4 if view is None else view
        row = (frame, time, pts, width, height, suspect, people, subject, *seen, rotation, swapped)
        self._rows.append(row)
        if len(self._rows) == ROW_GROUP_FRAMES:
            self._flush()

    def _flush(self) -> None:
        if not self._rows:
            return
        columns = dict(zip(FRAMES_SCHEMA.names, zip(*self._rows, strict=True), strict=True))
        words = {"subject": SUBJECTS, "swapped": sorted(set(columns["swapped"]))}
        self._put(
            [
                _words(np.array([words[name].index(value) for value in values]), words[name])
                if name in words
                else pa.array(values, FRAMES_SCHEMA.field(name).type)
                for name, values in columns.items()
            ]
        )
        self._rows = []


def _words(codes: np.ndarray, words: Sequence[str]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(
        pa.array(codes.astype(np.int32)), pa.array(list(words), pa.string())
    )


def _nullable(values: np.ndarray) -> pa.Array:
    return pa.array(values, pa.float32(), mask=np.isnan(values))
