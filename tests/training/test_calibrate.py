"""A calibrated confidence is the share of keypoints that are right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from annotated import annotation, body, people, truth

from vid2kp.batch.worker import _ready
from vid2kp.errors import AnnotationError, ModelError
from vid2kp.pose.calibration import Calibration
from vid2kp.pose.estimate import Estimator
from vid2kp.pose.lite import Lite
from vid2kp.pose.skeleton import INFANT22
from vid2kp.pose.weights import load_model, save_model
from vid2kp.training.calibrate import (
    Fit,
    calibrated_apart,
    fit_calibration,
    fit_people,
    outcomes,
    store_calibration,
)
from vid2kp.training.metrics import compare


def drawn(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints whose confidence is too low by far: they are right with √confidence."""
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.1, 0.7, count)
    return confidence, rng.random(count) < np.sqrt(confidence)


def test_the_curve_finds_the_truth() -> None:
    fit = fit_calibration(*drawn(20_000))
    for confidence in (0.2, 0.35, 0.5, 0.65):
        assert fit(np.array(confidence)) == pytest.approx(np.sqrt(confidence), abs=0.04)


def test_the_curve_rises_and_is_never_certain() -> None:
    for seed in range(5):
        fit = fit_calibration(*drawn(80, seed))
        assert (np.diff(fit.confidence) > 0).all() and (np.diff(fit.probability) >= 0).all()
        assert fit.probability[0] > 0 and fit.probability[-1] < 1
    sure = fit_calibration(np.linspace(0.1, 0.9, 100), np.ones(100, bool))
    assert sure.probability[-1] < 1


def test_equal_confidence_makes_one_level() -> None:
    fit = fit_calibration(np.full(60, 0.5), np.arange(60) < 30)
    assert len(fit.confidence) == 1
    assert float(fit(np.array(0.9))) == pytest.approx(0.5)


def test_what_was_not_found_stays_so_and_ends_are_level() -> None:
    curve = Calibration((0.2, 0.6), (0.3, 0.9), 0.1)
    got = curve(np.array([[np.nan, 0.0], [0.4, 1.0]]))
    np.testing.assert_allclose(got, [[np.nan, 0.3], [0.6, 0.9]], rtol=1e-6)
    assert got.dtype == np.float32


def test_what_a_fit_is_worth_is_measured_on_other_infants(tmp_path: Path) -> None:
    """Of two infants one is all wrong: a curve that knows only the other cannot tell."""
    labels = [annotation(body(), image_id=i) for i in range(1, 9)]
    found = [people(body(), confidence=0.6) for _ in labels]
    for one in found[4:]:
        one.keypoints[:] += 40
    apart = fit_people(truth(tmp_path, labels), found)
    named = [one | {"infant": "AB"[i // 4]} for i, one in enumerate(labels)]
    together = fit_people(truth(tmp_path, named), found)
    assert apart.error_after is not None and apart.error_after < 0.2
    assert together.error_after is not None and together.error_after > 0.9
    assert apart.calibration == together.calibration


def test_what_a_fit_is_worth_is_unknown_without_others(tmp_path: Path) -> None:
    labels = [annotation(body(), image_id=i) | {"infant": "A"} for i in range(1, 4)]
    fit = fit_people(truth(tmp_path, labels), [people(body())] * 3)
    assert fit.keypoints == 66 and fit.error_after is None
    assert fit.as_dict()["error_after"] is None


def test_too_few_keypoints_are_refused() -> None:
    with pytest.raises(AnnotationError, match="too few"):
        fit_calibration(*drawn(20))


def test_outcomes_are_those_of_found_and_labelled_keypoints(tmp_path: Path) -> None:
    labels = [annotation(body(), image_id=1, unlabelled=("nose",)), annotation(body(), image_id=2)]
    partly = body(212)
    partly[4:] = np.nan
    both = compare(truth(tmp_path, labels), [people(body(), confidence=0.7), people(partly)])
    confidence, correct, picture = outcomes(both)
    assert confidence == pytest.approx([0.7] * 21 + [0.9] * 4)
    assert correct.tolist() == [True] * 21 + [False] * 4
    assert picture.tolist() == [0] * 21 + [1] * 4


def test_a_pictures_confidence_comes_from_the_others(tmp_path: Path) -> None:
    """A picture that is all wrong does not know it."""
    labels = [annotation(body(), image_id=i) for i in range(1, 11)]
    found = [people(body(), confidence=0.6) for _ in labels]
    found[4].keypoints[:] += 40
    apart = calibrated_apart(truth(tmp_path, labels), found)
    promised = [float(one.confidence.mean()) for one in apart]
    assert promised[4] > 0.92
    assert sorted(p > 0.92 for p in promised) == [False] * 8 + [True] * 2, "one part of five"
    assert all(0.75 < p < 0.87 for p in promised if p <= 0.92)
    np.testing.assert_array_equal(apart[4].keypoints, found[4].keypoints)


def test_a_calibration_is_kept_in_the_card(tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = tmp_path / "m.safetensors"
    save_model(Lite(INFANT22, width=16), path, input_size=128)
    fit = Fit(fit_calibration(*drawn(500)), 500, 25, 0.2, 0.03)
    before = _ready(Estimator(load_model(path), device="cpu"), limited=False)
    store_calibration(path, fit)
    card = load_model(path).card
    after = _ready(Estimator(load_model(path), device="cpu"), limited=False)
    assert before.model_sha256 != after.model_sha256, "finished videos are done again"
    assert Calibration.from_dict(card.calibration) == fit.calibration
    assert card.calibration["keypoints"] == 500
    assert card.calibration["error_after"] == 0.03


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"confidence": [0.1], "probability": ["x"], "within": 0.1},
        {"confidence": [0.1, 0.2], "probability": [0.5], "within": 0.1},
        {"confidence": [0.2, 0.1], "probability": [0.1, 0.2], "within": 0.1},
        {"confidence": [0.1, 0.2], "probability": [0.4, 0.2], "within": 0.1},
        {"confidence": [0.1, 0.2], "probability": [0.4, 1.2], "within": 0.1},
        {"confidence": [], "probability": [], "within": 0.1},
    ],
)
def test_other_values_are_no_calibration(values: dict[str, object]) -> None:
    with pytest.raises(ModelError, match="calibration"):
        Calibration.from_dict(values)
