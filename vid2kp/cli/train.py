"""``vid2kp train``: a model from synthetic infants and COCO keypoint annotations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from vid2kp.cli.models import check_name
from vid2kp.cli.screen import JsonFlag, QuietFlag, Screen
from vid2kp.errors import UsageError

if TYPE_CHECKING:
    from vid2kp.pose.card import Card
    from vid2kp.pose.weights import Network
    from vid2kp.training.train import Progress, Source, TrainOptions

_SYNTHETIC = "synthetic"
_SPEAK_EVERY = 100  # steps between the lines of a run whose output is no terminal


def train(
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Checkpoint, loss curve and model.")
    ],
    name: Annotated[str, typer.Option(help="Name of the model.")] = "my-model",
    synthetic: Annotated[
        int, typer.Option(metavar="COUNT", help="Train on that many synthetic pictures.", min=0)
    ] = 0,
    annotations: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="COCO keypoint annotations; may be repeated."),
    ] = None,
    images: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR|ZIP", help="Their images, in the same order."),
    ] = None,
    share: Annotated[
        list[float] | None,
        typer.Option(help="How often they are drawn, in the same order; synthetic ones: 1."),
    ] = None,
    network: Annotated[
        Literal["lite", "openpose"], typer.Option(help="The architecture.")
    ] = "lite",
    skeleton: Annotated[
        Literal["coco18", "infant22", "body25"], typer.Option(help="The keypoint set.")
    ] = "infant22",
    start_from: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="MODEL",
            help="Go on from this model: its weights, network and keypoints.",
        ),
    ] = None,
    steps: Annotated[int, typer.Option(min=1)] = 10_000,
    batch: Annotated[int, typer.Option(min=1, help="Samples a step.")] = 32,
    size: Annotated[int, typer.Option(min=64, help="Side of the input, pixels.")] = 256,
    rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 2e-3,
    optimizer: Annotated[
        Literal["adamw", "sgd"], typer.Option(help="sgd, with momentum 0.9, is the paper's.")
    ] = "adamw",
    schedule: Annotated[
        Literal["cosine", "constant"], typer.Option(help="How the rate goes on after its rise.")
    ] = "cosine",
    average: Annotated[
        float,
        typer.Option(help="Decay of the running average of the weights that is saved; 0: none."),
    ] = 0.998,
    steady: Annotated[
        float,
        typer.Option(
            min=0,
            help="Weight of how well peaks follow a picture that is moved by a few pixels, which "
            "is seen as well then: twice the time a step.",
        ),
    ] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Of samples and first weights.")] = 0,
    workers: Annotated[int, typer.Option(min=0, help="Processes that prepare samples.")] = 1,
    precision: Annotated[Literal["bf16", "fp32"], typer.Option()] = "bf16",
    every: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 250,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:i.")] = "auto",
    licence: Annotated[
        str | None,
        typer.Option(
            help="SPDX identifier of the weights' licence; that of --from if left out.",
            show_default="NOASSERTION",
        ),
    ] = None,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Train a model; a run that was stopped goes on from its last checkpoint.

    DIR gets NAME.safetensors with its card NAME.json, loss.jsonl and loss.svg. Keypoints that a
    data set does not label are left out of the loss.
    """
    from vid2kp.pose.estimate import choose_device
    from vid2kp.tracks.places import check_outside_results
    from vid2kp.training.curve import plot_losses
    from vid2kp.training.train import TrainOptions
    from vid2kp.training.train import train as run

    screen = Screen(as_json=as_json, quiet=quiet)
    check_name(name, hint="Where it lies is said by --out.")
    check_outside_results(out)
    options = TrainOptions(
        size=size,
        batch=batch,
        steps=steps,
        rate=rate,
        optimizer=optimizer,
        schedule=schedule,
        average=average,
        steady=steady,
        seed=seed,
        workers=workers,
        precision=precision,
        every=every,
    )
    device = str(choose_device(device))
    sources = _sources(annotations or [], images or [], share)
    untrained, parent = _network(network, skeleton, start_from, seed)
    if synthetic:
        sources.append(_synthetic(screen, out / _SYNTHETIC, synthetic, seed, device))
    with screen.progress("{task.completed:,}/{task.total:,}", "{task.fields[loss]}") as progress:
        task = progress.add_task("training", total=steps, loss="")

        def show(at: Progress) -> None:
            progress.update(task, completed=at.step, loss=f"loss {at.loss:.4f}")
            if progress.disable and at.step % _SPEAK_EVERY == 0:
                screen.note(f"step {at.step:,} of {at.steps:,}, loss {at.loss:.4f}")

        trained = run(untrained, sources, out, options=options, device=device, progress=show)
    plot_losses(out / "loss.jsonl", out / "loss.svg")
    card = _save(trained, out, name, options, parent=parent, licence=licence)
    screen.line(f"{card.name}: {card.parameters:,} parameters, sha256 {card.sha256[:12]}…")
    screen.line(f"Use it: vid2kp convert VIDEOS -o OUT --model {out / name}.safetensors")
    screen.document({"model": card.name, "path": str(out / f"{name}.safetensors")})


