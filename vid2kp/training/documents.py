"""Keeps measured figures in documents: Markdown tables between markers that scripts fill again.

A marked part begins with the line ``<!-- NAME:begin -->`` and ends with ``<!-- NAME:end -->``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from vid2kp.errors import OutputError
from vid2kp.files import write_text
from vid2kp.training.bootstrap import Estimate
from vid2kp.training.evaluate import EVERYTHING, Report

OVERALL = {
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
"""Titles of the figures and their names in `vid2kp.training.evaluate.Figures`."""

BY_GROUP = ("AP", "AR", "PCK@0.1", "PCK@0.2", "median error", "P95 error", "missing")

KEYPOINT_COLUMNS = (
    "keypoint", "sigma", "labelled", "PCK@0.1", "PCK@0.2", "median", "P95", "missing", "swapped",
)  # fmt: skip

Cell = str | int | float | None


def fill(document: Path, parts: Mapping[str, str]) -> None:
    """Replaces marked parts of a document.

    Args:
        document: Markdown with the markers.
        parts: text by name.

    Raises:
        OutputError: a marker is missing, or the file cannot be read or written.
    """
    try:
        text = document.read_text(encoding="utf-8")
    except OSError as error:
        raise OutputError("The document cannot be read.", hint=f"It is {document.name}.") from error
    for name, content in parts.items():
        begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
        head, found, rest = text.partition(begin)
        _, closed, tail = rest.partition(end)
        if not (found and closed):
            raise OutputError(
                f"{document.name} has no part {name!r}.",
                hint=f"Add the lines {begin.strip()} and {end}.",
            )
        text = f"{head}{begin}{content.rstrip()}\n{end}{tail}"
    write_text(document, text)


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """Rows under column names; figures with three digits, a dash for what there is not."""
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    lines += ["| " + " | ".join(cell_text(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def cell_text(cell: Cell) -> str:
    """A figure as documents show it."""
    if cell is None:
        return "–"
    return (
        f"{cell:.3g}" if isinstance(cell, float) else f"{cell:,}" if isinstance(cell, int) else cell
    )


def interval_text(estimate: Estimate) -> str:
    """The interval of a figure; nothing where it has none."""
    if estimate.low is None or estimate.high is None:
        return ""
    return f"{estimate.low:.3g}–{estimate.high:.3g}"


def overall_rows(report: Report, keys: Sequence[str]) -> list[tuple[Cell, ...]]:
    """Name of a figure, then its value and interval over each keypoint set, for all pictures."""
    figures = report.groups[0].figures
    rows: list[tuple[Cell, ...]] = []
    for title, name in OVERALL.items():
        row: list[Cell] = [title]
        for key in keys:
            estimate: Estimate = getattr(figures[key], name)
            row += [estimate.value, interval_text(estimate)]
        rows.append(tuple(row))
    return rows


def group_rows(report: Report, columns: Sequence[str] = BY_GROUP) -> list[tuple[Cell, ...]]:
    """Name, pictures and figures over all keypoints of each group."""
    return [
        (
            group.name,
            group.pictures,
            *(getattr(group.figures[EVERYTHING], OVERALL[name]).value for name in columns),
        )
        for group in report.groups
    ]


def keypoint_rows(report: Report) -> list[tuple[Cell, ...]]:
    """The figures of each keypoint, in the order of `KEYPOINT_COLUMNS`."""
    return [
        (k.name, k.sigma, k.labelled, k.pck_10, k.pck_20, k.median, k.p95, k.missing, k.swaps)
        for k in report.keypoints
    ]


def calibration_rows(report: Report) -> list[tuple[Cell, ...]]:
    """Confidence, keypoints, mean confidence, share within reach and median error of each bin."""
    return [
        (f"{b.low:.1f}–{b.high:.1f}", b.count, b.confidence, b.within, b.median)
        for b in report.calibration
    ]
