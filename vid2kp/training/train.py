"""Training: the whole schedule, readable top to bottom.

Sample n of a run depends on (seed, n) alone, so that a run that was interrupted goes on with the
same samples and the same loss curve as one that was not.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import swa_utils
from torch.utils.data import DataLoader, Dataset

from vid2kp.errors import TrainingError, UsageError, Vid2kpError
from vid2kp.files import output_errors
from vid2kp.pose.estimate import choose_device
from vid2kp.pose.skeleton import Skeleton
from vid2kp.pose.weights import Network
from vid2kp.training.augment import AugmentOptions, augment
from vid2kp.training.batches import as_tensors, collate, with_moved
from vid2kp.training.checkpoint import Checkpoint
from vid2kp.training.curve import add_loss
from vid2kp.training.dataset import PRESENT, CocoKeypoints
from vid2kp.training.losses import stage_loss, unsteadiness
from vid2kp.training.targets import Spread, Targets, make_targets

_Tensors = tuple[Tensor, ...] | list[Tensor]

_MOST = 8
"""A second view of a sample is moved by fewer pixels: the coarsest stride of the networks."""


@dataclass(frozen=True)
class Source:
    """A data set and how often its pictures are drawn, relative to the other sources.

    Raises:
        UsageError: the share is no share.
    """

    annotations: Path
    images: Path
    share: float = 1.0
    min_score: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.share) and self.share >= 0):
            raise UsageError("A share is 0 or a larger number.", hint="Try --share 1.")


@dataclass(frozen=True)
class TrainOptions:
    """A run, whole. The defaults are the project's own schedule.

    Attributes:
        size: side of the network's square input, pixels.
        batch: samples a step.
        steps: length of the run; the learning rate ends at nearly 0 there.
        rate: highest learning rate.
        optimizer: ``adamw`` or ``sgd`` (momentum 0.9).
        schedule: ``cosine`` or ``constant``.
        warmup: steps in which the rate rises from 0, at most a tenth of all.
        decay: weight decay.
        average: decay of the running average of the weights that is saved as the model, from 0
            (none) to below 1. It rises to that, (1 + n) / (10 + n) after n averaged steps, so that
            a short run does not save the weights of its beginning.
        seed: of samples and initial weights.
        sigma: σ of equation 2 at the last stage, input pixels at size 256, scaled with `size`.
        limb: half width of equation 3 likewise.
        steady: weight of `unsteadiness`; above 0 each sample is seen twice, the second time moved
            by less than a cell of the coarsest map. 0 as in the paper.
        workers: processes that prepare samples.
        precision: ``bf16`` or ``fp32``.
        every: steps between checkpoints.

    Raises:
        UsageError: the size, the rate or the average cannot be used.
    """

    size: int = 256
    batch: int = 32
    steps: int = 10_000
    rate: float = 2e-3
    optimizer: str = "adamw"
    schedule: str = "cosine"
    warmup: int = 200
    decay: float = 1e-4
    average: float = 0.998
    seed: int = 0
    sigma: float = 7.5
    limb: float = 5.0
    steady: float = 0.0
    workers: int = 1
    precision: str = "bf16"
    every: int = 250
    augment: AugmentOptions = field(default_factory=AugmentOptions)

    def __post_init__(self) -> None:
        if self.size % 8:
            raise UsageError("The size of the input must be a multiple of 8.")
        if not (math.isfinite(self.rate) and self.rate > 0):
            raise UsageError("The learning rate is a number above 0.", hint="Try --rate 0.002.")
        if not 0 <= self.average < 1:
            raise UsageError("The average is a number from 0 to below 1.", hint="Try 0.998.")


@dataclass(frozen=True)
class Progress:
    """What a run reports after each step."""

    step: int
    steps: int
    loss: float
    rate: float


class Mixture(Dataset[dict[str, Tensor]]):
    """Samples of several sources in their shares; sample n depends on (seed, n) alone.

    Raises:
        UsageError: there is nothing to draw from.
        AnnotationError: the data cannot be used, or pictures are missing.
    """

    def __init__(
        self, sources: Sequence[Source], skeleton: Skeleton, options: TrainOptions
    ) -> None:
        if not sources:
            raise UsageError("There is nothing to train on.", hint="Give annotations and images.")
        shares = np.array([s.share for s in sources], np.float64)
        if not 0 < shares.sum() < math.inf:
            raise UsageError(
                "The shares do not add up to a number above 0.",
                hint="Give at least one data set a share above 0.",
            )
        self.shares = shares / shares.sum()
        self.sets = [
            CocoKeypoints(s.annotations, s.images, skeleton, min_score=s.min_score) for s in sources
        ]
        for data in self.sets:
            data.check_pictures()
        self.skeleton, self.options = skeleton, options

    def __len__(self) -> int:
        return self.options.steps * self.options.batch

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        """One sample: image (S, S, 3) uint8, keypoints (P, K, 2), state (P, K), boxes (P, 4).

        Where peaks shall be steady, also move (2,) int64, see `with_moved`.
        """
        cv2.setNumThreads(0)
        rng = np.random.default_rng([self.options.seed, number])
        data = self.sets[rng.choice(len(self.sets), p=self.shares)]
        index = int(rng.integers(len(data)))
        shrink = 2 if min(data.size(index)) > 2.2 * self.options.size else 1
        sample = augment(
            data.load(index, shrink=shrink),
            size=self.options.size,
            skeleton=self.skeleton,
            rng=rng,
            options=self.options.augment,
        )
        tensors = as_tensors(sample)
        if self.options.steady:
            tensors["move"] = torch.from_numpy(rng.integers(0, _MOST, size=2))
        return tensors


def total_loss(network: Network, batch: dict[str, Tensor], options: TrainOptions) -> Tensor:
    """Loss over all stages (intermediate supervision) of one batch."""
    if options.steady:
        batch = with_moved(batch)
    images = network.normalise(batch["image"]).contiguous(memory_format=torch.channels_last)
    device = images.device.type
    with torch.autocast(device, torch.bfloat16, enabled=options.precision == "bf16"):
        stages = network(images)
    loss = images.new_zeros(())
    scale = options.size / 256
    made: dict[int, Targets] = {}
    for (confidence, affinity), stride in zip(stages, network.strides, strict=True):
        if stride not in made:
            widen = scale * max(1.0, stride / network.strides[-1] * 0.7)
            made[stride] = make_targets(
                batch["keypoints"],
                batch["state"],
                batch["boxes"],
                network.skeleton,
                size=(confidence.shape[2], confidence.shape[3]),
                stride=stride,
                spread=Spread(options.sigma * widen, options.limb * widen),
            )
        loss = loss + stage_loss(confidence, affinity, made[stride], len(network.skeleton))
    if options.steady:
        keypoints = confidence[:, : len(network.skeleton)]
        cells = (batch["keypoints"] + 0.5) / stride - 0.5
        loss = loss + options.steady * unsteadiness(keypoints, cells, batch["state"] == PRESENT)
    return loss


def rate_at(step: int, options: TrainOptions) -> float:
    """Learning rate of a step."""
    rise = min(1.0, (step + 1) / max(1, _warmup(options)))
    if options.schedule == "constant":
        return options.rate * rise
    return options.rate * rise * (0.5 * (1 + math.cos(math.pi * step / options.steps)) + 1e-3)


def _warmup(options: TrainOptions) -> int:
    return min(options.warmup, options.steps // 10)


def train(
    network: Network,
    sources: Sequence[Source],
    folder: Path,
    *,
    options: TrainOptions,
    device: str = "cpu",
    progress: Callable[[Progress], None] | None = None,
) -> Network:
    """Train a network; resumes from ``folder/checkpoint.pt`` if that is there.

    Args:
        network: with `normalise`, `strides` and `skeleton`; its weights are where training starts.
        sources: data sets.
        folder: holds the checkpoint and the loss curve (``loss.jsonl``).
        options: the run.
        device: ``cpu`` or ``cuda``.
        progress: called after each step.

    Returns:
        The network with the averaged weights, in eval mode.

    Raises:
        UsageError: the checkpoint in `folder` is damaged or of a run with other options, network
            or data, or there is no such device.
        AnnotationError: the data cannot be used.
        TrainingError: the loss or the weights became infinite or no numbers.
        OutputError: the folder cannot be written.
    """
    device = str(choose_device(device))
    with output_errors():
        folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    network = network.to(device).train()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = _optimizer(network, options)
    average = running_average(options.average)
    averaged = swa_utils.AveragedModel(network, multi_avg_fn=average, use_buffers=True)
    data = Mixture(sources, network.skeleton, options)
    state = Checkpoint(folder, _facts(options, network, data))
    start = state.restore(network, averaged, optimizer)
    for step, batch in enumerate(_batches(data, options, start), start):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, options)
        batch = {k: v.to(device, non_blocking=True) for k, v in batch.items()}
        loss = total_loss(network, batch, options)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        if step >= _warmup(options):
            averaged.update_parameters(network)
        value = loss.item()
        is_kept = (step + 1) % options.every == 0 or step + 1 == options.steps
        if not math.isfinite(value) or (is_kept and not _is_finite(network)):
            raise TrainingError(
                f"The loss is no number any more at step {step + 1:,}.",
                hint="Use a lower --rate and another folder; the last checkpoint is as it was.",
            )
        add_loss(state.curve, step, round(value, 5))
        if is_kept:
            state.save(step + 1, network, averaged, optimizer)
        if progress:
            progress(Progress(step + 1, options.steps, value, rate_at(step, options)))
    best = cast("Network", averaged.module) if options.average else network
    return best.eval()


def running_average(decay: float) -> Callable[[_Tensors, _Tensors, Tensor | int], None]:
    """Moves averages on by one step, for `AveragedModel`; see `TrainOptions.average`."""

    def update(averaged: _Tensors, current: _Tensors, count: Tensor | int) -> None:
        ramped = min(decay, (1 + int(count)) / (10 + int(count)))
        swa_utils.get_ema_multi_avg_fn(ramped)(averaged, current, count)  # type: ignore[no-untyped-call]

    return update


def _optimizer(network: nn.Module, options: TrainOptions) -> torch.optim.Optimizer:
    if options.optimizer == "sgd":
        return torch.optim.SGD(
            network.parameters(), options.rate, momentum=0.9, weight_decay=options.decay
        )
    if options.optimizer == "adamw":
        return torch.optim.AdamW(network.parameters(), options.rate, weight_decay=options.decay)
    raise UsageError(f"There is no optimizer {options.optimizer!r}.", hint="Use adamw or sgd.")


def _batches(data: Mixture, options: TrainOptions, start: int) -> Iterator[dict[str, Tensor]]:
    loader = DataLoader(
        _ErrorsAsData(data),
        batch_size=options.batch,
        sampler=range(start * options.batch, len(data)),
        num_workers=options.workers,
        collate_fn=collate,
        multiprocessing_context="spawn" if options.workers else None,
        prefetch_factor=4 if options.workers else None,
    )
    for batch in loader:
        if isinstance(batch, Vid2kpError):
            raise batch
        yield batch


class _ErrorsAsData(Dataset[dict[str, Tensor] | Vid2kpError]):
    """Samples, or what was raised instead of them.

    An error that leaves a worker by itself arrives with the worker's traceback as its message.
    """

    def __init__(self, data: Mixture) -> None:
        self.data = data

    def __getitem__(self, number: int) -> dict[str, Tensor] | Vid2kpError:
        try:
            return self.data[number]
        except Vid2kpError as error:
            return error


def _is_finite(network: nn.Module) -> bool:
    return all(bool(tensor.isfinite().all()) for tensor in network.state_dict().values())


def _facts(options: TrainOptions, network: Network, data: Mixture) -> dict[str, Any]:
    """What a run must have in common with its continuation, as JSON would give it back.

    The network is as it was given, before a checkpoint is restored.
    """
    values = asdict(options)
    for name in ("workers", "every"):  # they do not change the result
        values.pop(name)
    weights = hashlib.sha256()
    for tensor in network.state_dict().values():
        weights.update(tensor.cpu().numpy().tobytes())
    kind, set_name = type(network).__name__, network.skeleton.name
    values["network"] = [kind, set_name, network.options, weights.hexdigest()]
    values["data"] = [
        [len(one), share, one.digest()] for one, share in zip(data.sets, data.shares, strict=True)
    ]
    return dict(json.loads(json.dumps(values)))
