"""OpenPose: a folder with one JSON file per frame.

Clients take BODY_25 for granted, whatever the files hold: a folder in another layout is read
without an error and with wrong names. So BODY_25 is the default and any other has to be asked for.
Missing is (0, 0) with confidence 0. Times are not kept: the number in a name is that of the frame.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np

from vid2kp.export.common import ExportOptions, arrays_of, need_pixels, new_folder, number
from vid2kp.pose.skeleton import BODY25, COCO18
from vid2kp.tracks.load import Tracks

VERSION: Final = 1.3
_LAYOUTS: Final = {"body25": BODY25, "coco18": COCO18}
_EMPTY: Final = (
    "face_keypoints_2d",
    "hand_left_keypoints_2d",
    "hand_right_keypoints_2d",
    "pose_keypoints_3d",
    "face_keypoints_3d",
    "hand_left_keypoints_3d",
    "hand_right_keypoints_3d",
)


def export_openpose(
    tracks: Tracks, out: Path, *, options: ExportOptions, name: str = "tracks"
) -> None:
    """Writes a folder of ``<name>_<frame>_keypoints.json``.

    Args:
        tracks: in pixels of the picture.
        out: the folder, new or empty.
        options: ``individuals`` and ``layout`` are used. Everybody keeps their place in
            ``people``: who is not seen before somebody who is stands there with zeros.
        name: of the recording.

    Raises:
        UsageError: other units, an unknown individual, or the folder is not empty.
        OutputError: the disk is full or read-only.
    """
    need_pixels(tracks.footer, "OpenPose")
    arrays = arrays_of(tracks, options, name=name)
    positions, confidence = arrays.laid_out(_LAYOUTS[options.layout].keypoints)
    with new_folder(out) as folder:
        for row, frame in enumerate(arrays.frame):
            content = {"version": VERSION, "people": _people(positions[row], confidence[row])}
            path = folder / f"{arrays.name}_{frame:012d}_keypoints.json"
            path.write_text(json.dumps(content, separators=(",", ":")), encoding="utf-8")


def _people(positions: np.ndarray, confidence: np.ndarray) -> list[dict[str, Any]]:
    seen = np.flatnonzero((confidence > 0).any(axis=1))
    count = int(seen[-1]) + 1 if len(seen) else 0
    points = np.concatenate([positions, confidence[..., None]], axis=-1)[:count]
    return [
        {
            "person_id": [-1],
            "pose_keypoints_2d": [number(value) for value in person.ravel()],
            **{key: [] for key in _EMPTY},
        }
        for person in points
    ]
