"""Whether the infant's head is put up: labelled pictures, each shown in four directions.

    python benchmarks/direction.py ANNOTATIONS.json IMAGES [--view supine] [--every N]

Every picture is turned by 0, 90, 180 and 270 degrees and looked at as a still clip. The direction
is found if, after the turn that was chosen, the line from the hips to the neck points up within 60
degrees: an infant that lies at 45 degrees may be turned either way.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np

from vid2kp.pose.estimate import Estimator
from vid2kp.pose.find import Still, sample_still
from vid2kp.pose.framing import turn
from vid2kp.pose.watch import Watcher
from vid2kp.pose.weights import load_model

_UP = np.cos(np.radians(60))


def main() -> None:
    """Measures and prints the share of pictures in which the direction is found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("annotations", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--view", help="only pictures whose 'view' says so")
    parser.add_argument("--every", type=int, default=1, help="only every N-th picture")
    parser.add_argument("--model", default="infant-lite")
    arguments = parser.parse_args()
    document = json.loads(arguments.annotations.read_text())
    names = document["categories"][0]["keypoints"]
    neck, hips = names.index("neck"), [names.index("right_hip"), names.index("left_hip")]
    labels = {one["image_id"]: one["keypoints"] for one in document["annotations"]}
    chosen = [one for one in document["images"] if arguments.view in (None, one.get("view", None))][
        :: arguments.every
    ]
    estimator = Estimator(load_model(arguments.model))
    found = shown = 0
    for one in chosen:
        label = np.array(labels[one["id"]], float).reshape(-1, 3)
        if not label[[neck, *hips], 2].all():
            continue
        up = label[neck, :2] - label[hips, :2].mean(axis=0)
        picture = np.asarray(cv2.imread(str(arguments.images / one["file_name"])))[..., ::-1]
        for quarters in range(4):
            image = np.ascontiguousarray(np.rot90(picture, quarters))
            watcher: Watcher[Still] = Watcher(estimator, sample_still)
            list(watcher.watch([Still(image)]))
            line = turn(watcher.direction.rotation + 90 * quarters)[:2, :2] @ up
            found += bool(-line[1] > _UP * np.hypot(*line))
            shown += 1
    print(f"direction found in {found} of {shown} still clips ({found / max(shown, 1):.1%})")


if __name__ == "__main__":
    main()
