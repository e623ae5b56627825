"""Batched inference: images in, belief maps or people out, on a CPU or a GPU.

The network is made faster at load without changing what it says: batch norms are folded into the
convolutions before them, tensors are laid out channels last, and numbers are bfloat16 where the
processor multiplies them faster than float32.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from typing import Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from vid2kp.errors import UsageError
from vid2kp.pose.calibration import Calibration
from vid2kp.pose.framing import keypoints_to_display, sample_image, whole_frame
from vid2kp.pose.lanes import Lanes
from vid2kp.pose.lite import Residual
from vid2kp.pose.parse import BeliefMaps, ParseOptions, parse
from vid2kp.pose.people import People
from vid2kp.pose.weights import LoadedModel

Precision = Literal["auto", "fp32", "bf16", "fp16"]

Result = TypeVar("Result")

_NUMBERS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_BATCH = {"cpu": 2, "cuda": 64}


class Estimator:
    """A network at work.

    Args:
        model: from `load_model`; it stays as it is.
        device: ``auto`` (a GPU if there is one), ``cpu``, ``cuda`` or ``cuda:i``.
        precision: ``fp32``, ``bf16``, ``fp16`` or ``auto``: the fastest that the device has.
        batch_size: images looked at together; ``auto`` for a number that suits the device. Halved
            for good when the GPU's memory does not suffice. A CPU works on several such batches
            side by side, one on each thread.
        parse_options: thresholds of the parser, for the belief maps' own values.
        calibrated: whether to turn the peaks' values into probabilities by the curve of the
            model's card; a card without one leaves them as they are. Scores stay as they are.

    Attributes:
        skeleton: keypoint set.
        card: what is known about the model.
        calibration: the curve in use, None for none.
        device: where the network runs.
        precision: ``fp32``, ``bf16`` or ``fp16``.
        batch_size: images looked at together, at most.
        lanes: threads for whatever can be done image by image.

    Raises:
        UsageError: there is no such device, or it lacks that precision.
        ModelError: the card's calibration is no rising curve.
    """

    def __init__(
        self,
        model: LoadedModel,
        *,
        device: str = "auto",
        precision: Precision = "auto",
        batch_size: int | Literal["auto"] = "auto",
        parse_options: ParseOptions | None = None,
        calibrated: bool = True,
    ) -> None:
        self.card = model.card
        self.skeleton = model.skeleton
        curve = model.card.calibration if calibrated else {}
        self.calibration = Calibration.from_dict(curve) if curve else None
        self.device = choose_device(device)
        self.precision = choose_precision(precision, self.device)
        self.batch_size = _BATCH[self.device.type] if batch_size == "auto" else batch_size
        if self.batch_size < 1:
            raise UsageError("The batch size must be at least 1.")
        self.parse_options = parse_options or ParseOptions()
        self.lanes = Lanes()
        self._alone = threading.Lock()  # a GPU works for one thread after the other
        self._numbers = _NUMBERS[self.precision]
        self._normalise = model.network.normalise
        self._stride = model.network.stride
        self._network = prepare(model.network, self.device, self._numbers)

    def maps(self, inputs: NDArray[np.uint8] | Tensor) -> BeliefMaps:
        """The belief maps of network inputs.

        Args:
            inputs: (B, H, W, 3) uint8 RGB; H and W multiples of 8.

        Returns:
            Maps on the estimator's device.

        Raises:
            UsageError: the inputs have another shape or type.
        """
        images = _checked(inputs)
        parts = self._side_by_side(self._run, images)
        confidence, paf = (
            maps[0] if len(maps) == 1 else torch.cat(maps) for maps in zip(*parts, strict=True)
        )
        return BeliefMaps(confidence, paf, self._stride)

    def find(
        self, inputs: NDArray[np.uint8] | Tensor, *, called_off: threading.Event | None = None
    ) -> list[People]:
        """The people in network inputs, in pixels of the inputs.

        Args:
            inputs: (B, H, W, 3) uint8 RGB; H and W multiples of 8.
            called_off: another thread may set it: batches that are not begun then never are.

        Raises:
            UsageError: the inputs have another shape or type.
            CancelledError: it was called off.
        """

        def work(images: Tensor) -> list[People]:
            if called_off is not None and called_off.is_set():
                raise CancelledError
            return self._find(images)

        parts = self._side_by_side(work, _checked(inputs))
        return [people for part in parts for people in part]

    def __call__(self, images: NDArray[np.uint8]) -> list[People]:
        """The people in pictures of any size, each looked at as a whole.

        Args:
            images: (B, H, W, 3) uint8 RGB.

        Returns:
            B times the people of a picture, in its pixels.

        Raises:
            UsageError: the images have another shape or type.
        """
        if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8:
            raise UsageError("Images must be (B, H, W, 3) uint8 RGB.")
        if not len(images):
            return []
        view = whole_frame(images.shape[2], images.shape[1], size=self.card.input_size)
        inputs = np.stack([sample_image(image, view) for image in images])
        return [
            People(
                keypoints_to_display(view, people.keypoints).astype(np.float32),
                people.confidence,
                people.score,
            )
            for people in self.find(inputs)
        ]

    def _side_by_side(self, work: Callable[[Tensor], Result], images: Tensor) -> list[Result]:
        """What ``work`` gives for each batch: on a GPU one after the other."""
        if self.device.type == "cpu":
            size = self.batch_size
            starts = range(0, max(len(images), 1), size)  # no images are one batch of none
            return self.lanes.map(work, [images[start : start + size] for start in starts])
        results: list[Result] = []
        begin = 0
        while begin < len(images) or not results:
            batch = images[begin : begin + self.batch_size]
            try:
                with self._alone:
                    results.append(work(batch))
                begin += len(batch)
            except torch.OutOfMemoryError:
                if len(batch) <= 1:
                    raise
                torch.cuda.empty_cache()
                self.batch_size = min(self.batch_size, len(batch) // 2)
        return results

    def _find(self, images: Tensor) -> list[People]:
        maps = BeliefMaps(*self._run(images), self._stride)
        people = parse(maps, self.skeleton, self.parse_options)
        if self.calibration is None:
            return people
        return [dataclasses.replace(p, confidence=self.calibration(p.confidence)) for p in people]

    def _run(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Confidence maps (B, K, h, w) and part affinity fields (B, C, 2, h, w) of one batch."""
        if self.device.type == "cuda":
            images = images.pin_memory() if images.device.type == "cpu" else images
            images = images.to(self.device, non_blocking=True)
        with torch.inference_mode(), _exact(self.device, self.precision):
            x = self._normalise(images).to(self._numbers, memory_format=torch.channels_last)
            confidence, paf = self._network(x)[-1]
            return (
                confidence[:, :-1].to(torch.float32, memory_format=torch.contiguous_format),
                paf.to(torch.float32, memory_format=torch.contiguous_format).unflatten(1, (-1, 2)),
            )


