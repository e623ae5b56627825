"""``vid2kp evaluate``: how good a model is, or a file of results, against annotations."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from vid2kp.cli.screen import JsonFlag, QuietFlag, Screen
from vid2kp.errors import UsageError

if TYPE_CHECKING:
    from vid2kp.training.bootstrap import Estimate
    from vid2kp.training.evaluate import Report

_OVERALL = {
    "AP": "ap",
    "AP50": "ap50",
    "AP75": "ap75",
    "AR": "ar",
    "PCK@0.1": "pck_10",
    "PCK@0.2": "pck_20",
    "PCKsh@0.1": "pcksh_10",
    "PCKsh@0.2": "pcksh_20",
    "mKS": "mks",
    "median error": "median",
    "P95 error": "p95",
    "missing": "missing",
    "swapped sides": "swaps",
    "redundant people": "redundant",
    "missed people": "missed",
}
_BY_GROUP = ("AP", "AR", "PCK@0.1", "PCK@0.2", "median error", "P95 error", "missing")


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
    zoom: Annotated[
        bool,
        typer.Option("--zoom/--no-zoom", help="Whether to look twice, the second time closer."),
    ] = True,
    by: Annotated[
        str, typer.Option(metavar="ATTRIBUTE", help="Groups by this attribute of the images.")
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
    from vid2kp.cli.looking import look
    from vid2kp.training.evaluate import EvaluateOptions
    from vid2kp.training.evaluate import evaluate as run
    from vid2kp.training.results import read_results, read_truth, write_results

    screen = Screen(as_json=as_json, quiet=quiet)
    if (model is None) == (results is None):
        raise UsageError("One of --model and --results is needed, and not both.")
    truth = read_truth(annotations)
    known: tuple[str, ...] | None = None
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
    _show(screen, report)
    screen.document({"model": model, **asdict(report)})


def _show(screen: Screen, report: Report) -> None:
    whole = report.groups[0]
    sets = list(report.sets)
    screen.table(
        ("", *(column for key in sets for column in (_title(report, key), "95 %"))),
        [
            (name, *(cell for key in sets for cell in _cells(getattr(whole.figures[key], field))))
            for name, field in _OVERALL.items()
        ],
        title=f"{whole.pictures:,} pictures, {whole.people:,} people",
    )
    if len(report.groups) > 1:
        screen.line()
        screen.table(
            (report.by, "pictures", *_BY_GROUP),
            [
                (
                    group.name,
                    group.pictures,
                    *(getattr(group.figures["all"], _OVERALL[name]).value for name in _BY_GROUP),
                )
                for group in report.groups
            ],
        )
    screen.line()
    screen.table(
        ("keypoint", "labelled", "PCK@0.1", "PCK@0.2", "median", "P95", "missing", "swapped"),
        [
            (k.name, k.labelled, k.pck_10, k.pck_20, k.median, k.p95, k.missing, k.swaps)
            for k in report.keypoints
        ],
    )
    screen.line()
    screen.table(
        ("confidence", "keypoints", "mean", "within 0.1", "median error"),
        [
            (f"{b.low:.1f}–{b.high:.1f}", b.count, b.confidence, b.within, b.median)
            for b in report.calibration
        ],
    )
    if report.calibration_error is not None:
        screen.line(f"calibration error {report.calibration_error:.3f}")
    for note in report.notes:
        screen.note(note)


def _title(report: Report, key: str) -> str:
    return f"{key} ({len(report.sets[key])})"


def _cells(estimate: Estimate) -> tuple[float | None, str]:
    if estimate.low is None or estimate.high is None:
        return estimate.value, ""
    return estimate.value, f"{estimate.low:.3g}–{estimate.high:.3g}"
