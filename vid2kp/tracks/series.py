"""The infant of one video as arrays, with what the frames file says of each frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vid2kp.errors import TracksError
from vid2kp.pose.skeleton import Skeleton
from vid2kp.tracks.load import iter_blocks, load_frames, read_tracks_footer
from vid2kp.tracks.schema import INFANT, SUBJECTS, Footer


@dataclass(frozen=True)
class Series:
    """F frames of one video, K keypoints of its infant.

    Attributes:
        footer: what the tracks file says of itself.
        time: (F,) float64 seconds since the first frame.
        xy: (F, K, 2) float32 in the footer's unit, NaN = missing.
        confidence: (F, K) float32 in [0, 1], NaN = missing or interpolated.
        size: (F, 2) int32 width and height of the picture, display pixels.
        suspect: (F,) bool, damaged data near.
        people: (F,) int16, how many were found.
        ambiguous: (F,) bool, somebody else might be the infant.
        swapped: (F,) bool, sides look exchanged.
        view: (F, 5) float32 left, top, width, height of what the network looked at and its
            rotation; NaN where it looked at nothing.
        others: whether the file has tracks of others too, who are not here.
    """

    footer: Footer
    time: np.ndarray
    xy: np.ndarray
    confidence: np.ndarray
    size: np.ndarray
    suspect: np.ndarray
    people: np.ndarray
    ambiguous: np.ndarray
    swapped: np.ndarray
    view: np.ndarray
    others: bool = False

    def __len__(self) -> int:
        return len(self.time)

    @property
    def observed(self) -> np.ndarray:
        """(F, K) bool: which keypoints have a position."""
        return np.asarray(np.isfinite(self.xy[..., 0]))

    @property
    def seen(self) -> np.ndarray:
        """(F,) bool: whether any keypoint of the infant was seen."""
        return np.asarray(self.observed.any(axis=1))

    @property
    def step(self) -> float:
        """The usual time from one frame to the next, seconds; 0 with fewer than two frames."""
        steps = np.diff(self.time)
        return float(np.median(steps)) if len(steps) else 0.0

    @property
    def durations(self) -> np.ndarray:
        """(F,) seconds for which each frame stands: until the next one.

        The last frame stands for none, as ``seconds`` of the index is its time: no part of a video
        is longer than the whole. A hole in the video belongs to no frame.
        """
        steps = np.diff(self.time, append=self.time[-1:])
        return np.asarray(np.minimum(steps, 3 * self.step))


def read_series(tracks_path: Path, frames_path: Path) -> Series:
    """Reads one video; about 12 bytes per frame and keypoint.

    Raises:
        TracksError: the files do not follow the schema, or tell of different frames.
    """
    footer = read_tracks_footer(tracks_path)
    numbers, times, others = [np.empty(0, np.int32)], [np.empty(0)], False
    xy = [np.empty((0, len(footer.skeleton), 2), np.float32)]
    confidence = [np.empty((0, len(footer.skeleton)), np.float32)]
    for blocks in iter_blocks(tracks_path):
        infant = np.array([name == INFANT for name in blocks.names], bool)[blocks.individual]
        numbers.append(blocks.frames[blocks.frame_index[infant]])
        times.append(blocks.times[blocks.frame_index[infant]])
        xy.append(blocks.xy[infant])
        confidence.append(blocks.confidence[infant])
        others |= not infant.all()
    rows = load_frames(frames_path)
    if not np.array_equal(rows["frame"].to_numpy(), np.concatenate(numbers)):
        raise TracksError("Tracks and frames tell of different frames.")
    subject = rows["subject"].to_numpy(zero_copy_only=False)
    return Series(
        footer=footer,
        time=np.concatenate(times),
        xy=np.concatenate(xy),
        confidence=np.concatenate(confidence),
        size=np.stack([rows["width"].to_numpy(), rows["height"].to_numpy()], axis=-1),
        suspect=rows["suspect"].to_numpy(),
        people=rows["people"].to_numpy(),
        ambiguous=subject == SUBJECTS[1],
        swapped=rows["swapped"].to_numpy(zero_copy_only=False) != "",
        view=np.stack(
            [
                rows[name].to_numpy().astype(np.float32)
                for name in ("view_x", "view_y", "view_width", "view_height", "rotation")
            ],
            axis=-1,
        ),
        others=others,
    )


def torso_lengths(xy: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(F,) distance from the neck to the middle of the hips of (F, K, 2); NaN where one misses."""
    names = skeleton.keypoints
    hips = [xy[:, names.index(n)] for n in ("right_hip", "left_hip") if n in names]
    if "neck" not in names or not hips:
        return np.full(len(xy), np.nan)
    apart = np.mean(hips, axis=0) - xy[:, names.index("neck")]
    return np.asarray(np.hypot(apart[:, 0], apart[:, 1]))
