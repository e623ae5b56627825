"""COCO annotations in, samples out: names, unknown keypoints, views."""

import json
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from vid2kp.errors import AnnotationError
from vid2kp.pose.skeleton import INFANT22
from vid2kp.training.augment import AugmentOptions, augment
from vid2kp.training.backgrounds import empty_parts
from vid2kp.training.dataset import ABSENT, PRESENT, UNKNOWN, CocoKeypoints

LSP = ["RAnkle", "RKnee", "RHip", "LHip", "LKnee", "LAnkle", "RWrist", "RElbow", "RShoulder",
       "LShoulder", "LElbow", "LWrist", "neck", "head_top"]  # fmt: skip


def dataset(
    folder: Path, people: list[dict[str, object]], names: list[str], **image: object
) -> Path:
    (folder / "images").mkdir(exist_ok=True)
    picture = np.full((80, 120, 3), 90, np.uint8)
    picture[20:60, 30:90] = (10, 200, 240)
    cv2.imwrite(str(folder / "images" / "a.png"), picture)
    record = {"id": 4, "file_name": "a.png", "width": 120, "height": 80, **image}
    document = {
        "images": [record],
        "annotations": [
            {"id": i, "image_id": 4, "category_id": 1, **p} for i, p in enumerate(people)
        ],
        "categories": [{"id": 1, "name": "person", "keypoints": names}],
    }
    (folder / "a.json").write_text(json.dumps(document))
    return folder / "a.json"


def person(count: int, *, hidden: tuple[int, ...] = ()) -> dict[str, object]:
    rows = [(20 + 5 * i, 10 + 4 * i, 0 if i in hidden else 2) for i in range(count)]
    return {"keypoints": [float(v) for row in rows for v in row], "bbox": [30, 20, 60, 40]}


def test_keypoints_are_matched_by_name_and_the_rest_is_unknown(tmp_path: Path):
    path = dataset(tmp_path, [person(14, hidden=(6,))], LSP)
    sample = CocoKeypoints(path, tmp_path / "images", INFANT22).load(0)
    index = INFANT22.index
    assert sample.keypoints[0, index("right_ankle")].tolist() == [20, 10]
    assert sample.state[0, index("right_wrist")] == UNKNOWN
    assert sample.state[0, index("nose")] == UNKNOWN
    between = (
        sample.keypoints[0, index("right_shoulder")] + sample.keypoints[0, index("left_shoulder")]
    ) / 2
    assert sample.keypoints[0, index("neck")].tolist() == between.tolist()
    assert sample.boxes[0].tolist() == [0, 0, 120, 80], "one person: others may be unlabelled"
    assert sample.image[30, 40].tolist() == [240, 200, 10], "RGB"


def test_keypoints_beyond_the_border_are_absent_not_unknown(tmp_path: Path):
    someone = person(14)
    someone["keypoints"][:3] = [-5.0, 10.0, 2]
    sample = CocoKeypoints(dataset(tmp_path, [someone], LSP), tmp_path / "images", INFANT22).load(0)
    assert sample.state[0, INFANT22.index("right_ankle")] == ABSENT


def test_images_may_lie_in_a_zip_file(tmp_path: Path):
    path = dataset(tmp_path, [person(14)], LSP)
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        archive.write(tmp_path / "images" / "a.png", "a.png")
    folder = CocoKeypoints(path, tmp_path / "images", INFANT22).load(0)
    packed = CocoKeypoints(path, tmp_path / "images.zip", INFANT22).load(0)
    assert np.array_equal(folder.image, packed.image)


def test_shrunk_decoding_moves_the_labels_along(tmp_path: Path):
    data = CocoKeypoints(dataset(tmp_path, [person(14)], LSP), tmp_path / "images", INFANT22)
    full, half = data.load(0), data.load(0, shrink=2)
    assert half.image.shape == (40, 60, 3)
    known = full.state == PRESENT
    assert np.allclose((full.keypoints[known] + 0.5) / 2 - 0.5, half.keypoints[known])


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "JSON"), ('{"images": []}', "annotations"), (None, "exist")],
)
def test_bad_annotation_files_are_told_in_one_line(tmp_path: Path, text: str | None, words: str):
    path = tmp_path / "a.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(AnnotationError, match=words) as caught:
        CocoKeypoints(path, tmp_path, INFANT22)
    assert "\n" not in str(caught.value) and str(tmp_path) not in str(caught.value)


def test_missing_picture_is_named_by_the_annotations(tmp_path: Path):
    path = dataset(tmp_path, [person(14)], LSP, file_name="gone.png")
    with pytest.raises(AnnotationError, match="not there"):
        CocoKeypoints(path, tmp_path / "images", INFANT22).load(0)


