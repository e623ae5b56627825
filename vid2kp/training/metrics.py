"""How far found keypoints are from labelled ones: errors, missing, redundant, exchanged sides.

Every labelled person is matched with at most one found person of the picture. What was not found
counts as wrong wherever something is counted, and is left out where a distance is measured.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from vid2kp.pose.oks import oks
from vid2kp.pose.people import People
from vid2kp.training.oks_eval import sigma_of
from vid2kp.training.results import LabelledPerson, Truth

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_FACE = ("nose", "right_eye", "left_eye", "right_ear", "left_ear", "head_top", "head")
_MATCH = 0.05
"""Similarity from which on a found person is taken for the labelled one, only badly seen."""

SWAP_RANGE = 0.2
"""Torso lengths within which a keypoint must lie to its partner's label to be an exchange."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """N labelled people beside what was found of them, in I pictures.

    Attributes:
        keypoints: K names.
        labels: (N, K, 2) pixels; NaN where not labelled.
        found: (N, K, 2) pixels; NaN where not found.
        confidence: (N, K); NaN where not found.
        torso: (N,) pixels from the neck to the middle of the hips; NaN if one is not labelled.
        body: (N,) S = √(shoulder width × head–hip distance), pixels; NaN if it cannot be told.
        picture: (N,) index of the picture.
        matched: (N,) bool: whether somebody found is this person.
        predicted: (I,) people found in each picture, without those on unlabelled people.
        redundant: (I,) those of them that are nobody.
    """

    keypoints: tuple[str, ...]
    labels: Floats
    found: Floats
    confidence: Floats
    torso: Floats
    body: Floats
    picture: NDArray[np.intp]
    matched: Bools
    predicted: Floats
    redundant: Floats

    @property
    def labelled(self) -> Bools:
        """(N, K) bool."""
        return np.isfinite(self.labels[..., 0])

    @property
    def error(self) -> Floats:
        """(N, K) pixels between label and finding; NaN where either is missing."""
        return np.asarray(np.hypot(*np.moveaxis(self.found - self.labels, -1, 0)))

    @property
    def torso_error(self) -> Floats:
        """(N, K) torso lengths between label and finding; NaN where it cannot be told."""
        return self.error / self.torso[:, None]

    def per_picture(self, values: NDArray[np.generic]) -> Floats:
        """(I,) sums over the people and keypoints of each picture; values are (N, K)."""
        people = values.sum(axis=1)
        sums = np.bincount(self.picture, weights=people, minlength=len(self.predicted))
        return sums.astype(np.float64)

    def of(self, keypoints: Sequence[int], pictures: Bools) -> Comparison:
        """The part that concerns some keypoints (indices) and some pictures ((I,) bool)."""
        rows, columns = pictures[self.picture], list(keypoints)
        return Comparison(
            keypoints=tuple(self.keypoints[k] for k in columns),
            labels=self.labels[rows][:, columns],
            found=self.found[rows][:, columns],
            confidence=self.confidence[rows][:, columns],
            torso=self.torso[rows],
            body=self.body[rows],
            picture=(np.cumsum(pictures) - 1)[self.picture[rows]],
            matched=self.matched[rows],
            predicted=self.predicted[pictures],
            redundant=self.redundant[pictures],
        )


def compare(truth: Truth, predictions: Sequence[People]) -> Comparison:
    """Labelled people beside the found ones.

    A pair is made by object keypoint similarity over the labelled keypoints, with the sides as
    they are or exchanged, such that the sum of the similarities of a picture is largest.

    Args:
        truth: the annotations.
        predictions: for each picture the people found, keypoints in the order of `truth`.
    """
    names = truth.keypoints
    people = [person for person in truth.people if person.counts]
    matches = np.full(len(people), -1)
    predicted, redundant = np.zeros((2, len(truth.pictures)))
    places: dict[int, list[int]] = defaultdict(list)
    for n, person in enumerate(people):
        places[person.picture].append(n)
    others: dict[int, list[LabelledPerson]] = defaultdict(list)
    for person in truth.people:
        if not person.counts:
            others[person.picture].append(person)
    for i, found in enumerate(predictions):
        here = places[i]
        matches[here] = _match([people[n] for n in here], found, names)
        extra = np.setdiff1d(np.arange(len(found)), matches[here])
        nobody = [e for e in extra if not _lies_on(found.keypoints[e], others[i])]
        predicted[i] = (matches[here] >= 0).sum() + len(nobody)
        redundant[i] = len(nobody)
    seen = np.full((len(people), len(names), 3), np.nan)
    for n, (person, match) in enumerate(zip(people, matches, strict=True)):
        if match >= 0:
            one = predictions[person.picture]
            seen[n, :, :2], seen[n, :, 2] = one.keypoints[match], one.confidence[match]
    labels = np.array([p.keypoints for p in people]).reshape(-1, len(names), 2)
    return Comparison(
        keypoints=names,
        labels=labels,
        found=seen[..., :2],
        confidence=seen[..., 2],
        torso=torso_length(labels, names),
        body=body_length(labels, names),
        picture=np.array([p.picture for p in people], np.intp),
        matched=matches >= 0,
        predicted=predicted,
        redundant=redundant,
    )


def _match(labelled: list[LabelledPerson], found: People, names: tuple[str, ...]) -> list[int]:
    """For each labelled person the index of the found one, −1 for nobody."""
    if not labelled or not len(found):
        return [-1] * len(labelled)
    sigmas, mirror = np.array([sigma_of(name) for name in names]), partners(names)
    alike = np.zeros((len(labelled), len(found)))
    for row, person in enumerate(labelled):
        for order in (slice(None), mirror):
            points = found.keypoints[:, order].astype(np.float64)
            common = (np.isfinite(points[..., 0]) & person.labelled).sum(1)
            value = oks(points, person.keypoints, np.sqrt(person.area), sigmas)
            alike[row] = np.maximum(alike[row], value * common / person.labelled.sum())
    chosen = [-1] * len(labelled)
    for row, column in zip(*linear_sum_assignment(-alike), strict=True):
        if alike[row, column] >= _MATCH:
            chosen[row] = int(column)
    return chosen


def _lies_on(points: NDArray[np.float32], people: list[LabelledPerson]) -> bool:
    """Whether the middle of a found person is inside somebody's box."""
    x, y = np.nanmean(points, axis=0)
    boxes = [person.box for person in people]
    return any(x0 <= x <= x0 + w and y0 <= y <= y0 + h for x0, y0, w, h in boxes)


