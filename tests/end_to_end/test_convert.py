"""`vid2kp convert` as a user sees it: tables, JSON, exit codes, resume. The model is untrained."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from batches import contents
from console import vid2kp_here

from vid2kp.pose.lite import Lite
from vid2kp.pose.skeleton import COCO18
from vid2kp.pose.weights import save_model
from vid2kp.tracks.load import read_tracks_footer
from vid2kp.training.synthetic_video import VideoOptions, write_video

NAME = "Muster_Anna"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a clip of three frames and a model that knows nothing."""
    folder = tmp_path_factory.mktemp("made")
    write_video(folder, options=VideoOptions(seconds=0.12, width=160, height=120))
    save_model(Lite(COCO18), folder / "untrained.safetensors", input_size=64)
    return folder


@pytest.fixture
def videos(made: Path, tmp_path: Path) -> Path:
    """A folder of videos, named as they are in hospitals: a good one and a broken one."""
    folder = tmp_path / "videos"
    folder.mkdir()
    shutil.copy(made / "video.mp4", folder / f"{NAME}_1.MP4")
    (folder / f"{NAME}_2.mp4").write_bytes(b"no video at all")
    return folder


def test_a_folder_is_converted_and_the_same_command_goes_on(
    made: Path, videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command = ["convert", videos, "-o", out, "--clean", "--model", made / "untrained.safetensors"]
    first = vid2kp_here(capsys, *command, "--json")
    report = json.loads(first.stdout)
    assert (first.returncode, report["exit_code"]) == (1, 1)
    good, broken = report["videos"]
    assert (good["frames"], broken["status"], broken["folder"]) == (3, "unreadable", None)
    assert {p.name for p in Path(good["folder"]).iterdir()} == {
        "tracks.parquet",
        "clean.parquet",
        "frames.parquet",
        "skeleton.mp4",
        "manifest.json",
    }

    second = vid2kp_here(capsys, *command)
    assert second.returncode == 1
    assert "were finished before" in second.stdout
    assert f"How usable they are: {out / 'report.html'}" in second.stdout
    page = (out / "report.html").read_text(encoding="utf-8")
    assert good["pseudonym"] in page and broken["reason"] in page and NAME not in page
    assert good["pseudonym"] in second.stdout
    assert broken["reason"] in second.stdout
    for run in (first, second):
        assert NAME not in run.stdout + run.stderr


def test_a_quiet_run_speaks_of_trouble_only(
    made: Path, videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = vid2kp_here(
        capsys, "convert", videos / f"{NAME}_2.mp4", "-o", tmp_path / "out", "--quiet",
        "--model", made / "untrained.safetensors",
    )  # fmt: skip
    assert run.returncode == 3
    assert "unreadable" in run.stdout
    assert run.stderr == ""


def test_a_dry_run_makes_nothing(
    made: Path, videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    run = vid2kp_here(
        capsys, "convert", videos, "-o", out, "--dry-run",
        "--model", made / "untrained.safetensors",
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "To convert: 2 videos, about 3 frames" in run.stdout
    assert "It would take about" in run.stdout
    assert not out.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--jobs", "0"],
        ["--batch-size", "some"],
        ["--shard", "3/2"],
        ["--model", "no-such-model"],
        ["--device", "abacus"],
        ["--start", "inf"],
        ["--duration", "inf"],
        ["--start", "nan"],
    ],
)
def test_wrong_usage_is_told_before_anything_is_done(
    arguments: list[str], videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = vid2kp_here(capsys, "convert", videos, "-o", tmp_path / "out", *arguments)
    assert run.returncode == 2, run.stderr
    assert run.stderr.startswith("Error: ")
    assert NAME not in run.stdout + run.stderr


def test_the_same_command_gives_the_same_bytes(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every byte under OUT: tracks, frames, skeleton video, manifest, index and report."""
    key = tmp_path / "key"
    key.write_bytes(bytes(range(32)))
    key.chmod(0o600)
    outs = [tmp_path / "first", tmp_path / "second"]
    for out in outs:
        run = vid2kp_here(
            capsys, "convert", made / "video.mp4", "-o", out, "--key-file", key, "--clean"
        )
        assert run.returncode == 0, run.stderr
    first, second = map(contents, outs)
    assert {Path(name).suffix for name in first} == {".parquet", ".mp4", ".json", ".html"}
    assert first == second


def test_a_place_where_nothing_may_be_written_is_told(
    videos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Path("/sys")  # there not even root may make a folder
    if not place.is_dir():
        pytest.skip("no such place here")
    run = vid2kp_here(capsys, "convert", videos, "-o", place / "out")
    assert run.returncode == 2, run.stderr
    assert run.stderr.startswith("Error: A result could not be written")
    assert "you may write there" in run.stderr
    assert NAME not in run.stdout + run.stderr


def test_privacy_options_go_from_the_command_line_into_the_files(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = vid2kp_here(
        capsys, "convert", made / "video.mp4", "-o", tmp_path / "out", "--json",
        "--model", made / "untrained.safetensors",
        "--drop-face", "--normalize", "--relative-only",
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    folder = Path(json.loads(run.stdout)["videos"][0]["folder"])
    footer = read_tracks_footer(folder / "tracks.parquet")
    assert footer.privacy_profile[0] == "pseudonymised+drop-face+normalise+relative-only"
    assert (footer.position_unit, footer.point_of_reference) == ("torso", "mid_hip")
    assert vid2kp_here(capsys, "verify", tmp_path / "out").returncode == 0


def test_a_table_of_links_inside_the_results_is_refused(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    run = vid2kp_here(
        capsys, "convert", made / "video.mp4", "-o", out, "--links", out / "links.csv"
    )
    assert run.returncode == 2
    assert "must not lie in the output folder" in run.stderr
    assert not out.exists()
    assert list(tmp_path.iterdir()) == []
