"""``vid2kp train`` as a user runs it: killed without warning, it goes on with the same curve."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from console import SCRIPT, vid2kp, vid2kp_here

from vid2kp.pose.weights import check_model
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
