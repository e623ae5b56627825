"""DeepLabCut: a table with the columns scorer / [individuals] / bodyparts / coords.

One individual makes the three rows of heads of single-animal projects, in which its name has no
place; several make the four rows of multi-animal ones. An empty cell is missing. The key of the
HDF5 file is ``df_with_missing``; a reader looks for no other. Times are not kept: a row is a frame.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from vid2kp.errors import UsageError
from vid2kp.export.common import (
    SOFTWARE,
    Arrays,
    ExportOptions,
    arrays_of,
    make_parent,
    need,
    need_pixels,
    number,
)
from vid2kp.files import output_errors, replacing
from vid2kp.tracks.load import Tracks

KEY: Final = "df_with_missing"
_COORDS: Final = ("x", "y", "likelihood")


def export_deeplabcut(
    tracks: Tracks, out: Path, *, options: ExportOptions, name: str = "tracks"
) -> None:
    """Writes the table as CSV or HDF5, by the ending of the file.

    Args:
        tracks: in pixels of the picture.
        out: a file that ends in ``.csv`` or ``.h5``.
        options: ``individuals`` is used.
        name: of the recording; the format has no place for it.

    Raises:
        UsageError: other units, an unknown individual, another ending, or PyTables is missing.
        OutputError: the disk is full or read-only.
    """
    need_pixels(tracks.footer, "DeepLabCut")
    writers = {".csv": _write_csv, ".h5": _write_h5}
    writer = writers.get(out.suffix.lower())
    if writer is None:
        raise UsageError("The name of the output must end in .csv or .h5.")
    table = dlc_table(arrays_of(tracks, options, name=name))
    make_parent(out)
    writer(table, out)


def dlc_table(arrays: Arrays) -> pd.DataFrame:
    """(F, I·K·3) float64, one row per frame, columns as DeepLabCut has them, NaN = missing."""
    several = len(arrays.individuals) > 1
    columns = [
        (SOFTWARE, *((individual,) if several else ()), keypoint, coord)
        for individual in arrays.individuals
        for keypoint in arrays.skeleton.keypoints
        for coord in _COORDS
    ]
    names = ["scorer", *(["individuals"] if several else []), "bodyparts", "coords"]
    values = np.concatenate([arrays.positions, arrays.confidence[..., None]], axis=-1)
    return pd.DataFrame(
        values.reshape(len(values), -1).astype(np.float64),
        index=pd.Index(arrays.frame.astype(np.int64)),
        columns=pd.MultiIndex.from_tuples(columns, names=names),
    )


def _write_csv(table: pd.DataFrame, out: Path) -> None:
    with replacing(out) as part, output_errors(), part.open("w", encoding="utf-8", newline="") as f:
        writer = csv.writer(f, lineterminator="\n")
        for level, words in zip(table.columns.names, zip(*table.columns, strict=True), strict=True):
            writer.writerow([level, *words])
        for frame, row in zip(table.index, table.to_numpy(), strict=True):
            writer.writerow([frame, *("" if np.isnan(v) else number(v) for v in row)])


def _write_h5(table: pd.DataFrame, out: Path) -> None:
    need("tables")
    with (
        replacing(out) as part,
        output_errors(),
        pd.HDFStore(str(part), mode="w") as store,
    ):
        # Without times of writing, so that the same tracks give the same bytes.
        store.put(KEY, table, format="table", index=False, track_times=False)
