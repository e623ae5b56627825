"""labelme's files: who the points belong to, how pictures are turned, and what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from labelled import box, labels, people, picture, point, said
from PIL import Image, ImageOps
from pycocotools.coco import COCO

from vid2kp.errors import AnnotationError
from vid2kp.pose.skeleton import INFANT22
from vid2kp.training.augment import AugmentOptions, augment
from vid2kp.training.dataset import PRESENT, UNKNOWN, CocoKeypoints
from vid2kp.training.labelme import LabelmeOptions, convert_labelme, read_aliases


def test_points_alone_are_one_infant(tmp_path: Path) -> None:
    labels(tmp_path / "a.json", point("nose", 10, 20), point("RWrist", 30.5, 8.25))
    converted = convert_labelme(tmp_path)
    assert people(converted) == [{"nose": [9.5, 19.5, 2], "right_wrist": [30, 7.75, 2]}]
    assert converted.problems == ()
    (image,) = converted.document["images"]
    assert image == {"file_name": "a.jpg", "width": 60, "height": 40, "id": 1}
    assert converted.document["annotations"][0]["bbox"] == [9.5, 7.75, 20.5, 11.75]


def test_groups_are_infants_with_their_rectangles(tmp_path: Path) -> None:
    labels(
        tmp_path / "a.json",
        point("nose", 10, 20, group_id=1),
        point("nose", 40, 20, group_id=2),
        box(30, 5, 58, 35, group_id=2),
        point("left ankle", 12, 30, group_id=1),
    )
    converted = convert_labelme(tmp_path)
    assert [sorted(one) for one in people(converted)] == [["left_ankle", "nose"], ["nose"]]
    assert converted.document["annotations"][1]["bbox"] == [29.5, 4.5, 28, 30]
    assert converted.document["annotations"][1]["area"] == 28 * 30


def test_rectangles_gather_points_without_a_group(tmp_path: Path) -> None:
    labels(
        tmp_path / "a.json",
        *(box(0, 0, 25, 40), box(30, 0, 60, 40)),
        *(point("nose", 10, 20), point("nose", 40, 20), point("right_hand", 28.5, 20)),
    )
    converted = convert_labelme(tmp_path)
    assert [sorted(one) for one in people(converted)] == [["nose"], ["nose"]]
    assert said(converted) == ["right_hand has no group and lies in no rectangle: left out"]


def test_a_point_in_two_rectangles_is_told(tmp_path: Path) -> None:
    rectangles = box(0, 0, 35, 40), box(30, 0, 60, 40)
    labels(tmp_path / "a.json", *rectangles, point("nose", 32, 20), point("nose", 50, 20))
    (text,) = said(convert_labelme(tmp_path))
    assert "2 rectangles" in text


def test_hidden_points_are_visibility_1(tmp_path: Path) -> None:
    hidden = {"flags": {"occluded": True, "other": False}}
    labels(tmp_path / "a.json", point("nose", 1, 1, **hidden), point("neck", 1, 1, flags=None))
    assert [p[2] for p in people(convert_labelme(tmp_path))[0].values()] == [1, 2]
    mine = LabelmeOptions(hidden_flags=("other",))
    assert [p[2] for p in people(convert_labelme(tmp_path, options=mine))[0].values()] == [2, 2]


def test_own_labels_are_mapped_and_others_reported(tmp_path: Path) -> None:
    (tmp_path / "map").mkdir()
    mapping = tmp_path / "map" / "names.json"
    mapping.write_text(json.dumps({"Handgelenk re": "RWrist", "Teddy": None}), encoding="utf-8")
    shapes = [point(n, 5, 5) for n in ("Handgelenk re", "Teddy", "Ohr", "mid_hip")]
    labels(tmp_path / "labels" / "a.json", *shapes)
    options = LabelmeOptions(aliases=read_aliases(mapping))
    converted = convert_labelme(tmp_path / "labels", options=options)
    assert list(people(converted)[0]) == ["right_wrist"]
    assert [(p.file, p.text) for p in converted.problems] == [
        ("a.json", "unknown label 'Ohr': left out"),
        ("a.json", "unknown label 'mid_hip': left out"),
    ]


def test_a_keypoint_labelled_twice_is_left_out(tmp_path: Path) -> None:
    labels(tmp_path / "a.json", *[point("LHip", x, 5) for x in (5, 9, 30)], point("nose", 5, 5))
    converted = convert_labelme(tmp_path)
    assert list(people(converted)[0]) == ["nose"]
    assert said(converted) == ["left_hip is labelled twice for one infant: left out"]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_pictures_keep_their_labels(tmp_path: Path, orientation: int) -> None:
    """A bright pixel of the stored picture is labelled where a viewer shows it."""
    stored = np.zeros((40, 60, 3), np.uint8)
    stored[10, 17] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as image:
        shown = np.asarray(ImageOps.exif_transpose(image))
    v, u = map(int, np.argwhere(shown[..., 0] == 255)[0])
    labels(
        tmp_path / "a.json",
        point("nose", u + 0.5, v + 0.5),
        box(u, v, u + 3, v + 2),
        imagePath="a.png",
        imageWidth=shown.shape[1],
        imageHeight=shown.shape[0],
    )
    converted = convert_labelme(tmp_path)
    assert people(converted) == [{"nose": [17, 10, 2]}]
    converted.write(tmp_path / "coco.json")
    sample = CocoKeypoints(tmp_path / "coco.json", tmp_path, INFANT22).load(0)
    x, y = sample.keypoints[0, 0].astype(int)
    assert sample.image[y, x].tolist() == [255, 255, 255]
    assert sorted(converted.document["annotations"][0]["bbox"][2:]) == [2, 3]


def test_labels_by_a_program_that_does_not_turn_pictures_are_told_by_their_size(
    tmp_path: Path,
) -> None:
    picture(tmp_path / "a.jpg", orientation=6)
    labels(tmp_path / "a.json", point("nose", 17.5, 10.5))
    assert people(convert_labelme(tmp_path)) == [{"nose": [17, 10, 2]}]


def test_files_that_cannot_be_used_are_left_out_and_told(tmp_path: Path) -> None:
    labels(tmp_path / "fine.json", point("nose", 1, 1))
    labels(tmp_path / "size.json", point("nose", 1, 1), imageWidth=640)
    labels(tmp_path / "gone.json", point("nose", 1, 1), imagePath="nowhere.jpg")
    labels(tmp_path / "twin.json", point("nose", 1, 1), imagePath="fine.jpg")
    labels(tmp_path / "dull.json", point("nose", 1, 1))
    (tmp_path / "dull.jpg").write_bytes(b"no picture")
    (tmp_path / "junk.JSON").write_text("{")
    (tmp_path / "list.json").write_text("[1]")
    converted = convert_labelme(tmp_path)
    assert converted.pictures == converted.people == 1
    assert all(problem.left_out for problem in converted.problems)
    assert {p.file: p.text.split(",")[0] for p in converted.problems} == {
        "size.json": "the picture has 60 × 40 pixels",
        "gone.json": "its picture is missing",
        "twin.json": "its picture has labels in another file already",
        "dull.json": "its picture cannot be read",
        "junk.JSON": "no readable JSON",
        "list.json": "not written by labelme (no shapes)",
    }


def test_a_picture_elsewhere_is_never_reached_for(tmp_path: Path) -> None:
    picture(tmp_path / "private" / "b.jpg")
    labels(tmp_path / "labels" / "a.json", point("nose", 1, 1), imagePath="../private/b.jpg")
    (problem,) = convert_labelme(tmp_path / "labels").problems
    assert "another folder" in problem.text
    both = convert_labelme(tmp_path)
    assert both.document["images"][0]["file_name"] == "private/b.jpg"


def test_pictures_may_lie_in_a_folder_of_their_own(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "one" / "a.jpg")
    labels(tmp_path / "labels" / "one" / "a.json", point("nose", 1, 1), imagePath="..\\x\\a.jpg")
    options = LabelmeOptions(images=tmp_path / "images")
    converted = convert_labelme(tmp_path / "labels", options=options)
    assert converted.document["images"][0]["file_name"] == "one/a.jpg"


@pytest.mark.parametrize(
    "shape",
    [
        7,
        {},
        {"label": "nose"},
        {"label": "nose", "points": []},
        {"label": "nose", "points": [["a", 1]]},
        {"label": "nose", "points": [[float("nan"), 1]]},
        point("nose", 1, 1, shape_type="polygon"),
        point("nose", 1, 1, shape_type="rectangle"),
        point("nose", 61, 1),
        point("nose", 1, 1, group_id=[1], shape_type="circle"),
    ],
)
def test_shapes_that_are_no_labels_are_left_out_and_told(tmp_path: Path, shape: Any) -> None:
    labels(tmp_path / "a.json", shape, point("neck", 3, 3))
    converted = convert_labelme(tmp_path)
    assert [list(one) for one in people(converted)] == [["neck"]]
    assert len(converted.problems) == 1
    assert "left out" in converted.problems[0].text


def test_empty_beds_and_unlabelled_infants_stay(tmp_path: Path) -> None:
    labels(tmp_path / "a.json")
    labels(tmp_path / "b.json", box(10, 10, 30, 30))
    converted = convert_labelme(tmp_path)
    assert (converted.pictures, converted.people) == (2, 1)
    assert converted.document["annotations"][0]["num_keypoints"] == 0


@pytest.mark.parametrize(
    "shapes",
    [
        [point("Handgelenk", 5, 5), point("Ohr", 9, 9)],
        [point("nose", 5, 5), point("nose", 9, 9)],
        [box(10, 10, 30, 30, label="toy")],
        [point("teddy", 5, 5)],
    ],
)
def test_labels_of_which_nobody_is_made_never_teach_that_nobody_is_there(
    tmp_path: Path, shapes: list[dict[str, Any]]
) -> None:
    labels(tmp_path / "a.json", *shapes)
    labels(tmp_path / "b.json")
    converted = convert_labelme(tmp_path, options=LabelmeOptions(aliases={"teddy": None}))
    assert [image["file_name"] for image in converted.document["images"]] == ["b.jpg"]
    (problem,) = [problem for problem in converted.problems if problem.left_out]
    assert (problem.file, problem.text) == ("a.json", "nobody could be made of its labels")


def test_the_path_of_a_picture_counts_before_its_name(tmp_path: Path) -> None:
    """Cameras number their pictures anew in every folder."""
    given, pictures = tmp_path / "labels", tmp_path / "pictures"
    picture(pictures / "a.jpg")
    picture(pictures / "monday" / "a.jpg")
    picture(pictures / "tuesday" / "a.jpg")
    labels(given / "m.json", point("nose", 1, 1), imagePath="..\\pictures\\monday\\a.jpg")
    labels(given / "t.json", point("nose", 1, 1), imagePath="../old/../tuesday/a.jpg")
    (given / "tuesday").mkdir()
    labels(given / "tuesday" / "x.json", point("nose", 1, 1), imagePath="elsewhere/a.jpg")
    labels(given / "a.json", point("nose", 1, 1), imagePath="a.jpg")
    (given / "a.jpg").unlink()
    converted = convert_labelme(given, options=LabelmeOptions(images=pictures))
    names = [image["file_name"] for image in converted.document["images"]]
    assert names == ["a.jpg", "monday/a.jpg"]
    assert [(p.file, p.text) for p in converted.problems] == [
        ("t.json", "its picture has labels in another file already"),
        ("tuesday/x.json", "several pictures have its picture's name"),
    ]


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = labels(tmp_path / "a.json", point("nose", 1, 1))
    path.write_text(path.read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert convert_labelme(tmp_path).people == 1


def test_json_that_is_too_deep_is_left_out(tmp_path: Path) -> None:
    labels(tmp_path / "a.json", point("nose", 1, 1))
    (tmp_path / "deep.json").write_text("[" * 200_000 + "]" * 200_000)
    (problem,) = convert_labelme(tmp_path).problems
    assert (problem.file, problem.text) == ("deep.json", "no readable JSON")


def test_pixels_are_not_copied(tmp_path: Path) -> None:
    labels(tmp_path / "a.json", point("nose", 1, 1))
    converted = convert_labelme(tmp_path)
    converted.write(tmp_path / "coco.json")
    assert "c2VjcmV0" not in (tmp_path / "coco.json").read_text()
    assert "imageData" not in (tmp_path / "coco.json").read_text()


def test_the_annotations_load_in_pycocotools_and_become_samples(tmp_path: Path) -> None:
    places = np.random.default_rng(0).uniform(5, 35, (22, 2))
    shapes = [point(n, *p) for n, p in zip(INFANT22.keypoints, places, strict=True)]
    labels(tmp_path / "a.json", *shapes[:20])
    convert_labelme(tmp_path).write(tmp_path / "coco.json")
    coco = COCO(str(tmp_path / "coco.json"))
    (one,) = coco.loadAnns(coco.getAnnIds(catIds=coco.getCatIds(["infant"])))
    assert one["num_keypoints"] == 20
    sample = CocoKeypoints(tmp_path / "coco.json", tmp_path, INFANT22).load(0)
    own = [k for k in range(20) if INFANT22.keypoints[k] != "neck"]  # made of the shoulders
    assert np.allclose(sample.keypoints[0, own], places[own] - 0.5, atol=0.006)
    assert (sample.state[0] == [PRESENT] * 20 + [UNKNOWN] * 2).all()
    view = augment(
        sample,
        size=64,
        skeleton=INFANT22,
        rng=np.random.default_rng(0),
        options=AugmentOptions(),
    )
    assert view.image.shape == (64, 64, 3)


def test_the_output_of_an_earlier_run_is_no_label(tmp_path: Path) -> None:
    labels(tmp_path / "a.json", point("nose", 1, 1))
    convert_labelme(tmp_path).write(tmp_path / "coco.json")
    assert convert_labelme(tmp_path, skip=tmp_path / "coco.json").problems == ()


def test_a_folder_without_labels_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="no JSON file"):
        convert_labelme(tmp_path)


@pytest.mark.parametrize(
    ("mapping", "words"),
    [("[]", "does not map"), ('{"a": 3}', "does not map"), ("{", "JSON"), (None, "not exist")],
)
def test_other_files_are_no_mapping(tmp_path: Path, mapping: str | None, words: str) -> None:
    if mapping is not None:
        (tmp_path / "map.json").write_text(mapping)
    with pytest.raises(AnnotationError, match=words):
        read_aliases(tmp_path / "map.json")


def test_a_mapping_to_no_keypoint_is_an_error(tmp_path: Path) -> None:
    labels(tmp_path / "a.json")
    with pytest.raises(AnnotationError, match="tail"):
        convert_labelme(tmp_path, options=LabelmeOptions(aliases={"x": "tail"}))
