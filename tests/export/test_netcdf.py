from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import recordings
import xarray as xr
from recordings import ALL

from vid2kp.errors import UsageError
from vid2kp.export.netcdf import export_netcdf
from vid2kp.tracks.schema import STATES

pytest.importorskip("h5netcdf")
# Of the libraries that xarray opens files with.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.mark.parametrize("kind", ["uneven", "cleaned", "unseen", "normalised"])
def test_xarray_opens_what_was_exported(tmp_path: Path, kind: str) -> None:
    tracks = getattr(recordings, kind)(tmp_path)
    export_netcdf(tracks, tmp_path / "out.nc", options=ALL)
    with xr.open_dataset(tmp_path / "out.nc") as dataset:
        expected = tracks.to_xarray()
        xr.testing.assert_equal(dataset[["position", "confidence"]].load(), expected)
        assert dataset.attrs == expected.attrs
        np.testing.assert_array_equal(dataset["state"].to_numpy()[:, :, 0], tracks.states()[:, 0])
        assert dataset["state"].attrs["flag_meanings"].split() == list(STATES)
        units = "torso lengths" if kind == "normalised" else "pixels"
        assert dataset["position"].attrs["units"] == units


def test_uneven_times_are_kept_to_the_last_bit(tmp_path: Path) -> None:
    tracks = recordings.uneven(tmp_path)
    export_netcdf(tracks, tmp_path / "out.nc", options=ALL)
    with xr.open_dataset(tmp_path / "out.nc") as dataset:
        np.testing.assert_array_equal(dataset["time"], recordings.uneven_times())
        assert "source_file" not in dataset.attrs


def test_movement_takes_it_and_measures_speed_over_true_times(tmp_path: Path) -> None:
    kinematics = recordings.client("movement.kinematics")
    datasets = recordings.client("movement.validators.datasets")
    tracks = recordings.uneven(tmp_path, gaps=False)
    export_netcdf(tracks, tmp_path / "out.nc", options=ALL)
    with xr.open_dataset(tmp_path / "out.nc") as dataset:
        datasets.ValidPosesInputs.validate(dataset)
        velocity = kinematics.compute_velocity(dataset.position)
        wrist = velocity.sel(keypoints="left_wrist", individuals="infant", space="x")
    path = tracks.to_numpy()[0][:, 0, tracks.skeleton.index("left_wrist"), 0]
    np.testing.assert_allclose(wrist, np.gradient(path, tracks.time), rtol=1e-3, atol=1e-3)


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"end in \.nc"):
        export_netcdf(recordings.unseen(tmp_path), tmp_path / "out.h5", options=ALL)
