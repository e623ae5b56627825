"""The example clip through the shipped model, with the real console script, against its truth."""

from pathlib import Path

import console
import numpy as np
import pytest

from vid2kp.tracks.load import Tracks, load_tracks

EXAMPLE = Path(__file__).parents[2] / "examples" / "infant"


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "out"
    done = console.vid2kp("convert", EXAMPLE / "video.mp4", "-o", out)
    assert done.returncode == 0, done.stderr
    (tracks,) = out.glob("*/tracks.parquet")
    return tracks


def torso(tracks: Tracks, positions: np.ndarray) -> float:
    names = tracks.skeleton.keypoints
    hips = positions[:, [names.index("right_hip"), names.index("left_hip")]].mean(1)
    return float(np.median(np.linalg.norm(positions[:, names.index("neck")] - hips, axis=1)))


def test_keypoints_are_within_a_fifth_of_the_torso_of_the_truth(converted: Path):
    truth, found = load_tracks(EXAMPLE / "tracks.parquet"), load_tracks(converted)
    assert found.skeleton.keypoints == truth.skeleton.keypoints
    assert np.allclose(found.time, truth.time, atol=1e-4)
    right, _ = truth.to_numpy()
    given, _ = found.to_numpy()
    infant = found.individuals.index("infant")
    error = np.linalg.norm(given[:, infant] - right[:, 0], axis=-1) / torso(truth, right[:, 0])
    near = np.nan_to_num(error, nan=np.inf) < 0.2  # a keypoint that is not found is not near
    assert near.mean() >= 0.90, f"{near.mean():.1%} of the keypoints are near the truth"


def test_the_infant_is_seen_throughout_and_nobody_else_is_made_up(converted: Path):
    tracks = load_tracks(converted)
    assert tracks.individuals == ("infant",)
    frames = tracks.frames
    assert frames is not None
    assert len(frames) == 250
    assert (frames["subject"] == "certain").mean() > 0.98
    assert (frames["people"] == 1).mean() > 0.95
