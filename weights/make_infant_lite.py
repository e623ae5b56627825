"""Makes the shipped model ``infant-lite`` again, from nothing but the training data.

    python weights/make_infant_lite.py DATA WORK --lspet-labels LABELS

DATA holds the folders ``lspet``, ``infantdev``, ``infantmore`` and ``coco`` described in
MODEL_CARD.md; LABELS is what ``weights/label_lspet.py`` wrote; WORK gets the synthetic pictures,
labels, checkpoints and loss curves. A run that was stopped goes on where it was.
TRAINING.md tells what each round brought and how long it took.
"""

from __future__ import annotations

import argparse
import copy
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from vid2kp.pose.estimate import Estimator
from vid2kp.pose.lite import Lite
from vid2kp.pose.skeleton import INFANT22
from vid2kp.pose.weights import Network, load_model, save_model
from vid2kp.training.augment import AugmentOptions
from vid2kp.training.backgrounds import empty_parts
from vid2kp.training.dataset import CocoKeypoints
from vid2kp.training.postures import LYING_WEIGHTS
from vid2kp.training.self_labels import write_self_labels
from vid2kp.training.synthetic import write_images
from vid2kp.training.teacher import write_with_moved_hips
from vid2kp.training.train import Progress, Source, TrainOptions, train

TEACHER_SCORE = 0.7  # labels below are guesses
INFANTMORE = Path(__file__).parent / "labels" / "infantmore.json"  # by eye
SIDES = ("side", "prone")  # views of which there are few
INPUT_SIZE = 256
"""Longest side of the input when the model is used: a crop of it shows an infant at the size, in
pixels, that was most frequent in training."""


@dataclass(frozen=True)
class Pool:
    """Synthetic pictures rendered once: how many of which seed, how infants lie and hold arms."""

    seed: int
    count: int
    lying: tuple[float, ...] = LYING_WEIGHTS
    upright: float = 0.0


POOLS = {
    "anyhow": (Pool(201, 6000), Pool(202, 6000)),
    "sideways": (
        Pool(211, 2500, (0.28, 0.16, 0.44, 0.12)),
        Pool(212, 2500, (0.28, 0.16, 0.44, 0.12)),
    ),
    "more": (
        Pool(221, 5000, (0.36, 0.16, 0.34, 0.14)),
        Pool(222, 4000, (0.50, 0.16, 0.22, 0.12), upright=0.4),
    ),
}


@dataclass(frozen=True)
class Round:
    """One training run; it starts from the last weights of the one before.

    Attributes:
        name: of its folder.
        shares: how often the pictures of each source are drawn.
        options: see `TrainOptions`.
    """

    name: str
    shares: dict[str, float]
    options: TrainOptions = field(default_factory=TrainOptions)


