"""``vid2kp models import`` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from console import vid2kp, vid2kp_here
from safetensors.torch import save_file

from vid2kp.pose.openpose import OpenPose
from vid2kp.pose.skeleton import COCO18


def save_checkpoint(path: Path, *, fields: int = 38, bias: float = 0.0) -> None:
    """A file as caffemodel2pytorch writes it, with one stage."""
    network = OpenPose(COCO18, stages=1)
    state = network.state_dict()
    tensors = {
        f"{name}.{kind}": state[f"{prefix}.{kind}"]
        for name, prefix in network.caffe_names().items()
        for kind in ("weight", "bias")
    }
    tensors["conv5_5_CPM_L1.weight"] = torch.zeros(fields, 512, 1, 1)
    tensors["conv1_1.bias"] = torch.full((64,), bias)
    torch.save(tensors, path)


def test_a_checkpoint_becomes_a_model(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c.pth")
    out = tmp_path / "cmu.safetensors"
    run = vid2kp(
        "models", "import", tmp_path / "c.pth", "-o", out, "--skeleton", "infant22", "--json"
    )
    assert run.returncode == 0, run.stderr
    card = json.loads(run.stdout)
    assert (card["name"], card["architecture"], card["skeleton"]) == ("cmu", "openpose", "infant22")
    assert card["licence"] == "NOASSERTION"
    assert "left_hand" in card["training"]["untrained"]
    assert "left_hand" in run.stderr
    assert vid2kp("models", "check", out).returncode == 0


def test_a_checkpoint_that_does_not_fit_is_reported(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c.pth", fields=28)
    run = vid2kp("models", "import", tmp_path / "c.pth", "-o", tmp_path / "m.safetensors")
    assert run.returncode == 1
    assert "conv5_5_CPM_L1.weight  (28, 512, 1, 1)  (38, 512, 1, 1)" in run.stdout
    assert "does not fit" in run.stderr
    assert not (tmp_path / "m.safetensors").exists()


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c.pth", bias=float("nan"))
    run = vid2kp("models", "import", tmp_path / "c.pth", "-o", tmp_path / "m.safetensors")
    assert run.returncode == 1
    assert "The maps of model m are not finite." in run.stderr
    assert not (tmp_path / "m.safetensors").exists()


def test_the_file_that_a_model_is_made_of_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "b.safetensors"
    save_file(OpenPose(COCO18, stages=1).state_dict(), path)
    before = path.read_bytes()
    run = vid2kp_here(capsys, "models", "import", path, "-o", path)
    assert run.returncode == 2 and "would replace the file" in run.stderr
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    run = vid2kp_here(capsys, "models", "import", path, "-o", tmp_path / "a model")
    assert run.returncode == 2 and "A model's name" in run.stderr


def test_a_name_with_a_point_is_that_of_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_checkpoint(tmp_path / "c.pth")
    run = vid2kp_here(capsys, "models", "import", tmp_path / "c.pth", "-o", tmp_path / "coco.v1")
    assert run.returncode == 0, run.stderr
    assert str(tmp_path / "coco.v1.safetensors") in run.stdout
    assert (tmp_path / "coco.v1.safetensors").exists()
