"""The loop that most scripts are: OpenCV decodes, PyTorch looks, OpenCV draws and writes.

    python benchmarks/plain_loop.py CLIP OUT MODEL square|fit

The same network and the same parser as vid2kp, everything else as it is usually written: full-size
RGB pictures, one frame after the other, fp32, skeletons drawn at full size, OpenCV's writer, a CSV
file. Prints the frames per second of the loop, without loading the model.
"""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from vid2kp.pose.parse import BeliefMaps, parse
from vid2kp.pose.people import People
from vid2kp.pose.weights import LoadedModel, load_model

Place = tuple[float, float, float]
"""Scale from picture to input, and where the picture begins in it (x, y)."""


def main() -> None:
    """Convert one clip, print the speed."""
    clip, out, model, shape = sys.argv[1:]
    print(convert(Path(clip), Path(out), load_model(model), square=shape == "square"))


def convert(clip: Path, out: Path, model: LoadedModel, *, square: bool) -> float:
    """Frames per second.

    Args:
        clip: the video.
        out: folder of the results.
        model: the network.
        square: put the picture into a square input; otherwise the input has the picture's shape.
    """
    out.mkdir(parents=True, exist_ok=True)
    capture = cv2.VideoCapture(str(clip))
    width, height = (
        int(capture.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
    )
    writer = cv2.VideoWriter(
        str(out / "skeleton.mp4"),
        cv2.VideoWriter.fourcc(*"mp4v"),
        capture.get(cv2.CAP_PROP_FPS),
        (width, height),
    )
    rows: list[Sequence[float]] = []
    _look(model, np.zeros((height, width, 3), np.uint8), square=square)  # prepares kernels
    begin = time.perf_counter()
    frame = 0
    while True:
        more, picture = capture.read()
        if not more:
            break
        people, place = _look(model, _rgb(picture), square=square)
        writer.write(_draw(np.zeros_like(picture), people, place, model))
        rows += _rows(frame, people, place)
        frame += 1
    writer.release()
    with (out / "tracks.csv").open("w", encoding="ascii", newline="") as file:
        csv.writer(file).writerows(rows)
    return frame / (time.perf_counter() - begin)


def _rgb(picture: NDArray[Any]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def _look(model: LoadedModel, rgb: NDArray[np.uint8], *, square: bool) -> tuple[People, Place]:
    size = model.card.input_size
    height, width = rgb.shape[:2]
    scale = size / max(width, height)
    small = cv2.resize(rgb, (round(width * scale), round(height * scale)))
    rows, columns = (size, size) if square else (-(-side // 8) * 8 for side in small.shape[:2])
    x, y = (columns - small.shape[1]) // 2, (rows - small.shape[0]) // 2
    padded = np.full((rows, columns, 3), 128, np.uint8)
    padded[y : y + small.shape[0], x : x + small.shape[1]] = small
    with torch.no_grad():
        inputs = model.network.normalise(torch.from_numpy(padded)[None])
        confidence, paf = model.network(inputs)[-1]
    maps = BeliefMaps(confidence[:, :-1], paf.unflatten(1, (-1, 2)), model.network.stride)
    return parse(maps, model.skeleton)[0], (scale, x, y)


def _points(people: People, place: Place) -> NDArray[np.float64]:
    scale, x, y = place
    return np.asarray((people.keypoints - (x, y)) / scale, np.float64)


def _draw(
    canvas: NDArray[np.uint8], people: People, place: Place, model: LoadedModel
) -> NDArray[np.uint8]:
    for points in _points(people, place):
        for limb, (a, b) in enumerate(model.skeleton.limbs):
            if np.isfinite(points[[a, b]]).all():
                ends = [tuple(int(value) for value in points[i]) for i in (a, b)]
                colour = model.skeleton.limb_colours[limb]
                cv2.line(canvas, ends[0], ends[1], colour, 6, cv2.LINE_AA)
        for point in points[np.isfinite(points[:, 0])]:
            cv2.circle(canvas, [int(v) for v in point], 8, (255, 255, 255), -1, cv2.LINE_AA)
    return canvas


def _rows(frame: int, people: People, place: Place) -> list[Sequence[float]]:
    return [
        (frame, person, keypoint, float(x), float(y), float(people.confidence[person, keypoint]))
        for person, points in enumerate(_points(people, place))
        for keypoint, (x, y) in enumerate(points)
    ]


if __name__ == "__main__":
    main()
