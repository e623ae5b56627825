"""The first example a reader runs says what it found, and no warning, whatever was seen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from people import footer, moving_infant

from vid2kp.pose.skeleton import INFANT22
from vid2kp.tracks.schema import INFANT, TRACKS_FILE
from vid2kp.tracks.store import Pose, TracksWriter

EXAMPLE = Path(__file__).parents[2] / "examples" / "load_tracks.py"


def told(*arguments: object) -> str:
    """What the example prints; a warning is an error."""
    command = [sys.executable, "-W", "error", EXAMPLE, *arguments]
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def write(folder: Path, *, frames: int = 30, lost: tuple[str, ...] = (), **changes: object) -> Path:
    """Tracks of an infant of which some keypoints are never seen."""
    xy, confidence = moving_infant(frames)
    confidence[:, [INFANT22.index(name) for name in lost]] = np.nan
    with TracksWriter(folder / TRACKS_FILE, INFANT22) as writer:
        for f in range(frames):
            writer.write(f, f / 25, {INFANT: Pose(xy[f], confidence[f])})
        writer.finish(footer(**changes))
    return folder / TRACKS_FILE


def test_it_runs_on_the_example_clip() -> None:
    text = told()
    assert "250 frames, 10.0 s, infant" in text
    assert " pixels\n" in text
    assert "right_wrist" in text and "–" not in text


@pytest.mark.parametrize("frames", [1, 30])
def test_a_video_in_which_nobody_was_seen_gives_no_warning(tmp_path: Path, frames: int) -> None:
    text = told(write(tmp_path, frames=frames, lost=INFANT22.keypoints))
    assert "Neck and hips were never seen together" in text


def test_a_keypoint_that_was_never_seen_has_no_speed(tmp_path: Path) -> None:
    text = told(write(tmp_path, lost=("left_wrist",)))
    (line,) = (line for line in text.splitlines() if line.startswith("left_wrist   "))
    assert line.split() == ["left_wrist", "0%", "–"]


def test_the_unit_is_that_of_the_tracks(tmp_path: Path) -> None:
    path = write(tmp_path, position_unit="torso", point_of_reference="mid_hip")
    assert " torso lengths\n" in told(path)
