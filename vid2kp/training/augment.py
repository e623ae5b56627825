"""Random views of a labelled picture: turned, scaled, mirrored, recoloured, partly covered.

Infants lie in any direction, near or far, in any light, behind hands and toys; the network shall
have seen all of it. One call makes one training sample of a fixed size from a `Sample`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from vid2kp.pose.skeleton import Skeleton
from vid2kp.training.dataset import ABSENT, PRESENT, Sample

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class AugmentOptions:
    """How far a sample may be changed.

    Attributes:
        any_direction: share of samples turned by any angle; the others by `lean` degrees (std).
        lean: see above.
        fill: range of the person's longest side as a share of the input, for most samples.
        far: share of samples in which the person is as small as `far_fill`.
        far_fill: see above.
        occlude: share of samples with occluders.
    """

    any_direction: float = 0.6
    lean: float = 20.0
    fill: tuple[float, float] = (0.55, 1.05)
    far: float = 0.2
    far_fill: tuple[float, float] = (0.25, 0.55)
    occlude: float = 0.35


def augment(
    sample: Sample, *, size: int, skeleton: Skeleton, rng: Generator, options: AugmentOptions
) -> Sample:
    """A random view of a sample.

    Args:
        sample: labelled picture of any size.
        size: side of the square result, pixels.
        skeleton: for the exchange of left and right when mirrored.
        rng: every choice comes from it.
        options: how far to go.

    Returns:
        (size, size, 3) picture with its labels; keypoints that left the picture are ABSENT.
    """
    matrix = _random_view(sample, size, rng, options)
    mirrored = rng.random() < 0.5
    if mirrored:
        matrix = np.array([[-1.0, 0.0, size - 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]) @ matrix
    image = _warp(sample.image, matrix, size, rng)
    keypoints = sample.keypoints @ matrix[:2, :2].T.astype(np.float32) + matrix[:2, 2].astype(
        np.float32
    )
    state = sample.state
    if mirrored:
        order = list(skeleton.mirror)
        keypoints, state = keypoints[:, order], state[:, order]
    x, y = keypoints[..., 0], keypoints[..., 1]
    outside = (x < 0) | (y < 0) | (x > size - 1) | (y > size - 1)
    state = np.where((state == PRESENT) & outside, ABSENT, state).astype(np.int8)
    if rng.random() < options.occlude:
        image = _occlude(image, rng)
    return Sample(
        image=_recolour(image, rng),
        keypoints=keypoints.astype(np.float32),
        state=state,
        boxes=_move_boxes(sample.boxes, matrix),
    )


def _random_view(
    sample: Sample, size: int, rng: Generator, options: AugmentOptions
) -> NDArray[np.float64]:
    """Affine matrix (3, 3) from the sample's pixels to the input's."""
    points = _somebody(sample, rng)
    any_way = rng.random() < options.any_direction
    angle = rng.uniform(-np.pi, np.pi) if any_way else np.radians(options.lean) * rng.normal()
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = points @ turn.T
    low, high = turned.min(0), turned.max(0)
    longest = max(float((high - low).max()) * 1.12, 8.0)
    fill = rng.uniform(*(options.far_fill if rng.random() < options.far else options.fill))
    scale = fill * size / longest
    stretch = np.exp(rng.normal(0, 0.05, 2))
    linear = (turn.T * stretch).T * scale
    slack = max(0.0, size - (high - low).max() * scale) / 2 + 0.08 * size
    centre = size / 2 + rng.uniform(-1, 1, 2) * slack * 0.9
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = centre - linear @ (turn.T @ ((low + high) / 2))
    return matrix


def _somebody(sample: Sample, rng: Generator) -> NDArray[np.float64]:
    """Keypoints (n, 2) of one person, or the picture's corners when nobody is labelled."""
    known = (sample.state == PRESENT).sum(1)
    candidates = np.flatnonzero(known >= 3)
    if len(candidates) == 0:
        height, width = sample.image.shape[:2]
        return np.array([[0.0, 0.0], [width, 0.0], [0.0, height], [width, height]])
    person = rng.choice(candidates)
    known_points = sample.keypoints[person][sample.state[person] == PRESENT]
    return np.asarray(known_points, np.float64)


