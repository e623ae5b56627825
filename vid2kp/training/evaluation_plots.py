"""The figures of an evaluation as pictures, SVG for documents and PNG for everything else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vid2kp.files import output_errors
from vid2kp.training.evaluate import CALIBRATED_WITHIN, CURVE, EVERYTHING, Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PNG_DPI = 150
_FAINT = 0.3  # of grid lines


def write_plots(report: Report, folder: Path) -> list[Path]:
    """Draws the PCK curve, the keypoints' errors, the groups and the calibration.

    Args:
        report: the evaluation.
        folder: gets ``pck``, ``keypoints``, ``groups`` and ``calibration`` as .svg and .png; is
            made if it is not there.

    Returns:
        The files.

    Raises:
        OutputError: they cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    drawings = {
        "pck": (_draw_curves, (6, 4)),
        "keypoints": (_draw_keypoints, (8, 5)),
        "groups": (_draw_groups, (7, 4)),
        "calibration": (_draw_calibration, (5, 5)),
    }
    written = []
    with output_errors(), rc_context({"svg.hashsalt": "vid2kp"}):
        folder.mkdir(parents=True, exist_ok=True)
        for name, (draw, size) in drawings.items():
            figure = Figure(figsize=size, layout="constrained")
            draw(figure.add_subplot(), report)
            for path in (folder / f"{name}.svg", folder / f"{name}.png"):
                metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
                figure.savefig(path, dpi=_PNG_DPI, metadata=metadata)
                written.append(path)
    return written


def _draw_curves(axes: Axes, report: Report) -> None:
    for group in report.groups:
        whole = group.name == EVERYTHING
        shares = [np.nan if share is None else share for share in group.curve]
        axes.plot(
            CURVE,
            shares,
            label=f"{group.name} ({group.pictures})",
            color="black" if whole else None,
            linewidth=2 if whole else 1.2,
        )
    axes.set(
        xlabel="error, torso lengths",
        ylabel="share of labelled keypoints",
        xlim=(0, CURVE[-1]),
        ylim=(0, 1),
    )
    axes.grid(alpha=_FAINT)
    axes.legend(loc="lower right", fontsize="small")


def _draw_keypoints(axes: Axes, report: Report) -> None:
    rows = np.arange(len(report.keypoints))
    for offset, share, label in (
        (-0.2, [k.pck_10 for k in report.keypoints], "PCK@0.1"),
        (0.2, [k.pck_20 for k in report.keypoints], "PCK@0.2"),
    ):
        axes.barh(rows + offset, [value or 0 for value in share], height=0.4, label=label)
    axes.plot(
        [np.nan if k.median is None else k.median for k in report.keypoints],
        rows,
        "k|",
        markersize=9,
        label="median error, torso lengths",
    )
    axes.set_yticks(rows, [k.name for k in report.keypoints])
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xlabel="share of labelled keypoints")
    axes.grid(axis="x", alpha=_FAINT)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize="small")


def _draw_groups(axes: Axes, report: Report) -> None:
    places = np.arange(len(report.groups))
    for i, (key, label) in enumerate((("ap", "AP"), ("pck_10", "PCK@0.1"), ("pck_20", "PCK@0.2"))):
        figures = [getattr(group.figures[EVERYTHING], key) for group in report.groups]
        values = np.array([figure.value or 0 for figure in figures])
        ends = [
            (figure.value or 0, figure.value or 0)
            if figure.low is None or figure.high is None
            else (figure.low, figure.high)
            for figure in figures
        ]
        low, high = np.array(ends).T
        reach = np.maximum([values - low, high - values], 0)
        axes.bar(places + 0.27 * (i - 1), values, 0.25, yerr=reach, capsize=2, label=label)
    names = [f"{group.name}\n{group.pictures}" for group in report.groups]
    axes.set_xticks(places, names)
    axes.set(ylim=(0, 1), ylabel="with 95 % bootstrap intervals")
    axes.grid(axis="y", alpha=_FAINT)
    axes.legend(fontsize="small")


def _draw_calibration(axes: Axes, report: Report) -> None:
    bins = [
        (b.confidence, b.within, b.count)
        for b in report.calibration
        if b.confidence is not None and b.within is not None
    ]
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    axes.plot([x for x, _, _ in bins], [y for _, y, _ in bins], "o-", markersize=4)
    for x, y, count in bins:
        axes.annotate(
            f"{count:,}",
            (x, y),
            textcoords="offset points",
            xytext=(5, -9),
            fontsize="x-small",
        )
    axes.set(
        xlim=(0, 1),
        ylim=(0, 1),
        aspect="equal",
        xlabel="confidence",
        ylabel=f"share within {CALIBRATED_WITHIN} torso lengths",
    )
    axes.grid(alpha=_FAINT)
