"""skeleton-npz: the arrays of a recording for classifiers of movement, in one NumPy file.

Keys and axes are those of PYSKL's annotations, with what they leave out: names, limbs, true times,
states and the unit. Missing is NaN, with which a forgotten gap cannot pass for a position; nothing
in the file needs ``allow_pickle``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vid2kp.export.common import Arrays, ExportOptions, arrays_of, new_file
from vid2kp.files import output_errors, replacing
from vid2kp.tracks.load import Tracks
from vid2kp.tracks.schema import STATES


def export_skeleton_npz(
    tracks: Tracks, out: Path, *, options: ExportOptions, name: str = "tracks"
) -> None:
    """Writes the arrays of `skeleton_arrays` and what goes with them.

    Args:
        tracks: in any unit.
        out: a file that ends in ``.npz``.
        options: ``individuals`` and ``labels`` are used.
        name: of the recording.

    Raises:
        UsageError: an unknown individual, or another ending.
        OutputError: the disk is full or read-only.
    """
    arrays = arrays_of(tracks, options, name=name)
    label = options.label_of(name)
    path = new_file(out, ".npz")
    content = {
        **skeleton_arrays(arrays.positions, arrays.confidence, arrays),
        "label": label.label,
        "split": label.split,
        "name": arrays.name,
        "frame": arrays.frame,
        "time": arrays.time,
        "fps": arrays.footer.fps,
        "units": arrays.footer.position_unit,
        "point_of_reference": arrays.footer.point_of_reference,
        "state": arrays.states.transpose(1, 0, 2),
        "states": list(STATES),
        "individuals": list(arrays.individuals),
        "keypoints": list(arrays.skeleton.keypoints),
        "limbs": np.array(arrays.skeleton.limbs, dtype=np.int32).reshape(-1, 2),
    }
    with replacing(path) as part, output_errors(), part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **content)


def skeleton_arrays(
    positions: np.ndarray, confidence: np.ndarray, arrays: Arrays
) -> dict[str, Any]:
    """What PYSKL wants of a recording with M individuals, T frames and V keypoints.

    Args:
        positions: (T, M, V, 2).
        confidence: (T, M, V).
        arrays: of the recording.

    Returns:
        ``keypoint`` (M, T, V, 2) float32, ``keypoint_score`` (M, T, V) float32, ``total_frames``
        T, ``img_shape`` and ``original_shape`` (height, width) in pixels.
    """
    shape = (arrays.footer.height, arrays.footer.width)
    return {
        "keypoint": np.ascontiguousarray(positions.transpose(1, 0, 2, 3), dtype=np.float32),
        "keypoint_score": np.ascontiguousarray(confidence.transpose(1, 0, 2), dtype=np.float32),
        "total_frames": len(positions),
        "img_shape": shape,
        "original_shape": shape,
    }
