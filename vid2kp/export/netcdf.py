"""netCDF: the dataset of the ``movement`` package, with true times.

The coordinate ``time`` holds the seconds of every frame, also where they are not evenly spaced.
Beside ``position`` and ``confidence`` there is ``state``, with its meanings as CF conventions have
them; programs that do not know it pass it over.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vid2kp.export.common import (
    ORIGINS,
    UNIT_NAMES,
    Arrays,
    ExportOptions,
    arrays_of,
    need,
    new_file,
)
from vid2kp.files import output_errors, replacing
from vid2kp.tracks.load import Tracks, movement_dataset
from vid2kp.tracks.schema import STATES

if TYPE_CHECKING:
    import xarray as xr


def export_netcdf(
    tracks: Tracks, out: Path, *, options: ExportOptions, name: str = "tracks"
) -> None:
    """Writes the dataset.

    Args:
        tracks: in any unit.
        out: a file that ends in ``.nc``.
        options: ``individuals`` is used.
        name: of the recording; the format has no place for it.

    Raises:
        UsageError: an unknown individual, another ending, or h5netcdf is missing.
        OutputError: the disk is full or read-only.
    """
    need("h5netcdf")
    dataset = _dataset(arrays_of(tracks, options, name=name))
    path = new_file(out, ".nc")
    packed = {"zlib": True, "complevel": 6, "shuffle": True}
    # In memory: HDF5 does not survive a disk that becomes full.
    content = BytesIO()
    dataset.to_netcdf(
        content,
        engine="h5netcdf",
        encoding={variable: packed for variable in dataset.data_vars if dataset[variable].size},
    )
    with replacing(path) as part, output_errors():
        part.write_bytes(content.getvalue())


def _dataset(arrays: Arrays) -> xr.Dataset:
    dataset = movement_dataset(
        arrays.footer, arrays.individuals, arrays.time, arrays.positions, arrays.confidence
    )
    dims = dataset["confidence"].dims
    dataset["state"] = (dims, arrays.states.transpose(0, 2, 1).astype(np.int8))
    dataset["state"].attrs = {
        "flag_values": np.arange(len(STATES), dtype=np.int8),
        "flag_meanings": " ".join(STATES),
    }
    dataset["position"].attrs = {
        "units": UNIT_NAMES[arrays.footer.position_unit],
        "origin": ORIGINS[arrays.footer.point_of_reference],
    }
    dataset["time"].attrs = {"long_name": "seconds since the first frame"}
    return dataset
