"""Recordings that exporters meet: uneven, with several people and gaps, cleaned, empty, scaled."""

from __future__ import annotations

import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import people
import pytest

from vid2kp.export.common import ExportOptions
from vid2kp.pose.skeleton import INFANT22, Skeleton
from vid2kp.tracks.load import Tracks, load_tracks
from vid2kp.tracks.schema import STATES, TRACKS_FILE
from vid2kp.tracks.store import Pose, TracksWriter

NAME = "a" * 25 + "2"
OTHER = "b" * 25 + "3"
FRAMES = 30
ALL = ExportOptions()


def uneven_times(frames: int = FRAMES) -> np.ndarray:
    """(F,) float64 seconds from 0, between 10 and 200 ms apart."""
    steps = np.random.default_rng(1).uniform(0.01, 0.2, frames)
    return np.cumsum(steps) - steps[0]


def uneven(folder: Path, *, persons: int = 2, **changes: object) -> Tracks:
    """People who are missing in some frames, at uneven times."""
    return load_tracks(
        people.write_people(
            folder,
            frames=FRAMES,
            people=persons,
            times=uneven_times(),
            vfr=True,
            fps=9.5,
            **changes,
        )
    )


def posed(
    folder: Path, poses: list[dict[str, Pose]], skeleton: Skeleton = INFANT22, **changes: object
) -> Tracks:
    """Tracks of given poses, 25 frames a second."""
    folder.mkdir(parents=True, exist_ok=True)
    with TracksWriter(folder / TRACKS_FILE, skeleton) as writer:
        for frame, seen in enumerate(poses):
            writer.write(frame, frame / 25, seen)
        writer.finish(people.footer(skeleton, **changes))
    return load_tracks(folder / TRACKS_FILE)


def unseen(folder: Path) -> Tracks:
    """Three frames in which nobody was seen."""
    return posed(folder, [{}, {}, {}])


def cleaned(folder: Path) -> Tracks:
    """A cleaned recording: keypoint k is in state (k + frame) mod 5; interpolated ones have no
    confidence."""
    count = len(INFANT22)
    keypoints, confidence = people.moving_infant(10)
    poses = []
    for frame in range(10):
        state = (np.arange(count) + frame) % len(STATES)
        filled = state == STATES.index("interpolated")
        pose = Pose(keypoints[frame], np.where(filled, np.nan, confidence[frame]), state)
        poses.append({"infant": pose})
    return posed(folder, poses, product="clean")


def normalised(folder: Path) -> Tracks:
    """Positions in torso lengths from the mid hip."""
    keypoints, confidence = people.moving_infant(5)
    hips = keypoints[:, [8, 11]].mean(axis=1, keepdims=True)
    poses = [
        {"infant": Pose(*pose)} for pose in zip((keypoints - hips) / 130, confidence, strict=True)
    ]
    return posed(folder, poses, position_unit="torso", point_of_reference="mid_hip")


def client(name: str) -> Any:
    """The library that opens the export, imported; the test is skipped where it is missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip(
            name.partition(".")[0], reason=f"{name} is missing: make test-clients installs it"
        )
        return import_module(name)


def content(path: Path) -> dict[str, bytes]:
    """Every file under a path with its bytes."""
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    return {file.relative_to(path.parent).as_posix(): file.read_bytes() for file in files}
