"""``vid2kp models``: the models at hand, and whether they are what their cards say."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from vid2kp.cli.screen import JsonFlag, QuietFlag, Screen
from vid2kp.errors import AnnotationError, UsageError, Vid2kpError

models = typer.Typer(help="List, check and import models.")


_USUAL_SIZE = 368  # of the authors' model


def check_name(name: str, *, hint: str) -> None:
    """Refuses a name of a model that manifests could not hold.

    Raises:
        UsageError: it is such a name.
    """
    from vid2kp.tracks.footer import is_token

    if not is_token(name):
        raise UsageError(
            "A model's name is of at most 64 letters, digits and . _ + -, a letter or digit first.",
            hint=hint,
        )


@models.command("list", epilog="Example: vid2kp models list")
def list_(as_json: JsonFlag = False) -> None:
    """List the models that ship with vid2kp."""
    from vid2kp.pose.weights import list_models

    screen = Screen(as_json=as_json)
    listed = list_models()
    rows: list[tuple[object, ...]] = []
    for model in listed:
        if model.card is None:
            rows.append((model.name, None, None, None, None, model.problem))
            continue
        card = model.card
        keypoints = f"{card.skeleton} ({len(card.keypoints)})"
        rows.append(
            (card.name, card.architecture, keypoints, card.parameters, card.input_size, card.sha256)
        )
    screen.table(("model", "network", "keypoints", "parameters", "input", "sha256"), rows)
    screen.document([asdict(model) for model in listed])


@models.command(epilog="Example: vid2kp models check infant-lite")
def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL...]",
            help="Names, or paths of .safetensors files; the shipped models if left out.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Check that models are what their cards say: checksum, shapes, keypoints, a test run."""
    from vid2kp.pose.weights import check_model, list_models

    screen = Screen(as_json=as_json)
    rows: list[tuple[int, str, str]] = []
    good = True
    for name in names or [model.name for model in list_models()]:
        try:
            card = check_model(name)
        except Vid2kpError as error:
            rows.append((len(rows) + 1, "failed", str(error)))
            good = False
        else:
            found = f"{card.name}, sha256 {card.sha256}, identity {card.identity}"
            rows.append((len(rows) + 1, "ok", found))
    screen.table(("", "status", "finding"), rows)
    screen.document([{"status": status, "finding": finding} for _, status, finding in rows])
    raise typer.Exit(0 if good and rows else 1)


@models.command(
    epilog="Example: vid2kp models calibrate run/my-model.safetensors --annotations val.json "
    "--images pictures"
)
def calibrate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A name, or a .safetensors file.")],
    annotations: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="COCO keypoint annotations of pictures that it was not trained on.",
            show_default=False,
        ),
    ],
    images: Annotated[
        Path, typer.Option(metavar="DIR|ZIP", help="Their images.", show_default=False)
    ],
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:i.")] = "auto",
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Measure what a model's confidence is worth, and write it into its card.

    From then on a confidence of 0.8 means that about 80 % of such keypoints lie within a tenth of
    the torso. Which keypoints are found does not change. The error is the mean distance of
    confidence and truth; after the fit it is measured on pictures left out of it.
    """
    from vid2kp.cli.looking import look
    from vid2kp.pose.weights import find_model
    from vid2kp.training.calibrate import fit_people, store_calibration
    from vid2kp.training.results import read_truth

    screen = Screen(as_json=as_json, quiet=quiet)
    path = find_model(model)
    truth = read_truth(annotations)
    found, _ = look(screen, truth, annotations, images, str(path), device=device, calibrated=False)
    fit = fit_people(truth, found)
    if fit.error_after is not None and fit.error_after >= fit.error_before:
        raise AnnotationError(
            "The fit makes the confidence no better on pictures left out of it: calibration error "
            f"{fit.error_before:.3f} before, {fit.error_after:.3f} after. Nothing was written.",
            hint=f"{fit.pictures:,} pictures were of use: label more, of other infants; their "
            "images' attribute infant keeps pictures of one infant together.",
        )
    store_calibration(path, fit)
    screen.table(
        ("belief map", f"within {fit.calibration.within}"),
        list(zip(fit.calibration.confidence, fit.calibration.probability, strict=True)),
    )
    screen.line()
    after = "unknown, for lack of pictures to leave out,"
    if fit.error_after is not None:
        after = f"{fit.error_after:.3f}"
    screen.line(
        f"{fit.keypoints:,} keypoints in {fit.pictures:,} pictures: calibration error "
        f"{fit.error_before:.3f} before, {after} after."
    )
    if fit.error_after is None:
        screen.note(
            "What the fit is worth is unknown: label pictures of more infants to have it measured."
        )
    screen.document(fit.as_dict())


@models.command("import", epilog="Example: vid2kp models import pose_model.pth -o coco.safetensors")
def import_(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="FILE", help="A .pth, .pth.tar, .pt or .safetensors file.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="The model: NAME.safetensors.")
    ],
    colours: Annotated[
        Literal["bgr", "rgb", "imagenet"],
        typer.Option(
            help="What it was trained on: BGR or RGB / 256 − 0.5, or RGB with ImageNet's mean."
        ),
    ] = "bgr",
    order: Annotated[
        Literal["cmu", "last-one"], typer.Option(help="The order of its maps.")
    ] = "cmu",
    skeleton: Annotated[
        Literal["coco18", "infant22", "body25"] | None,
        typer.Option(help="Change the keypoint set, to train on; new keypoints start as copies."),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            min=64,
            help="Longest side of its input, pixels; that of the training, or 368, if left out.",
        ),
    ] = None,
    licence: Annotated[
        str, typer.Option(help="SPDX identifier of the weights' licence.")
    ] = "NOASSERTION",
    as_json: JsonFlag = False,
) -> None:
    """Make a model of a PyTorch checkpoint of the network of Cao et al.

    Files converted from the authors' model need no option but the output; neither do those of
    vid2kp train but --licence. Nothing but tensors and the size is read from the file.
    """
    from vid2kp.pose.importing import CheckpointMismatch, ImportOptions, import_checkpoint
    from vid2kp.pose.skeleton import get_skeleton
    from vid2kp.pose.weights import model_path, run_once, save_model
    from vid2kp.tracks.places import check_outside_results

    screen = Screen(as_json=as_json)
    out = model_path(out)
    check_name(out.stem, hint="Give another --out.")
    check_outside_results(out)
    if out.exists() and checkpoint.exists() and out.samefile(checkpoint):
        raise UsageError(
            "The model would replace the file that it is made of.", hint="Give another --out."
        )
    wanted = get_skeleton(skeleton) if skeleton else None
    options = ImportOptions(colours=colours, order=order, skeleton=wanted)
    try:
        imported = import_checkpoint(checkpoint, options=options)
    except CheckpointMismatch as error:
        screen.table(("layer", "checkpoint", "network"), error.rows)
        raise
    network = imported.network
    run_once(network, out.stem)
    card = save_model(
        network,
        out,
        input_size=size or imported.size or _USUAL_SIZE,
        licence=licence,
        training={
            "imported_sha256": imported.sha256,
            "layout": imported.layout,
            "colours": colours,
            "order": order,
            "untrained": list(imported.untrained),
        },
    )
    screen.line(
        f"{card.name}: {card.architecture}, {card.skeleton}, {card.parameters:,} parameters"
    )
    if imported.untrained:
        screen.note(f"Not trained yet: {', '.join(imported.untrained)}.")
    screen.line(f"Use it: vid2kp convert VIDEOS -o OUT --model {out}")
    screen.document(asdict(card))
