"""Labels made by another program (a teacher), put right where it is known to be wrong."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np

from vid2kp.pose.skeleton import canonical_name

DOWN = 0.12
"""MediaPipe Pose puts the hips of infants too near the head, by this share of the torso …"""

OUT = 0.12
"""… and too close together, by this share of the distance between them, each."""


def move_hips(document: dict[str, Any], *, down: float = DOWN, out: float = OUT) -> dict[str, Any]:
    """COCO keypoint annotations with the hips moved to where the joints are.

    Args:
        document: annotations of one category that names its keypoints.
        down: toward the feet, in torso lengths (middle of the shoulders to middle of the hips).
        out: away from each other, in distances between the hips.

    Returns:
        A copy. Hips of people whose shoulders and hips are not all labelled become unlabelled:
        there is no telling where they should be.
    """
    document = copy.deepcopy(document)
    names = [canonical_name(n) for n in document["categories"][0]["keypoints"]]
    shoulders = [names.index("right_shoulder"), names.index("left_shoulder")]
    hips = [names.index("right_hip"), names.index("left_hip")]
    for annotation in document["annotations"]:
        points = np.asarray(annotation["keypoints"], np.float64).reshape(-1, 3)
        if (points[shoulders + hips, 2] > 0).all():
            torso = points[hips, :2].mean(0) - points[shoulders, :2].mean(0)
            across = points[hips[0], :2] - points[hips[1], :2]
            points[hips, :2] += down * torso + out * np.stack([across, -across])
        else:
            points[hips] = 0
        annotation["keypoints"] = [round(float(v), 2) for v in points.reshape(-1)]
    return document


def write_with_moved_hips(annotations: Path, out: Path) -> Path:
    """The annotation file with `move_hips` done, written to `out`; returns `out`."""
    document = json.loads(annotations.read_text(encoding="utf-8"))
    out.write_text(json.dumps(move_hips(document)), encoding="utf-8")
    return out
