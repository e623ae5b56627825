"""``vid2kp models calibrate``: what a peak is worth goes into the model's card."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from annotated import annotation, body, people, write
from console import vid2kp_here

from vid2kp.pose.lite import Lite
from vid2kp.pose.people import People
from vid2kp.pose.skeleton import INFANT22
from vid2kp.pose.weights import load_model, save_model

PICTURES = 20


def seen(*_: Any, calibrated: bool, **__: Any) -> tuple[list[People], tuple[str, ...]]:
    """Sure keypoints that are right and doubtful ones that are far away, in every picture."""
    assert not calibrated
    found = []
    for _ in range(PICTURES):
        one = people(body())
        one.confidence[:, 11:] = 0.3
        one.keypoints[:, 11:] += 30
        found.append(one)
    return found, INFANT22.keypoints


def calibrated(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    labels: list[dict[str, Any]],
) -> subprocess.CompletedProcess[str]:
    """The finished command for a new model."""
    torch.manual_seed(0)
    save_model(Lite(INFANT22, width=16), folder / "m.safetensors", input_size=128)
    pictures = write(folder / "a.json", labels)
    return vid2kp_here(
        capsys,
        *("models", "calibrate", folder / "m.safetensors", "--annotations", pictures),
        *("--images", folder, "--json"),
    )


def test_the_card_says_what_a_peak_is_worth(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vid2kp.cli.looking.look", seen)
    labels = [annotation(body(), image_id=i) for i in range(1, PICTURES + 1)]
    run = calibrated(tmp_path, capsys, labels)
    assert run.returncode == 0, run.stderr
    fit = json.loads(run.stdout)
    assert load_model(tmp_path / "m.safetensors").card.calibration == fit
    assert (fit["keypoints"], fit["pictures"]) == (22 * PICTURES, PICTURES)
    low, high = np.interp([0.3, 0.9], fit["confidence"], fit["probability"])
    assert low < 0.1 and high > 0.9
    assert fit["error_after"] < 0.1 < fit["error_before"]


def test_a_fit_that_is_worse_is_not_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two infants one is all wrong: the curve of either says nothing about the other."""

    def two(*_: Any, **__: Any) -> tuple[list[People], tuple[str, ...]]:
        found = [people(body(), confidence=0.6) for _ in range(8)]
        for one in found[4:]:
            one.keypoints[:] += 40
        return found, INFANT22.keypoints

    monkeypatch.setattr("vid2kp.cli.looking.look", two)
    labels = [annotation(body(), image_id=i) | {"infant": "AB"[i > 4]} for i in range(1, 9)]
    run = calibrated(tmp_path, capsys, labels)
    assert run.returncode == 1
    assert "no better" in run.stderr and "label more" in run.stderr
    assert load_model(tmp_path / "m.safetensors").card.calibration == {}


def test_a_fit_of_which_nothing_is_known_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vid2kp.cli.looking.look", seen)
    labels = [annotation(body(), image_id=i) | {"infant": "A"} for i in range(1, PICTURES + 1)]
    run = calibrated(tmp_path, capsys, labels)
    assert run.returncode == 0 and "is unknown" in run.stderr
    assert load_model(tmp_path / "m.safetensors").card.calibration["error_after"] is None
