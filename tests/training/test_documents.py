"""Figures go between the markers of a document, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest
from annotated import annotation, body, people, truth

from vid2kp.errors import OutputError
from vid2kp.training.documents import (
    BY_GROUP,
    KEYPOINT_COLUMNS,
    OVERALL,
    fill,
    group_rows,
    keypoint_rows,
    markdown_table,
    overall_rows,
)
from vid2kp.training.evaluate import EvaluateOptions, evaluate

DOCUMENT = """# Title

<!-- one:begin -->
old
<!-- one:end -->
between
<!-- two:begin -->
<!-- two:end -->
end
"""


def test_only_the_marked_parts_change(tmp_path: Path) -> None:
    path = tmp_path / "d.md"
    path.write_text(DOCUMENT)
    fill(path, {"one": "new\n", "two": "| a |\n\n"})
    once = path.read_text()
    assert once == DOCUMENT.replace("old", "new").replace(
        "<!-- two:begin -->\n", "<!-- two:begin -->\n| a |\n"
    )
    fill(path, {"one": "new", "two": "| a |"})
    assert path.read_text() == once


def test_a_missing_marker_is_told_and_nothing_written(tmp_path: Path) -> None:
    path = tmp_path / "d.md"
    path.write_text(DOCUMENT)
    with pytest.raises(OutputError, match="three"):
        fill(path, {"one": "new", "three": "x"})
    assert path.read_text() == DOCUMENT
    with pytest.raises(OutputError, match="cannot be read"):
        fill(tmp_path / "none.md", {})


def test_tables_show_figures_with_three_digits() -> None:
    table = markdown_table(("name", "n", "share"), [("a", 1200, 0.12345), ("b", 0, None)])
    assert table.splitlines() == [
        "| name | n | share |",
        "|---|---|---|",
        "| a | 1,200 | 0.123 |",
        "| b | 0 | – |",
    ]


def test_rows_hold_every_figure(tmp_path: Path) -> None:
    images = [{"id": i, "view": "side" if i == 3 else "supine"} for i in (1, 2, 3)]
    read = truth(tmp_path, [annotation(body(), image_id=i) for i in (1, 2, 3)], images=images)
    found = [people(body(), scores=(0.1 * i,)) for i in (4, 5, 6)]
    report = evaluate(read, found, options=EvaluateOptions(samples=20))
    rows = overall_rows(report, ["all", "coco17"])
    assert [row[0] for row in rows] == list(OVERALL)
    assert rows[0] == ("AP", 1.0, "1–1", 1.0, "1–1")
    assert [row[:2] for row in group_rows(report)] == [("all", 3), ("supine", 2), ("side", 1)]
    assert all(len(row) == 2 + len(BY_GROUP) for row in group_rows(report))
    assert [row[0] for row in keypoint_rows(report)] == list(read.keypoints)
    assert all(len(row) == len(KEYPOINT_COLUMNS) for row in keypoint_rows(report))