def _checked(inputs: NDArray[np.uint8] | Tensor) -> Tensor:
    """Network inputs as a tensor.

    Raises:
        UsageError: they have another shape or type.
    """
    images = torch.from_numpy(inputs) if isinstance(inputs, np.ndarray) else inputs
    if images.ndim != 4 or images.shape[3] != 3 or images.dtype != torch.uint8:
        raise UsageError("Images must be (B, H, W, 3) uint8 RGB.")
    if images.shape[1] % 8 or images.shape[2] % 8:
        raise UsageError("Both sides of the network's input must be multiples of 8.")
    return images


def choose_device(device: str) -> torch.device:
    """The device that a name means; ``auto`` is a GPU if there is one.

    Raises:
        UsageError: there is no such device.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError:
        chosen = None
    if chosen is None or chosen.type not in _BATCH:
        raise UsageError(f"There is no device {device!r}.", hint="Use auto, cpu, cuda or cuda:i.")
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise UsageError(
            f"PyTorch finds {torch.cuda.device_count()} GPUs here, so {device!r} cannot be used.",
            hint="Use --device cpu, or install a PyTorch that knows your GPU.",
        )
    return chosen


def choose_precision(precision: Precision, device: torch.device) -> str:
    """The kind of numbers to compute with.

    ``auto`` is bf16 on CPUs with bf16 instructions (AVX-512 BF16, AMX) and on GPUs that have it,
    fp16 on other GPUs, and fp32 elsewhere.

    Raises:
        UsageError: not a precision, or fp16 on a CPU, which has no fast way with it.
    """
    if precision not in ("auto", *_NUMBERS):
        raise UsageError(
            f"There is no precision {precision!r}.", hint="Use auto, fp32, bf16, fp16."
        )
    if device.type == "cpu":
        if precision == "fp16":
            raise UsageError("A CPU cannot use fp16.", hint="Use bf16 or fp32.")
        if precision == "auto":
            return "bf16" if cpu_has_bf16() else "fp32"
    elif precision == "auto":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    return precision


def cpu_has_bf16() -> bool:
    """Whether this CPU multiplies bfloat16 matrices faster than float32."""
    abilities = torch.cpu.get_capabilities()
    return bool(abilities.get("avx512_bf16") or abilities.get("amx_bf16"))


_Module = TypeVar("_Module", bound=nn.Module)


def prepare(network: _Module, device: torch.device, numbers: torch.dtype) -> _Module:
    """A copy of a network that is ready to look at batches of ``numbers``, channels last."""
    ready = fold_batch_norms(network).to(device, numbers)
    ready = ready.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if numbers != torch.float32:
        _widen(ready, numbers)
    return ready


def fold_batch_norms(network: _Module) -> _Module:
    """A copy of a network with each batch norm folded into the convolution before it.

    Only those that follow their convolution in an ``nn.Sequential`` are folded. In evaluation mode
    the copy computes the same, up to rounding.
    """
    folded = copy.deepcopy(network).eval().requires_grad_(False)
    for chain in folded.modules():
        if isinstance(chain, nn.Sequential):
            _fold_chain(chain)
    return folded


def _widen(network: nn.Module, numbers: torch.dtype) -> None:
    """Lets a network of short numbers keep float32 where rounding costs most and width least.

    In sums of residuals, which would be rounded again after every block, and in the last
    convolution of either branch of the last stage: rounded to the 8 bits of bfloat16, neighbouring
    cells of a peak become equal, and its place is lost among them.
    """
    chains = [chain for chain in network.modules() if isinstance(chain, nn.Sequential)]
    heads = [chain[-1] for chain in chains if len(chain) and isinstance(chain[-1], nn.Conv2d)]
    for head in heads[-2:]:
        head.float()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_pre_hook(lambda conv, x: (x[0].to(conv.weight.dtype),))
        elif isinstance(module, Residual):
            module.register_forward_pre_hook(lambda _, x: (x[0].float(),))
    for chain in chains:
        if len(chain) and isinstance(chain[-1], Residual):
            chain[-1].register_forward_hook(lambda _, __, y: y.to(numbers))


def _fold_chain(chain: nn.Sequential) -> None:
    for i in range(len(chain) - 1):
        conv, norm = chain[i], chain[i + 1]
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            chain[i] = fuse_conv_bn_eval(conv, norm)
            chain[i + 1] = nn.Identity()


@contextlib.contextmanager
def _exact(device: torch.device, precision: str) -> Iterator[None]:
    """Keeps a GPU from using TensorFloat-32, of 10 bits, where fp32 is asked for."""
    if device.type == "cuda" and precision == "fp32":
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            yield
    else:
        yield
