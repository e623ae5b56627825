"""``vid2kp evaluate``: how good a model is, or a file of results, against annotations."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from vid2kp.cli.screen import JsonFlag, QuietFlag, Screen
from vid2kp.errors import UsageError

if TYPE_CHECKING:
    from vid2kp.training.evaluate import Report


def evaluate(
    annotations: Annotated[
        Path, typer.Option(metavar="FILE", help="COCO keypoint annotations.", show_default=False)
    ],
    images: Annotated[
        Path | None,
        typer.Option(metavar="DIR|ZIP", help="Their images; needed for a model."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Name of a model, or path of a .safetensors file.")
    ] = None,
    results: Annotated[
        Path | None, typer.Option(metavar="FILE", help="COCO results instead of a model.")
    ] = None,
    save_results: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep what the model found: COCO results.")
    ] = None,
    plots: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Draw the figures there: SVG and PNG.")
    ] = None,
    draw: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Draw the worst pictures there as a PNG: skeletons only."
        ),
    ] = None,
    worst: Annotated[int, typer.Option(metavar="COUNT", help="How many to draw.", min=1)] = 24,
    with_pictures: Annotated[
        bool,
        typer.Option("--with-pictures", help="Draw on the pictures: FILE then shows infants."),
    ] = False,
    zoom: Annotated[
        bool,
        typer.Option("--zoom/--no-zoom", help="Whether to look twice, the second time closer."),
    ] = True,
    by: Annotated[
        str,
        typer.Option(
            metavar="ATTRIBUTE",
            help="Groups by this attribute of the images; light is measured where it has none.",
        ),
    ] = "view",
    samples: Annotated[int, typer.Option(help="Bootstrap resamples; 0: no intervals.", min=0)] = (
        1000
    ),
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:i.")] = "auto",
    precision: Annotated[Literal["auto", "fp32", "bf16", "fp16"], typer.Option()] = "auto",
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Compare a model, or a file of results, with COCO keypoint annotations.

    AP and AR are COCO's. PCK is the share of labelled keypoints found within a tenth or a fifth
    of the torso (neck to middle of the hips); PCKsh and mKS measure with the square root of
    shoulder width times head-hip distance. Errors are in torso lengths, everything else in
    shares. Keypoints are matched by name. Intervals are bootstrapped by infant where the images
    have an attribute "infant", else by image.
    """
    from vid2kp.cli.looking import look, picture_loader
    from vid2kp.files import keep_apart
    from vid2kp.tracks.places import check_outside_results
    from vid2kp.training.evaluate import EvaluateOptions
    from vid2kp.training.evaluate import evaluate as run
    from vid2kp.training.failures import draw_failures
    from vid2kp.training.failures import worst as find_worst
    from vid2kp.training.light import LIGHT, with_light
    from vid2kp.training.results import read_results, read_truth, write_results

    screen = Screen(as_json=as_json, quiet=quiet)
    if (model is None) == (results is None):
        raise UsageError("One of --model and --results is needed, and not both.")
    read = [annotations, *([results] if results else []), *_pictures(annotations, images)]
    for made in (save_results, draw, plots):
        if made is not None:
            check_outside_results(made)
            keep_apart(made, *read)
    truth = read_truth(annotations)
    known: tuple[str, ...] | None = None
    if (with_pictures or by == LIGHT) and images is None:
        raise UsageError("That needs the pictures.", hint="Give --images DIR or a zip file.")
    if images is not None and by == LIGHT:
        truth = with_light(truth, picture_loader(annotations, images, truth))
    if results is not None:
        found = read_results(results, truth)
    else:
        assert model is not None
        if images is None:
            raise UsageError("A model needs pictures.", hint="Give --images DIR or a zip file.")
        found, known = look(
            screen, truth, annotations, images, model, device=device, precision=precision, zoom=zoom
        )
    if save_results:
        write_results(save_results, found, truth)
    report = run(truth, found, known=known, options=EvaluateOptions(by=by, samples=samples))
    if plots:
        from vid2kp.training.evaluation_plots import write_plots

        write_plots(report, plots)
    if draw:
        shown = images if with_pictures else None
        draw_failures(
            draw,
            truth,
            found,
            failures := find_worst(truth, found, worst),
            by=by,
            pictures=picture_loader(annotations, shown, truth) if shown else None,
        )
        screen.note(
            f"The worst {len(failures)} of {len(truth.pictures):,} pictures are drawn"
            + (": the file shows infants, keep it where the pictures are." if shown else ".")
        )
    _show(screen, report)
    screen.document({"model": model, **asdict(report)})


def _pictures(annotations: Path, images: Path | None) -> list[Path]:
    """The files of annotated pictures."""
    from vid2kp.training.coco import read_document

    if images is None:
        return []
    return [images / str(image.get("file_name")) for image in read_document(annotations)["images"]]


def _show(screen: Screen, report: Report) -> None:
    from vid2kp.training.documents import (
        BY_GROUP,
        KEYPOINT_COLUMNS,
        calibration_rows,
        group_rows,
        keypoint_rows,
        overall_rows,
    )

    whole = report.groups[0]
    screen.table(
        ("", *(column for key in report.sets for column in (_title(report, key), "95 %"))),
        overall_rows(report, list(report.sets)),
        title=f"{whole.pictures:,} pictures, {whole.people:,} people",
    )
    if len(report.groups) > 1:
        screen.line()
        screen.table((report.by, "pictures", *BY_GROUP), group_rows(report))
    screen.line()
    screen.table(KEYPOINT_COLUMNS, keypoint_rows(report))
    screen.line()
    screen.table(
        ("confidence", "keypoints", "mean", "within 0.1", "median error"),
        calibration_rows(report),
    )
    if report.calibration_error is not None:
        screen.line(f"calibration error {report.calibration_error:.3f}")
    for note in report.notes:
        screen.note(note)


def _title(report: Report, key: str) -> str:
    return f"{key} ({len(report.sets[key])})"
