"""Measures a model and writes what was found into its cards, one command for new weights.

    python weights/write_card.py DATA

looks once at the pictures of ``DATA/infantdev/val.json``, measures what the confidence is worth
(`vid2kp models calibrate`), then all figures (`vid2kp evaluate`), and fills

- ``infant-lite.json``: calibration and figures;
- the marked parts of ``MODEL_CARD.md``, and that of ``README.md``;
- ``docs/images/failures.png``: the worst 24 pictures as skeletons; no picture is copied.

The calibration in the tables is that of curves fitted on other pictures than those measured.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vid2kp.files import write_text
from vid2kp.pose.estimate import Estimator
from vid2kp.pose.weights import find_model, load_model
from vid2kp.training.calibrate import calibrated_apart, fit_people, store_calibration
from vid2kp.training.dataset import CocoKeypoints
from vid2kp.training.documents import (
    BY_GROUP,
    KEYPOINT_COLUMNS,
    calibration_rows,
    fill,
    group_rows,
    keypoint_rows,
    markdown_table,
    overall_rows,
)
from vid2kp.training.evaluate import EVERYTHING, EvaluateOptions, Report, evaluate
from vid2kp.training.failures import draw_failures, worst
from vid2kp.training.light import LIGHT, with_light
from vid2kp.training.results import predict, read_results, read_truth, write_results

ROOT = Path(__file__).resolve().parents[1]
SETS = (EVERYTHING, "coco17")
SHORT = ("all", "supine", "side")
"""Groups that the README names."""


def main() -> None:
    """Parses the arguments and does it all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="infant-lite")
    parser.add_argument("--card", type=Path, default=ROOT / "weights" / "MODEL_CARD.md")
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md")
    parser.add_argument("--sheet", type=Path, default=ROOT / "docs" / "images" / "failures.png")
    parser.add_argument("--device", default="auto")
    parser.add_argument(
        "--results", type=Path, help="what the model found: kept there, or taken from there"
    )
    arguments = parser.parse_args()
    annotations = arguments.data / "infantdev" / "val.json"
    images = arguments.data / "infantdev" / "images"
    write_cards(
        arguments.model,
        annotations,
        images,
        card=arguments.card,
        readme=arguments.readme,
        sheet=arguments.sheet,
        device=arguments.device,
        results=arguments.results,
    )


def write_cards(
    model: str,
    annotations: Path,
    images: Path,
    *,
    card: Path,
    readme: Path,
    sheet: Path,
    device: str = "auto",
    results: Path | None = None,
) -> None:
    """Measures a model and fills its JSON card, the documents and the sheet of failures."""
    path = find_model(model)
    estimator = Estimator(load_model(path), device=device, calibrated=False)
    pictures = CocoKeypoints(annotations, images, estimator.skeleton)
    place = {record["id"]: i for i, record in enumerate(pictures.records)}
    truth = read_truth(annotations)
    truth = with_light(truth, lambda i: pictures.load(place[truth.pictures[i].id]).image)
    if results is not None and results.exists():
        found = read_results(results, truth)
    else:
        found = predict(estimator, pictures, truth)
        if results is not None:
            write_results(results, found, truth)
    fit = fit_people(truth, found)
    store_calibration(path, fit)
    fair = calibrated_apart(truth, found)
    known = estimator.skeleton.keypoints
    views, lights = (
        evaluate(truth, fair, known=known, options=EvaluateOptions(by=by))
        for by in (EvaluateOptions.by, LIGHT)
    )
    _write_json(path.with_suffix(".json"), views)
    fill(card, tables(views, lights))
    fill(readme, {"views": _view_table(views, SHORT)})
    sheet.parent.mkdir(parents=True, exist_ok=True)
    draw_failures(sheet, truth, fair, worst(truth, fair, 24))


def tables(views: Report, lights: Report) -> dict[str, str]:
    """The marked parts of MODEL_CARD.md."""
    sets = [key for key in SETS if key in views.sets]
    heads = [head for key in sets for head in (f"{key} ({len(views.sets[key])})", "95 %")]
    return {
        "figures": markdown_table(("", *heads), overall_rows(views, sets)),
        "views": _view_table(views),
        "lights": markdown_table(("light", "pictures", *BY_GROUP), group_rows(lights)),
        "keypoints": markdown_table(KEYPOINT_COLUMNS, keypoint_rows(views)),
        "calibration": markdown_table(
            ("confidence", "keypoints", "mean", "within 0.1", "median error"),
            calibration_rows(views),
        )
        + f"\nCalibration error {views.calibration_error or 0:.3f}.",
    }


def _view_table(views: Report, names: Sequence[str] | None = None) -> str:
    rows = [row for row in group_rows(views) if names is None or row[0] in names]
    return markdown_table(("view", "pictures", *BY_GROUP), rows)


def _write_json(card: Path, report: Report) -> None:
    """Puts the figures of all pictures and of each view into the JSON card."""
    content: dict[str, Any] = json.loads(card.read_text(encoding="utf-8"))
    content["figures"] = {
        "measured_on": f"{report.groups[0].pictures} pictures, infantdev validation split",
        **{
            group.name: {
                key: _rounded(dataclasses.asdict(group.figures[key]))
                for key in SETS
                if key in group.figures
            }
            for group in report.groups
        },
    }
    write_text(card, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _rounded(figures: dict[str, dict[str, float | None]]) -> dict[str, Sequence[float | None]]:
    """Value, low and high of each figure."""
    return {
        name: [None if value is None else round(value, 4) for value in estimate.values()]
        for name, estimate in figures.items()
    }


if __name__ == "__main__":
    main()
