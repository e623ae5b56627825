"""The estimator computes what the network says, faster, whatever the batch."""

from __future__ import annotations

import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from belief_maps import draw, person
from torch import nn

from vid2kp.errors import UsageError
from vid2kp.pose import estimate
from vid2kp.pose.card import Card
from vid2kp.pose.estimate import (
    Estimator,
    choose_device,
    choose_precision,
    cpu_has_bf16,
    fold_batch_norms,
)
from vid2kp.pose.lite import Lite
from vid2kp.pose.openpose import OpenPose
from vid2kp.pose.people import People
from vid2kp.pose.skeleton import COCO18, INFANT22
from vid2kp.pose.weights import LoadedModel, Network


def loaded(network: Network) -> LoadedModel:
    card = Card(
        name="test",
        architecture="lite",
        skeleton=network.skeleton.name,
        keypoints=network.skeleton.keypoints,
        limbs=network.skeleton.limbs,
        options={},
        input_size=64,
        stride=network.stride,
        parameters=0,
        sha256="",
    )
    return LoadedModel(network.eval(), card)


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    """A small network whose batch norms have seen something."""
    torch.manual_seed(0)
    network = Lite(INFANT22, width=16)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
    return loaded(network)


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 64, 96, 3), dtype=np.uint8)


def test_folded_batch_norms_change_nothing(model: LoadedModel) -> None:
    folded = fold_batch_norms(model.network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    assert any(isinstance(module, nn.BatchNorm2d) for module in model.network.modules())
    x = torch.randn(2, 3, 64, 64)
    for stage, expected in zip(folded(x), model.network(x), strict=True):
        for maps, wanted in zip(stage, expected, strict=True):
            torch.testing.assert_close(maps, wanted, rtol=1e-4, atol=1e-5)


def test_confidence_is_what_the_card_says_a_peak_is_worth(
    model: LoadedModel, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    curve = {"confidence": [0.0, 1.0], "probability": [0.5, 0.9], "within": 0.1}
    fitted = LoadedModel(model.network, dataclasses.replace(model.card, calibration=curve))
    drawn = draw([[person(60.0, 60.0, length=60.0)]], size=(128, 128))
    monkeypatch.setattr(Estimator, "_run", lambda self, images: (drawn.confidence, drawn.paf))
    plain = Estimator(fitted, device="cpu", calibrated=False).find(images)[0]
    worth = Estimator(fitted, device="cpu").find(images)[0]
    assert plain.found.sum() > 18
    np.testing.assert_allclose(worth.confidence, 0.5 + 0.4 * plain.confidence, rtol=1e-6)
    np.testing.assert_array_equal(worth.keypoints, plain.keypoints)
    np.testing.assert_array_equal(worth.score, plain.score)


def test_maps_are_those_of_the_last_stage(model: LoadedModel, images: np.ndarray) -> None:
    maps = Estimator(model, device="cpu", precision="fp32").maps(images)
    assert maps.confidence.shape == (5, 22, 16, 24)
    assert maps.paf.shape == (5, 23, 2, 16, 24)
    assert maps.confidence.dtype == maps.paf.dtype == torch.float32
    assert maps.stride == 4
    network = model.network
    confidence, paf = network(network.normalise(torch.from_numpy(images)))[-1]
    torch.testing.assert_close(maps.confidence, confidence[:, :-1], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(maps.paf[:, 7, 1], paf[:, 15], rtol=1e-4, atol=1e-5)


def test_openpose_runs_as_well(images: np.ndarray) -> None:
    maps = Estimator(loaded(OpenPose(COCO18, stages=1)), device="cpu").maps(images[:1, :32, :32])
    assert maps.confidence.shape == (1, 18, 4, 4)
    assert maps.paf.shape == (1, 19, 2, 4, 4)


@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_the_batch_does_not_matter(model: LoadedModel, images: np.ndarray, size: int) -> None:
    together = Estimator(model, device="cpu", precision="fp32", batch_size=5).maps(images)
    apart = Estimator(model, device="cpu", precision="fp32", batch_size=size).maps(images)
    torch.testing.assert_close(apart.confidence, together.confidence, rtol=0, atol=1e-5)
    torch.testing.assert_close(apart.paf, together.paf, rtol=0, atol=1e-5)


def test_bf16_is_close_to_fp32(model: LoadedModel, images: np.ndarray) -> None:
    exact = Estimator(model, device="cpu", precision="fp32").maps(images).confidence
    rough = Estimator(model, device="cpu", precision="bf16").maps(images).confidence
    assert (rough - exact).abs().max() < 0.05 * exact.abs().max()


def test_tensors_and_arrays_are_the_same(model: LoadedModel, images: np.ndarray) -> None:
    estimator = Estimator(model, device="cpu")
    a, b = estimator.maps(images), estimator.maps(torch.from_numpy(images))
    assert torch.equal(a.confidence, b.confidence)


def test_no_images_are_no_people(model: LoadedModel, images: np.ndarray) -> None:
    estimator = Estimator(model, device="cpu")
    assert estimator(images[:0]) == []
    assert estimator.find(images[:0]) == []


def test_pictures_of_any_size_are_looked_at(model: LoadedModel) -> None:
    people = Estimator(model, device="cpu")(np.full((2, 121, 161, 3), 90, np.uint8))
    assert len(people) == 2
    assert all(p.keypoints.shape == (len(p), 22, 2) for p in people)


def test_keypoints_are_in_pixels_of_the_picture(
    model: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = person(400, 240, length=300)
    estimator = Estimator(model, device="cpu")
    # A picture of 640 × 480 is looked at in 64 × 48 pixels: pixel x is (x + 0.5) / 10 - 0.5.
    maps = draw([[(truth + 0.5) / 10 - 0.5]], size=(48, 64), stride=4, sigma=4, limb=3)
    monkeypatch.setattr(Estimator, "_run", lambda self, images: (maps.confidence, maps.paf))
    people = estimator(np.zeros((1, 480, 640, 3), np.uint8))[0]
    assert np.nanmax(np.abs(people.keypoints - truth)) < 3
    assert np.isfinite(people.keypoints).mean() > 0.8


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((64, 64, 3), np.uint8),
        np.zeros((1, 64, 64, 3), np.float32),
        np.zeros((1, 3, 64, 64), np.uint8),
        np.zeros((1, 60, 64, 3), np.uint8),
    ],
)
def test_inputs_of_another_form_are_refused(model: LoadedModel, wrong: np.ndarray) -> None:
    with pytest.raises(UsageError):
        Estimator(model, device="cpu").maps(wrong)


def test_out_of_memory_halves_the_batch(
    model: LoadedModel, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    estimator = Estimator(model, device="cpu", precision="fp32", batch_size=4)
    expected = estimator.maps(images).confidence
    estimator.device = torch.device("cuda")  # what runs here is replaced below
    run, sizes = Estimator._run, []

    def small_memory(self: Estimator, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        sizes.append(len(batch))
        if len(batch) > 1:
            raise torch.OutOfMemoryError
        with monkeypatch.context() as here:
            here.setattr(self, "device", torch.device("cpu"))
            return run(self, batch)

    monkeypatch.setattr(Estimator, "_run", small_memory)
    torch.testing.assert_close(estimator.maps(images).confidence, expected, rtol=0, atol=1e-5)
    assert sizes == [4, 2, 1, 1, 1, 1, 1]
    assert estimator.batch_size == 1


def test_a_gpu_works_for_one_thread_after_the_other(
    model: LoadedModel, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    estimator = Estimator(model, device="cpu", batch_size=1)
    estimator.device = torch.device("cuda")  # what runs here is replaced below
    at_once, most = [0], []

    def busy(self: Estimator, batch: torch.Tensor) -> list[People]:
        at_once[0] += 1
        time.sleep(0.01)
        most.append(at_once[0])
        at_once[0] -= 1
        return [People.none(len(self.skeleton))] * len(batch)

    monkeypatch.setattr(Estimator, "_find", busy)
    with ThreadPoolExecutor(2) as threads:
        both = list(threads.map(estimator.find, [images, images]))
    assert [len(one) for one in both] == [len(images)] * 2
    assert len(most) == 2 * len(images) and max(most) == 1


def test_out_of_memory_for_one_image_is_an_error(
    model: LoadedModel, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(self: Estimator, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(Estimator, "_run", no_memory)
    with pytest.raises(torch.OutOfMemoryError):
        Estimator(model, device="cpu").maps(images)


def test_auto_precision_follows_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    for abilities, wanted in (
        ({"avx512_bf16": True}, "bf16"),
        ({"amx_bf16": True, "avx512_bf16": False}, "bf16"),
        ({"avx2": True}, "fp32"),
        ({}, "fp32"),
    ):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda found=abilities: found)
        assert choose_precision("auto", cpu) == wanted
        assert cpu_has_bf16() == (wanted == "bf16")
    assert choose_precision("bf16", cpu) == "bf16"
    with pytest.raises(UsageError, match="fp16"):
        choose_precision("fp16", cpu)
    with pytest.raises(UsageError, match="fp8"):
        choose_precision("fp8", cpu)  # type: ignore[arg-type]


def test_devices_that_are_not_there_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert choose_device("auto") == torch.device("cpu")
    for device in ("cuda", "cuda:3", "tpu", "vulkan", "mps", ""):
        with pytest.raises(UsageError, match=r"device|GPU"):
            choose_device(device)


def test_a_batch_has_at_least_one_image(model: LoadedModel) -> None:
    with pytest.raises(UsageError, match="batch size"):
        Estimator(model, device="cpu", batch_size=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("precision", ["fp32", "auto"])
def test_a_gpu_says_the_same(model: LoadedModel, images: np.ndarray, precision: str) -> None:
    cpu = Estimator(model, device="cpu", precision="fp32").maps(images)
    gpu = Estimator(model, device="cuda", precision=precision).maps(images)  # type: ignore[arg-type]
    tolerance = 1e-4 if precision == "fp32" else 0.05 * float(cpu.confidence.abs().max())
    assert gpu.confidence.device.type == "cuda"
    torch.testing.assert_close(gpu.confidence.cpu(), cpu.confidence, rtol=0, atol=tolerance)
    assert estimate.choose_precision("auto", torch.device("cuda")) in ("bf16", "fp16")
