"""MediaPipe Pose full over a clip; prints frames per second. Writes nothing.

Runs in an environment of its own, which `benchmarks/peers.py` makes: vid2kp never needs MediaPipe.
"""

from __future__ import annotations

import sys
import time

import cv2
import mediapipe


def main() -> None:
    """``mediapipe_pose.py CLIP``."""
    capture = cv2.VideoCapture(sys.argv[1])
    frames = found = 0
    # Complexity 1 is the full model; it follows the person from frame to frame, its fast way.
    with mediapipe.solutions.pose.Pose(model_complexity=1) as pose:
        more, picture = capture.read()
        pose.process(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))  # loads the model
        begin = time.perf_counter()
        while True:
            more, picture = capture.read()
            if not more:
                break
            result = pose.process(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
            frames += 1
            found += result.pose_landmarks is not None
    print(f"infant seen in {found} of {frames} frames")
    print(frames / (time.perf_counter() - begin))


if __name__ == "__main__":
    main()
