"""``vid2kp train`` as a user runs it: killed without warning, it goes on with the same curve."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from console import SCRIPT, vid2kp, vid2kp_here

from vid2kp.pose.calibration import Calibration
from vid2kp.pose.lite import Lite
from vid2kp.pose.skeleton import INFANT22
from vid2kp.pose.weights import check_model, load_model, save_model
from vid2kp.training.calibrate import Fit, store_calibration
from vid2kp.training.synthetic import write_images

STEPS = 30


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A training without its folder."""
    folder = tmp_path_factory.mktemp("pictures")
    annotations = write_images(folder, count=4, seed=3, size=96)
    return [
        *("train", "--annotations", str(annotations), "--images", str(folder / "images")),
        *("--steps", str(STEPS), "--batch", "2", "--size", "64", "--workers", "0"),
        *("--precision", "fp32", "--device", "cpu", "--every", "1", "--optimizer", "sgd"),
        *("--schedule", "constant", "--rate", "0.01", "--quiet", "-o"),
    ]


def losses(folder: Path) -> list[float]:
    lines = (folder / "loss.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_training_killed_at_once_goes_on_with_the_same_loss_curve(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut, whole = tmp_path / "cut", tmp_path / "whole"
    run = subprocess.Popen([str(SCRIPT), *command, str(cut)])
    while not (cut / "checkpoint.pt").exists() and run.poll() is None:
        time.sleep(0.02)
    run.kill()
    assert run.wait() == -9
    assert 0 < len(losses(cut)) < STEPS

    again = vid2kp(*command, cut)
    assert again.returncode == 0, again.stderr
    straight = vid2kp_here(capsys, *command, whole)
    assert straight.returncode == 0, straight.stderr
    assert len(losses(whole)) == STEPS
    assert losses(cut) == losses(whole)
    check_model(cut / "my-model.safetensors")
    assert (cut / "my-model.safetensors").read_bytes() == (
        whole / "my-model.safetensors"
    ).read_bytes()


def test_a_card_says_where_the_weights_come_from(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parent = save_model(
        Lite(INFANT22, width=16),
        tmp_path / "old.safetensors",
        input_size=64,
        licence="CC-BY-NC-4.0",
    )
    tune = [*command, tmp_path / "run", "--steps", "2", "--from", tmp_path / "old.safetensors"]
    assert vid2kp_here(capsys, *tune).returncode == 0
    card = load_model(tmp_path / "run" / "my-model").card
    assert card.licence == "CC-BY-NC-4.0"
    names = {"name": "old", "sha256": parent.sha256, "licence": "CC-BY-NC-4.0"}
    assert card.training["parent"] == names
    (source,) = card.training["sources"]
    assert (source["share"], source["pictures"]) == (1, 4) and len(source["labels_sha256"]) == 64
    assert str(tmp_path) not in card.to_json() and "pictures0" not in card.to_json()

    store_calibration(
        tmp_path / "run" / "my-model.safetensors",
        Fit(Calibration((0.1, 0.9), (0.2, 0.8), 0.1), 500, 25, 0.2, 0.03),
    )
    assert vid2kp_here(capsys, *tune).returncode == 0
    assert load_model(tmp_path / "run" / "my-model").card.calibration["keypoints"] == 500
    assert vid2kp_here(capsys, *tune, "--licence", "MIT").returncode == 0
    again = load_model(tmp_path / "run" / "my-model").card
    assert again.licence == "MIT" and again.calibration["keypoints"] == 500

    assert vid2kp_here(capsys, *command, tmp_path / "new", "--steps", "1").returncode == 0
    card = load_model(tmp_path / "new" / "my-model").card
    assert card.licence == "NOASSERTION" and "parent" not in card.training


@pytest.mark.parametrize("name", ["a/b", "", "..", "my model", "a\\b", "x" * 65])
def test_a_name_that_cannot_be_one_is_told_before_the_training(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    run = vid2kp_here(capsys, *command, tmp_path / "run", "--name", name)
    assert run.returncode == 2 and "A model's name" in run.stderr
    assert not (tmp_path / "run").exists()


def test_a_model_that_is_not_there_is_told_before_pictures_are_rendered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = vid2kp_here(
        capsys, "train", "-o", tmp_path / "run", "--synthetic", "2", "--from", "nosuch"
    )
    assert run.returncode != 0 and "no such model" in run.stderr
    assert not (tmp_path / "run").exists()


def test_synthetic_pictures_of_another_seed_are_made_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vid2kp.training.synthetic.SIZE", 64)
    made: list[str] = []
    for name, seed in (("a", 0), ("b", 1), ("c", 1)):
        command = ("train", "-o", tmp_path, "--name", name, "--synthetic", "2", "--seed", seed)
        (tmp_path / "checkpoint.pt").unlink(missing_ok=True)
        run = vid2kp_here(
            capsys,
            *map(str, command),
            *("--steps", "1", "--batch", "1", "--size", "64", "--workers", "0", "--quiet"),
            *("--device", "cpu", "--precision", "fp32"),
        )
        assert run.returncode == 0, run.stderr
        made.append((tmp_path / "synthetic" / "annotations.json").read_text())
    assert made[0] != made[1] == made[2]
