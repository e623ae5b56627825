"""The whole evaluation: figures, groups, intervals, calibration, and nothing to evaluate."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from annotated import NAMES, annotation, body, people, truth

from vid2kp.pose.people import People
from vid2kp.training.bootstrap import Estimate, ratio, resample, with_interval
from vid2kp.training.evaluate import COCO17, EvaluateOptions, Report, evaluate
from vid2kp.training.evaluation_plots import write_plots
from vid2kp.training.results import Truth

QUICK = EvaluateOptions(samples=200)


@pytest.fixture
def views(tmp_path: Path) -> tuple[Truth, list[People]]:
    """Six supine pictures found exactly and three of the side found 0.15 torsos to the right."""
    images = [{"id": i, "view": "supine" if i < 6 else "side"} for i in range(9)]
    read = truth(tmp_path, [annotation(body(), image_id=i) for i in range(9)], images=images)
    return read, [people(body() + ((0, 0) if i < 6 else (12, 0))) for i in range(9)]


def test_groups_are_the_views(views: tuple[Truth, list[People]]) -> None:
    report = evaluate(*views, options=QUICK)
    assert [(g.name, g.pictures) for g in report.groups] == [("all", 9), ("supine", 6), ("side", 3)]
    pck = [g.figures["all"].pck_10.value for g in report.groups]
    assert pck == pytest.approx([6 / 9, 1, 0])
    assert [g.figures["all"].pck_20.value for g in report.groups] == [1, 1, 1]
    assert report.groups[2].figures["all"].median.value == pytest.approx(0.15, abs=1e-5)
    assert report.groups[1].figures["all"].ap == Estimate(1, 1, 1)


def test_intervals_hold_the_value(views: tuple[Truth, list[People]]) -> None:
    whole = evaluate(*views, options=QUICK).groups[0].figures["all"].pck_10
    assert whole.low is not None and whole.high is not None
    assert 0.2 < whole.low < 6 / 9 < whole.high <= 1


def test_the_coco_subset_stands_beside_all_keypoints(views: tuple[Truth, list[People]]) -> None:
    report = evaluate(*views, options=QUICK)
    assert set(report.sets) == {"all", "coco17"}
    assert set(report.sets["coco17"]) == set(COCO17)


def test_keypoints_that_a_model_does_not_know_count_and_are_set_apart(
    views: tuple[Truth, list[People]],
) -> None:
    read, found = views
    arms = [people(np.where(np.arange(22)[:, None] < 8, p.keypoints[0], np.nan)) for p in found]
    for known in (None, NAMES[:8]):
        report = evaluate(read, arms, known=known, options=QUICK)
        assert report.sets["known"] == NAMES[:8]
        figures = report.groups[1].figures
        assert figures["all"].pck_10.value == pytest.approx(8 / 22)
        assert figures["known"].pck_10.value == 1
        assert figures["all"].missing.value == pytest.approx(14 / 22)


def test_each_keypoint_has_its_figures(views: tuple[Truth, list[People]]) -> None:
    read, found = views
    found[0].keypoints[0, 4], found[0].confidence[0, 4] = np.nan, np.nan
    wrist = evaluate(read, found, options=QUICK).keypoints[4]
    assert (wrist.name, wrist.sigma, wrist.labelled) == ("right_wrist", 0.062, 9)
    assert wrist.missing == pytest.approx(1 / 9)
    assert wrist.pck_20 == pytest.approx(8 / 9)
    assert wrist.p95 == pytest.approx(0.15, abs=1e-5)


def test_calibration_tells_belief_from_truth(tmp_path: Path) -> None:
    read = truth(tmp_path, [annotation(body(), image_id=i) for i in range(4)])
    off = body(212)
    found = [people(body(), confidence=0.95)] * 3 + [people(off, confidence=0.35)]
    report = evaluate(read, found, options=QUICK)
    low, high = report.calibration[3], report.calibration[9]
    assert (low.count, low.within, high.count, high.within) == (22, 0, 66, 1)
    assert low.confidence == pytest.approx(0.35)
    assert report.calibration_error == pytest.approx((22 * 0.35 + 66 * 0.05) / 88, abs=1e-6)


def _empty(read: Truth) -> Report:
    return evaluate(read, [People.none(22)] * len(read.pictures), options=QUICK)


def test_nobody_found_is_a_report_too(views: tuple[Truth, list[People]], tmp_path: Path) -> None:
    report = _empty(views[0])
    figures = report.groups[0].figures["all"]
    assert (figures.ap.value, figures.pck_20.value, figures.missing.value) == (0, 0, 1)
    assert (figures.median.value, figures.redundant.value, figures.swaps.value) == (None,) * 3
    assert report.calibration_error is None
    assert "Nobody was found" in report.notes[0]
    assert write_plots(report, tmp_path / "plots")


def test_nobody_labelled_is_a_report_too(tmp_path: Path) -> None:
    report = evaluate(truth(tmp_path, [], images=[{"id": 1}]), [people(body())], options=QUICK)
    figures = report.groups[0].figures["all"]
    assert (figures.ap.value, figures.pck_20.value) == (None, None)
    assert figures.redundant.value == 1
    assert write_plots(report, tmp_path / "plots")


def test_people_without_a_torso_are_told_of(tmp_path: Path) -> None:
    legless = annotation(body(), unlabelled=("right_hip",))
    report = evaluate(truth(tmp_path, [legless]), [people(body())], options=QUICK)
    assert report.without_torso == 1
    assert "1 labelled people" in report.notes[0]
    assert report.groups[0].figures["all"].ap.value == pytest.approx(1)
    assert report.groups[0].figures["all"].pck_20.value is None


def test_a_constant_score_is_remarked(views: tuple[Truth, list[People]]) -> None:
    assert "rank nobody" in evaluate(*views, options=QUICK).notes[0]


def test_a_report_is_json_and_the_same_twice(views: tuple[Truth, list[People]]) -> None:
    first, second = (json.dumps(asdict(evaluate(*views, options=QUICK))) for _ in range(2))
    assert first == second


def test_plots_are_svg_and_png(views: tuple[Truth, list[People]], tmp_path: Path) -> None:
    written = write_plots(evaluate(*views, options=QUICK), tmp_path / "a" / "plots")
    assert sorted(p.name for p in written) == sorted(
        f"{name}.{kind}"
        for name in ("pck", "keypoints", "groups", "calibration")
        for kind in ("svg", "png")
    )
    for path in written:
        start = path.read_bytes()[:200]
        assert start.startswith(b"\x89PNG") or b"<?xml" in start
        assert path.stat().st_size > 5000, "more than an empty frame"


def test_clusters_are_drawn_whole() -> None:
    counts = resample(["a", "a", "b", "c"], 50)
    assert counts.shape == (50, 4)
    assert np.array_equal(counts[:, 0], counts[:, 1])
    assert (counts[:, [0, 2, 3]].sum(1) == 3).all()
    assert resample(["a", "a"], 50).shape == (0, 2), "one infant has no spread"


def test_an_interval_grows_when_pictures_are_of_few_infants() -> None:
    part, whole = np.array([1.0, 1, 1, 1, 0, 0, 0, 0]), np.ones(8)
    alone = ratio(part, whole, resample([*"abcdefgh"], 2000))
    paired = ratio(part, whole, resample([*"aabbccdd"], 2000))
    assert alone.value == paired.value == 0.5
    assert None not in (alone.low, alone.high, paired.low, paired.high)
    assert paired.high - paired.low > alone.high - alone.low  # type: ignore[operator]


def test_nothing_to_measure_is_none() -> None:
    assert ratio(np.zeros(3), np.zeros(3), np.ones((5, 3))) == Estimate(None)
    assert with_interval(0.3, np.full(4, np.nan)) == Estimate(0.3)
