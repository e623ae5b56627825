"""What batch sizes and kinds of numbers change in keypoints: next to nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vid2kp.pose.estimate import Estimator
from vid2kp.pose.framing import crop, sample
from vid2kp.pose.people import People
from vid2kp.pose.weights import LoadedModel, load_model
from vid2kp.video.read import open_video

EXAMPLE = Path(__file__).parents[2] / "examples" / "infant" / "video.mp4"


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    return load_model("infant-lite")


@pytest.fixture(scope="module")
def inputs(model: LoadedModel) -> np.ndarray:
    """Every twentieth frame of the example."""
    size = model.card.input_size
    with open_video(EXAMPLE) as reader:
        return np.stack(
            [
                sample(frame, crop(((frame.width - 1) / 2, 299.5), frame.width, size=size))
                for frame in reader.frames()
                if frame.index % 20 == 0
            ]
        )


@pytest.fixture(scope="module")
def exact(model: LoadedModel, inputs: np.ndarray) -> list[People]:
    return Estimator(model, device="cpu", precision="fp32").find(inputs)


def distances(some: list[People], others: list[People]) -> np.ndarray:
    """Pixels of the network's input between keypoints of the best people; NaN where one lacks."""
    assert [len(people) > 0 for people in some] == [len(people) > 0 for people in others]
    pairs = [(a.keypoints[0], b.keypoints[0]) for a, b in zip(some, others, strict=True) if len(a)]
    assert len(pairs) > len(some) / 2, "the infant should be seen"
    return np.concatenate([np.linalg.norm(a - b, axis=1) for a, b in pairs])


@pytest.mark.parametrize("size", [1, 3, 16])
def test_batch_sizes_agree_within_a_hundredth_of_a_pixel(
    model: LoadedModel, inputs: np.ndarray, exact: list[People], size: int
) -> None:
    estimator = Estimator(model, device="cpu", precision="fp32", batch_size=size)
    assert np.nanmax(distances(estimator.find(inputs), exact)) < 0.01


def test_bf16_agrees_within_a_fifth_of_a_pixel(
    model: LoadedModel, inputs: np.ndarray, exact: list[People]
) -> None:
    """Even the doubtful, whose peaks are flat: their places hang on the last bits."""
    rough = distances(Estimator(model, device="cpu", precision="bf16").find(inputs), exact)
    assert np.nanmax(rough) < 0.2 and np.nanpercentile(rough, 99) < 0.1
    assert np.isfinite(rough).mean() > 0.9
