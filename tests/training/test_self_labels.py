"""Labels are kept where views of one picture, and two labellers, agree."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from vid2kp.pose.estimate import Estimator
from vid2kp.pose.people import People
from vid2kp.pose.skeleton import INFANT22
from vid2kp.pose.weights import load_model
from vid2kp.tracks.load import load_tracks
from vid2kp.training import self_labels
from vid2kp.training.self_labels import SelfLabelOptions, agree_with, label_picture

K = len(INFANT22)
LEFT_WRIST = INFANT22.keypoints.index("left_wrist")


class _Blobs:
    """Stands where a network would: finds keypoints drawn as pixels of their own brightness."""

    skeleton = INFANT22

    def __init__(self, lost_when_turned: int | None = None) -> None:
        self.lost = lost_when_turned

    def look(self, _: object, view: np.ndarray) -> People:
        points = np.full((1, K, 2), np.nan, np.float32)
        for k in range(K):
            y, x = np.argwhere(view[..., 0] == 100 + k).mean(0)
            points[0, k] = x, y
        if self.lost is not None and view.shape[0] > view.shape[1]:
            points[0, self.lost] = np.nan
        return People(points, np.ones((1, K), np.float32), np.ones(1, np.float32))


def _picture() -> tuple[np.ndarray, np.ndarray]:
    """A picture wider than high whose keypoint k is the one pixel of brightness 100 + k."""
    rng = np.random.default_rng(0)
    cells = rng.permutation(60 * 90)[:K]
    points = np.stack([cells % 90, cells // 90], 1).astype(np.float64)
    image = np.zeros((60, 90, 3), np.uint8)
    for k, (x, y) in enumerate(points.astype(int)):
        image[y, x, 0] = 100 + k
    return image, points


def _mirror_aware(finder: _Blobs, image: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a mirrored view a network gives each limb the name of the other side."""

    def look(estimator: object, view: np.ndarray) -> People:
        people = finder.look(estimator, view)
        turned = [np.rot90(image, t) for t in range(4)]
        if not any(np.array_equal(view, t) for t in turned):
            order = list(INFANT22.mirror)
            return People(people.keypoints[:, order], people.confidence, people.score)
        return people

    monkeypatch.setattr(self_labels, "look_at_picture", look)


def test_all_eight_views_are_brought_back_to_the_picture(monkeypatch):
    image, points = _picture()
    finder = _Blobs()
    _mirror_aware(finder, image, monkeypatch)

    found, torso = label_picture(finder, image)

    np.testing.assert_allclose(found, points)
    assert torso == pytest.approx(self_labels.torso_length(INFANT22, points))


def test_a_keypoint_lost_in_half_of_the_views_gets_no_label(monkeypatch):
    image, points = _picture()
    finder = _Blobs(lost_when_turned=LEFT_WRIST)
    _mirror_aware(finder, image, monkeypatch)

    found, _ = label_picture(finder, image)

    assert np.isnan(found[[LEFT_WRIST, INFANT22.mirror[LEFT_WRIST]]]).any()
    sure = np.isfinite(found[:, 0])
    assert sure.sum() >= K - 2
    np.testing.assert_allclose(found[sure], points[sure])


def test_two_labellers_meet_in_the_middle_or_not_at_all():
    own = np.array([[0.0, 0.0], [10.0, 0.0], [20.0, 0.0], [30.0, 0.0]])
    other = np.array([[4.0, 0.0], [90.0, 0.0], [np.nan, np.nan], [34.0, 0.0]])
    prefer = np.array([False, False, False, True])

    merged = agree_with(own, 100.0, other, options=SelfLabelOptions(), prefer_own=prefer)

    np.testing.assert_allclose(merged, [[2, 0], [np.nan, np.nan], [20, 0], [30, 0]])


def test_labels_of_the_shipped_model_on_the_example(tmp_path: Path):
    example = Path(__file__).parents[2] / "examples" / "infant"
    ok, picture = cv2.VideoCapture(str(example / "video.mp4")).read()
    assert ok
    cv2.imwrite(str(tmp_path / "0.png"), picture)
    height, width = picture.shape[:2]
    record = {"id": 0, "file_name": "0.png", "width": width, "height": height}
    category = {"id": 1, "name": "person", "keypoints": list(INFANT22.keypoints)}
    teacher = {"images": [record], "annotations": [], "categories": [category]}
    (tmp_path / "teacher.json").write_text(json.dumps(teacher))
    estimator = Estimator(load_model("infant-lite"), precision="fp32")

    count = self_labels.write_self_labels(
        estimator, tmp_path / "teacher.json", tmp_path, tmp_path / "own.json"
    )

    (annotation,) = json.loads((tmp_path / "own.json").read_text())["annotations"]
    points = np.array(annotation["keypoints"]).reshape(-1, 3)
    truth = load_tracks(example / "tracks.parquet").to_numpy()[0][0, 0].astype(np.float64)
    error = np.linalg.norm(points[:, :2] - truth, axis=1)
    known = points[:, 2] > 0
    assert count == 1
    assert known.sum() >= 15
    within = error[known] < 0.15 * self_labels.torso_length(INFANT22, truth)
    assert within.mean() > 0.9
