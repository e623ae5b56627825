from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import recordings
from recordings import ALL

from vid2kp.errors import UsageError
from vid2kp.export.common import ExportOptions
from vid2kp.export.deeplabcut import KEY, export_deeplabcut

ENDINGS = (".csv", ".h5")


def need_tables(ending: str) -> None:
    if ending == ".h5":
        pytest.importorskip("tables")


def read(path: Path, heads: int) -> pd.DataFrame:
    """As DeepLabCut itself reads its tables."""
    if path.suffix == ".csv":
        return pd.read_csv(path, header=list(range(heads)), index_col=0)
    return pd.read_hdf(path, key=KEY)


@pytest.mark.parametrize("ending", ENDINGS)
def test_several_individuals_have_four_rows_of_heads(tmp_path: Path, ending: str) -> None:
    need_tables(ending)
    tracks = recordings.uneven(tmp_path)
    path = tmp_path / f"out{ending}"
    export_deeplabcut(tracks, path, options=ALL)
    table = read(path, 4)
    assert table.columns.names == ["scorer", "individuals", "bodyparts", "coords"]
    positions, confidence = tracks.to_numpy()
    wrist = table["vid2kp"]["person1"]["left_wrist"]
    k = tracks.skeleton.index("left_wrist")
    np.testing.assert_array_equal(wrist[["x", "y"]].to_numpy("f4"), positions[:, 1, k])
    np.testing.assert_array_equal(wrist["likelihood"].to_numpy("f4"), confidence[:, 1, k])
    assert list(table.index) == list(range(30))


@pytest.mark.parametrize("ending", ENDINGS)
def test_one_individual_has_the_three_rows_of_single_animal_projects(
    tmp_path: Path, ending: str
) -> None:
    need_tables(ending)
    path = tmp_path / f"out{ending}"
    options = ExportOptions(individuals=("infant",))
    export_deeplabcut(recordings.uneven(tmp_path), path, options=options)
    table = read(path, 3)
    assert table.columns.names == ["scorer", "bodyparts", "coords"]
    assert table["vid2kp"].columns[:3].tolist() == [
        ("nose", "x"), ("nose", "y"), ("nose", "likelihood"),
    ]  # fmt: skip


def test_an_empty_cell_is_missing(tmp_path: Path) -> None:
    export_deeplabcut(recordings.unseen(tmp_path), tmp_path / "out.csv", options=ALL)
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[3] == "0" + "," * 66
    assert len(lines) == 6


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("kind", ["uneven", "cleaned", "unseen"])
@pytest.mark.filterwarnings("default")
def test_movement_opens_it(tmp_path: Path, ending: str, kind: str) -> None:
    load_poses = recordings.client("movement.io.load_poses")
    tracks = getattr(recordings, kind)(tmp_path)
    path = tmp_path / f"out{ending}"
    export_deeplabcut(tracks, path, options=ALL)
    dataset = load_poses.from_dlc_file(path, fps=25)
    assert tuple(dataset.keypoints.values) == tracks.skeleton.keypoints
    positions, confidence = tracks.to_numpy()
    found = dataset.position.transpose("time", "individuals", "keypoints", "space")
    np.testing.assert_array_equal(found.astype(np.float32), positions)
    found = dataset.confidence.transpose("time", "individuals", "keypoints")
    np.testing.assert_array_equal(found.astype(np.float32), confidence)
    if len(tracks.individuals) > 1:
        assert tuple(dataset.individuals.values) == tracks.individuals


def test_other_endings_and_other_units_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.csv or \.h5"):
        export_deeplabcut(recordings.unseen(tmp_path), tmp_path / "out.txt", options=ALL)
    with pytest.raises(UsageError, match="means pixels"):
        export_deeplabcut(recordings.normalised(tmp_path), tmp_path / "out.csv", options=ALL)
