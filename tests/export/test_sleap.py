from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import recordings
from recordings import ALL

from vid2kp.errors import UsageError
from vid2kp.export.sleap import export_sleap

h5py = pytest.importorskip("h5py")


def test_datasets_have_the_axes_of_an_analysis_file(tmp_path: Path) -> None:
    tracks = recordings.uneven(tmp_path)
    export_sleap(tracks, tmp_path / "out.h5", options=ALL)
    with h5py.File(tmp_path / "out.h5") as file:
        shapes = {key: file[key].shape for key in file}
        assert file["tracks"].dtype == np.float64
        names = [name.decode() for name in file["node_names"]]
        occupancy, edges = file["track_occupancy"][:], file["edge_names"][:]
        inds = file["edge_inds"][:]
    assert shapes == {
        "tracks": (2, 2, 22, 30), "track_names": (2,), "node_names": (22,),
        "edge_names": (23, 2), "edge_inds": (23, 2), "track_occupancy": (30, 2),
        "point_scores": (2, 22, 30), "instance_scores": (2, 30), "tracking_scores": (2, 30),
        "labels_path": (), "video_path": (), "provenance": (), "video_ind": (),
    }  # fmt: skip
    assert tuple(names) == tracks.skeleton.keypoints
    np.testing.assert_array_equal(occupancy, np.isfinite(tracks.to_numpy()[1]).any(axis=2))
    assert [[a.decode(), b.decode()] for a, b in edges] == [[names[a], names[b]] for a, b in inds]


@pytest.mark.parametrize("kind", ["uneven", "cleaned", "unseen"])
@pytest.mark.filterwarnings("default")
def test_movement_opens_it(tmp_path: Path, kind: str) -> None:
    load_poses = recordings.client("movement.io.load_poses")
    tracks = getattr(recordings, kind)(tmp_path)
    export_sleap(tracks, tmp_path / "out.h5", options=ALL)
    dataset = load_poses.from_sleap_file(tmp_path / "out.h5", fps=25)
    assert tuple(dataset.keypoints.values) == tracks.skeleton.keypoints
    assert tuple(dataset.individuals.values) == tracks.individuals
    positions, confidence = tracks.to_numpy()
    np.testing.assert_array_equal(
        dataset.position.transpose("time", "individuals", "keypoints", "space"), positions
    )
    np.testing.assert_array_equal(
        dataset.confidence.transpose("time", "individuals", "keypoints"), confidence
    )


@pytest.mark.filterwarnings("default")
def test_sleap_io_opens_it(tmp_path: Path) -> None:
    sleap_io = recordings.client("sleap_io")
    tracks = recordings.uneven(tmp_path)
    export_sleap(tracks, tmp_path / "out.h5", options=ALL)
    labels = sleap_io.load_file(str(tmp_path / "out.h5"))
    assert tuple(labels.skeletons[0].node_names) == tracks.skeleton.keypoints
    assert tuple(labels.skeletons[0].edge_inds) == tracks.skeleton.limbs
    assert tuple(track.name for track in labels.tracks) == tracks.individuals
    np.testing.assert_array_equal(labels.numpy(), tracks.to_numpy()[0])


def test_other_endings_and_other_units_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"end in \.h5"):
        export_sleap(recordings.unseen(tmp_path), tmp_path / "out.slp", options=ALL)
    with pytest.raises(UsageError, match="means pixels"):
        export_sleap(recordings.normalised(tmp_path), tmp_path / "out.h5", options=ALL)
