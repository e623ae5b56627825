"""Features of movement: what they say of movements that are known."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import people
import pytest

from vid2kp.pose.skeleton import INFANT22
from vid2kp.tracks.load import load_tracks
from vid2kp.tracks.schema import TRACKS_FILE
from vid2kp.tracks.store import Pose, TracksWriter

EXAMPLES = Path(__file__).parents[2] / "examples"
TORSO = 100.0


@pytest.fixture(scope="module")
def features(load_example):
    return load_example("movement_features")


def waving(folder: Path, hertz: float, *, lost: bool = False) -> pd.DataFrame:
    """An infant at uneven times whose right wrist swings by 0.1 torso lengths at that rate."""
    rng = np.random.default_rng(0)
    time = np.cumsum(rng.uniform(0.02, 0.06, 300))
    time -= time[0]
    rest = people.rest_pose() * TORSO + 300
    folder.mkdir(parents=True)
    with TracksWriter(folder / TRACKS_FILE, INFANT22) as writer:
        for f, t in enumerate(time):
            xy = rest.copy()
            xy[INFANT22.index("right_wrist"), 0] += 0.1 * TORSO * np.sin(2 * np.pi * hertz * t)
            if lost and f % 2:
                xy[INFANT22.index("left_knee")] = np.nan
            writer.write(f, float(t), {"infant": Pose(xy, np.full(22, 0.8))})
        writer.finish(people.footer())
    return pd.read_parquet(folder / TRACKS_FILE)


@pytest.mark.parametrize(("hertz", "band"), [(0.6, "slow"), (1.8, "middle"), (4.0, "quick")])
def test_power_lies_in_the_band_of_the_movement(
    tmp_path: Path, features, hertz: float, band: str
) -> None:
    table = features.movement_features(waving(tmp_path / "t", hertz))
    assert list(table.index) == [0.0, 5.0]
    assert (table[f"right_wrist_{band}"] > 0.85).all()
    shares = table[[f"right_wrist_{name}" for name in features.BANDS]].sum(axis=1)
    np.testing.assert_allclose(shares, 1)
    # The mean of |cos| makes the median of a sine's speed sqrt(1/2) of its greatest one.
    speed = 0.1 * 2 * np.pi * hertz / np.sqrt(2)
    np.testing.assert_allclose(table["right_wrist_speed"], speed, rtol=0.15)
    assert (table["left_ankle_speed"] == 0).all()


def test_angles_are_those_of_the_picture(tmp_path: Path, features) -> None:
    table = features.movement_features(waving(tmp_path / "t", 1.0))
    points = dict(zip(INFANT22.keypoints, people.rest_pose(), strict=True))
    a, b, c = (points[f"left_{name}"] for name in ("shoulder", "elbow", "wrist"))
    cosine = (a - b) @ (c - b) / np.linalg.norm(a - b) / np.linalg.norm(c - b)
    degrees = np.degrees(np.arccos(cosine))
    np.testing.assert_allclose(table["left_elbow_angle_mean"], degrees, atol=0.1)
    assert (table["left_elbow_angle_std"] < 1e-3).all()
    assert (table["right_elbow_angle_std"] > 1).all()


def test_a_joint_that_is_seldom_seen_has_no_feature(tmp_path: Path, features) -> None:
    table = features.movement_features(waving(tmp_path / "t", 1.0, lost=True))
    assert table["left_knee_angle_mean"].isna().all()
    assert table["right_knee_angle_mean"].notna().all()
    assert (table["seen"] < 1).all()


def test_the_example_runs_on_the_example_clip(tmp_path: Path) -> None:
    command = [sys.executable, EXAMPLES / "movement_features.py", "-o", tmp_path / "f.csv"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "f.csv", index_col=0)
    seconds = load_tracks(EXAMPLES / "infant" / TRACKS_FILE).time[-1]
    assert len(table) == round(seconds) // 5
    assert table.notna().all().all()


@pytest.mark.parametrize("frames", [0, 1, 60, 300])
def test_what_cannot_be_told_is_said_in_one_line_without_a_warning(
    tmp_path: Path, frames: int
) -> None:
    with TracksWriter(tmp_path / TRACKS_FILE, INFANT22) as writer:
        for f in range(frames):
            writer.write(f, f / 25, {})
        writer.finish(people.footer())
    script, out = EXAMPLES / "movement_features.py", tmp_path / "f.csv"
    command = [sys.executable, "-W", "error", script, tmp_path / TRACKS_FILE, "-o", out]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    if frames < 300:
        assert done.stdout.count("\n") == 1
        assert "shorter than a window, which is 5 s long" in done.stdout
        assert not out.exists()
    else:
        table = pd.read_csv(out, index_col=0)
        assert (table.pop("seen") == 0).all()
        assert table.isna().all().all()