_NEAR = AugmentOptions(fill=(0.6, 1.15))
_LABELLED_BY_EYE = {
    "anyhow": 0.15,
    "sideways": 0.12,
    "lspet22": 0.14,
    "infantdev": 0.16,
    "infantdev-sideways": 0.04,
    "infantmore": 0.34,
    "coco": 0.05,
}
_LAST = {
    "anyhow": 0.08,
    "sideways": 0.08,
    "more": 0.13,
    "lspet22": 0.12,
    "infantdev": 0.16,
    "infantdev-sideways": 0.04,
    "infantmore": 0.34,
    "coco": 0.05,
}
ROUNDS = (
    Round(
        "first",
        {"anyhow": 0.46, "lspet": 0.22, "infantdev": 0.10, "teacher": 0.17, "coco": 0.05},
        TrainOptions(size=192, steps=2800),
    ),
    Round(
        "second",
        {"anyhow": 0.40, "lspet": 0.19, "infantdev": 0.13, "teacher": 0.23, "coco": 0.05},
        TrainOptions(
            size=192, steps=2600, rate=1.5e-3, warmup=100, average=0.99, seed=1, augment=_NEAR
        ),
    ),
    Round(
        "third",
        {"anyhow": 0.42, "lspet22": 0.18, "infantdev": 0.16, "teacher": 0.20, "coco": 0.04},
        TrainOptions(
            size=192,
            steps=1250,
            rate=1.5e-3,
            schedule="constant",
            warmup=100,
            average=0.99,
            seed=4,
            augment=_NEAR,
        ),
    ),
    Round(
        "fourth",
        {
            "anyhow": 0.24,
            "sideways": 0.14,
            "lspet22": 0.16,
            "infantdev": 0.13,
            "infantdev-sideways": 0.05,
            "own": 0.14,
            "teacher": 0.06,
            "coco": 0.04,
        },
        TrainOptions(
            size=192, steps=1500, rate=1.2e-3, warmup=100, average=0.99, seed=5, augment=_NEAR
        ),
    ),
    Round(
        "fifth",
        {
            "anyhow": 0.26,
            "sideways": 0.16,
            "lspet22": 0.20,
            "infantdev": 0.12,
            "infantdev-sideways": 0.04,
            "own": 0.16,
            "coco": 0.06,
        },
        TrainOptions(
            size=192,
            steps=600,
            rate=1e-3,
            schedule="constant",
            warmup=100,
            average=0.99,
            seed=6,
            augment=_NEAR,
        ),
    ),
    Round(
        "sixth",
        {
            "anyhow": 0.17,
            "sideways": 0.12,
            "lspet22": 0.16,
            "infantdev": 0.15,
            "infantdev-sideways": 0.04,
            "infantmore": 0.31,
            "coco": 0.05,
        },
        TrainOptions(
            size=192, steps=3200, rate=1.2e-3, warmup=50, average=0.99, seed=7, augment=_NEAR
        ),
    ),
    Round(
        "seventh",
        _LABELLED_BY_EYE,
        TrainOptions(
            size=192, steps=1250, rate=1e-3, warmup=50, average=0.99, seed=8, augment=_NEAR
        ),
    ),
    Round(
        "eighth",
        _LABELLED_BY_EYE,
        TrainOptions(
            size=192, steps=3500, rate=1e-3, warmup=50, average=0.99, seed=9, augment=_NEAR
        ),
    ),
    Round(
        "ninth",
        _LAST,
        TrainOptions(
            size=192, steps=3000, rate=1e-3, warmup=50, average=0.99, seed=10, augment=_NEAR
        ),
    ),
)
_TWICE = TrainOptions(size=192, batch=16, warmup=50, average=0.99, seed=11, augment=_NEAR)
STEADY = (
    Round("tenth", _LAST, replace(_TWICE, steps=500, rate=4e-4, steady=3.0)),
    Round("eleventh", _LAST, replace(_TWICE, steps=2400, rate=8e-4, steady=2.0)),
)
"""Rounds that both start from the mean of the last two, with every picture seen twice."""


