"""The pictures on which a model does worst, drawn side by side: look at them before you train on.

Labels and findings are drawn as skeletons. The pictures themselves are left out unless they are
given: whoever keeps a sheet with pictures in it keeps pictures of infants.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vid2kp.files import output_errors, replacing
from vid2kp.pose.people import People
from vid2kp.pose.skeleton import SKELETONS, Skeleton
from vid2kp.training.evaluate import EvaluateOptions
from vid2kp.training.metrics import compare
from vid2kp.training.results import Truth

Image = NDArray[np.uint8]

_WORST = 0.5
"""Torso lengths from which on an error counts no more: one lost limb is not five."""

_CELL = 240
_COLUMNS = 6
_MARGIN = 1.25
_BACKGROUND = (24, 20, 16)
_TRUE = (214, 208, 200)
_TEXT = (170, 160, 150)


@dataclass(frozen=True)
class Failure:
    """One picture and how wrong the model is on it.

    Attributes:
        picture: index in `Truth.pictures`.
        error: mean error of the labelled keypoints in torso lengths, those not found and those
            beyond the limit counting as half a torso.
    """

    picture: int
    error: float


def worst(truth: Truth, predictions: Sequence[People], count: int) -> list[Failure]:
    """The pictures with the largest errors, the worst first.

    Args:
        truth: the annotations.
        predictions: for each picture the people found.
        count: how many at most; pictures without anybody whose torso is labelled are left out.
    """
    comparison = compare(truth, predictions)
    counted = comparison.labelled & np.isfinite(comparison.torso)[:, None]
    error = np.where(
        counted, np.minimum(np.nan_to_num(comparison.torso_error, nan=_WORST), _WORST), 0.0
    )
    total, number = comparison.per_picture(error), comparison.per_picture(counted)
    failures = [Failure(int(i), float(total[i] / number[i])) for i in np.flatnonzero(number > 0)]
    return sorted(failures, key=lambda one: (-one.error, one.picture))[:count]


def draw_failures(
    path: Path,
    truth: Truth,
    predictions: Sequence[People],
    failures: Sequence[Failure],
    *,
    by: str = EvaluateOptions.by,
    pictures: Callable[[int], Image] | None = None,
) -> None:
    """Draws a contact sheet: labels in grey, findings in colour, the error beneath.

    Args:
        path: the PNG file.
        truth: the annotations.
        predictions: for each picture the people found.
        failures: what to draw, in this order.
        by: attribute of the pictures that stands beside the error.
        pictures: gives the picture (H, W, 3) uint8 RGB of an index of `truth`; without it only
            skeletons are drawn.

    Raises:
        OutputError: the file cannot be written.
    """
    cells = [
        _cell(truth, predictions[one.picture], one, by, pictures(one.picture) if pictures else None)
        for one in failures
    ]
    sheet = _sheet(cells)
    with replacing(path) as part, output_errors():
        part.write_bytes(cv2.imencode(".png", sheet)[1].tobytes())


def _cell(truth: Truth, found: People, failure: Failure, by: str, picture: Image | None) -> Image:
    """(CELL, CELL, 3) uint8 BGR: one picture's skeletons, zoomed to its labelled people."""
    skeleton = _drawing_set(truth)
    order = [truth.keypoints.index(name) for name in skeleton.keypoints]
    labelled = [
        person.keypoints[order]
        for person in truth.people
        if person.picture == failure.picture and person.counts
    ]
    matrix = _window(np.concatenate(labelled))
    if picture is None:
        canvas = np.full((_CELL, _CELL, 3), _BACKGROUND, np.uint8)
    else:
        canvas = np.asarray(
            cv2.warpAffine(
                np.ascontiguousarray(picture[..., ::-1]),
                matrix,
                (_CELL, _CELL),
                flags=cv2.INTER_AREA,
                borderValue=_BACKGROUND,
            ),
            np.uint8,
        )
    for points in labelled:
        _draw(canvas, points @ matrix[:, :2].T + matrix[:, 2], skeleton, plain=True)
    for points in found.keypoints[:, order].astype(np.float64):
        _draw(canvas, points @ matrix[:, :2].T + matrix[:, 2], skeleton, plain=False)
    group = truth.pictures[failure.picture].attributes.get(by, "")
    label = f"{failure.error:.2f} {group}"
    cv2.putText(
        canvas, label, (8, _CELL - 9), cv2.FONT_HERSHEY_SIMPLEX, 0.45, _TEXT, 1, cv2.LINE_AA
    )
    return canvas


def _drawing_set(truth: Truth) -> Skeleton:
    """The largest known keypoint set that is annotated, or one of dots alone."""
    fitting = [s for s in SKELETONS.values() if set(s.keypoints) <= set(truth.keypoints)]
    if fitting:
        return max(fitting, key=len)
    names = truth.keypoints
    return Skeleton("annotated", names, (), (0.1,) * len(names))


def _window(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2, 3) affine matrix that brings labelled points into a cell."""
    points = points[np.isfinite(points[:, 0])]
    low, high = points.min(0), points.max(0)
    scale = _CELL / (_MARGIN * max(float((high - low).max()), 8.0))
    shift = _CELL / 2 - scale * (low + high) / 2
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])


def _draw(canvas: Image, points: NDArray[np.float64], skeleton: Skeleton, *, plain: bool) -> None:
    """One person; the labelled one `plain` and thin."""
    far = 8 * _CELL
    known = np.isfinite(points[:, 0])
    at = np.round(8 * np.clip(np.nan_to_num(points), -far, far)).astype(int)
    style = {"lineType": cv2.LINE_AA, "shift": 3}
    for limb, (a, b) in enumerate(skeleton.limbs):
        if known[a] and known[b]:
            colour = _TRUE if plain else skeleton.limb_colours[limb][::-1]
            cv2.line(canvas, at[a].tolist(), at[b].tolist(), colour, 1 if plain else 2, **style)
    for k in np.flatnonzero(known):
        colour = _TRUE if plain else skeleton.keypoint_colours[k][::-1]
        cv2.circle(canvas, at[k].tolist(), 20 if plain else 24, colour, -1, **style)


def _sheet(cells: Sequence[Image]) -> Image:
    """The cells in rows of six, the last row filled up."""
    empty = np.full((_CELL, _CELL, 3), _BACKGROUND, np.uint8)
    columns = min(_COLUMNS, max(len(cells), 1))
    rows = math.ceil(max(len(cells), 1) / columns)
    full = [*cells, *[empty] * (rows * columns - len(cells))]
    return np.vstack([np.hstack(full[r * columns : (r + 1) * columns]) for r in range(rows)])
