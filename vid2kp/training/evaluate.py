"""The figures of a model: found people against labelled people, with bootstrap intervals.

Overall and for groups of pictures (their ``view``), over all keypoints of the annotations and
over sets of them; per keypoint; and how far the confidence can be believed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vid2kp.pose.people import People
from vid2kp.training.bootstrap import Estimate, ratio, resample, with_interval
from vid2kp.training.metrics import (
    Bools,
    Comparison,
    compare,
    correct,
    similarity,
    swapped,
)
from vid2kp.training.oks_eval import score_oks, sigma_of
from vid2kp.training.results import Truth

COCO17 = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
"""COCO's keypoints, which most published figures are about."""

EVERYTHING = "all"
CURVE = tuple(round(0.02 * i, 2) for i in range(26))
"""Thresholds of the PCK curve, torso lengths."""

_CONFIDENCE_BINS = 10
CALIBRATED_WITHIN = 0.1
"""Torso lengths: a confidence of 0.8 should mean that 80 % are nearer than this."""


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """How to evaluate.

    Attributes:
        by: the attribute of the annotated pictures that makes groups.
        samples: bootstrap resamples; 0 for none.
        seed: of the resamples.
    """

    by: str = "view"
    samples: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class Figures:
    """The figures of one group of pictures over one set of keypoints.

    Attributes:
        ap, ap50, ap75, ar: COCO average precision and recall over object keypoint similarity.
        pck_10, pck_20: share of the labelled keypoints found within 0.1 and 0.2 torso lengths.
        pcksh_10, pcksh_20: the same with S, see `vid2kp.training.metrics.body_length`.
        mks: mean keypoint similarity with S.
        median, p95: error of the found keypoints, torso lengths.
        missing: share of the labelled keypoints that were not found.
        swaps: share of the found keypoints of a pair that lie on the other side's label.
        redundant: share of the found people that are nobody.
        missed: share of the labelled people whom nobody found is.
    """

    ap: Estimate
    ap50: Estimate
    ap75: Estimate
    ar: Estimate
    pck_10: Estimate
    pck_20: Estimate
    pcksh_10: Estimate
    pcksh_20: Estimate
    mks: Estimate
    median: Estimate
    p95: Estimate
    missing: Estimate
    swaps: Estimate
    redundant: Estimate
    missed: Estimate


@dataclass(frozen=True)
class Group:
    """Some of the pictures.

    Attributes:
        name: the attribute's value, or ``all``.
        pictures: how many.
        people: labelled people in them.
        figures: by name of the keypoint set.
        curve: share of all keypoints within each threshold of `CURVE`.
    """

    name: str
    pictures: int
    people: int
    figures: dict[str, Figures]
    curve: tuple[float | None, ...]


@dataclass(frozen=True)
class KeypointFigures:
    """One keypoint, over all pictures; see `Figures`."""

    name: str
    sigma: float
    labelled: int
    pck_10: float | None
    pck_20: float | None
    median: float | None
    p95: float | None
    missing: float | None
    swaps: float | None


@dataclass(frozen=True)
class ConfidenceBin:
    """The found keypoints of people with a torso whose confidence is in one range.

    Attributes:
        low: lower end of the range.
        high: upper end.
        count: how many.
        confidence: their mean confidence.
        within: the share of them within `CALIBRATED_WITHIN` torso lengths.
        median: their median error, torso lengths.
    """

    low: float
    high: float
    count: int
    confidence: float | None
    within: float | None
    median: float | None


@dataclass(frozen=True)
class Report:
    """The whole evaluation.

    Attributes:
        sets: keypoint names of each set.
        by: the attribute that makes the groups.
        groups: all pictures first, then the groups.
        keypoints: each keypoint.
        calibration: by confidence, low to high.
        calibration_error: mean distance of confidence and share within reach, weighted by count.
        clusters: how many independent units (infants, or pictures) the intervals are made of.
        samples: how many resamples they are made of.
        without_torso: labelled people without neck or hips, left out where torsos are the measure.
        notes: what a reader of the figures must know.
    """

    sets: dict[str, tuple[str, ...]]
    by: str
    groups: tuple[Group, ...]
    keypoints: tuple[KeypointFigures, ...]
    calibration: tuple[ConfidenceBin, ...]
    calibration_error: float | None
    clusters: int
    samples: int
    without_torso: int
    notes: tuple[str, ...]


