"""NWB: pose estimates of one individual, in the extension ``ndx-pose``.

The true time of every frame stands in ``timestamps``, the state of every keypoint in ``control``
(a reader that makes evenly spaced times of a file, as movement does, passes the first over).
NWB wants a time of the session and of the file: both are 1980-01-01, never a real date. It gives
every object a random number: here one that follows from what it is, so that the same tracks give
the same bytes.
"""

from __future__ import annotations

import uuid
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from vid2kp.export.common import (
    ORIGINS,
    SOFTWARE,
    UNIT_NAMES,
    Arrays,
    ExportOptions,
    arrays_of,
    need,
    new_file,
)
from vid2kp.files import EPOCH, output_errors, replacing
from vid2kp.tracks.load import Tracks
from vid2kp.tracks.schema import STATES

MODULE: Final = "behavior"
_SPACE: Final = uuid.UUID(int=0)


def export_nwb(tracks: Tracks, out: Path, *, options: ExportOptions, name: str = "tracks") -> None:
    """Writes a file with one `PoseEstimationSeries` per keypoint.

    Args:
        tracks: in any unit.
        out: a file that ends in ``.nwb``.
        options: ``individuals`` may name one; the infant otherwise.
        name: of the recording; with the individual's name it is the identifier of the file.

    Raises:
        UsageError: an unknown individual, several, another ending, or pynwb or ndx-pose is missing.
        OutputError: the disk is full or read-only.
    """
    pynwb: Any = need("pynwb")
    need("ndx_pose")
    arrays = arrays_of(tracks, options, name=name, one=True)
    path = new_file(out, ".nwb")
    file = _file(arrays)
    with replacing(path) as part, output_errors(), warnings.catch_warnings():
        # Its warning about the ending of the temporary name.
        warnings.simplefilter("ignore", UserWarning)
        with pynwb.NWBHDF5IO(str(part), mode="w") as io:
            io.write(file)


def _file(arrays: Arrays) -> Any:
    import ndx_pose
    import pynwb

    when = datetime.fromtimestamp(EPOCH, tz=UTC)
    identifier = f"{arrays.name}_{arrays.individuals[0]}"
    make = partial(_made, uuid.uuid5(_SPACE, identifier))
    skeleton = make(
        ndx_pose.Skeleton,
        name=arrays.skeleton.name,
        nodes=list(arrays.skeleton.keypoints),
        edges=np.array(arrays.skeleton.limbs, dtype=np.uint8).reshape(-1, 2),
    )
    estimation = make(
        ndx_pose.PoseEstimation,
        name="PoseEstimation",
        pose_estimation_series=_series(arrays, make),
        description=f"Product: {arrays.footer.product}. Model: {arrays.footer.model_name}.",
        scorer=arrays.footer.model_name,
        source_software=SOFTWARE,
        source_software_version=arrays.footer.tool_version,
        skeleton=skeleton,
    )
    module = make(pynwb.ProcessingModule, name=MODULE, description="Body keypoints.")
    module.add(make(ndx_pose.Skeletons, name="Skeletons", skeletons=[skeleton]))
    module.add(estimation)
    file = make(
        pynwb.NWBFile,
        session_description="Keypoint tracks of an infant; pictures and dates were not kept.",
        identifier=identifier,
        session_start_time=when,
        timestamps_reference_time=when,
        file_create_date=when,
    )
    file.add_processing_module(module)
    return file


_CONFIDENCE: Final = (
    "Probability that the keypoint lies within 0.1 torso lengths of its place, by the calibration "
    "of the model; where it has none, the value of the confidence map at its peak."
)


def _series(arrays: Arrays, make: Callable[..., Any]) -> list[Any]:
    import ndx_pose

    series: list[Any] = []
    for k, keypoint in enumerate(arrays.skeleton.keypoints):
        series.append(
            make(
                ndx_pose.PoseEstimationSeries,
                name=keypoint,
                description=f"Position of {keypoint}; NaN where it was not found.",
                data=arrays.positions[:, 0, k],
                unit=UNIT_NAMES[arrays.footer.position_unit],
                reference_frame=f"(0, 0) is the {ORIGINS[arrays.footer.point_of_reference]}.",
                # The timestamps are written once; the other series refer to the first.
                timestamps=series[0] if series else arrays.time,
                confidence=arrays.confidence[:, 0, k],
                confidence_definition=_CONFIDENCE,
                control=arrays.states[:, 0, k].astype(np.uint8),
                control_description=list(STATES),
            )
        )
    return series


def _made(space: uuid.UUID, kind: Any, **values: Any) -> Any:
    """An object of NWB whose number follows from what it is; it would be random otherwise."""
    key = f"{kind.__name__} {values.get('name', '')}"
    made = kind.__new__(kind, object_id=str(uuid.uuid5(space, key)))
    made.__init__(**values)
    return made
