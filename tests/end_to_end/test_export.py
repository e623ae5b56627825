"""``vid2kp export`` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import console
import numpy as np
import pytest
import recordings
from recordings import NAME, OTHER

from vid2kp.tracks.schema import TRACKS_FILE


@pytest.fixture
def run(tmp_path: Path) -> Path:
    recordings.uneven(tmp_path / "run" / NAME)
    recordings.unseen(tmp_path / "run" / OTHER)
    return tmp_path / "run"


def test_the_console_script_exports_a_file(run: Path, tmp_path: Path) -> None:
    done = console.vid2kp(
        "export", run / NAME / TRACKS_FILE, "--to", "deeplabcut", "-o", tmp_path / "out.csv"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1 of 1 recordings exported.\n"
    assert "no place for their times" in done.stderr
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 4 + 30


def test_the_folder_of_a_video_and_one_individual(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--to", "skeleton-npz", "-o", tmp_path / "out.npz", "--individual", "person1")
    done = console.vid2kp_here(capsys, "export", run / NAME, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    with np.load(tmp_path / "out.npz") as file:
        assert file["individuals"].tolist() == ["person1"]
        assert file["name"] == NAME


def test_a_run_says_what_it_left_out(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = console.vid2kp_here(
        capsys, "export", run, "--to", "coco", "-o", tmp_path / "out", "--json"
    )
    assert done.returncode == 1
    first, second = json.loads(done.stdout)["recordings"]
    assert (first["name"], first["problem"]) == (NAME, "")
    assert second["name"] == OTHER
    assert "Nobody was seen" in second["problem"]


def test_wrong_usage_is_one_clear_line(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, said in (
        ((run / "nothing", "--to", "nwb", "-o", tmp_path / "x.nwb"), "No such file"),
        ((run / NAME, "--to", "pyskl", "-o", tmp_path / "x.nwb"), "must end in .pkl"),
        ((tmp_path, "--to", "openpose", "-o", tmp_path / "x"), "holds no recording"),
    ):
        done = console.vid2kp_here(capsys, "export", *arguments)
        assert done.returncode in (1, 2)
        assert said in done.stderr
        assert "Traceback" not in done.stderr
