"""Belief maps to people: peaks, line integrals over part affinity fields, assembly.

The maps stay on their device until the peaks are found; the integrals over all candidate limbs of
a batch are one tensor operation; what comes back are two short tables, from which people are put
together image by image (`vid2kp.pose.assemble`). Nothing here depends on the size of the batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vid2kp.pose.assemble import LimbTable, PeakTable, assemble
from vid2kp.pose.framing import grid_to_input
from vid2kp.pose.peaks import Peaks, find_peaks
from vid2kp.pose.people import People
from vid2kp.pose.skeleton import Skeleton

_SHORT = 1.0
"""Cells below which the direction of a limb cannot be told from its field."""

_SHORT_SCORE = 0.05
"""Score of such a limb: accepted, after all that can be told."""


@dataclass(frozen=True, eq=False)
class BeliefMaps:
    """What a network says about a batch of B images.

    Attributes:
        confidence: (B, K, h, w) float32, one confidence map per keypoint, about [0, 1].
        paf: (B, C, 2, h, w) float32, one part affinity field per limb: (x, y) of a vector of at
            most unit length from the limb's first keypoint to its second, x right, y down.
        stride: input pixels per cell; cell i has its centre at (i + 0.5) stride - 0.5.
    """

    confidence: Tensor
    paf: Tensor
    stride: int


@dataclass(frozen=True, kw_only=True)
class ParseOptions:
    """How sure a peak, a limb and a person must be.

    Attributes:
        peak_threshold: smallest confidence of a keypoint.
        peaks_per_keypoint: candidates kept for each keypoint and image.
        samples: points at which a part affinity field is read along a candidate limb.
        paf_threshold: smallest part of the field along the limb that counts as agreement.
        agreement: share of the samples that must agree.
        lone_threshold: smallest confidence of a keypoint that joins a person without a limb.
        min_keypoints: fewer keypoints make no person; they may be a limb of somebody else.
        min_confidence: smallest mean confidence of a person's keypoints.
        max_people: at most this many people per image, best first.
    """

    peak_threshold: float = 0.1
    peaks_per_keypoint: int = 12
    samples: int = 10
    paf_threshold: float = 0.05
    agreement: float = 0.7
    lone_threshold: float = 0.25
    min_keypoints: int = 8
    min_confidence: float = 0.2
    max_people: int = 8


def parse(
    maps: BeliefMaps, skeleton: Skeleton, options: ParseOptions | None = None
) -> list[People]:
    """The people in each image of a batch.

    Args:
        maps: belief maps of B images, on any device.
        skeleton: the keypoint set of the maps.
        options: thresholds.

    Returns:
        B times the people of an image, in pixels of the network's input (origin at the centre of
        the top-left pixel, x right, y down).
    """
    options = options or ParseOptions()
    with torch.inference_mode(), _one_thread(maps.confidence.device):
        return _parse(maps, skeleton, options)


def _parse(maps: BeliefMaps, skeleton: Skeleton, options: ParseOptions) -> list[People]:
    peaks = find_peaks(
        maps.confidence, threshold=options.peak_threshold, most=options.peaks_per_keypoint
    )
    pairs = _candidate_pairs(peaks, skeleton)
    integrals = _integrate(pairs, peaks, maps.paf, options)
    return [
        _people(table, limbs, maps, skeleton, options)
        for table, limbs in zip(
            _peak_tables(peaks), _limb_tables(pairs, integrals, peaks, options), strict=True
        )
    ]


@contextmanager
def _one_thread(device: torch.device) -> Iterator[None]:
    """Computes on one CPU thread inside.

    Each of the many small operations would wait for the slowest of its threads. Where others use
    the processor (the decoder, an encoder), that makes parsing ten to a hundred times slower.
    """
    threads = torch.get_num_threads()
    if device.type != "cpu" or threads == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _candidate_pairs(peaks: Peaks, skeleton: Skeleton) -> Tensor:
    """All pairs of peaks of one image that a limb may join, image by image.

    Returns:
        (4, m) int64: image, limb, index of the peak at its beginning and at its end.
    """
    device = peaks.count.device
    begin, end = torch.tensor(skeleton.limbs, device=device).T
    start = (peaks.count.flatten().cumsum(0) - peaks.count.flatten()).view_as(peaks.count)
    ends = peaks.count[:, end].flatten()
    number = peaks.count[:, begin].flatten() * ends
    group = torch.repeat_interleave(number)
    within = torch.arange(len(group), device=device) - (number.cumsum(0) - number)[group]
    return torch.stack(
        (
            group // len(begin),
            group % len(begin),
            start[:, begin].flatten()[group] + within // ends[group],
            start[:, end].flatten()[group] + within % ends[group],
        )
    )


def _integrate(pairs: Tensor, peaks: Peaks, paf: Tensor, options: ParseOptions) -> Tensor:
    """The line integrals of the fields along candidate limbs (equations 10, 11 of Cao et al.).

    Returns:
        (3, m) float64: score, the mean over the samples of the field's part along the limb, less
        a penalty for limbs longer than half of the map's longer side; share of the samples that
        agree; length in cells.
    """
    image, limb, first, second = pairs
    begin = peaks.xy[first]
    vector = peaks.xy[second] - begin
    length = vector.norm(dim=1).clamp(min=1e-9)
    along = (torch.arange(options.samples, device=paf.device) + 0.5) / options.samples
    points = begin[:, None] + vector[:, None] * along[:, None]
    field = _bilinear(paf, image, limb, points)
    part = (field * (vector / length[:, None]).float()[:, None]).sum(dim=2)
    too_long = (0.5 * max(paf.shape[-2:]) / length - 1).clamp(max=0)
    return torch.stack(
        (
            part.mean(dim=1) + too_long,
            (part > options.paf_threshold).double().mean(dim=1),
            length,
        )
    )


def _bilinear(paf: Tensor, image: Tensor, limb: Tensor, points: Tensor) -> Tensor:
    """Field vectors (m, samples, 2) at points (m, samples, 2) given in cells (x, y)."""
    _, limbs, _, height, width = paf.shape
    planes = paf.flatten(0, 1).flatten(2)
    plane = (image * limbs + limb)[:, None]
    corner = points.floor()
    fx, fy = ((points - corner).float()[..., axis, None] for axis in (0, 1))
    x, y = corner.long().unbind(dim=2)
    left, right = x.clamp(0, width - 1), (x + 1).clamp(0, width - 1)
    top, bottom = (row.clamp(0, height - 1) * width for row in (y, y + 1))

    def between(row: Tensor) -> Tensor:
        return planes[plane, :, row + left] * (1 - fx) + planes[plane, :, row + right] * fx

    return between(top) * (1 - fy) + between(bottom) * fy


def _peak_tables(peaks: Peaks) -> Iterator[PeakTable]:
    """The peaks of each image as plain numbers."""
    columns = (peaks.keypoint, peaks.xy[:, 0], peaks.xy[:, 1], peaks.value)
    return (PeakTable(*table) for table in _split(columns, peaks.count.sum(dim=1)))


def _limb_tables(
    pairs: Tensor, integrals: Tensor, peaks: Peaks, options: ParseOptions
) -> Iterator[LimbTable]:
    """The candidate limbs of each image as plain numbers, strongest first, by rows of its peaks."""
    image, _, first, second = pairs
    score, agreement, length = integrals
    accepted = (agreement >= options.agreement) & (score > 0)
    # A limb that points at the camera shrinks below what a field can show.
    short = ~accepted & (length < _SHORT)
    score = torch.where(short, _SHORT_SCORE, score)
    # A weak peak beside a strong one on the same limb has as good a field.
    strength = score * (peaks.value[first] * peaks.value[second]).sqrt()
    order = torch.argsort(strength, descending=True, stable=True)
    order = order[torch.argsort(image[order], stable=True)]
    per_image = peaks.count.sum(dim=1)
    offset = (per_image.cumsum(0) - per_image)[image]
    columns = (first - offset, second - offset, score, length, accepted | short)
    numbers = torch.bincount(image, minlength=len(per_image))
    return (LimbTable(*table) for table in _split([c[order] for c in columns], numbers))


def _split(columns: Iterable[Tensor], numbers: Tensor) -> Iterator[list[list[Any]]]:
    """Columns sorted by image, as one list of lists per image of the given numbers of rows."""
    lists = [column.tolist() for column in columns]
    for begin, end in pairwise(accumulate(numbers.tolist(), initial=0)):
        yield [column[begin:end] for column in lists]


def _people(
    peaks: PeakTable,
    limbs: LimbTable,
    maps: BeliefMaps,
    skeleton: Skeleton,
    options: ParseOptions,
) -> People:
    """The people of one image, best first."""
    groups = assemble(
        peaks,
        limbs,
        skeleton,
        size=max(maps.confidence.shape[-2:]),
        min_keypoints=options.min_keypoints,
        lone_threshold=options.lone_threshold,
    )
    groups = [group for group in groups if len(group) >= options.min_keypoints]
    cells = np.full((len(groups), len(skeleton), 2), np.nan)
    confidence = np.full((len(groups), len(skeleton)), np.nan, np.float32)
    for person, group in enumerate(groups):
        rows, places = list(group.values()), list(group)
        cells[person, places, 0] = [peaks.x[i] for i in rows]
        cells[person, places, 1] = [peaks.y[i] for i in rows]
        confidence[person, places] = [peaks.confidence[i] for i in rows]
    found = (~np.isnan(confidence)).sum(axis=1)
    total = np.nansum(confidence, axis=1)
    people = People(
        keypoints=grid_to_input(cells, maps.stride).astype(np.float32),
        confidence=confidence,
        score=total / np.float32(len(skeleton)),
    )
    order = np.argsort(-people.score, kind="stable")
    good = total[order] >= options.min_confidence * found[order]
    return people[order[good][: options.max_people]]
