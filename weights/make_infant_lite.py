"""Makes the shipped model ``infant-lite`` again, from nothing but the training data.

    python weights/make_infant_lite.py DATA WORK

DATA holds the folders ``lspet``, ``infantdev``, ``infantmore`` and ``coco`` described in
MODEL_CARD.md; WORK gets the synthetic pictures, checkpoints and loss curves. A run that was
stopped goes on where it was. On two busy CPU cores it took two hours: 20 minutes to render, the
rest to train.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from vid2kp.pose.lite import Lite
from vid2kp.pose.skeleton import INFANT22
from vid2kp.pose.weights import Network, save_model
from vid2kp.training.augment import AugmentOptions
from vid2kp.training.backgrounds import empty_parts
from vid2kp.training.dataset import CocoKeypoints
from vid2kp.training.synthetic import write_images
from vid2kp.training.teacher import write_with_moved_hips
from vid2kp.training.train import Progress, Source, TrainOptions, train

SYNTHETIC_SEEDS = (101, 102)
SYNTHETIC_PICTURES = 10_000  # of each seed
TEACHER_SCORE = 0.7  # labels below are guesses


@dataclass(frozen=True)
class Shares:
    """How often the pictures of each source are drawn."""

    synthetic: float
    lspet: float
    infantdev: float
    infantmore: float
    coco: float


@dataclass(frozen=True)
class Round:
    """One training run; it starts from the last weights of the one before."""

    name: str
    shares: Shares
    options: TrainOptions


ROUNDS = (
    Round(
        "first",
        Shares(synthetic=0.46, lspet=0.22, infantdev=0.10, infantmore=0.17, coco=0.05),
        TrainOptions(size=192, steps=2800),
    ),
    Round(
        "second",
        Shares(synthetic=0.40, lspet=0.19, infantdev=0.13, infantmore=0.23, coco=0.05),
        TrainOptions(
            size=192,
            steps=2600,
            rate=1.5e-3,
            warmup=100,
            average=0.99,
            seed=1,
            augment=AugmentOptions(fill=(0.6, 1.15)),
        ),
    ),
)
INPUT_SIZE = 256
"""Longest side of the input when the model is used: a crop of it shows an infant at the size, in
pixels, that was most frequent in training."""


def main() -> None:
    """Parses the arguments and does it all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    network: Network = Lite(INFANT22)
    for one in ROUNDS:
        folder = arguments.work / one.name
        trained = train(
            network,
            make_sources(arguments.data, arguments.work, one.shares, arguments.device),
            folder,
            options=one.options,
            device=arguments.device,
            progress=say,
        )
        last = torch.load(folder / "checkpoint.pt", map_location="cpu", weights_only=True)
        network.load_state_dict(last["network"])
    save_model(
        trained,
        arguments.out / "infant-lite.safetensors",
        input_size=INPUT_SIZE,
        half=True,
        training={one.name: json.loads(json.dumps(asdict(one))) for one in ROUNDS},
    )


def make_sources(data: Path, work: Path, shares: Shares, device: str) -> list[Source]:
    """The training data with their shares; synthetic pictures are rendered if not there yet."""
    work.mkdir(parents=True, exist_ok=True)
    moved = write_with_moved_hips(data / "infantmore" / "teacher.json", work / "teacher.json")
    labelled = {
        "infantdev": Source(
            data / "infantdev" / "train.json", data / "infantdev" / "images", shares.infantdev
        ),
        "coco": Source(data / "coco" / "annotations.json", data / "coco" / "images", shares.coco),
        "infantmore": Source(
            moved, data / "infantmore" / "images", shares.infantmore, min_score=TEACHER_SCORE
        ),
    }
    backgrounds = [
        crop
        for source in labelled.values()
        for crop in empty_parts(
            CocoKeypoints(source.annotations, source.images, INFANT22, min_score=source.min_score)
        )
    ]
    synthetic = []
    for seed in SYNTHETIC_SEEDS:
        folder = work / f"synthetic-{seed}"
        if not (folder / "annotations.json").exists():
            write_images(
                folder,
                count=SYNTHETIC_PICTURES,
                seed=seed,
                size=272,
                backgrounds=backgrounds,
                device=device,
            )
        share = shares.synthetic / len(SYNTHETIC_SEEDS)
        synthetic.append(Source(folder / "annotations.json", folder / "images", share))
    lspet = Source(data / "lspet" / "annotations.json", data / "lspet" / "images.zip", shares.lspet)
    return [*synthetic, lspet, *labelled.values()]


def say(at: Progress) -> None:
    """One line for every hundred steps."""
    if at.step % 100 == 0:
        print(f"step {at.step} of {at.steps}: loss {at.loss:.4f}", flush=True)


if __name__ == "__main__":
    main()