def partners(names: Sequence[str]) -> list[int]:
    """Index of each keypoint's left/right partner; itself where there is none."""
    other = {"right": "left", "left": "right"}
    result = []
    for i, name in enumerate(names):
        side, _, part = name.partition("_")
        partner = f"{other.get(side, side)}_{part}"
        result.append(names.index(partner) if partner in names else i)
    return result


def torso_length(keypoints: Floats, names: Sequence[str]) -> Floats:
    """(N,) distance of the neck (or the middle of the shoulders) and the middle of the hips."""
    return _length(_neck(keypoints, names) - _middle(keypoints, names, "hip"))


def body_length(keypoints: Floats, names: Sequence[str]) -> Floats:
    """(N,) S = √(shoulder width × distance of head and middle of the hips).

    The head is the mean of the labelled points of face and head. Unlike the torso, S stays of
    use where one of both directions is foreshortened.
    """
    pair = [_point(keypoints, names, f"{side}_shoulder") for side in ("right", "left")]
    faces = [k for k, name in enumerate(names) if name in _FACE]
    face = keypoints[:, faces]
    count = np.isfinite(face[..., :1]).sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        head = np.nansum(face, axis=1) / np.where(count > 0, count, np.nan)
    high = _length(head - _middle(keypoints, names, "hip"))
    return np.asarray(np.sqrt(_length(pair[0] - pair[1]) * high))


def _neck(keypoints: Floats, names: Sequence[str]) -> Floats:
    neck, middle = _point(keypoints, names, "neck"), _middle(keypoints, names, "shoulder")
    return np.where(np.isfinite(neck), neck, middle)


def _middle(keypoints: Floats, names: Sequence[str], part: str) -> Floats:
    right, left = (_point(keypoints, names, f"{side}_{part}") for side in ("right", "left"))
    return (right + left) / 2


def _point(keypoints: Floats, names: Sequence[str], name: str) -> Floats:
    if name in names:
        return keypoints[:, list(names).index(name)]
    return np.full((len(keypoints), 2), np.nan)


def _length(vectors: Floats) -> Floats:
    """(N,) lengths; below a pixel there is no telling."""
    length = np.hypot(vectors[:, 0], vectors[:, 1])
    return np.where(length >= 1, length, np.nan)


def correct(comparison: Comparison, within: float, *, scale: Floats) -> tuple[Bools, Bools]:
    """Percentage of correct keypoints: which keypoints are within a share of a length.

    Args:
        comparison: labels and findings.
        within: largest error, in units of `scale`.
        scale: (N,) pixels: `Comparison.torso` for PCK, `Comparison.body` for PCKsh.

    Returns:
        (N, K) correct, (N, K) counted: every labelled keypoint of people with a scale; one that
        was not found is not correct.
    """
    counted = comparison.labelled & np.isfinite(scale)[:, None]
    with np.errstate(invalid="ignore"):
        return counted & (comparison.error <= within * scale[:, None]), counted


def similarity(comparison: Comparison) -> tuple[Floats, Bools]:
    """Keypoint similarity exp(−d² / (2 (S · 2σ)²)), the terms of mKS.

    COCO's similarity of a keypoint with S (see `body_length`) as the size of a person instead of
    the square root of the annotated area.

    Returns:
        (N, K) similarity, 0 where nothing was found; (N, K) counted.
    """
    counted = comparison.labelled & np.isfinite(comparison.body)[:, None]
    spread = comparison.body[:, None] * 2 * np.array([sigma_of(k) for k in comparison.keypoints])
    return np.where(
        counted, np.nan_to_num(np.exp(-(comparison.error**2) / (2 * spread**2))), 0.0
    ), counted


def swapped(comparison: Comparison) -> tuple[Bools, Bools]:
    """Which keypoints lie on the label of the other side.

    A keypoint is exchanged when it is more than `SWAP_RANGE` torso lengths away from its label,
    but within that range of its partner's.

    Returns:
        (N, K) exchanged; (N, K) counted: found, labelled, and so is the label of the other side.
    """
    mirror = partners(comparison.keypoints)
    across = comparison.found - comparison.labels[:, mirror]
    other = np.hypot(across[..., 0], across[..., 1]) / comparison.torso[:, None]
    straight = comparison.torso_error
    is_pair = np.array([i != m for i, m in enumerate(mirror)])
    counted = np.isfinite(straight) & np.isfinite(other) & is_pair
    with np.errstate(invalid="ignore"):
        return counted & (straight > SWAP_RANGE) & (other <= SWAP_RANGE), counted