def main() -> None:
    """Parses the arguments and does it all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--lspet-labels", type=Path, required=True)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    pantry = Pantry(arguments.data, arguments.work, arguments.lspet_labels, arguments.device)
    torch.manual_seed(0)
    network: Network = Lite(INFANT22)
    trained: Network = Lite(INFANT22)
    model = Path()
    for one in ROUNDS:
        before = copy.deepcopy(trained)
        folder = arguments.work / one.name
        if "own" in one.shares:
            pantry.label(model)
        trained = train(
            network,
            pantry.sources(one.shares),
            folder,
            options=one.options,
            device=arguments.device,
            progress=say,
        )
        model = folder / "model.safetensors"
        save_model(trained, model, input_size=INPUT_SIZE)
        last = torch.load(folder / "checkpoint.pt", map_location="cpu", weights_only=True)
        network.load_state_dict(last["network"])
    mean = mean_of(before, trained)
    steady = [
        train(
            copy.deepcopy(mean),
            pantry.sources(one.shares),
            arguments.work / one.name,
            options=one.options,
            device=arguments.device,
            progress=say,
        )
        for one in STEADY
    ]
    save_model(
        mean_of(mean, *steady),
        arguments.out / "infant-lite.safetensors",
        input_size=INPUT_SIZE,
        half=True,
        training={one.name: json.loads(json.dumps(asdict(one))) for one in (*ROUNDS, *STEADY)},
    )


def mean_of(*networks: Network) -> Network:
    """A network whose weights are the mean of others': it knows unseen pictures better.

    They must have been trained from each other or from one start, or the middle is nowhere.
    """
    mean = copy.deepcopy(networks[0])
    states = [network.state_dict() for network in networks]
    for name, value in mean.state_dict().items():
        if value.is_floating_point():
            value.copy_(sum(state[name] for state in states) / len(states))
    return mean


class Pantry:
    """Where the ingredients are: photographs with labels, and synthetic pictures.

    Args:
        data: the folder with the photographs.
        work: gets what is made from them.
        lspet_labels: labels of lspet with faces, hands and feet.
        device: where synthetic pictures are rendered.
    """

    def __init__(self, data: Path, work: Path, lspet_labels: Path, device: str) -> None:
        self.work, self.device = work, device
        infantdev, infantmore, lspet = data / "infantdev", data / "infantmore", data / "lspet"
        train_split = infantdev / "train.json"
        self.teacher = write_with_moved_hips(infantmore / "teacher.json", work / "teacher.json")
        sideways = _only(train_split, SIDES, work / "infantdev-sideways.json")
        self.photographs = {
            "infantdev": Source(train_split, infantdev / "images", 0.0),
            "coco": Source(data / "coco" / "annotations.json", data / "coco" / "images", 0.0),
            "teacher": Source(self.teacher, infantmore / "images", 0.0, min_score=TEACHER_SCORE),
            "infantdev-sideways": Source(sideways, infantdev / "images", 0.0),
            "lspet": Source(lspet / "annotations.json", lspet / "images.zip", 0.0),
            "lspet22": Source(lspet_labels, lspet / "images.zip", 0.0),
            "own": Source(work / "own.json", infantmore / "images", 0.0),
            "infantmore": Source(INFANTMORE, infantmore / "images", 0.0),
        }

    def sources(self, shares: dict[str, float]) -> list[Source]:
        """The sources of a round; synthetic pictures are rendered if not there yet."""
        found = []
        for name, share in shares.items():
            if name in POOLS:
                folders = [self._rendered(pool) for pool in POOLS[name]]
                found += [
                    Source(folder / "annotations.json", folder / "images", share / len(folders))
                    for folder in folders
                ]
            else:
                found.append(replace(self.photographs[name], share=share))
        return found

    def label(self, model: Path) -> None:
        """Labels of infantmore by a model that agrees with itself and with the teacher."""
        own = self.photographs["own"]
        if not own.annotations.exists():
            estimator = Estimator(load_model(model), device=self.device)
            write_self_labels(estimator, self.teacher, own.images, own.annotations)

    def _rendered(self, pool: Pool) -> Path:
        folder = self.work / f"synthetic-{pool.seed}"
        if not (folder / "annotations.json").exists():
            write_images(
                folder,
                count=pool.count,
                seed=pool.seed,
                size=272,
                backgrounds=self._backgrounds(),
                device=self.device,
                lying=pool.lying,
                upright=pool.upright,
            )
        return folder

    def _backgrounds(self) -> list[NDArray[np.uint8]]:
        crops = []
        for name in ("infantdev", "coco", "teacher"):
            source = self.photographs[name]
            crops += empty_parts(
                CocoKeypoints(
                    source.annotations, source.images, INFANT22, min_score=source.min_score
                )
            )
        return crops


def _only(annotations: Path, views: tuple[str, ...], out: Path) -> Path:
    """The part of an annotation file whose pictures show one of the views."""
    document = json.loads(annotations.read_text(encoding="utf-8"))
    images = [image for image in document["images"] if image["view"] in views]
    kept = {image["id"] for image in images}
    document["images"] = images
    document["annotations"] = [a for a in document["annotations"] if a["image_id"] in kept]
    out.write_text(json.dumps(document), encoding="utf-8")
    return out


def say(at: Progress) -> None:
    """One line for every hundred steps."""
    if at.step % 100 == 0:
        print(f"step {at.step} of {at.steps}: loss {at.loss:.4f}", flush=True)


if __name__ == "__main__":
    main()
