"""Every command but `convert`, run for real on synthetic infants."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from console import vid2kp, vid2kp_here

from vid2kp.tracks.load import load_tracks


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three frames of a synthetic infant and their true tracks."""
    folder = tmp_path_factory.mktemp("clip")
    run = vid2kp("synth", "-o", folder, "--video", "--seconds", "0.12", "--size", "160x120")
    assert run.returncode == 0, run.stderr
    return folder


Run = Callable[..., CompletedProcess[str]]


@pytest.fixture
def run_here(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process."""
    return partial(vid2kp_here, capsys)


def test_synth_writes_a_video_with_its_true_tracks(clip: Path) -> None:
    tracks = load_tracks(clip / "tracks.parquet")
    positions, _ = tracks.to_numpy()
    assert positions.shape == (3, 1, len(tracks.skeleton), 2)
    assert (clip / "video.mp4").stat().st_size > 0


def test_synth_writes_labelled_pictures(tmp_path: Path, run_here: Run) -> None:
    run = run_here("synth", "-o", tmp_path, "--images", "2", "--size", "96", "--json")
    assert run.returncode == 0, run.stderr
    made = json.loads(run.stdout)
    annotations = json.loads(Path(made["annotations"]).read_text())
    assert made["images"] == len(annotations["images"]) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--images", "2", "--size", "96x64"],
        ["--video", "--size", "wide"],
        ["--images", "2", "--scene", "nonsense"],
    ],
)
def test_synth_refuses_what_it_cannot_make(
    arguments: list[str], tmp_path: Path, run_here: Run
) -> None:
    run = run_here("synth", "-o", tmp_path / "out", *arguments)
    assert run.returncode == 2
    assert not (tmp_path / "out").exists()


def test_probe_tells_the_facts_and_no_name(clip: Path, run_here: Run) -> None:
    run = run_here("probe", clip / "video.mp4", "--decode")
    assert run.returncode == 0, run.stderr
    assert "160 × 120" in run.stdout
    assert "3, constant rate 25 frames/s" in run.stdout
    assert "video.mp4" not in run.stdout + run.stderr


def test_probe_numbers_videos_and_tells_which_are_unreadable(
    clip: Path, tmp_path: Path, run_here: Run
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"nothing")
    run = run_here("probe", broken, clip, "--json")
    first, second = json.loads(run.stdout)
    assert (run.returncode, first["status"], second["status"]) == (1, "unreadable", "ok")
    assert (first["video"], second["video"]) == ("1", "2")
    assert (second["info"]["width"], second["info"]["height"]) == (160, 120)
    assert run_here("probe", broken).returncode == 3


def test_render_draws_from_tracks_alone(clip: Path, tmp_path: Path, run_here: Run) -> None:
    tracks = tmp_path / "tracks.parquet"
    tracks.write_bytes((clip / "tracks.parquet").read_bytes())
    run = run_here(
        "render", tmp_path, "-o", tmp_path / "skeleton.mp4", "--size", "source", "--json"
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == {"frames": 3}
    facts = json.loads(run_here("probe", tmp_path / "skeleton.mp4", "--decode", "--json").stdout)[0]
    assert (facts["info"]["width"], facts["info"]["height"]) == (160, 120)
    assert facts["summary"]["frames"] == 3


def test_what_paths_hold_is_shown_as_it_stands(clip: Path, tmp_path: Path, run_here: Run) -> None:
    folder = tmp_path / "x:smile:y"
    folder.mkdir()
    made = ("synth", "-o", folder, "--images", "1", "--size", "64")
    assert str(folder / "annotations.json") in run_here(*made).stdout
    assert json.loads(run_here(*made, "--json").stdout)["annotations"].startswith(str(folder))


def test_render_says_what_is_wrong_with_tracks(clip: Path, tmp_path: Path, run_here: Run) -> None:
    run = run_here("render", clip / "video.mp4", "-o", tmp_path / "skeleton.mp4")
    assert run.returncode == 1
    assert "not a Parquet file" in run.stderr
    assert run_here("render", clip, "-o", tmp_path / "skeleton.mp4", "--size", "0").returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_train_makes_a_model_that_passes_the_check_and_resumes(
    tmp_path: Path, run_here: Run
) -> None:
    command = ["train", "-o", tmp_path, "--name", "tiny", "--synthetic", "2", "--steps", "2"]
    command += ["--batch", "2", "--size", "64", "--workers", "0"]
    first = run_here(*command)
    assert first.returncode == 0, first.stderr
    assert len((tmp_path / "loss.jsonl").read_text().splitlines()) == 2
    assert "<svg" in (tmp_path / "loss.svg").read_text()
    check = run_here("models", "check", tmp_path / "tiny.safetensors", "--json")
    assert check.returncode == 0, check.stderr
    assert json.loads(check.stdout)[0]["status"] == "ok"

    weights = (tmp_path / "tiny.safetensors").read_bytes()
    assert run_here(*command).returncode == 0
    assert (tmp_path / "tiny.safetensors").read_bytes() == weights
    assert run_here(*command, "--rate", "0.5").returncode == 2


def test_train_wants_images_for_annotations(tmp_path: Path, run_here: Run) -> None:
    run = run_here("train", "-o", tmp_path / "run", "--annotations", "a.json")
    assert run.returncode == 2
    assert "--images" in run.stderr


def test_models_check_tells_of_a_missing_model(run_here: Run) -> None:
    run = run_here("models", "check", "no-such-model")
    assert run.returncode == 1
    assert "There is no such model" in run.stdout


def test_doctor_finds_this_machine_fit_and_offline() -> None:
    run = vid2kp("doctor", "--json")
    report = json.loads(run.stdout)
    findings = {check["subject"]: check for check in report["checks"]}
    assert findings["encoder"]["ok"]
    assert findings["decoders"]["ok"]
    assert findings["offline"]["ok"]
    assert report["ok"] is (run.returncode == 0)
