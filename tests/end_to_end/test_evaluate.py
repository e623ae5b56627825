"""``vid2kp evaluate`` as a user runs it: a model, a results file, nothing found, wrong usage."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from annotated import annotation, body, people, truth, write
from console import vid2kp, vid2kp_here

from vid2kp.pose.lite import Lite
from vid2kp.pose.people import People
from vid2kp.pose.skeleton import INFANT22
from vid2kp.pose.weights import save_model
from vid2kp.training.results import read_truth, write_results

INFANTDEV = Path(__file__).resolve().parents[3] / "shared" / "data" / "infantdev"


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Two annotated pictures in ``images``; returns the annotation file."""
    (tmp_path / "images").mkdir()
    for i in (1, 2):
        picture = np.random.default_rng(i).integers(0, 255, (400, 400, 3), np.uint8)
        cv2.imwrite(str(tmp_path / "images" / f"{i}.png"), picture)
    return write(tmp_path / "a.json", [annotation(body(), image_id=i) for i in (1, 2)])


def test_a_model_and_its_saved_results_have_the_same_figures(
    labelled: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    network = Lite(INFANT22, width=16)
    for branch in (network.stage2[1].confidence, network.stage2[1].affinity):
        torch.nn.init.normal_(branch[1].weight, std=100)  # sees people in noise
    save_model(network, tmp_path / "m.safetensors", input_size=128)
    options = ("--annotations", labelled, "--samples", "20", "--json")
    model = ("--images", tmp_path / "images", "--model", tmp_path / "m.safetensors", "--no-zoom")
    run = vid2kp("evaluate", *options, *model, "--save-results", tmp_path / "r.json")
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout)
    entries = json.loads((tmp_path / "r.json").read_text())
    assert entries and {entry["image_id"] for entry in entries} <= {1, 2}

    again = vid2kp("evaluate", *options, "--results", tmp_path / "r.json")
    whole = json.loads(again.stdout)["groups"][0]["figures"]["all"]
    for name, figure in report["groups"][0]["figures"]["all"].items():
        if figure["value"] is None:
            assert whole[name]["value"] is None
        else:
            assert whole[name]["value"] == pytest.approx(figure["value"], abs=1e-3)


def test_an_attribute_that_no_picture_has_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth(tmp_path, [annotation(body(), image_id=1)], images=[{"id": 1, "view": "side"}])
    (tmp_path / "r.json").write_text("[]")
    given = ("--annotations", tmp_path / "truth.json", "--results", tmp_path / "r.json")
    run = vid2kp_here(capsys, "evaluate", *given, "--samples", "0", "--by", "nosuch")
    assert "No picture has the attribute nosuch; there are id, view." in run.stderr
    run = vid2kp_here(capsys, "evaluate", *given, "--samples", "0", "--by", "view")
    assert "No picture has" not in run.stderr


@pytest.mark.parametrize("made", ["--save-results", "--draw"])
def test_hand_made_labels_are_never_overwritten(
    labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], made: str
) -> None:
    before = labelled.read_bytes()
    (tmp_path / "r.json").write_text("[]")
    given = ("--annotations", labelled, "--results", tmp_path / "r.json", "--samples", "0")
    picture = tmp_path / "images" / "1.png"
    given += ("--images", tmp_path / "images")
    for read in (labelled, tmp_path / "r.json", picture):
        run = vid2kp_here(capsys, "evaluate", *given, made, read)
        assert run.returncode == 2
        assert "would be lost" in run.stderr
    assert cv2.imread(str(picture)).shape == (400, 400, 3)
    assert labelled.read_bytes() == before
    assert (tmp_path / "r.json").read_text() == "[]"


def test_results_become_tables_and_plots(tmp_path: Path) -> None:
    read = truth(
        tmp_path,
        [annotation(body(), image_id=i) for i in (1, 2, 3)],
        images=[{"id": i, "view": "side" if i == 3 else "supine"} for i in (1, 2, 3)],
    )
    write_results(tmp_path / "r.json", [people(body(), scores=(0.1 * i,)) for i in (4, 5, 6)], read)
    run = vid2kp(
        "evaluate",
        *("--annotations", tmp_path / "truth.json", "--results", tmp_path / "r.json"),
        *("--plots", tmp_path / "plots"),
    )
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert lines[0] == "3 pictures, 3 people"
    (ap,) = (line for line in lines if line.startswith("AP "))
    assert ap.split() == ["AP", "1", "1–1", "1", "1–1"]
    assert any(line.startswith("supine") for line in lines)
    assert any(line.startswith("right_foot") for line in lines)
    assert len(list((tmp_path / "plots").iterdir())) == 8
    assert "\x1b" not in run.stdout


def test_nobody_found_is_no_failure(labelled: Path, tmp_path: Path) -> None:
    write_results(tmp_path / "r.json", [People.none(22)] * 2, read_truth(labelled))
    run = vid2kp("evaluate", "--annotations", labelled, "--results", tmp_path / "r.json")
    assert run.returncode == 0, run.stderr
    assert "Nobody was found" in run.stderr


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        ((), "--model and --results", 2),
        (("--model", "m"), "needs pictures", 2),
        (("--results", "none.json"), "results file does not exist", 1),
        (("--results", "a.json"), "not as COCO keypoint results", 1),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(
    labelled: Path, tmp_path: Path, arguments: tuple[str, ...], words: str, code: int
) -> None:
    run = vid2kp("evaluate", "--annotations", labelled, *arguments, cwd=tmp_path)
    assert run.returncode == code
    assert words in run.stderr
    assert "Traceback" not in run.stderr
    assert run.stdout == ""


@pytest.mark.skipif(not INFANTDEV.is_dir(), reason="the labelled infants are not here")
def test_the_labels_of_real_annotations_are_perfect_results(tmp_path: Path) -> None:
    read = read_truth(INFANTDEV / "val.json")
    found = []
    for i, person in enumerate(read.people):
        assert person.picture == i
        found.append(people(person.keypoints, scores=(0.5 + i / 200,)))
    write_results(tmp_path / "r.json", found, read)
    run = vid2kp(
        "evaluate",
        *("--annotations", INFANTDEV / "val.json", "--results", tmp_path / "r.json"),
        *("--samples", "10", "--json"),
    )
    report = json.loads(run.stdout)
    assert [group["name"] for group in report["groups"]][:3] == ["all", "supine", "side"]
    for group in report["groups"]:
        for figures in group["figures"].values():
            perfect = [figures[name]["value"] for name in ("ap", "ar", "pck_10", "pcksh_10", "mks")]
            assert perfect == pytest.approx([1] * 5, abs=1e-4)
            assert figures["missing"]["value"] == figures["redundant"]["value"] == 0