def evaluate(
    truth: Truth,
    predictions: Sequence[People],
    *,
    known: Sequence[str] | None = None,
    options: EvaluateOptions | None = None,
) -> Report:
    """Compares what was found with what is labelled.

    Args:
        truth: the annotations.
        predictions: for each picture of `truth` the people found, keypoints in its order.
        known: keypoints that can be found; if left out, those that were found at least once. If
            they are not all that are annotated, they make a set of their own, ``known``.
        options: groups and intervals.
    """
    options = options or EvaluateOptions()
    whole = compare(truth, predictions)
    sets = _keypoint_sets(truth, _found_once(truth, predictions) if known is None else known)
    clusters = np.array([picture.cluster for picture in truth.pictures])
    groups = []
    for name, members in _groups(truth, options.by):
        counts = resample(clusters[members].tolist(), options.samples, seed=options.seed)
        part = whole.of(range(len(truth.keypoints)), members)
        figures = {
            key: _figures(
                truth,
                predictions,
                whole.of(indices, members),
                keypoints=indices,
                pictures=np.flatnonzero(members),
                counts=counts,
            )
            for key, indices in sets.items()
        }
        groups.append(Group(name, int(members.sum()), len(part.labels), figures, _curve(part)))
    bins = _calibration(whole)
    return Report(
        sets={key: tuple(truth.keypoints[k] for k in ks) for key, ks in sets.items()},
        by=options.by,
        groups=tuple(groups),
        keypoints=tuple(_keypoint_figures(whole, k) for k in range(len(truth.keypoints))),
        calibration=bins,
        calibration_error=_calibration_error(bins),
        clusters=len(set(clusters.tolist())),
        samples=options.samples,
        without_torso=int(np.isnan(whole.torso).sum()),
        notes=_notes(whole, predictions) + _unknown_group(truth, options.by),
    )


def _keypoint_sets(truth: Truth, known: Sequence[str]) -> dict[str, list[int]]:
    names = truth.keypoints
    sets = {EVERYTHING: list(range(len(names)))}

    def add(key: str, members: Sequence[str]) -> None:
        indices = [k for k, name in enumerate(names) if name in members]
        if indices and indices not in sets.values():
            sets[key] = indices

    if set(COCO17) <= set(names):
        add("coco17", COCO17)
    add("known", known)
    return sets


def _found_once(truth: Truth, predictions: Sequence[People]) -> list[str]:
    ever = np.zeros(len(truth.keypoints), bool)
    for people in predictions:
        ever |= people.found.any(0)
    return [name for name, found in zip(truth.keypoints, ever, strict=True) if found]


def _groups(truth: Truth, by: str) -> list[tuple[str, Bools]]:
    """All pictures, then those of each value of the attribute, the largest group first."""
    values = [picture.attributes.get(by) for picture in truth.pictures]
    named = Counter(str(value) for value in values if value is not None)
    groups = [(EVERYTHING, np.ones(len(values), bool))]
    if len(named) > 1:
        groups += [
            (name, np.array([value is not None and str(value) == name for value in values]))
            for name, _ in named.most_common()
        ]
    return groups


def _figures(
    truth: Truth,
    predictions: Sequence[People],
    part: Comparison,
    *,
    keypoints: list[int],
    pictures: NDArray[np.intp],
    counts: NDArray[np.float64],
) -> Figures:
    def share(terms: tuple[NDArray[np.generic], Bools]) -> Estimate:
        return ratio(part.per_picture(terms[0]), part.per_picture(terms[1]), counts)

    scores = score_oks(truth, predictions, keypoints=keypoints, pictures=pictures.tolist())
    samples = scores.resampled(counts).T
    means = (scores.ap, scores.ap50, scores.ap75, scores.ar)
    ap, ap50, ap75, ar = (
        with_interval(value, column) for value, column in zip(means, samples, strict=True)
    )
    found = np.isfinite(part.found[..., 0])
    everyone = np.ones((len(part.labels), 1), bool)
    errors = part.torso_error[np.isfinite(part.torso_error)]
    return Figures(
        ap=ap,
        ap50=ap50,
        ap75=ap75,
        ar=ar,
        pck_10=share(correct(part, 0.1, scale=part.torso)),
        pck_20=share(correct(part, 0.2, scale=part.torso)),
        pcksh_10=share(correct(part, 0.1, scale=part.body)),
        pcksh_20=share(correct(part, 0.2, scale=part.body)),
        mks=share(similarity(part)),
        median=Estimate(_percentile(errors, 50)),
        p95=Estimate(_percentile(errors, 95)),
        missing=share((part.labelled & ~found, part.labelled)),
        swaps=share(swapped(part)),
        redundant=ratio(part.redundant, part.predicted, counts),
        missed=share((~part.matched[:, None], everyone)),
    )


