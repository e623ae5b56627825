"""``vid2kp labelme2coco`` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from console import vid2kp, vid2kp_here
from PIL import Image


def labels(folder: Path, name: str, label: str = "nose", *, width: int = 60) -> None:
    folder.mkdir(exist_ok=True)
    Image.new("RGB", (60, 40)).save(folder / f"{name}.png")
    shape = {"label": label, "points": [[10, 20]], "group_id": None, "shape_type": "point"}
    document = {"shapes": [shape], "imagePath": f"{name}.png", "imageWidth": width}
    (folder / f"{name}.json").write_text(json.dumps({**document, "imageHeight": 40}))


def test_labels_become_annotations(tmp_path: Path) -> None:
    labels(tmp_path / "labels", "a")
    labels(tmp_path / "labels", "b", "mystery")
    run = vid2kp("labelme2coco", tmp_path / "labels", "-o", tmp_path / "coco.json")
    assert run.returncode == 1, "a picture whose labels mean nothing is no empty bed"
    assert "b.json" in run.stdout and "unknown label 'mystery'" in run.stdout
    assert "1 pictures, 1 people" in run.stdout
    document = json.loads((tmp_path / "coco.json").read_text())
    assert [image["file_name"] for image in document["images"]] == ["a.png"]


def test_files_left_out_are_in_the_exit_code(tmp_path: Path) -> None:
    labels(tmp_path / "labels", "a")
    labels(tmp_path / "labels", "b", width=61)
    run = vid2kp("labelme2coco", tmp_path / "labels", "-o", tmp_path / "coco.json", "--json")
    assert run.returncode == 1
    (problem,) = json.loads(run.stdout)["problems"]
    assert (problem["file"], problem["left_out"]) == ("b.json", True)
    assert (tmp_path / "coco.json").exists()


def test_nothing_of_use_writes_nothing(tmp_path: Path) -> None:
    labels(tmp_path / "labels", "b", width=61)
    run = vid2kp("labelme2coco", tmp_path / "labels", "-o", tmp_path / "coco.json")
    assert run.returncode == 3
    assert not (tmp_path / "coco.json").exists()


def test_labels_are_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels(tmp_path / "labels", "a")
    file = tmp_path / "labels" / "a.json"
    before = file.read_bytes()
    run = vid2kp_here(capsys, "labelme2coco", tmp_path / "labels", "-o", file)
    assert run.returncode == 2
    assert "would be lost" in run.stderr
    assert file.read_bytes() == before
