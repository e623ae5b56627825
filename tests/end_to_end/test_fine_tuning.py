"""The worked example of the model card, run as it stands there, in small."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import cv2
import pytest
from console import vid2kp, vid2kp_here

from vid2kp.pose.weights import load_model
from vid2kp.training.synthetic import write_images
from vid2kp.training.synthetic_video import VideoOptions, write_video

CARD = Path(__file__).parents[2] / "weights" / "MODEL_CARD.md"
SMALL = {
    "train": ("--synthetic 2000 --steps 2000", "--synthetic 1 --steps 1 --size 64 --batch 2"),
    "evaluate": ("", "--samples 20"),
}


def commands() -> list[str]:
    """The commands of the card's last example, each on one line."""
    text = CARD.read_text(encoding="utf-8").partition("## Fine-tuning on your own labels")[2]
    block = re.search(r"```sh\n(.*?)```", text, re.S)
    assert block
    return block[1].replace("\\\n", " ").strip().splitlines()


def labelled_with_labelme(folder: Path, seed: int) -> None:
    """Eight synthetic pictures with the files that labelme writes beside them."""
    made = folder.with_name(f"made-{seed}")
    document = json.loads(write_images(made, count=8, seed=seed, size=160).read_text())
    folder.mkdir()
    names = document["categories"][0]["keypoints"]
    for image, person in zip(document["images"], document["annotations"], strict=True):
        picture = cv2.imread(str(made / "images" / image["file_name"]))
        cv2.imwrite(str(folder / f"{image['id']}.png"), picture)
        points = zip(names, person["keypoints"][::3], person["keypoints"][1::3], strict=True)
        shapes = [
            {"label": name, "points": [[x, y]], "shape_type": "point", "group_id": None}
            for name, x, y in points
        ]
        label = {"shapes": shapes, "imagePath": f"{image['id']}.png"}
        size = {"imageWidth": 160, "imageHeight": 160}
        (folder / f"{image['id']}.json").write_text(json.dumps(label | size))


def test_the_example_of_fine_tuning_works_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, seed in (("LABELS", 1), ("OTHER_LABELS", 2)):
        labelled_with_labelme(tmp_path / name, seed)
    (tmp_path / "VIDEOS").mkdir()
    made = write_video(tmp_path, options=VideoOptions(seconds=0.12, width=160, height=120))
    made.video.replace(tmp_path / "VIDEOS" / "a.mp4")

    ran = []
    for line in commands():
        program, command, *rest = shlex.split(line)
        assert program == "vid2kp"
        words = shlex.join(rest)
        if command in SMALL:
            usual, small = SMALL[command]
            assert usual in words
            words = words.replace(usual, small) if usual else f"{words} {small}"
        if command == "train":
            words += " --workers 0 --device cpu"
        arguments = (command, *shlex.split(words))
        alone = command == "convert"  # which starts processes of its own
        run = vid2kp(*arguments, cwd=tmp_path) if alone else vid2kp_here(capsys, *arguments)
        assert run.returncode == 0, f"{line}\n{run.stderr}"
        ran.append(command)
    assert ran[0] == "labelme2coco" and ran[-1] == "convert" and "train" in ran
    assert load_model(tmp_path / "run" / "my-model.safetensors").card.calibration["keypoints"] >= 50
    assert list((tmp_path / "OUT").rglob("tracks.parquet"))
