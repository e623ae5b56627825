"""Do the files of a deliverable tell of the same frames, times, model and options?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vid2kp.privacy.finding import NotAllowed
from vid2kp.privacy.manifest import COUNTS, Manifest
from vid2kp.privacy.mp4_check import VideoFacts
from vid2kp.privacy.parquet_check import TracksFacts, check_index
from vid2kp.privacy.profile_check import OPTIONS, options_of
from vid2kp.privacy.reasons import judgement, says
from vid2kp.tracks.index import NUMBERS
from vid2kp.tracks.schema import STATUSES


class Statements(NamedTuple):
    """What the files of one video say; None where one is missing or was found wrong."""

    manifest: Manifest | None
    tracks: TracksFacts | None
    frames: TracksFacts | None
    clean: TracksFacts | None
    video: VideoFacts | None


def check_agreement(said: Statements) -> None:
    """Compares what the files of one video say.

    Raises:
        NotAllowed: two of them contradict each other, or too little is known.
    """
    tracks, frames = said.tracks, said.frames
    if tracks is None or frames is None:
        raise NotAllowed("tracks or frames are missing or wrong, so nothing can be compared")
    if tracks.footer != frames.footer:
        raise NotAllowed("tracks and frames have different footers")
    for other in (frames, said.clean):
        if other is not None and not (
            np.array_equal(tracks.frames, other.frames)
            and np.array_equal(tracks.times, other.times)
        ):
            raise NotAllowed("the files tell of different frames")
    if said.manifest is not None:
        _check_manifest(said.manifest, tracks)
    if said.video is not None:
        _check_video_times(tracks, said.video)


def check_row_by_row(index: Path, delivered: Mapping[str, Statements]) -> None:
    """Checks the index of an output folder and compares it with what the videos' files say.

    Args:
        index: its path.
        delivered: statements by pseudonym of all videos of the folder.

    Raises:
        NotAllowed: the index is not as its schema says, or contradicts the files.
        OSError: it cannot be read.
    """
    rows = check_index(index)
    if {name for name, row in rows.items() if row["status"] in STATUSES} != set(delivered):
        raise NotAllowed("it tells of other videos than there are")
    for name, said in delivered.items():
        if said.manifest is not None and said.tracks is not None:
            _check_row(rows[name], said.manifest, said.tracks)


def _check_manifest(manifest: Manifest, tracks: TracksFacts) -> None:
    footer = tracks.footer
    said = (manifest.model_name, manifest.model_sha256, manifest.tool_version)
    if said != (footer.model_name, footer.model_sha256, footer.tool_version):
        raise NotAllowed("manifest and tracks tell of different models or versions")
    if manifest.privacy_profile != footer.privacy_profile:
        raise NotAllowed("manifest and tracks tell of different privacy options")
    options = options_of(footer)
    if any(manifest.options.get(name, name in options) != (name in options) for name in OPTIONS):
        raise NotAllowed("manifest and tracks tell of different privacy options")
    if set(manifest.counts) != set(COUNTS):
        raise NotAllowed("the manifest leaves out something that is counted")
    if manifest.counts["frames"] != len(tracks.frames):
        raise NotAllowed("the manifest counts other frames than there are")
    if not says(manifest.reason, judgement(manifest.status, manifest.counts)):
        raise NotAllowed("a reason that does not follow from the status and what is counted")


def _check_video_times(tracks: TracksFacts, video: VideoFacts) -> None:
    if len(video.times) != len(tracks.times):
        raise NotAllowed("the video has more or fewer frames than the tracks")
    late = np.abs(np.array(video.times) - tracks.times * video.timescale)
    # Times that stand still or are closer than a tick are moved on by a tick each.
    crowded = np.append(False, np.diff(np.array(video.times)) == 1)
    if (late[~crowded] > 1).any():
        raise NotAllowed("the video shows frames at other times than the tracks say")


def _check_row(row: Mapping[str, Any], manifest: Manifest, tracks: TracksFacts) -> None:
    """A row of the index says of a video what its files say."""
    frames = len(tracks.frames)
    said: dict[str, Any] = {
        "status": manifest.status,
        "reason": judgement(manifest.status, manifest.counts),
        "frames": frames,
        "seconds": float(tracks.times[-1]) if frames else 0.0,
        "found": float(np.float32(manifest.counts.get("frames_with_infant", 0) / max(frames, 1))),
        **{name: count for name, count in manifest.counts.items() if name in NUMBERS},
    }
    if any(row[name] != value for name, value in said.items()):
        raise NotAllowed("it says of a video what its files do not say")
