"""``vid2kp models calibrate``: what a peak is worth goes into the model's card."""

from __future__ import annotations

import json
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


def test_the_card_says_what_a_peak_is_worth(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    model = tmp_path / "m.safetensors"
    save_model(Lite(INFANT22, width=16), model, input_size=128)
    labels = [annotation(body(), image_id=i) for i in range(1, PICTURES + 1)]
    pictures = write(tmp_path / "a.json", labels)
    monkeypatch.setattr("vid2kp.cli.looking.look", seen)
    run = vid2kp_here(
        capsys,
        *("models", "calibrate", model, "--annotations", pictures),
        *("--images", tmp_path, "--json"),
    )
    assert run.returncode == 0, run.stderr
    fit = json.loads(run.stdout)
    assert load_model(model).card.calibration == fit
    assert (fit["keypoints"], fit["pictures"]) == (22 * PICTURES, PICTURES)
    low, high = np.interp([0.3, 0.9], fit["confidence"], fit["probability"])
    assert low < 0.1 and high > 0.9
    assert fit["error_after"] < 0.1 < fit["error_before"]
