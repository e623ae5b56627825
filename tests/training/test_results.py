"""Annotations and results files: what is read is what was written, or one line says why not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from annotated import NAMES, annotation, body, people, truth, write

from vid2kp.errors import AnnotationError
from vid2kp.pose.people import People
from vid2kp.pose.skeleton import COCO18
from vid2kp.training.results import in_order, read_results, read_truth, write_results


def test_truth_tells_labelled_from_unlabelled(tmp_path: Path) -> None:
    read = truth(
        tmp_path, [annotation(body(), unlabelled=("nose",)), annotation(body(), iscrowd=1)]
    )
    first, crowd = read.people
    assert read.keypoints == NAMES
    assert np.isnan(first.keypoints[0]).all()
    assert np.array_equal(first.keypoints[1], body()[1])
    assert (first.counts, crowd.counts) == (True, False)
    assert first.area == pytest.approx(np.prod(np.ptp(body(), axis=0)))


def test_people_without_keypoints_are_there_but_do_not_count(tmp_path: Path) -> None:
    nobody = annotation(body(), unlabelled=NAMES)
    bare = {"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}
    read = truth(tmp_path, [nobody, bare])
    assert [person.counts for person in read.people] == [False, False]
    assert (read.people[1].box, read.people[1].area) == ((1, 2, 3, 4), 12)


def test_pictures_of_one_infant_are_one_cluster(tmp_path: Path) -> None:
    images = [{"id": 1, "infant": "a"}, {"id": 2, "infant": "a"}, {"id": 3}, {"id": 4}]
    people_ = [annotation(body(), image_id=3, infant="b"), annotation(body(), image_id=4)]
    read = truth(tmp_path, people_, images=images)
    assert [picture.cluster for picture in read.pictures] == ["a", "a", "b", "#4"]


def test_an_infant_that_is_null_is_nobody_known(tmp_path: Path) -> None:
    images = [{"id": i, "infant": None} for i in (1, 2, 3)]
    people_ = [annotation(body(), image_id=2, infant=None), annotation(body(), image_id=3)]
    people_[1]["infant"] = "b"
    read = truth(tmp_path, people_, images=images)
    assert [picture.cluster for picture in read.pictures] == ["#1", "#2", "b"]


@pytest.mark.parametrize(
    "change",
    [
        {"area": -4.0},
        {"area": float("nan")},
        {"keypoints": [1.0, 2.0]},
        {"keypoints": "no"},
        {"keypoints": [float("nan"), 1.0, 2] * 22},
        {"image_id": None, "category_id": 1, "bbox": 3},
        {"bbox": [1, 2]},
    ],
)
def test_malformed_annotations_are_one_line(tmp_path: Path, change: dict[str, Any]) -> None:
    path = write(tmp_path / "a.json", [annotation(body())])
    document = json.loads(path.read_text())
    document["annotations"][0].update(change)
    if change.get("image_id", 1) is None:
        document["images"] = [{"file_name": "no id"}]
    path.write_text(json.dumps(document))
    with pytest.raises(AnnotationError) as caught:
        read_truth(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("categories", [[None], [{"keypoints": list(NAMES)}], {}])
def test_malformed_categories_are_one_line(tmp_path: Path, categories: Any) -> None:
    path = write(tmp_path / "a.json", [annotation(body())])
    path.write_text(json.dumps({**json.loads(path.read_text()), "categories": categories}))
    with pytest.raises(AnnotationError) as caught:
        read_truth(path)
    assert "\n" not in str(caught.value)


def test_results_survive_the_file(tmp_path: Path) -> None:
    read = truth(tmp_path, [annotation(body()), annotation(body(), image_id=2)])
    partly = body()
    partly[3:6] = np.nan
    found = [people(body(), partly, scores=(0.8, 0.4)), People.none(22)]
    write_results(tmp_path / "r.json", found, read)
    again = read_results(tmp_path / "r.json", read)
    np.testing.assert_allclose(again[0].keypoints, found[0].keypoints, atol=0.006)
    np.testing.assert_allclose(again[0].confidence, found[0].confidence, atol=1e-4)
    np.testing.assert_allclose(again[0].score, [0.8, 0.4])
    assert len(again[1]) == 0


def test_results_are_cocos(tmp_path: Path) -> None:
    read = truth(tmp_path, [annotation(body(), image_id=7)])
    lost = body()
    lost[0] = np.nan
    write_results(tmp_path / "r.json", [people(lost, confidence=1e-7)], read)
    (entry,) = json.loads((tmp_path / "r.json").read_text())
    assert (entry["image_id"], entry["category_id"]) == (7, 1)
    assert len(entry["keypoints"]) == 66
    assert entry["keypoints"][:3] == [0, 0, 0], "not found"
    assert entry["keypoints"][5] > 0, "found, however faint"


def test_results_of_nobody_are_an_empty_list(tmp_path: Path) -> None:
    read = truth(tmp_path, [annotation(body())])
    write_results(tmp_path / "r.json", [People.none(22)], read)
    assert json.loads((tmp_path / "r.json").read_text()) == []
    assert [len(found) for found in read_results(tmp_path / "r.json", read)] == [0]


def test_the_best_person_comes_first_and_a_missing_score_is_made(tmp_path: Path) -> None:
    read = truth(tmp_path, [annotation(body())])
    flat = np.column_stack([body(), np.full(22, 0.5)]).ravel().tolist()
    entries = [
        {"image_id": 1, "category_id": 1, "keypoints": flat, "score": 0.1},
        {"image_id": 1, "category_id": 1, "keypoints": flat},
        {"image_id": 1, "category_id": 1, "keypoints": [0.0] * 66, "score": 0.9},
    ]
    (tmp_path / "r.json").write_text(json.dumps(entries))
    (found,) = read_results(tmp_path / "r.json", read)
    np.testing.assert_allclose(found.score, [0.5, 0.1])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "does not exist"),
        ("{", "JSON"),
        ("3", "not as COCO keypoint results"),
        ("{}", "not as COCO keypoint results"),
        (
            '[{"image_id": 1, "keypoints": ' + str([1, 2, 1] * 22).replace("2", "NaN") + "}]",
            "66 finite keypoint",
        ),
        ('[{"image_id": 1, "score": NaN, "keypoints": ' + str([1] * 66) + "}]", "finite"),
        ("[" * 200_000, "JSON"),
        ('["a"]', "not as COCO keypoint results"),
        ('[{"image_id": 1, "keypoints": [1, 2, 3]}]', "66 finite keypoint numbers"),
        ('[{"image_id": 1}]', "no keypoints"),
        ('[{"image_id": 9, "keypoints": ' + str([0] * 66) + "}]", "do not have"),
    ],
)
def test_other_files_than_results_are_one_line(
    tmp_path: Path, text: str | None, words: str
) -> None:
    read = truth(tmp_path, [annotation(body())])
    if text is not None:
        (tmp_path / "r.json").write_text(text)
    with pytest.raises(AnnotationError, match=words) as caught:
        read_results(tmp_path / "r.json", read)
    assert "\n" not in str(caught.value)


def test_keypoints_go_where_their_names_are() -> None:
    someone, only_feet = body(), np.full((22, 2), np.nan)
    only_feet[20:] = 5
    moved = in_order(people(someone, only_feet), NAMES, (*COCO18.keypoints[::-1], "head_top"))
    assert len(moved) == 1, "nothing of the second is wanted"
    assert np.array_equal(moved.keypoints[0, :18], someone[:18][::-1].astype(np.float32))
    assert np.isnan(moved.keypoints[0, 18]).all()
    assert np.isnan(moved.confidence[0, 18])
