"""The experiment behind the tool: a network that knows adults, then one that has seen infants.

    python benchmarks/paper_experiment.py DATA WORK

The network is trained from nothing on adults (lspet, without a part that is held out), then
fine-tuned on infants (synthetic ones and the training split of infantdev) in two ways: with the
schedule of the paper, stochastic gradient descent with momentum at a constant rate of 0.01, and
with our own. All three, and the shipped model beside them, are measured on the validation split of
infantdev, over the keypoints that the adults' labels have as well, and the first on the adults held
out. The figures go to WORK/figures.json; with ``--write`` also into docs/experiment.md and
weights/MODEL_CARD.md.

A run that was stopped goes on where it was. DATA holds the folders ``lspet`` and ``infantdev``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vid2kp.pose.estimate import Estimator
from vid2kp.pose.lite import Lite
from vid2kp.pose.openpose import OpenPose
from vid2kp.pose.skeleton import INFANT22
from vid2kp.pose.weights import Network, find_weights, load_model, save_model
from vid2kp.training.augment import AugmentOptions
from vid2kp.training.bootstrap import Estimate
from vid2kp.training.dataset import CocoKeypoints
from vid2kp.training.documents import (
    OVERALL,
    Cell,
    cell_text,
    fill,
    interval_text,
    markdown_table,
)
from vid2kp.training.evaluate import evaluate
from vid2kp.training.results import predict, read_truth
from vid2kp.training.synthetic import write_images
from vid2kp.training.train import Progress, Source, TrainOptions, train

SHARED = (
    "neck",
    *(f"{side}_{joint}" for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
      for side in ("right", "left")),
)  # fmt: skip
"""The keypoints that both lspet and infantdev label."""

VIEWS = AugmentOptions(any_direction=0.1, lean=30.0, far=0.1, occlude=0.2)
"""Nearly upright: a run this short does not get beyond "zero everywhere" when it must also learn
that people lie in any direction."""

ADULTS, PAPER, OURS = "adults only", "fine-tuned, the paper's schedule", "fine-tuned, our schedule"
SHIPPED = "infant-lite"


@dataclass(frozen=True)
class Sizes:
    """How large the experiment is; the defaults take two CPU cores an hour and a half.

    Attributes:
        network: ``lite`` or ``openpose``, the paper's.
        width: channels of ``lite``; 64 as the shipped model has.
        size: side of the network's input in training, pixels.
        batch: samples a step.
        adult_steps: of the first training.
        infant_steps: of each fine-tuning.
        synthetic: pictures of synthetic infants.
        held_out: adults that are only measured on.
    """

    network: str = "lite"
    width: int = 64
    size: int = 160
    batch: int = 32
    adult_steps: int = 4000
    infant_steps: int = 500
    synthetic: int = 8000
    held_out: int = 100


@dataclass(frozen=True)
class Data:
    """Where the pictures are."""

    adults: Source
    adults_held_out: Source
    infants: tuple[Source, ...]
    infants_held_out: Source


def main() -> None:
    """Parses the arguments and does it all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--pool", type=Path, help="synthetic pictures made before (vid2kp synth)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--write", action="store_true", help="put the figures into the documents")
    for name, value in asdict(Sizes()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    arguments = parser.parse_args()
    sizes = Sizes(**{name: getattr(arguments, name) for name in asdict(Sizes())})
    claim(arguments.work, sizes, arguments.data, arguments.pool)
    data = make_data(arguments.data, arguments.work, sizes, arguments.pool, arguments.device)
    figures = run(data, arguments.work, sizes, arguments.device)
    (arguments.work / "figures.json").write_text(json.dumps(figures, indent=2), encoding="utf-8")
    if arguments.write:
        root = Path(__file__).resolve().parents[1]
        for document in (root / "docs" / "experiment.md", root / "weights" / "MODEL_CARD.md"):
            fill(document, {"experiment": table(figures)})


def claim(work: Path, sizes: Sizes, data: Path, pool: Path | None) -> None:
    """Refuses a folder that holds another experiment: its models would be taken for these."""
    asked = asdict(sizes) | {"data": str(data.resolve()), "pool": pool and str(pool.resolve())}
    work.mkdir(parents=True, exist_ok=True)
    mark = work / "experiment.json"
    if not mark.exists():
        mark.write_text(json.dumps(asked, indent=2), encoding="utf-8")
    if json.loads(mark.read_text(encoding="utf-8")) != asked:
        raise SystemExit(f"{work} holds another experiment, see {mark}. Give another folder.")


def run(data: Data, work: Path, sizes: Sizes, device: str) -> dict[str, Any]:
    """Trains the three models, each once, and measures them."""
    adult_options = TrainOptions(
        size=sizes.size,
        batch=sizes.batch,
        steps=sizes.adult_steps,
        average=0.99,
        augment=VIEWS,
    )
    own = replace(adult_options, steps=sizes.infant_steps, rate=1e-3, seed=1)
    paper = replace(own, optimizer="sgd", schedule="constant", rate=0.01)
    torch.manual_seed(0)
    untrained: Network = (
        Lite(INFANT22, width=sizes.width) if sizes.network == "lite" else OpenPose(INFANT22)
    )
    silence(untrained, SHARED)
    plan: tuple[tuple[str, str, Sequence[Source], TrainOptions], ...] = (
        ("adults", ADULTS, (data.adults,), adult_options),
        ("paper", PAPER, data.infants, paper),
        ("ours", OURS, data.infants, own),
    )
    measured: dict[str, Any] = {}
    for name, title, sources, options in plan:
        path = work / f"{name}.safetensors"
        if not path.exists():
            start = untrained if name == "adults" else trained_network(work / "adults.safetensors")
            print(title, flush=True)
            network = train(
                start, sources, work / name, options=options, device=device, progress=say
            )
            save_model(network, path, input_size=_input_size(sizes.size), training=asdict(options))
        measured[title] = measure(path, data.infants_held_out, work / f"{name}-infants", device)
        if name == "adults":
            adults = measure(path, data.adults_held_out, work / f"{name}-adults", device)
    (work / f"{SHIPPED}.figures.json").unlink(missing_ok=True)  # it may be another one by now
    measured[SHIPPED] = measure(
        find_weights() / f"{SHIPPED}.safetensors", data.infants_held_out, work / SHIPPED, device
    )
    return {"sizes": asdict(sizes), "adults": adults, "infants": measured}


def trained_network(path: Path) -> Network:
    """A model's network, ready to be trained further."""
    return load_model(path).network.requires_grad_(True)


def silence(network: Network, keypoints: Sequence[str]) -> None:
    """Zeroes what the last stage says about other keypoints.

    Where nothing is labelled nothing is learnt, so zeros stay, and an adults-only model does not
    find at random what it was never shown.
    """
    skeleton = network.skeleton
    kept = [skeleton.index(name) for name in keypoints]
    unknown = [k for k in range(len(skeleton)) if k not in kept]
    limbs = [c for c, (a, b) in enumerate(skeleton.limbs) if a not in kept or b not in kept]
    confidence, affinity = last_layers(network)
    with torch.no_grad():
        for layer, rows in (
            (confidence, unknown),
            (affinity, [2 * c + axis for c in limbs for axis in (0, 1)]),
        ):
            layer.weight[rows] = 0
            assert layer.bias is not None
            layer.bias[rows] = 0


def last_layers(network: Network) -> tuple[nn.Conv2d, nn.Conv2d]:
    """The convolutions that make the last confidence maps and part affinity fields."""
    maps = len(network.skeleton) + 1, 2 * len(network.skeleton.limbs)
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    confidence = [m for m in layers if m.out_channels == maps[0]][-1]
    affinity = [m for m in layers if m.out_channels == maps[1]][-1]
    return confidence, affinity


def make_data(data: Path, work: Path, sizes: Sizes, pool: Path | None, device: str) -> Data:
    """The data sets; adults are split and synthetic infants rendered if that is not done yet."""
    document = json.loads((data / "lspet" / "annotations.json").read_text(encoding="utf-8"))
    images = document["images"]
    step = len(images) // sizes.held_out
    held = {image["id"] for image in images[::step][: sizes.held_out]}
    sources = []
    for name, wanted in (("adults-train", False), ("adults-held-out", True)):
        part = {
            **document,
            "images": [i for i in images if (i["id"] in held) == wanted],
            "annotations": [
                a for a in document["annotations"] if (a["image_id"] in held) == wanted
            ],
        }
        path = work / f"{name}.json"
        path.write_text(json.dumps(part), encoding="utf-8")
        sources.append(Source(path, data / "lspet" / "images.zip"))
    folder = pool or work / "synthetic"
    if not (folder / "annotations.json").exists():
        write_images(folder, count=sizes.synthetic, seed=7, size=272, device=device)
    dev = data / "infantdev"
    return Data(
        adults=sources[0],
        adults_held_out=sources[1],
        infants=(
            Source(folder / "annotations.json", folder / "images", 0.6),
            Source(dev / "train.json", dev / "images", 0.4),
        ),
        infants_held_out=Source(dev / "val.json", dev / "images"),
    )


def measure(model: Path, source: Source, kept: Path, device: str) -> dict[str, dict[str, Any]]:
    """The figures of a model by keypoint set: ``known`` are those both kinds of data label.

    Kept in ``kept``.figures.json, and not measured again if they are there.
    """
    kept = kept.with_suffix(".figures.json")
    if kept.exists():
        return dict(json.loads(kept.read_text(encoding="utf-8")))
    estimator = Estimator(load_model(model), device=device)
    truth = read_truth(source.annotations)
    pictures = CocoKeypoints(source.annotations, source.images, estimator.skeleton)
    report = evaluate(truth, predict(estimator, pictures, truth), known=SHARED)
    figures = {name: asdict(part) for name, part in report.groups[0].figures.items()}
    kept.write_text(json.dumps(figures), encoding="utf-8")
    return figures


def table(figures: dict[str, Any]) -> str:
    """The figures as documents show them, with the sizes that they were measured at."""
    sizes = Sizes(**figures["sizes"])
    shared = f"{len(SHARED)} shared"
    columns = [
        (f"adults, {shared}", ADULTS, figures["adults"]["known"]),
        *((f"infants, {shared}", title, one["known"]) for title, one in figures["infants"].items()),
        *(
            (f"infants, all {len(INFANT22)}", title, one["all"])
            for title, one in figures["infants"].items()
            if title != ADULTS
        ),
    ]
    rows: list[tuple[Cell, ...]] = [
        (title, measured, *(_with_interval(Estimate(**part[OVERALL[name]])) for name in _SHOWN))
        for measured, title, part in columns
    ]
    said = (
        f"`{sizes.network}`"
        + (f" of width {sizes.width}" if sizes.network == "lite" else "")
        + f" at {sizes.size} px; {sizes.adult_steps:,} steps on adults, then {sizes.infant_steps:,}"
        f" on infants, {sizes.batch} pictures a step."
    )
    return f"{said}\n\n" + markdown_table(("model", "measured on", *_SHOWN), rows)


_SHOWN = ("AP", "AP50", "AP75", "AR", "PCK@0.1", "PCK@0.2", "missing")


def _with_interval(estimate: Estimate) -> str:
    interval = interval_text(estimate)
    return cell_text(estimate.value) + (f" ({interval})" if interval else "")


def _input_size(trained: int) -> int:
    """A third larger than in training: what counts is the infant's size, not the picture's."""
    return round(trained * 4 / 3 / 8) * 8


def say(at: Progress) -> None:
    """One line for every hundred steps."""
    if at.step % 100 == 0:
        print(f"step {at.step} of {at.steps}: loss {at.loss:.4f}", flush=True)


if __name__ == "__main__":
    main()
