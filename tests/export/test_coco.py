from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
import recordings
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from recordings import ALL

from vid2kp.errors import TracksError, UsageError
from vid2kp.export.coco import COCO17, IMAGES, RESULTS, export_coco
from vid2kp.tracks.load import Tracks
from vid2kp.tracks.schema import STATES


def opened(folder: Path) -> tuple[COCO, COCO]:
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(folder / IMAGES))
        return truth, truth.loadRes(str(folder / RESULTS))


def evaluated(tracks: Tracks, folder: Path) -> float:
    """COCO AP of the results against annotations that say the same as the tracks."""
    document = json.loads((folder / IMAGES).read_text())
    index = [tracks.skeleton.index(name) for name in COCO17]
    positions = tracks.to_numpy()[0][:, :, index]
    for row, i in zip(*np.nonzero(np.isfinite(positions).any(axis=(2, 3))), strict=True):
        points = positions[row, i]
        there = np.isfinite(points).all(axis=1)
        keypoints = np.concatenate([np.nan_to_num(points), 2 * there[:, None]], axis=1)
        low, high = points[there].min(0), points[there].max(0)
        document["annotations"].append(
            {
                "id": len(document["annotations"]) + 1, "image_id": int(tracks.frame[row]),
                "category_id": 1, "iscrowd": 0, "num_keypoints": int(there.sum()),
                "bbox": [*low.tolist(), *(high - low).tolist()],
                "area": float(np.prod(high - low)),
                "keypoints": [float(value) for value in keypoints.ravel()],
            }
        )  # fmt: skip
    (folder / "truth.json").write_text(json.dumps(document))
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(folder / "truth.json"))
        evaluation = COCOeval(truth, truth.loadRes(str(folder / RESULTS)), "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0])


def test_pycocotools_scores_the_export_of_the_truth_as_perfect(tmp_path: Path) -> None:
    tracks = recordings.uneven(tmp_path)
    export_coco(tracks, tmp_path / "out", options=ALL)
    assert evaluated(tracks, tmp_path / "out") == pytest.approx(1)


def test_results_hold_each_keypoint_under_its_name_and_frame(tmp_path: Path) -> None:
    tracks = recordings.uneven(tmp_path)
    export_coco(tracks, tmp_path / "out", options=ALL)
    truth, results = opened(tmp_path / "out")
    positions, confidence = tracks.to_numpy()
    names = truth.cats[1]["keypoints"]
    assert len(results.anns) == np.isfinite(confidence).any(axis=2).sum()
    for entry in results.anns.values():
        i = tracks.individuals.index(entry["track"])
        points = np.array(entry["keypoints"]).reshape(17, 3)
        own = [tracks.skeleton.index(name) for name in names]
        np.testing.assert_array_equal(
            points[:, :2].astype(np.float32), np.nan_to_num(positions[entry["image_id"], i, own])
        )
        assert entry["score"] == pytest.approx(points[:, 2].mean(), abs=1e-6)


def test_images_keep_times_and_the_skeleton_counts_from_one(tmp_path: Path) -> None:
    tracks = recordings.uneven(tmp_path)
    export_coco(tracks, tmp_path / "out", options=ALL)
    document, _ = opened(tmp_path / "out")
    assert [image["time"] for image in document.imgs.values()] == tracks.time.tolist()
    category = document.cats[1]
    ends = np.array(category["skeleton"])
    assert ends.min() == 1
    assert ends.max() == 17
    limbs = {tuple(category["keypoints"][end - 1] for end in limb) for limb in ends}
    assert ("left_elbow", "left_wrist") in limbs
    assert ("right_knee", "right_ankle") in limbs


def test_an_incomplete_person_ranks_below_a_complete_one(tmp_path: Path) -> None:
    tracks = recordings.cleaned(tmp_path)
    export_coco(tracks, tmp_path / "out", options=ALL)
    _, results = opened(tmp_path / "out")
    points = np.array([entry["keypoints"] for entry in results.anns.values()]).reshape(-1, 17, 3)
    own = [tracks.skeleton.index(name) for name in COCO17]
    missing = tracks.states()[:, 0, own] == STATES.index("missing")
    np.testing.assert_array_equal(points[..., 2] == 0, missing)
    scores = np.array([entry["score"] for entry in results.anns.values()])
    np.testing.assert_allclose(scores, points[..., 2].mean(axis=1), atol=1e-6)
    complete = points[..., 2].sum(axis=1) / (~missing).sum(axis=1)
    assert (scores[missing.any(axis=1)] < complete[missing.any(axis=1)]).all()


def test_without_anybody_there_is_no_file_that_crashes_pycocotools(tmp_path: Path) -> None:
    with pytest.raises(TracksError, match="Nobody was seen"):
        export_coco(recordings.unseen(tmp_path), tmp_path / "out", options=ALL)
    assert not (tmp_path / "out").exists()


def test_other_units_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="means pixels"):
        export_coco(recordings.normalised(tmp_path), tmp_path / "out", options=ALL)
