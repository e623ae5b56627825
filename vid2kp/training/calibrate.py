"""Fits what a model's confidence is worth, on pictures that it was not trained on.

The model's confidence is the height of a peak of a belief map, which says little to a reader; a
calibrated confidence of 0.8 means that 80 % of such keypoints are within a tenth of the torso.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from vid2kp.errors import AnnotationError
from vid2kp.files import write_text
from vid2kp.pose.calibration import Calibration
from vid2kp.pose.card import Card
from vid2kp.pose.people import People
from vid2kp.pose.weights import load_model
from vid2kp.training.evaluate import CALIBRATED_WITHIN
from vid2kp.training.metrics import Comparison, compare
from vid2kp.training.results import Truth

_BINS = 12
_FOLDS = 5
_FEWEST = 50
"""Keypoints below which a curve would be chance."""


def fit_calibration(
    confidence: NDArray[np.floating],
    correct: NDArray[np.bool_],
    *,
    within: float = CALIBRATED_WITHIN,
    bins: int = _BINS,
) -> Calibration:
    """The rising curve that fits best (isotonic regression over bins of equal size).

    Each bin counts as if it had one more keypoint on either side (Laplace), so that no confidence
    becomes certainty.

    Args:
        confidence: (N,) of keypoints that were found.
        correct: (N,) whether each is within reach of its label.
        within: that reach, torso lengths.
        bins: most pieces of the curve.

    Raises:
        AnnotationError: too few keypoints to tell.
    """
    if len(confidence) < _FEWEST:
        raise AnnotationError(
            f"{len(confidence)} found keypoints are too few to fit confidence on.",
            hint=f"At least {_FEWEST} labelled keypoints must be found.",
        )
    order = np.argsort(confidence, kind="stable")
    parts = np.array_split(order, min(bins, len(order) // (_FEWEST // 5)))
    middle = np.array([confidence[part].mean() for part in parts])
    share = np.array([(correct[part].sum() + 1) / (len(part) + 2) for part in parts])
    weight = np.array([len(part) for part in parts], np.float64)
    places, same = np.unique(middle.round(6), return_inverse=True)
    total = np.bincount(same, weight)
    level = isotonic_regression(np.bincount(same, share * weight) / total, weights=total).x
    curve = level.round(4)
    return Calibration(tuple(places.tolist()), tuple(curve.tolist()), within)


def outcomes(
    comparison: Comparison, *, within: float = CALIBRATED_WITHIN
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.intp]]:
    """What a fit needs, of the labelled keypoints that were found on people with a torso.

    Returns:
        (N,) confidence, (N,) whether within reach, (N,) index of the picture.
    """
    error = comparison.torso_error
    usable = np.isfinite(error)
    picture = np.broadcast_to(comparison.picture[:, None], error.shape)
    return comparison.confidence[usable], error[usable] <= within, picture[usable]


def calibration_error(probability: NDArray[np.floating], correct: NDArray[np.bool_]) -> float:
    """Mean distance between promise and truth over ten bins, weighted by size."""
    place = np.minimum((probability * 10).astype(int), 9)
    gaps = [
        abs(float(probability[place == i].mean() - correct[place == i].mean()))
        * int((place == i).sum())
        for i in np.unique(place)
    ]
    return sum(gaps) / max(len(probability), 1)


def calibrated_apart(
    truth: Truth, predictions: Sequence[People], *, folds: int = _FOLDS
) -> list[People]:
    """Found people with the confidence that a curve fitted on the other pictures gives them.

    Args:
        truth: the annotations; pictures of one infant, where they say so, stay together.
        predictions: for each picture the people found, with the belief maps' own confidence.
        folds: parts, each calibrated by a curve fitted on the others.

    Raises:
        AnnotationError: too few keypoints to tell.
    """
    confidence, correct, picture = outcomes(compare(truth, predictions))
    clusters = [one.cluster for one in truth.pictures]
    fold = np.unique(clusters, return_inverse=True)[1] % folds
    part = fold[picture]
    curves = {
        i: fit_calibration(confidence[part != i], correct[part != i]) for i in np.unique(fold)
    }
    return [
        dataclasses.replace(people, confidence=curves[fold[i]](people.confidence))
        for i, people in enumerate(predictions)
    ]


@dataclass(frozen=True)
class Fit:
    """A calibration with what it is worth.

    Attributes:
        calibration: the curve.
        keypoints: found and labelled keypoints that it was fitted on.
        pictures: pictures that they are from.
        error_before: mean distance of confidence and share of keypoints within reach.
        error_after: the same with curves fitted on other pictures than those measured; None where
            there are too few.
    """

    calibration: Calibration
    keypoints: int
    pictures: int
    error_before: float
    error_after: float | None

    def as_dict(self) -> dict[str, Any]:
        """The fit as it stands in a model's card."""
        facts = dataclasses.asdict(self)
        del facts["calibration"]
        return self.calibration.as_dict() | {
            name: fact if fact is None else round(fact, 4) for name, fact in facts.items()
        }


def fit_people(truth: Truth, predictions: Sequence[People]) -> Fit:
    """A calibration from found people beside labelled ones.

    Args:
        truth: annotations of pictures that the model was not trained on.
        predictions: for each picture the people found, with the belief maps' own confidence
            (`Estimator(..., calibrated=False)`).

    Raises:
        AnnotationError: too few keypoints to tell.
    """
    confidence, correct, picture = outcomes(compare(truth, predictions))
    try:
        apart = outcomes(compare(truth, calibrated_apart(truth, predictions)))
        error_after = calibration_error(*apart[:2])
    except AnnotationError:  # enough to fit on, but not without a part of them
        error_after = None
    return Fit(
        calibration=fit_calibration(confidence, correct),
        keypoints=len(confidence),
        pictures=len(np.unique(picture)),
        error_before=calibration_error(confidence, correct),
        error_after=error_after,
    )


def store_calibration(model: Path, fit: Fit) -> Card:
    """Writes a calibration into a model's card.

    Args:
        model: the ``.safetensors`` file.
        fit: the curve and what it is worth.

    Returns:
        The new card.

    Raises:
        ModelError: it is no model.
        OutputError: the card cannot be written.
    """
    card = dataclasses.replace(load_model(model).card, calibration=fit.as_dict())
    write_text(model.with_suffix(".json"), card.to_json())
    return card
