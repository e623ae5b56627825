from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import recordings
from recordings import ALL, NAME

from vid2kp.errors import UsageError
from vid2kp.export.common import ExportOptions
from vid2kp.export.nwb import export_nwb
from vid2kp.files import EPOCH
from vid2kp.tracks.schema import STATES

pynwb = pytest.importorskip("pynwb")
pytest.importorskip("ndx_pose")
h5py = pytest.importorskip("h5py")
pytestmark = pytest.mark.filterwarnings("default")


def test_every_keypoint_has_a_series_with_true_times_and_no_date(tmp_path: Path) -> None:
    tracks = recordings.uneven(tmp_path)
    export_nwb(tracks, tmp_path / "out.nwb", options=ALL, name=NAME)
    positions, confidence = tracks.to_numpy()
    fixed = datetime.fromtimestamp(EPOCH, tz=UTC)
    with pynwb.NWBHDF5IO(str(tmp_path / "out.nwb"), mode="r") as io:
        file = io.read()
        pose = file.processing["behavior"]["PoseEstimation"]
        assert tuple(pose.skeleton.nodes[:]) == tracks.skeleton.keypoints
        assert set(pose.pose_estimation_series) == set(tracks.skeleton.keypoints)
        for name, series in pose.pose_estimation_series.items():
            k = tracks.skeleton.index(name)
            np.testing.assert_array_equal(series.timestamps[:], tracks.time)
            np.testing.assert_array_equal(series.data[:], positions[:, 0, k])
            np.testing.assert_array_equal(series.confidence[:], confidence[:, 0, k])
        assert file.session_start_time == file.timestamps_reference_time == fixed
        assert list(file.file_create_date) == [fixed]
        assert file.identifier == f"{NAME}_infant"
        assert file.subject is None
        assert len({item.object_id for item in file.objects.values()}) == len(file.objects)
        assert pynwb.validate(io=io) == []


def test_states_and_units_are_kept(tmp_path: Path) -> None:
    for kind, unit, origin in (
        ("cleaned", "pixels", "top left pixel"),
        ("normalised", "torso lengths", "middle between the hips"),
    ):
        tracks = getattr(recordings, kind)(tmp_path / kind)
        path = tmp_path / f"{kind}.nwb"
        export_nwb(tracks, path, options=ALL)
        with pynwb.NWBHDF5IO(str(path), mode="r") as io:
            pose = io.read().processing["behavior"]["PoseEstimation"]
            nose = pose["nose"]
            assert tuple(nose.control_description[:]) == STATES
            np.testing.assert_array_equal(nose.control[:], tracks.states()[:, 0, 0])
            assert nose.unit == unit
            assert origin in nose.reference_frame
            assert tracks.footer.product in pose.description


@pytest.mark.parametrize("kind", ["uneven", "unseen"])
def test_movement_opens_it(tmp_path: Path, kind: str) -> None:
    load_poses = recordings.client("movement.io.load_poses")
    tracks = getattr(recordings, kind)(tmp_path)
    export_nwb(tracks, tmp_path / "out.nwb", options=ALL, name=NAME)
    dataset = load_poses.from_nwb_file(tmp_path / "out.nwb")
    assert list(dataset.individuals.values) == [f"{NAME}_infant"]
    by_name = dataset.sel(keypoints=list(tracks.skeleton.keypoints)).isel(individuals=0)
    positions, _ = tracks.to_numpy()
    np.testing.assert_array_equal(
        by_name.position.transpose("time", "keypoints", "space"), positions[:, 0]
    )


def test_one_individual_a_file(tmp_path: Path) -> None:
    tracks = recordings.uneven(tmp_path)
    export_nwb(tracks, tmp_path / "o.nwb", options=ExportOptions(individuals=("person1",)))
    with h5py.File(tmp_path / "o.nwb") as file:
        assert file["identifier"][()] == b"tracks_person1"
        nose = file["processing/behavior/PoseEstimation/nose/data"][:]
    np.testing.assert_array_equal(nose, tracks.to_numpy()[0][:, 1, 0])
    with pytest.raises(UsageError, match="one individual"):
        export_nwb(tracks, tmp_path / "p.nwb", options=ExportOptions(("infant", "person1")))
