"""Average precision and recall as pycocotools computes them, and the same when resampled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from annotated import NAMES, annotation, body, people, truth

from vid2kp.pose.people import People
from vid2kp.pose.skeleton import INFANT22
from vid2kp.training.oks_eval import OTHER_SIGMA, OksScores, score_oks, sigma_of
from vid2kp.training.results import Truth

ALL = range(22)


def scores(read: Truth, found: list[People]) -> OksScores:
    return score_oks(read, found, keypoints=ALL, pictures=range(len(read.pictures)))


@pytest.fixture
def noisy(tmp_path: Path) -> tuple[Truth, list[People]]:
    """Twelve pictures of one or two people, found more or less well, and some who are nobody."""
    rng = np.random.default_rng(3)
    labels, found = [], []
    for i in range(12):
        here = [body(), body(320, 200, 50)][: 1 + i % 2]
        labels += [annotation(one, image_id=i + 1) for one in here]
        seen = [one + rng.normal(0, rng.choice([1, 4, 8, 40]), (22, 2)) for one in here]
        seen += [body(*rng.uniform(50, 350, 2), 30)] * (i % 3 == 0)
        found.append(people(*seen, scores=tuple(rng.uniform(0.1, 1, len(seen)))))
    return truth(tmp_path, labels), found


def test_sigmas_are_those_of_the_keypoint_set() -> None:
    assert tuple(sigma_of(name) for name in NAMES) == INFANT22.sigmas
    assert sigma_of("head_top") == OTHER_SIGMA


def test_perfect_people_score_one(tmp_path: Path) -> None:
    read = truth(tmp_path, [annotation(body()), annotation(body(320, 200, 50), image_id=2)])
    got = scores(read, [people(body()), people(body(320, 200, 50))])
    assert (got.ap, got.ap50, got.ap75, got.ar) == pytest.approx((1, 1, 1, 1))


def test_nobody_found_scores_zero(tmp_path: Path) -> None:
    got = scores(truth(tmp_path, [annotation(body())]), [People.none(22)])
    assert (got.ap, got.ap50, got.ap75, got.ar) == (0, 0, 0, 0)
    assert got.resampled(np.ones((2, 1))).tolist() == [[0, 0, 0, 0]] * 2


def test_nobody_labelled_has_no_score(tmp_path: Path) -> None:
    read = truth(tmp_path, [annotation(body(), unlabelled=NAMES)])
    got = scores(read, [people(body())])
    assert (got.ap, got.ar) == (None, None)
    assert np.isnan(got.resampled(np.ones((1, 1)))).all()


def test_the_score_ranks(tmp_path: Path) -> None:
    """A wrong person costs precision only when it ranks above the right one."""
    read = truth(tmp_path, [annotation(body())])
    elsewhere = body(60, 200, 30)
    below = scores(read, [people(body(), elsewhere, scores=(0.9, 0.1))])
    above = scores(read, [people(body(), elsewhere, scores=(0.1, 0.9))])
    assert (below.ap, above.ap) == (pytest.approx(1), pytest.approx(0.5))
    assert below.ar == above.ar == 1


def test_a_keypoint_that_was_not_found_is_not_found_at_the_origin(tmp_path: Path) -> None:
    """A label in the corner is not hit by the zeros that stand for missing keypoints."""
    labels = body()
    corner = annotation(labels - labels.min(0))
    lost = np.full((22, 2), np.nan)
    lost[-1] = (labels - labels.min(0))[-1]
    got = scores(truth(tmp_path, [corner]), [people(lost)])
    assert got.ap50 == 0


def test_keypoints_that_do_not_count_do_not_matter(tmp_path: Path) -> None:
    read = truth(tmp_path, [annotation(body())])
    wrong = body()
    wrong[18:] += 500
    got = score_oks(read, [people(wrong)], keypoints=range(18), pictures=[0])
    assert got.ap == pytest.approx(1)
    assert scores(read, [people(wrong)]).ap == pytest.approx(0.7), "18 of 22 are 0.82"


def test_resampling_each_picture_once_changes_nothing(noisy: tuple[Truth, list[People]]) -> None:
    got = scores(*noisy)
    assert got.ap is not None and 0.2 < got.ap < 0.9
    once = got.resampled(np.ones((1, 12)))[0]
    np.testing.assert_allclose(once, (got.ap, got.ap50, got.ap75, got.ar), atol=1e-9)


def test_resampling_is_the_same_as_leaving_pictures_out(
    noisy: tuple[Truth, list[People]],
) -> None:
    read, found = noisy
    kept = [0, 3, 4, 8, 11]
    counts = np.zeros((1, 12))
    counts[0, kept] = 1
    part = score_oks(read, found, keypoints=ALL, pictures=kept)
    np.testing.assert_allclose(
        scores(read, found).resampled(counts)[0],
        (part.ap, part.ap50, part.ap75, part.ar),
        atol=1e-9,
    )


def test_nothing_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scores(truth(tmp_path, [annotation(body())]), [people(body())])
    assert capsys.readouterr().out == ""