def test_pictures_are_looked_for_before_they_are_needed(tmp_path: Path):
    path = dataset(tmp_path, [person(14)], LSP)
    (tmp_path / "none").mkdir()
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        archive.write(tmp_path / "images" / "a.png", "images/a.png")
    (tmp_path / "text.zip").write_text("no zip file")
    CocoKeypoints(path, tmp_path / "images", INFANT22).check_pictures()
    CocoKeypoints(path, tmp_path / "images.zip", INFANT22).check_pictures()
    for name, words in [
        ("none", "1 of the 1 pictures are not there, such as the one with the id 4"),
        ("nowhere", "does not exist"),
        ("text.zip", "cannot be opened"),
    ]:
        with pytest.raises(AnnotationError, match=words):
            CocoKeypoints(path, tmp_path / name, INFANT22).check_pictures()


def test_a_picture_of_another_size_than_annotated_is_refused(tmp_path: Path):
    path = dataset(tmp_path, [person(14)], LSP, width=60, height=40)
    with pytest.raises(AnnotationError, match="not 60 × 40 pixels"):
        CocoKeypoints(path, tmp_path / "images", INFANT22).load(0)


@pytest.mark.parametrize("shrink", [1, 2, 4])
def test_odd_sizes_are_no_other_sizes_when_decoding_shrinks(tmp_path: Path, shrink: int):
    path = dataset(tmp_path, [person(14)], LSP, width=119, height=79, file_name="a.jpg")
    cv2.imwrite(str(tmp_path / "images" / "a.jpg"), np.zeros((79, 119, 3), np.uint8))
    CocoKeypoints(path, tmp_path / "images", INFANT22).load(0, shrink=shrink)


NAN = float("nan")


@pytest.mark.parametrize(
    ("part", "change", "words"),
    [
        ("images", {"id": ...}, "Image 1 .* an id"),
        ("images", {"width": ...}, "Image 1 .* a width"),
        ("images", {"height": 0}, "Image 1 .* a height"),
        ("images", {"width": "120"}, "Image 1 "),
        ("images", {"file_name": None}, "Image 1 .* a file_name"),
        ("annotations", {"image_id": ...}, "Annotation 1 .* an image_id"),
        ("annotations", {"keypoints": [1.0] * 41}, "Annotation 1 .* 42 finite keypoint numbers"),
        ("annotations", {"keypoints": [NAN, 1.0, 2] * 14}, "Annotation 1 .* finite"),
        ("annotations", {"keypoints": [None, 1.0, 2] * 14}, "Annotation 1 .* finite"),
        ("annotations", {"keypoints": ["left"] * 42}, "Annotation 1 "),
        ("annotations", {"bbox": [1, 2]}, "Annotation 1 .* 4 in a bbox"),
        ("annotations", {"bbox": [1, 2, NAN, 4]}, "Annotation 1 .* 4 in a bbox"),
        ("annotations", {"teacher_score": "high"}, "Annotation 1 "),
        ("annotations", None, "annotations should be a list of objects"),
        ("images", None, "images should be a list of objects"),
        ("categories", None, "categories should be a list of objects"),
        ("categories", {"keypoints": 14}, "names its keypoints"),
        ("categories", {"keypoints": [1, 2]}, "names its keypoints"),
    ],
)
def test_bad_annotations_are_told_in_one_line(
    tmp_path: Path, part: str, change: dict[str, object] | None, words: str
):
    path = dataset(tmp_path, [person(14)], LSP)
    document = json.loads(path.read_text())
    if change is None:
        document[part] = [None]
    else:
        changed = {**document[part][0], **change}
        document[part] = [{k: v for k, v in changed.items() if v is not ...}]
    path.write_text(json.dumps(document))
    with pytest.raises(AnnotationError, match=words) as caught:
        CocoKeypoints(path, tmp_path / "images", INFANT22)
    assert "\n" not in str(caught.value) and str(tmp_path) not in str(caught.value)


def test_what_is_not_labelled_may_be_anything(tmp_path: Path):
    someone = {"keypoints": [NAN, NAN, 0] * 14, "bbox": None}
    sample = CocoKeypoints(dataset(tmp_path, [someone], LSP), tmp_path / "images", INFANT22).load(0)
    assert (sample.state == UNKNOWN).all()
    assert sample.boxes[0].tolist() == [0, 0, 120, 80]


def test_the_digest_tells_labels_apart_not_places(tmp_path: Path):
    def digest(name: str, people: list[dict[str, object]], names: list[str]) -> str:
        folder = tmp_path / name
        folder.mkdir()
        path = dataset(folder, people, names)
        return CocoKeypoints(path, folder / "images", INFANT22).digest()

    first = digest("a", [person(14)], LSP)
    assert first == digest("b", [person(14)], LSP)
    assert first != digest("c", [person(14, hidden=(3,))], LSP)
    assert first != digest("d", [person(14)], [*LSP[1::-1], *LSP[2:]])


