"""BIDS: a dataset of Motion-BIDS, one subject per recording.

``*_motion.tsv`` has no head; ``*_channels.tsv`` names its columns: the true time of every frame
(type LATENCY, seconds), then x, y (POS) and confidence (MISC) of every keypoint. Missing is
``n/a``. Nothing tells of a participant: the label of a subject is the recording's pseudonym.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from vid2kp.errors import UsageError
from vid2kp.export.common import (
    ORIGINS,
    SOFTWARE,
    UNIT_NAMES,
    Arrays,
    ExportOptions,
    arrays_of,
    json_text,
    new_folder,
    number,
)
from vid2kp.tracks.load import Tracks

VERSION: Final = "1.10.0"
MISSING: Final = "n/a"
_LABEL: Final = re.compile(r"[A-Za-z0-9]+")
_UNITS: Final = {"px": "px", "torso": "torso"}
_README: Final = """\
# Keypoint tracks

Body keypoints of infants, found in videos by vid2kp. The dataset holds positions, confidences and
times; it holds no picture, no date and nothing about the participants.

Positions are in the unit and frame of reference that `*_channels.tsv` and `*_channels.json` say.
The time between frames may vary: the column `latency` of `*_motion.tsv` has the true times.
"""


class _Channel(NamedTuple):
    name: str
    component: str
    type: str
    tracked_point: str
    units: str
    reference_frame: str


def export_bids(tracks: Tracks, out: Path, *, options: ExportOptions, name: str = "tracks") -> None:
    """Writes a dataset of one recording; `export_bids_set` says more.

    Args:
        tracks: in any unit.
        out: the folder, new or empty.
        options: ``individuals`` may name one, the infant otherwise; ``task`` is used.
        name: of the recording, the label of its subject.

    Raises:
        UsageError: an unknown individual, several, a label that BIDS does not allow, or the
            folder is not empty.
        OutputError: the disk is full or read-only.
    """
    export_bids_set([(name, tracks)], out, options=options)


def export_bids_set(
    recordings: Iterable[tuple[str, Tracks]], out: Path, *, options: ExportOptions
) -> None:
    """Writes a dataset of several recordings, each a subject of its own.

    Args:
        recordings: names and tracks.
        out: the folder, new or empty.
        options: as in `export_bids`.

    Raises:
        UsageError: as in `export_bids`.
        OutputError: the disk is full or read-only.
    """
    _check_label(options.task, "task")
    with new_folder(out) as folder:
        subjects = []
        for name, tracks in recordings:
            _check_label(name, "recording")
            _write_subject(folder, arrays_of(tracks, options, name=name, one=True), options.task)
            subjects.append(f"sub-{name}")
        (folder / "participants.tsv").write_text(_tsv([["participant_id"], *zip(subjects)]))
        (folder / "dataset_description.json").write_text(json_text(_description()))
        (folder / "README.md").write_text(_README, encoding="utf-8")


def _write_subject(folder: Path, arrays: Arrays, task: str) -> None:
    subject = folder / f"sub-{arrays.name}" / "motion"
    subject.mkdir(parents=True)
    channels = _channels(arrays)
    base = f"sub-{arrays.name}_task-{task}_tracksys-{SOFTWARE}"
    values = np.concatenate([arrays.positions[:, 0], arrays.confidence[:, 0, :, None]], axis=-1)
    rows = (
        [repr(time), *(MISSING if np.isnan(v) else number(v) for v in row)]
        for time, row in zip(arrays.time.tolist(), values.reshape(len(values), -1), strict=True)
    )
    texts = {
        f"{base}_motion.tsv": _tsv(rows),
        f"{base}_motion.json": json_text(_about(arrays, channels, task)),
        f"{base}_channels.tsv": _tsv([_Channel._fields, *channels]),
        f"{base}_channels.json": json_text(_reference_frame(arrays)),
    }
    for file, text in texts.items():
        (subject / file).write_text(text, encoding="utf-8")


def _channels(arrays: Arrays) -> list[_Channel]:
    unit = _UNITS[arrays.footer.position_unit]
    channels = [_Channel("latency", MISSING, "LATENCY", MISSING, "s", MISSING)]
    for keypoint in arrays.skeleton.keypoints:
        for axis in ("x", "y"):
            channels.append(_Channel(f"{keypoint}_{axis}", axis, "POS", keypoint, unit, "picture"))
        confidence = f"{keypoint}_confidence"
        channels.append(_Channel(confidence, MISSING, "MISC", keypoint, MISSING, MISSING))
    return channels


def _about(arrays: Arrays, channels: list[_Channel], task: str) -> dict[str, Any]:
    types = [channel.type for channel in channels]
    span = float(arrays.time[-1] - arrays.time[0])
    return {
        "TaskName": task,
        "TaskDescription": "Movement of an infant in front of a camera.",
        "SamplingFrequency": float(arrays.footer.fps),
        "SamplingFrequencyEffective": (len(arrays.time) - 1) / span if span else 0.0,
        "TrackingSystemName": SOFTWARE,
        "Manufacturer": SOFTWARE,
        "ManufacturersModelName": arrays.footer.model_name,
        "SoftwareVersions": arrays.footer.tool_version,
        "RecordingType": "continuous",
        "RecordingDuration": span,
        "MissingValues": MISSING,
        "MotionChannelCount": len(channels),
        "POSChannelCount": types.count("POS"),
        "MISCChannelCount": types.count("MISC"),
        "LATENCYChannelCount": types.count("LATENCY"),
        "TrackedPointsCount": len(arrays.skeleton),
    }


def _reference_frame(arrays: Arrays) -> dict[str, Any]:
    footer = arrays.footer
    text = (
        f"Unit: {UNIT_NAMES[footer.position_unit]}. Origin: {ORIGINS[footer.point_of_reference]}."
    )
    return {
        "reference_frame": {
            "Description": "The plane of the picture in which the keypoints were found.",
            "Levels": {
                "picture": {"Description": text, "RotationRule": "n/a", "RotationOrder": "n/a"}
            },
        }
    }


def _description() -> dict[str, Any]:
    return {
        "Name": "Keypoint tracks",
        "BIDSVersion": VERSION,
        "DatasetType": "raw",
        "GeneratedBy": [{"Name": SOFTWARE}],
    }


def _check_label(text: str, what: str) -> None:
    if not _LABEL.fullmatch(text):
        raise UsageError(f"In BIDS the name of a {what} has letters and digits only.")


def _tsv(rows: Iterable[Iterable[Any]]) -> str:
    return "".join("\t".join(str(cell) for cell in row) + "\n" for row in rows)
