"""PYSKL: a pickled dictionary of annotations and splits, for recordings with one label each.

The pickle is only ever written here: reading one runs whatever it says. Missing is (0, 0) with
score 0. Times are not kept. Arrays are pickled by way of names that every version of NumPy knows:
those that NumPy 2 writes by itself cannot be read by the older ones that PYSKL is used with.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np

from vid2kp.export.common import ExportOptions, arrays_of, need_pixels, new_file
from vid2kp.export.skeleton_npz import skeleton_arrays
from vid2kp.files import output_errors, replacing
from vid2kp.tracks.load import Tracks

PROTOCOL: Final = 4


def export_pyskl(
    tracks: Tracks, out: Path, *, options: ExportOptions, name: str = "tracks"
) -> None:
    """Writes annotations of one recording; `export_pyskl_set` says more.

    Args:
        tracks: in pixels of the picture.
        out: a file that ends in ``.pkl``.
        options: ``individuals`` and ``labels`` are used.
        name: of the recording, its ``frame_dir``.

    Raises:
        UsageError: other units, an unknown individual, or another ending.
        OutputError: the disk is full or read-only.
    """
    export_pyskl_set([(name, tracks)], out, options=options)


def export_pyskl_set(
    recordings: Iterable[tuple[str, Tracks]], out: Path, *, options: ExportOptions
) -> None:
    """Writes annotations of several recordings.

    Args:
        recordings: names and tracks, all with the same keypoint set.
        out: a file that ends in ``.pkl``.
        options: ``individuals`` and ``labels`` are used. Where a recording has no label, it has
            class 0 in the split ``all``.

    Raises:
        UsageError: other units, an unknown individual, or another ending.
        OutputError: the disk is full or read-only.
    """
    path = new_file(out, ".pkl")
    annotations, split = [], dict[str, list[str]]()
    for name, tracks in recordings:
        need_pixels(tracks.footer, "PYSKL")
        arrays = arrays_of(tracks, options, name=name)
        label = options.label_of(name)
        annotation = skeleton_arrays(*arrays.zeroed(), arrays)
        annotations.append({"frame_dir": name, "label": label.label, **annotation})
        split.setdefault(label.split, []).append(name)
    content = {"split": split, "annotations": annotations}
    with replacing(path) as part, output_errors(), part.open("wb") as file:
        _Pickler(file, protocol=PROTOCOL).dump(content)


class _Pickler(pickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        """Arrays as ``numpy.ndarray(shape, dtype, buffer)``; the buffer can be written to."""
        if isinstance(obj, np.ndarray):
            return np.ndarray, (obj.shape, obj.dtype.str, bytearray(obj.tobytes()))
        return NotImplemented