def test_views_move_pixels_and_labels_together():
    """A bright dot stays under its label through any view that is not mirrored or covered."""
    from vid2kp.training.dataset import Sample

    image = np.zeros((200, 200, 3), np.uint8)
    points = np.full((1, 22, 2), 100, np.float32)
    points[0, :6] = [[60, 60], [140, 70], [60, 150], [120, 140], [90, 100], [150, 120]]
    for x, y in points[0, :6].astype(int):
        cv2.circle(image, (int(x), int(y)), 4, (255, 255, 255), -1)
    state = np.full((1, 22), UNKNOWN, np.int8)
    state[0, :6] = PRESENT
    sample = Sample(image, points, state, np.array([[0, 0, 200, 200]], np.float32))
    options = AugmentOptions(occlude=0.0, far=0.0)
    checked = mirrored = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        view = augment(sample, size=160, skeleton=INFANT22, rng=rng, options=options)
        assert view.image.shape == (160, 160, 3)
        present = np.flatnonzero(view.state[0] == PRESENT)
        mirrored += 5 in present and 2 not in present
        blurred = cv2.GaussianBlur(view.image.max(2), (0, 0), 1.5).astype(float)
        for k in present:
            x, y = view.keypoints[0, k].round().astype(int)
            assert blurred[y, x] > np.median(blurred) + 20
            checked += 1
    assert checked > 100


def test_mirrored_views_exchange_left_and_right():
    from vid2kp.training.dataset import Sample

    state = np.full((1, 22), UNKNOWN, np.int8)
    right = [i for i, n in enumerate(INFANT22.keypoints) if n.startswith("right_")]
    state[0, right] = PRESENT
    points = np.random.default_rng(0).uniform(60, 140, (1, 22, 2)).astype(np.float32)
    sample = Sample(np.zeros((200, 200, 3), np.uint8), points, state, np.zeros((1, 4), np.float32))
    sides = set()
    for seed in range(20):
        rng = np.random.default_rng(seed)
        view = augment(sample, size=96, skeleton=INFANT22, rng=rng, options=AugmentOptions())
        names = {
            INFANT22.keypoints[k].split("_")[0] for k in np.flatnonzero(view.state[0] == PRESENT)
        }
        assert len(names) == 1, "a view shows one side or the other, never a mixture"
        sides |= names
    assert sides == {"right", "left"}


def test_backgrounds_hold_nobody(tmp_path: Path):
    data = CocoKeypoints(
        dataset(tmp_path, [{**person(14), "bbox": [0, 0, 30, 80]}], LSP),
        tmp_path / "images",
        INFANT22,
    )
    (crop,) = empty_parts(data, margin=0.0)
    assert crop.shape == (80, 90, 3)


def test_an_empty_file_is_no_picture(tmp_path: Path):
    data = CocoKeypoints(dataset(tmp_path, [person(14)], LSP), tmp_path / "images", INFANT22)
    (tmp_path / "images" / "a.png").write_bytes(b"")
    with pytest.raises(AnnotationError, match="id 4 cannot be decoded"):
        data.load(0)


def test_annotations_that_are_nested_too_deep_are_one_line(tmp_path: Path):
    (tmp_path / "a.json").write_text("[" * 200_000)
    with pytest.raises(AnnotationError, match="not readable JSON"):
        CocoKeypoints(tmp_path / "a.json", tmp_path, INFANT22)


def test_other_categories_are_passed_over(tmp_path: Path):
    path = dataset(tmp_path, [person(14), {**person(2), "category_id": 2}], LSP)
    document = json.loads(path.read_text())
    document["categories"] += [{"id": 2, "name": "adult", "keypoints": ["nose", "neck"]}, {"id": 3}]
    document["images"] += [{**document["images"][0], "id": i} for i in (5, 6)]
    document["annotations"] += [
        {"image_id": 5, "category_id": 2, "keypoints": [9, 9, 2, 9, 9, 2]},
        {"image_id": 6, "category_id": 3, "bbox": [1, 1, 5, 5]},
    ]
    path.write_text(json.dumps(document))
    data = CocoKeypoints(path, tmp_path / "images", INFANT22)
    assert [len(data.load(i).state) for i in range(3)] == [1, 1, 0]
    adult = data.load(1)
    assert (adult.state == UNKNOWN).all(), "an adult alone is not nobody"
    assert adult.boxes[0].tolist() == [0, 0, 120, 80]
