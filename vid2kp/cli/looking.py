"""Annotated pictures for the commands: to look at with a model, or one by one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vid2kp.cli.screen import Screen
from vid2kp.pose.estimate import Estimator
from vid2kp.pose.people import People
from vid2kp.pose.skeleton import COCO18
from vid2kp.pose.weights import load_model
from vid2kp.training.dataset import CocoKeypoints
from vid2kp.training.results import Truth, predict


def look(
    screen: Screen,
    truth: Truth,
    annotations: Path,
    images: Path,
    model: str,
    *,
    device: str = "auto",
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto",
    zoom: bool = True,
    calibrated: bool = True,
) -> tuple[list[People], tuple[str, ...]]:
    """What the model finds in each picture, and the keypoints that it knows."""
    estimator = Estimator(
        load_model(model), device=device, precision=precision, calibrated=calibrated
    )
    pictures = CocoKeypoints(annotations, images, estimator.skeleton)
    with screen.progress("{task.completed:,}/{task.total:,}") as progress:
        task = progress.add_task("looking", total=len(pictures))
        found = predict(
            estimator,
            pictures,
            truth,
            zoom=zoom,
            progress=lambda done: progress.update(task, completed=done),
        )
    return found, estimator.skeleton.keypoints


def picture_loader(
    annotations: Path, images: Path, truth: Truth
) -> Callable[[int], NDArray[np.uint8]]:
    """Gives the picture (H, W, 3) uint8 RGB of an index of ``truth.pictures``."""
    pictures = CocoKeypoints(annotations, images, COCO18)
    place = {record["id"]: i for i, record in enumerate(pictures.records)}
    return lambda i: pictures.load(place[truth.pictures[i].id]).image