def _sources(
    annotations: list[Path], images: list[Path], share: list[float] | None
) -> list[Source]:
    from vid2kp.training.train import Source

    shares = share or [1.0] * len(annotations)
    if not len(annotations) == len(images) == len(shares):
        raise UsageError(
            "Annotations, images and shares do not match.",
            hint="Give --annotations FILE --images DIR once for each data set.",
        )
    return [Source(*parts) for parts in zip(annotations, images, shares, strict=True)]


def _synthetic(screen: Screen, folder: Path, count: int, seed: int, device: str) -> Source:
    """The synthetic pictures of this run, made if an earlier start has not made them."""
    from vid2kp.training.coco import read_document
    from vid2kp.training.synthetic import SIZE, set_info, write_images
    from vid2kp.training.train import Source

    annotations = folder / "annotations.json"
    wanted = set_info(count=count, seed=seed, size=SIZE)
    if not (annotations.exists() and read_document(annotations).get("info") == wanted):
        with screen.progress("{task.completed:,}/{task.total:,}") as progress:
            task = progress.add_task("rendering pictures", total=count)
            annotations = write_images(
                folder,
                count=count,
                seed=seed,
                size=SIZE,
                device=device,
                progress=lambda done, _: progress.update(task, completed=done),
            )
    return Source(annotations, folder / "images")


def _network(
    architecture: str, skeleton: str, start_from: str | None, seed: int
) -> tuple[Network, Card | None]:
    """The network to train, and the card of the model that it comes from."""
    import torch

    from vid2kp.pose.skeleton import get_skeleton
    from vid2kp.pose.weights import ARCHITECTURES, load_model

    if start_from:
        model = load_model(start_from)
        return model.network.requires_grad_(True), model.card
    torch.manual_seed(seed)
    return ARCHITECTURES[architecture](get_skeleton(skeleton)), None


def _save(
    network: Network,
    out: Path,
    name: str,
    options: TrainOptions,
    *,
    parent: Card | None,
    licence: str | None,
) -> Card:
    """Writes the model, or leaves one of the same weights alone: its card may be calibrated."""
    from dataclasses import asdict, replace

    from vid2kp.files import write_text
    from vid2kp.pose.weights import save_model, saved_card
    from vid2kp.training.checkpoint import trained_on

    path = out / f"{name}.safetensors"
    if card := saved_card(network, path):
        if licence and licence != card.licence:
            card = replace(card, licence=licence)
            write_text(path.with_suffix(".json"), card.to_json())
        return card
    training = asdict(options) | {"sources": trained_on(out)}
    if parent:
        training["parent"] = {key: getattr(parent, key) for key in ("name", "sha256", "licence")}
    return save_model(
        network,
        path,
        input_size=options.size,
        licence=licence or (parent.licence if parent else "NOASSERTION"),
        training=training,
    )