def _warp(picture: Image, matrix: NDArray[np.float64], size: int, rng: Generator) -> Image:
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))
    factor = int(1 / scale) if scale < 0.6 else 1
    image: Any = picture
    if factor > 1:  # shrink first, so that fine patterns do not alias
        height, width = image.shape[0] // factor, image.shape[1] // factor
        cropped = image[: height * factor, : width * factor]
        image = cv2.resize(cropped, (width, height), interpolation=cv2.INTER_AREA)
        centre = np.array(
            [[factor, 0, (factor - 1) / 2], [0, factor, (factor - 1) / 2], [0, 0, 1.0]]
        )
        matrix = matrix @ centre
    # never mirrored: that would repeat people without their labels
    border = rng.choice([cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE])
    fill = (128, 128, 128) if rng.random() < 0.5 else tuple(int(c) for c in rng.integers(0, 256, 3))
    warped: Any = cv2.warpAffine(
        image,
        matrix[:2],
        (size, size),
        flags=cv2.INTER_LINEAR,
        borderMode=int(border),
        borderValue=fill,
    )
    return np.asarray(warped, np.uint8)


def _move_boxes(boxes: NDArray[np.float32], matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    """Axis-parallel boxes around the moved boxes."""
    x0, y0, x1, y1 = boxes.T
    corners = np.stack([np.stack([x0, x1, x0, x1], 1), np.stack([y0, y0, y1, y1], 1)], 2)
    moved = corners @ matrix[:2, :2].T + matrix[:2, 2]
    return np.concatenate([moved.min(1), moved.max(1)], 1).astype(np.float32)


def _occlude(image: Image, rng: Generator) -> Image:
    """Shapes before the scene: pieces of the picture itself, plain colours, cables. Labels stay."""
    size = image.shape[0]
    image = image.copy()
    for _ in range(rng.integers(1, 4)):
        mask = np.zeros((size, size), np.uint8)
        centre = rng.uniform(0, size, 2)
        if rng.random() < 0.3:
            points = rng.uniform(-0.2, 1.2, (4, 1, 2)) * size
            width = int(rng.integers(1, max(2, size // 60) + 1))
            cv2.polylines(mask, [points.astype(np.int32)], False, 255, width, cv2.LINE_AA)
        else:
            angles = np.linspace(0, 2 * np.pi, 9)[:-1]
            reach = rng.uniform(0.04, 0.16) * size * rng.uniform(0.4, 1.4, (8, 1))
            corners = centre + reach * np.stack([np.cos(angles), np.sin(angles)], 1)
            cv2.fillPoly(mask, [corners.astype(np.int32)], 255, cv2.LINE_AA)
        if rng.random() < 0.5:
            shift = tuple(int(s) for s in rng.integers(size // 4, 3 * size // 4, 2))
            cover = np.roll(image, shift, (0, 1))[:: rng.choice([-1, 1])]
        else:
            cover = np.empty_like(image)
            cover[:] = rng.integers(0, 256, 3, dtype=np.uint8)
        share = mask[..., None].astype(np.float32) / 255
        image = (image * (1 - share) + cover * share).astype(np.uint8)
    return image


def _recolour(image: Image, rng: Generator) -> Image:
    """Exposure, white balance, gamma, grey, blur, coarse pixels, noise, JPEG."""
    size = image.shape[0]
    levels = np.arange(256, dtype=np.float32)[:, None] / 255
    gain = rng.uniform(0.7, 1.3) * np.exp(rng.normal(0, 0.07, 3))
    curve = (levels * gain + rng.uniform(-0.1, 0.1)).clip(0, 1) ** rng.uniform(0.7, 1.4)
    table = (curve * 255).round().astype(np.uint8)
    image = cv2.LUT(image, table.reshape(256, 1, 3))  # type: ignore[assignment]
    if rng.random() < 0.08:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        image = cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)  # type: ignore[assignment]
    elif rng.random() < 0.08:
        image = np.ascontiguousarray(image[..., rng.permutation(3)])
    if rng.random() < 0.25:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.8))  # type: ignore[assignment]
    if rng.random() < 0.15:
        small = int(size / rng.uniform(1.3, 3.0))
        coarse = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
        image = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
    if rng.random() < 0.3:
        grain = rng.normal(0, rng.uniform(2, 14), image.shape[:2]).astype(np.float32)
        image = (image + grain[..., None]).clip(0, 255).astype(np.uint8)
    if rng.random() < 0.2:
        quality = int(rng.integers(25, 90))
        _, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        image = cv2.imdecode(packed, cv2.IMREAD_COLOR)  # type: ignore[assignment]
    return image
