from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import recordings
from recordings import ALL, NAME

from vid2kp.errors import UsageError
from vid2kp.export.common import FILLED_CONFIDENCE, ExportOptions
from vid2kp.export.openpose import export_openpose
from vid2kp.pose.skeleton import BODY25
from vid2kp.tracks.load import Tracks
from vid2kp.tracks.schema import STATES

OF_CLIENT = {"RHip": "right_hip", "LHip": "left_hip", "LEar": "left_ear", "LWrist": "left_wrist"}


def opened(folder: Path, frames: int):
    """Positions (F, I, 25, 2), confidence (F, I, 25) and names, as a client has them."""
    module = recordings.client("pose_format.utils.openpose")
    pose = module.load_openpose_directory(str(folder), width=640, height=480, num_frames=frames)
    names = [point for c in pose.header.components[:1] for point in c.points]
    data = pose.body.data[:, :, :25]
    return data.filled(np.nan), np.asarray(pose.body.confidence)[:, :, :25], names


def test_the_client_finds_every_keypoint_under_its_name(tmp_path: Path) -> None:
    tracks = recordings.uneven(tmp_path)
    export_openpose(tracks, tmp_path / "out", options=ALL, name=NAME)
    positions, confidence, names = opened(tmp_path / "out", 30)
    truth, scores = tracks.to_numpy()
    assert positions.shape == (30, 2, 25, 2)
    for theirs, ours in OF_CLIENT.items():
        k, own = names.index(theirs), tracks.skeleton.index(ours)
        np.testing.assert_array_equal(positions[:, :, k], truth[:, :, own])
        np.testing.assert_array_equal(confidence[:, :, k], np.nan_to_num(scores[:, :, own]))


def test_mid_hip_is_the_mean_and_toes_are_unknown(tmp_path: Path) -> None:
    tracks = recordings.uneven(tmp_path, persons=1)
    export_openpose(tracks, tmp_path / "out", options=ALL)
    positions, _, names = opened(tmp_path / "out", 30)
    truth, _ = tracks.to_numpy()
    hips = truth[:, 0, [tracks.skeleton.index(f"{side}_hip") for side in ("right", "left")]]
    np.testing.assert_allclose(positions[:, 0, names.index("MidHip")], hips.mean(1), rtol=1e-6)
    toes = [names.index(name) for name in ("LBigToe", "LSmallToe", "LHeel", "RBigToe", "RHeel")]
    assert np.isnan(positions[:, 0, toes]).all()


def test_another_layout_is_read_with_wrong_names(tmp_path: Path) -> None:
    """Why BODY_25 is the default: the client calls the right hip of coco18 MidHip."""
    tracks = recordings.uneven(tmp_path, persons=1)
    export_openpose(tracks, tmp_path / "out", options=ExportOptions(layout="coco18"))
    positions, _, names = opened(tmp_path / "out", 30)
    right_hip = tracks.to_numpy()[0][:, 0, tracks.skeleton.index("right_hip")]
    np.testing.assert_array_equal(positions[:, 0, names.index("MidHip")], right_hip)
    first = json.loads((tmp_path / "out" / "tracks_000000000000_keypoints.json").read_text())
    assert len(first["people"][0]["pose_keypoints_2d"]) == 3 * 18


def test_files_are_as_openpose_writes_them(tmp_path: Path) -> None:
    export_openpose(recordings.uneven(tmp_path), tmp_path / "out", options=ALL, name=NAME)
    files = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert files == [f"{NAME}_{frame:012d}_keypoints.json" for frame in range(30)]
    frame = json.loads((tmp_path / "out" / files[0]).read_text())
    assert frame["version"] == 1.3
    person = frame["people"][0]
    assert person.pop("person_id") == [-1]
    assert len(person.pop("pose_keypoints_2d")) == 75
    assert len(person) == 7
    assert set(map(tuple, person.values())) == {()}


def test_a_frame_without_anybody_has_no_people(tmp_path: Path) -> None:
    export_openpose(recordings.unseen(tmp_path), tmp_path / "out", options=ALL)
    files = list((tmp_path / "out").iterdir())
    assert files
    for path in files:
        assert json.loads(path.read_text())["people"] == []


def test_nobody_takes_the_place_of_an_infant_who_is_not_seen(tmp_path: Path) -> None:
    tracks = recordings.uneven(tmp_path)
    seen = np.isfinite(tracks.to_numpy()[1]).any(axis=2)
    (row, *_) = np.flatnonzero(~seen[:, 0] & seen[:, 1])
    export_openpose(tracks, tmp_path / "out", options=ALL)
    text = (tmp_path / "out" / f"tracks_{row:012d}_keypoints.json").read_text()
    infant, person = json.loads(text)["people"]
    assert set(infant["pose_keypoints_2d"]) == {0}
    assert max(person["pose_keypoints_2d"]) > 0


def test_interpolated_keypoints_do_not_get_lost(tmp_path: Path) -> None:
    tracks = recordings.cleaned(tmp_path)
    export_openpose(tracks, tmp_path / "out", options=ALL)
    positions, confidence, names = opened(tmp_path / "out", 10)
    k, own = names.index("Nose"), tracks.skeleton.index("nose")
    state = tracks.states()[:, 0, own]
    filled = state == STATES.index("interpolated")
    assert filled.sum() == 2
    np.testing.assert_array_equal(positions[filled, 0, k], tracks.to_numpy()[0][filled, 0, own])
    np.testing.assert_allclose(confidence[filled, 0, k], FILLED_CONFIDENCE)
    assert np.isnan(positions[state == STATES.index("missing"), 0, k]).all()


def test_other_units_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="means pixels of the picture"):
        export_openpose(recordings.normalised(tmp_path), tmp_path / "out", options=ALL)
    assert not (tmp_path / "out").exists()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    tracks: Tracks = recordings.unseen(tmp_path / "run")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        export_openpose(tracks, tmp_path / "mine", options=ALL)
    assert recordings.content(tmp_path / "mine") == {"mine/thesis.txt": b"mine"}


def test_body25_tracks_keep_their_toes(tmp_path: Path) -> None:
    tracks = recordings.uneven(tmp_path, persons=1, skeleton=BODY25)
    export_openpose(tracks, tmp_path / "out", options=ALL)
    positions, _, _ = opened(tmp_path / "out", 30)
    np.testing.assert_array_equal(positions[:, 0], tracks.to_numpy()[0][:, 0])
