"""The picture of the README: one frame of a skeleton video that the tool made.

make demo && .venv/bin/python docs/make_picture.py out/demo/*/skeleton.mp4 5.0
"""

from __future__ import annotations

import sys
from pathlib import Path

import av
import cv2

OUT = Path(__file__).parent / "images" / "skeleton.png"


def main() -> None:
    """Writes the frame shown at the given second."""
    with av.open(sys.argv[1]) as container:
        for frame in container.decode(video=0):
            if frame.time is not None and frame.time >= float(sys.argv[2]):
                cv2.imwrite(str(OUT), frame.to_ndarray(format="bgr24"))
                return


if __name__ == "__main__":
    main()