def _percentile(values: NDArray[np.float64], q: float) -> float | None:
    return float(np.percentile(values, q)) if len(values) else None


def _share(part: Bools, whole: Bools) -> float | None:
    return float(part.sum() / whole.sum()) if whole.any() else None


def _curve(part: Comparison) -> tuple[float | None, ...]:
    return tuple(_share(*correct(part, within, scale=part.torso)) for within in CURVE)


def _keypoint_figures(whole: Comparison, k: int) -> KeypointFigures:
    exchanged, pairs = (side[:, k] for side in swapped(whole))
    errors = whole.torso_error[:, k]
    errors = errors[np.isfinite(errors)]
    labelled, found = whole.labelled[:, k], np.isfinite(whole.found[:, k, 0])

    def pck(within: float) -> float | None:
        right, counted = correct(whole, within, scale=whole.torso)
        return _share(right[:, k], counted[:, k])

    return KeypointFigures(
        name=whole.keypoints[k],
        sigma=sigma_of(whole.keypoints[k]),
        labelled=int(labelled.sum()),
        pck_10=pck(0.1),
        pck_20=pck(0.2),
        median=_percentile(errors, 50),
        p95=_percentile(errors, 95),
        missing=_share(labelled & ~found, labelled),
        swaps=_share(exchanged, pairs),
    )


def _calibration(whole: Comparison) -> tuple[ConfidenceBin, ...]:
    error = whole.torso_error
    usable = np.isfinite(error)
    error, confidence = error[usable], whole.confidence[usable]
    edges = np.linspace(0, 1, _CONFIDENCE_BINS + 1)
    place = np.clip(np.digitize(confidence, edges) - 1, 0, _CONFIDENCE_BINS - 1)
    bins = []
    for i, (low, high) in enumerate(pairwise(edges)):
        here = error[place == i]
        bins.append(
            ConfidenceBin(
                low=round(float(low), 3),
                high=round(float(high), 3),
                count=len(here),
                confidence=float(confidence[place == i].mean()) if len(here) else None,
                within=float((here <= CALIBRATED_WITHIN).mean()) if len(here) else None,
                median=_percentile(here, 50),
            )
        )
    return tuple(bins)


def _calibration_error(bins: Sequence[ConfidenceBin]) -> float | None:
    total = sum(b.count for b in bins)
    if not total:
        return None
    gaps = (b.count * abs((b.confidence or 0) - (b.within or 0)) for b in bins)
    return sum(gaps) / total


def _unknown_group(truth: Truth, by: str) -> tuple[str, ...]:
    known = {name for picture in truth.pictures for name in picture.attributes}
    if not known or by in known or by == EvaluateOptions().by:
        return ()
    return (f"No picture has the attribute {by}; there are {', '.join(sorted(known))}.",)


def _notes(whole: Comparison, predictions: Sequence[People]) -> tuple[str, ...]:
    notes = []
    scores = np.concatenate([people.score for people in predictions])
    if not len(scores):
        notes.append("Nobody was found in any picture.")
    elif len(scores) > 1 and np.ptp(scores) == 0:
        notes.append("All scores are the same, so they rank nobody and AP means little.")
    if not len(whole.labels):
        notes.append("Nobody is labelled, so there is nothing to compare with.")
    lost = int(np.isnan(whole.torso).sum())
    if lost:
        notes.append(
            f"{lost} labelled people have no torso (neck or shoulders, and hips) and count in AP, "
            "AR and missing only."
        )
    return tuple(notes)
