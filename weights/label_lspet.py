"""Fills face, hands and feet into the 14-joint labels of lspet, with MediaPipe Pose as teacher.

    python -m venv TEACHER && TEACHER/bin/pip install mediapipe==0.10.14
    TEACHER/bin/python weights/label_lspet.py DATA/lspet DATA/infantdev/train.json OUT.json

It runs in an environment of its own, which needs nothing of vid2kp. The second file only says the
names of the keypoints. Every picture is turned upright by its labels first. The teacher's word is
taken for a hand, foot or face only where it also finds the wrist and elbow, ankle and knee, or
shoulders and head where people have labelled them; its point is then moved by what it was off.
"""

from __future__ import annotations

import argparse
import json
import zipfile
from pathlib import Path
from typing import Any

import cv2
import mediapipe
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LANDMARKS = {
    "nose": 0, "left_eye": 2, "right_eye": 5, "left_ear": 7, "right_ear": 8,
    "left_shoulder": 11, "right_shoulder": 12, "left_elbow": 13, "right_elbow": 14,
    "left_wrist": 15, "right_wrist": 16, "left_knee": 25, "right_knee": 26,
    "left_ankle": 27, "right_ankle": 28, "left_foot": 31, "right_foot": 32,
}  # fmt: skip
KNUCKLES = {"left": (17, 19), "right": (18, 20)}
FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
TRUNK = ("right_shoulder", "left_shoulder", "right_hip", "left_hip")

SURE = 0.6  # visibility below which the teacher is not heard
TOES = 0.8  # the base of the toes lies at this share of the way from the ankle to the toe's tip
END, NEXT, SHOULDER, HEAD = 0.25, 0.35, 0.3, 0.35  # allowed distances, in sizes of the trunk


def main() -> None:
    """Parses the arguments and writes the labels."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("lspet", type=Path)
    parser.add_argument("names", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    document = json.loads((arguments.lspet / "annotations.json").read_text(encoding="utf-8"))
    category = json.loads(arguments.names.read_text(encoding="utf-8"))["categories"][0]
    have = [name.lower() for name in document["categories"][0]["keypoints"]]
    want = [name.lower() for name in category["keypoints"]]
    files = {image["id"]: image["file_name"] for image in document["images"]}
    teacher = mediapipe.solutions.pose.Pose(
        static_image_mode=True, model_complexity=1, min_detection_confidence=0.3
    )
    with zipfile.ZipFile(arguments.lspet / "images.zip") as archive:
        inside = {Path(name).name: name for name in archive.namelist()}
        for annotation in document["annotations"]:
            rows = np.asarray(annotation["keypoints"], np.float64).reshape(-1, 3)
            labels = {n: row for n, row in zip(have, rows, strict=True) if row[2] > 0}
            if all(name in labels for name in TRUNK):
                data = archive.read(inside[Path(files[annotation["image_id"]]).name])
                labels |= taught(teacher, data, labels)
            table = np.stack([labels.get(name, np.zeros(3)) for name in want])
            annotation["keypoints"] = table.round(2).ravel().tolist()
            annotation["num_keypoints"] = int((table[:, 2] > 0).sum())
    document["categories"] = [category]
    arguments.out.write_text(json.dumps(document), encoding="utf-8")


def taught(teacher: Any, jpeg: bytes, labels: dict[str, Array]) -> dict[str, Array]:
    """(x, y, 2) of the face, hands and feet on which the teacher can be believed."""
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    height, width = picture.shape[:2]
    shoulders = (labels["right_shoulder"] + labels["left_shoulder"])[:2] / 2
    hips = (labels["right_hip"] + labels["left_hip"])[:2] / 2
    matrix, side = upright(height, width, hips - shoulders)
    turned = cv2.warpAffine(picture, matrix, (side, side), borderValue=(128, 128, 128))
    found = teacher.process(cv2.cvtColor(turned, cv2.COLOR_BGR2RGB)).pose_landmarks
    if not found:
        return {}
    marks = np.array([[m.x * side, m.y * side, m.visibility] for m in found.landmark])
    back = cv2.invertAffineTransform(matrix)
    marks[:, :2] = marks[:, :2] @ back[:, :2].T + back[:, 2]
    across = float(np.linalg.norm((labels["right_shoulder"] - labels["left_shoulder"])[:2]))
    size = max(float(np.linalg.norm(hips - shoulders)), 0.78 * across, 20.0)

    def near(name: str, share: float) -> bool:
        if name not in labels:
            return False
        return bool(np.linalg.norm((marks[LANDMARKS[name]] - labels[name])[:2]) < share * size)

    points: dict[str, Array] = {}
    for way in ("left", "right"):
        if near(f"{way}_wrist", END) and near(f"{way}_elbow", NEXT):
            wrist = LANDMARKS[f"{way}_wrist"]
            hand = marks[list(KNUCKLES[way])].mean(0)
            hand[:2] += (labels[f"{way}_wrist"] - marks[wrist])[:2]
            points[f"{way}_hand"] = np.array([*hand[:2], min(hand[2], marks[wrist, 2])])
        if near(f"{way}_ankle", END) and near(f"{way}_knee", NEXT):
            ankle, tip = LANDMARKS[f"{way}_ankle"], LANDMARKS[f"{way}_foot"]
            toes = labels[f"{way}_ankle"][:2] + TOES * (marks[tip] - marks[ankle])[:2]
            points[f"{way}_foot"] = np.array([*toes, marks[[ankle, tip], 2].min()])
    if near("left_shoulder", SHOULDER) and near("right_shoulder", SHOULDER):
        face = marks[[LANDMARKS[name] for name in FACE]]
        centre = face[1:, :2].mean(0)
        top = labels.get("head_top")
        if top is None or np.linalg.norm(centre - (top[:2] + shoulders) / 2) < HEAD * size:
            points |= dict(zip(FACE, face, strict=True))
    inside = {
        name: np.array([x, y, 2.0])
        for name, (x, y, sure) in points.items()
        if sure > SURE and 0 <= x < width and 0 <= y < height
    }
    return inside


def upright(height: int, width: int, trunk: Array) -> tuple[Array, int]:
    """(2, 3) matrix that turns a picture so that the trunk points down, and the new side."""
    side = int(2.6 * max(height, width))
    angle = -float(np.degrees(np.arctan2(trunk[0], trunk[1])))
    matrix = np.array(cv2.getRotationMatrix2D((width / 2, height / 2), angle, 2.0), np.float64)
    matrix[:, 2] += (side - width) / 2, (side - height) / 2
    return matrix, side


if __name__ == "__main__":
    main()
