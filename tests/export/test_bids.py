from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import recordings
from recordings import ALL, NAME, OTHER

from vid2kp.errors import UsageError
from vid2kp.export.bids import export_bids, export_bids_set
from vid2kp.export.common import ExportOptions

VALIDATOR = Path(sys.executable).with_name("bids-validator-deno")


def read(folder: Path, name: str = NAME) -> tuple[pd.DataFrame, dict[str, object]]:
    """The table of a subject with the names of its channels, and its JSON."""
    base = folder / f"sub-{name}" / "motion" / f"sub-{name}_task-spontaneous_tracksys-vid2kp"
    channels = pd.read_csv(f"{base}_channels.tsv", sep="\t", keep_default_na=False)
    table = pd.read_csv(f"{base}_motion.tsv", sep="\t", header=None, na_values="n/a")
    table.columns = channels["name"]
    return table, json.loads(Path(f"{base}_motion.json").read_text())


def errors(folder: Path) -> list[dict[str, object]]:
    """What the validator calls an error, every row of the tables read."""
    if not VALIDATOR.exists():
        pytest.skip("bids-validator-deno is missing: make test-clients installs it")
    done = subprocess.run(
        [VALIDATOR, "--format", "json", "--max-rows", "-1", folder],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    issues = json.loads(done.stdout)["issues"]["issues"]
    assert issues, "the validator always has a remark"
    return [issue for issue in issues if issue["severity"] == "error"]


def test_motion_has_true_times_and_missing_values(tmp_path: Path) -> None:
    tracks = recordings.uneven(tmp_path)
    export_bids(tracks, tmp_path / "out", options=ALL, name=NAME)
    table, about = read(tmp_path / "out")
    positions, confidence = tracks.to_numpy()
    np.testing.assert_array_equal(table["latency"], tracks.time)
    k = tracks.skeleton.index("left_wrist")
    xy = table[["left_wrist_x", "left_wrist_y"]].to_numpy("f4")
    np.testing.assert_array_equal(xy, positions[:, 0, k])
    score = table["left_wrist_confidence"].to_numpy("f4")
    np.testing.assert_array_equal(score, confidence[:, 0, k])
    assert about["SamplingFrequency"] == 9.5
    assert about["MotionChannelCount"] == len(table.columns) == 1 + 3 * 22


def test_the_validator_finds_no_error(tmp_path: Path) -> None:
    subjects = [
        (NAME, recordings.uneven(tmp_path / "a")),
        (OTHER, recordings.unseen(tmp_path / "b")),
    ]
    export_bids_set(subjects, tmp_path / "out", options=ALL)
    assert errors(tmp_path / "out") == []
    participants = pd.read_csv(tmp_path / "out" / "participants.tsv", sep="\t")
    assert list(participants["participant_id"]) == [f"sub-{NAME}", f"sub-{OTHER}"]


def test_the_validator_would_find_one(tmp_path: Path) -> None:
    export_bids(recordings.unseen(tmp_path), tmp_path / "out", options=ALL, name=NAME)
    (channels,) = (tmp_path / "out").rglob("*_channels.tsv")
    channels.write_text(channels.read_text().replace("LATENCY", "CLOCK"))
    assert errors(tmp_path / "out")


def test_units_are_said(tmp_path: Path) -> None:
    export_bids(recordings.normalised(tmp_path), tmp_path / "out", options=ALL, name=NAME)
    (channels,) = (tmp_path / "out").rglob("*_channels.tsv")
    table = pd.read_csv(channels, sep="\t", keep_default_na=False)
    assert set(table[table["type"] == "POS"]["units"]) == {"torso"}
    assert errors(tmp_path / "out") == []


def test_labels_that_bids_does_not_allow_are_refused(tmp_path: Path) -> None:
    tracks = recordings.unseen(tmp_path)
    with pytest.raises(UsageError, match="letters and digits"):
        export_bids(tracks, tmp_path / "out", options=ExportOptions(task="lying down"))
    assert not (tmp_path / "out").exists()
