"""COCO average precision and recall over object keypoint similarity, by pycocotools.

Lin et al., "Microsoft COCO: Common Objects in Context", and the COCO keypoint evaluation: ten
similarities from 0.50 to 0.95, 101 recalls, at most 20 people a picture.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vid2kp.pose.people import People
from vid2kp.pose.skeleton import SIGMAS
from vid2kp.training.results import Truth

OTHER_SIGMA = 0.079
"""For keypoints without a value of their own; CrowdPose's for the top of the head."""

_CHUNK = 100  # resamples worked on at a time
_NOBODY = 1  # one category of people


def sigma_of(keypoint: str) -> float:
    """The OKS standard deviation of a keypoint by its name."""
    part = keypoint.removeprefix("right_").removeprefix("left_").removeprefix("mid_")
    return SIGMAS.get(part, OTHER_SIGMA)


@dataclass(frozen=True, eq=False)
class OksScores:
    """What pycocotools says, and the matches from which it says it.

    Attributes:
        ap: mean average precision over similarities 0.50, 0.55 … 0.95; None where nobody is
            labelled.
        ap50: average precision at similarity 0.50.
        ap75: at 0.75.
        ar: mean recall over the ten similarities.
        picture: (D,) index of each found person's picture, best person first.
        hit: (10, D) bool: matched to a labelled person, per similarity.
        ignored: (10, D) bool: neither right nor wrong (matched to an unlabelled person).
        labelled: (I,) labelled people in each picture.
    """

    ap: float | None
    ap50: float | None
    ap75: float | None
    ar: float | None
    picture: NDArray[np.intp]
    hit: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    labelled: NDArray[np.float64]

    def resampled(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """The four scores when pictures count several times or not at all.

        Args:
            counts: (B, I) how often each picture counts.

        Returns:
            (B, 4) AP, AP50, AP75, AR; NaN where nobody is labelled.
        """
        parts = [self._resampled(c) for c in np.array_split(counts, -(-len(counts) // _CHUNK) or 1)]
        return np.concatenate(parts)

    def _resampled(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        weight = counts[:, self.picture]
        total = counts @ self.labelled
        precision, recall = np.zeros((2, len(self.hit), len(counts)))
        with np.errstate(invalid="ignore", divide="ignore"):
            for t, (hit, ignored) in enumerate(zip(self.hit, self.ignored, strict=True)):
                right = np.cumsum(weight * (hit & ~ignored), axis=1)
                wrong = np.cumsum(weight * (~hit & ~ignored), axis=1)
                share = right / total[:, None]
                exact = np.nan_to_num(right / (right + wrong))
                best = np.maximum.accumulate(exact[:, ::-1], axis=1)[:, ::-1]
                precision[t] = [
                    _at_recalls(p, r) for p, r in zip(best, np.nan_to_num(share), strict=True)
                ]
                recall[t] = share[:, -1] if share.shape[1] else 0.0
        scores = np.stack([precision.mean(0), precision[0], precision[5], recall.mean(0)], axis=1)
        scores[total == 0] = np.nan
        return scores


def _at_recalls(precision: NDArray[np.float64], recall: NDArray[np.float64]) -> float:
    """The mean of the precisions at recalls 0, 0.01 … 1."""
    places = np.searchsorted(recall, np.linspace(0, 1, 101), side="left")
    return float(np.append(precision, 0.0)[places].mean())


def score_oks(
    truth: Truth,
    predictions: Sequence[People],
    *,
    keypoints: Sequence[int],
    pictures: Sequence[int],
) -> OksScores:
    """Average precision and recall over some keypoints in some pictures.

    Args:
        truth: the annotations.
        predictions: for each picture the people found.
        keypoints: indices of the keypoints that count.
        pictures: indices of the pictures that count, rising.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    names = [truth.keypoints[k] for k in keypoints]
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools reports its progress there
        sides = []
        for people in (
            _labelled(truth, keypoints, pictures),
            _found(predictions, keypoints, pictures),
        ):
            side = COCO()
            side.dataset = {
                "images": [{"id": i} for i in pictures],
                "annotations": people,
                "categories": [{"id": _NOBODY, "name": "person", "keypoints": names}],
            }
            side.createIndex()
            sides.append(side)
        judge = COCOeval(*sides, iouType="keypoints")
        judge.params.kpt_oks_sigmas = np.array([sigma_of(name) for name in names])
        judge.params.areaRng, judge.params.areaRngLbl = [[0, 1e10]], ["all"]
        judge.evaluate()
        judge.accumulate()
    return _scores(judge, pictures)


def _labelled(
    truth: Truth, keypoints: Sequence[int], pictures: Sequence[int]
) -> list[dict[str, Any]]:
    """The annotations as pycocotools wants them; ids start at 1, because 0 means no match."""
    wanted = set(pictures)
    annotations = []
    for i, person in enumerate(truth.people):
        if person.picture not in wanted:
            continue
        points = person.keypoints[list(keypoints)]
        seen = np.isfinite(points[:, 0])
        annotations.append(
            {
                "id": i + 1,
                "image_id": person.picture,
                "category_id": _NOBODY,
                "keypoints": _triples(points, seen),
                "num_keypoints": int(seen.sum()),
                "area": person.area,
                "bbox": list(person.box),
                "iscrowd": int(person.crowd),
            }
        )
    return annotations


def _found(
    predictions: Sequence[People], keypoints: Sequence[int], pictures: Sequence[int]
) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    for i in pictures:
        people = predictions[i]
        for points, score in zip(people.keypoints[:, list(keypoints)], people.score, strict=True):
            seen = np.isfinite(points[:, 0])
            if seen.any():
                entries.append(
                    {
                        "id": len(entries) + 1,
                        "image_id": i,
                        "category_id": _NOBODY,
                        "keypoints": _triples(points, seen),
                        "score": float(score),
                        "area": 1.0,  # only sorts people into small and large ones
                    }
                )
    return entries


_FAR = -1e7  # pixels; a keypoint that was not found resembles nothing


def _triples(points: NDArray[np.floating], seen: NDArray[np.bool_]) -> list[float]:
    xy = np.where(seen[:, None], points, _FAR)
    return [float(v) for v in np.column_stack([xy, 2 * seen]).ravel()]


def _scores(judge: Any, pictures: Sequence[int]) -> OksScores:
    precision = judge.eval["precision"][:, :, 0, 0, 0]
    recall = judge.eval["recall"][:, 0, 0, 0]
    shown = [one for one in judge.evalImgs if one is not None]
    place = {picture: i for i, picture in enumerate(pictures)}
    labelled = np.zeros(len(pictures))
    for one in shown:
        labelled[place[one["image_id"]]] = np.sum(np.asarray(one["gtIgnore"]) == 0)
    score = np.concatenate([one["dtScores"] for one in shown]) if shown else np.empty(0)
    order = np.argsort(-score, kind="mergesort")
    where = [place[one["image_id"]] for one in shown for _ in one["dtScores"]]
    hit, ignored = (
        np.concatenate([np.asarray(one[key]) for one in shown], axis=1)[:, order] > 0
        if shown
        else np.zeros((len(recall), 0), bool)
        for key in ("dtMatches", "dtIgnore")
    )
    return OksScores(
        ap=_mean(precision),
        ap50=_mean(precision[0]),
        ap75=_mean(precision[5]),
        ar=_mean(recall),
        picture=np.asarray(where, np.intp)[order],
        hit=hit,
        ignored=ignored,
        labelled=labelled,
    )


def _mean(values: NDArray[np.float64]) -> float | None:
    """The mean, where pycocotools says −1 for "nobody is labelled"."""
    return float(values.mean()) if values.size and values.min() > -1 else None
