"""SLEAP: an analysis HDF5 file, as its "Export Analysis HDF5" writes it.

Axes are in the order of MATLAB, last first, except those of ``track_occupancy``. Times are not
kept: the last axis is the frame.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vid2kp.export.common import ExportOptions, arrays_of, need, need_pixels, new_file
from vid2kp.files import output_errors, replacing
from vid2kp.tracks.load import Tracks


def export_sleap(
    tracks: Tracks, out: Path, *, options: ExportOptions, name: str = "tracks"
) -> None:
    """Writes an analysis file.

    Args:
        tracks: in pixels of the picture.
        out: a file that ends in ``.h5``.
        options: ``individuals`` is used; each is one track.
        name: of the recording; the format has no place for it.

    Raises:
        UsageError: other units, an unknown individual, another ending, or h5py is missing.
        OutputError: the disk is full or read-only.
    """
    need_pixels(tracks.footer, "SLEAP")
    h5py: Any = need("h5py")
    arrays = arrays_of(tracks, options, name=name)
    path = new_file(out, ".h5")
    positions = arrays.positions.astype(np.float64).transpose(1, 3, 2, 0)
    scores = arrays.confidence.astype(np.float64).transpose(1, 2, 0)
    seen = arrays.found.any(axis=-1)
    known = np.isfinite(scores)  # interpolated points have no score
    mean = np.nansum(scores, axis=1) / np.maximum(known.sum(axis=1), 1)
    instance = np.where(seen.T, mean, np.nan)
    keypoints = arrays.skeleton.keypoints
    limbs = np.array(arrays.skeleton.limbs, dtype=np.int64).reshape(-1, 2)
    words = [[keypoints[a], keypoints[b]] for a, b in arrays.skeleton.limbs]
    content: dict[str, np.ndarray] = {
        "tracks": positions,
        "track_names": np.array(arrays.individuals, dtype="S"),
        "node_names": np.array(keypoints, dtype="S"),
        "edge_names": np.array(words, dtype="S").reshape(-1, 2),
        "edge_inds": limbs,
        "track_occupancy": np.asarray(seen, dtype=np.uint8),
        "point_scores": scores,
        "instance_scores": instance,
        # The tracker's own confidence in the identity, which these tracks do not hold.
        "tracking_scores": np.full(instance.shape, np.nan),
    }
    # SLEAP names the files that an analysis was made of; here they stay empty.
    texts = {"labels_path": "", "video_path": "", "provenance": "{}"}
    with replacing(path) as part, output_errors(), h5py.File(part, "w") as file:
        for key, array in content.items():
            # Without times of writing, so that the same tracks give the same bytes.
            file.create_dataset(key, data=array, track_times=False, **_packed(array))
        for key, text in texts.items():
            file.create_dataset(key, data=text, track_times=False)
        file.create_dataset("video_ind", data=0, track_times=False)


def _packed(array: np.ndarray) -> dict[str, Any]:
    return {"compression": "gzip", "shuffle": True} if array.ndim > 2 and array.size else {}
