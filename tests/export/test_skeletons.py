"""Files for classifiers: skeleton-npz and pyskl."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import recordings
from recordings import ALL, NAME, OTHER

from vid2kp.errors import UsageError
from vid2kp.export.common import FILLED_CONFIDENCE, ExportOptions, Label
from vid2kp.export.pyskl import export_pyskl, export_pyskl_set
from vid2kp.export.skeleton_npz import export_skeleton_npz
from vid2kp.tracks.schema import STATES

LABELS = ExportOptions(labels={NAME: Label(1, "train"), OTHER: Label(0, "val")})


def test_npz_holds_the_documented_arrays(tmp_path: Path) -> None:
    tracks = recordings.uneven(tmp_path)
    export_skeleton_npz(tracks, tmp_path / "out.npz", options=LABELS, name=NAME)
    with np.load(tmp_path / "out.npz") as file:
        found = dict(file)
    positions, confidence = tracks.to_numpy()
    np.testing.assert_array_equal(found["keypoint"], positions.transpose(1, 0, 2, 3))
    np.testing.assert_array_equal(found["keypoint_score"], confidence.transpose(1, 0, 2))
    np.testing.assert_array_equal(found["time"], recordings.uneven_times())
    assert found["keypoint"].dtype == found["keypoint_score"].dtype == np.float32
    assert (found["total_frames"], found["label"], found["split"]) == (30, 1, "train")
    assert found["img_shape"].tolist() == [480, 640]
    assert tuple(found["keypoints"]) == tracks.skeleton.keypoints
    assert tuple(found["individuals"]) == tracks.individuals
    assert found["units"] == "px"


@pytest.mark.parametrize("kind", ["cleaned", "unseen", "normalised"])
def test_npz_keeps_states_and_units(tmp_path: Path, kind: str) -> None:
    tracks = getattr(recordings, kind)(tmp_path)
    export_skeleton_npz(tracks, tmp_path / "out.npz", options=ALL)
    with np.load(tmp_path / "out.npz") as found:
        np.testing.assert_array_equal(found["state"][0], tracks.states()[:, 0])
        assert tuple(found["states"]) == STATES
        assert found["units"] == tracks.footer.position_unit
        np.testing.assert_array_equal(found["keypoint"][0], tracks.to_numpy()[0][:, 0])


def test_pyskl_finds_its_keys(tmp_path: Path) -> None:
    first, second = recordings.uneven(tmp_path / "a"), recordings.unseen(tmp_path / "b")
    recordings_ = [(NAME, first), (OTHER, second)]
    export_pyskl_set(recordings_, tmp_path / "out.pkl", options=LABELS)
    found = pickle.loads((tmp_path / "out.pkl").read_bytes())
    assert found["split"] == {"train": [NAME], "val": [OTHER]}
    annotation, empty = found["annotations"]
    assert set(annotation) == {
        "frame_dir", "label", "img_shape", "original_shape", "total_frames", "keypoint",
        "keypoint_score",
    }  # fmt: skip
    assert (annotation["frame_dir"], annotation["label"]) == (NAME, 1)
    assert (annotation["total_frames"], annotation["img_shape"]) == (30, (480, 640))
    positions, confidence = first.to_numpy()
    np.testing.assert_array_equal(
        annotation["keypoint"], np.nan_to_num(positions).transpose(1, 0, 2, 3)
    )
    np.testing.assert_array_equal(
        annotation["keypoint_score"], np.nan_to_num(confidence).transpose(1, 0, 2)
    )
    assert empty["keypoint"].shape == (1, 3, 22, 2)
    assert not empty["keypoint"].any()


def test_pickled_arrays_can_be_read_by_any_numpy_and_written_to(tmp_path: Path) -> None:
    export_pyskl(recordings.uneven(tmp_path), tmp_path / "out.pkl", options=ALL, name=NAME)
    data = (tmp_path / "out.pkl").read_bytes()
    # Where NumPy 2 keeps what it pickles arrays with; older ones have no such module.
    assert b"numpy._core" not in data
    keypoint = pickle.loads(data)["annotations"][0]["keypoint"]
    keypoint *= 0.5
    assert keypoint.dtype == np.float32


def test_interpolated_keypoints_have_a_score(tmp_path: Path) -> None:
    tracks = recordings.cleaned(tmp_path)
    export_pyskl(tracks, tmp_path / "out.pkl", options=ALL)
    annotation = pickle.loads((tmp_path / "out.pkl").read_bytes())["annotations"][0]
    state, score = tracks.states()[:, 0], annotation["keypoint_score"][0]
    np.testing.assert_allclose(score[state == STATES.index("interpolated")], FILLED_CONFIDENCE)
    np.testing.assert_array_equal(score == 0, state == STATES.index("missing"))


def test_pyskl_refuses_other_units(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="means pixels"):
        export_pyskl(recordings.normalised(tmp_path), tmp_path / "out.pkl", options=ALL)
    assert not (tmp_path / "out.pkl").exists()
