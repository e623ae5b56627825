"""What no run could show: the ways that do not exist."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import vid2kp
from vid2kp.render import drawing, skeleton_video
from vid2kp.video import write

PACKAGE = Path(vid2kp.__file__).parent
_PICTURES = re.compile(r"Frame|Planes|VideoReader|Image|ndarray|Tensor|Buffer|bytes")


def _parameters(function: object) -> dict[str, str]:
    signature = inspect.signature(function)  # type: ignore[arg-type]
    return {name: str(one.annotation) for name, one in signature.parameters.items()}


@pytest.mark.parametrize(
    "function",
    [
        skeleton_video.render_video,
        write.SkeletonWriter,
        write.SkeletonWriter.write,
        drawing.SkeletonPainter,
    ],
)
def test_what_makes_the_video_takes_tracks_and_no_picture(function: object) -> None:
    assert not {n: a for n, a in _parameters(function).items() if _PICTURES.search(a)}


def test_the_writer_is_given_poses_by_name() -> None:
    assert _parameters(write.SkeletonWriter.write)["people"] == "Mapping[str, Pose]"
    assert list(_parameters(skeleton_video.render_video))[:2] == ["tracks_path", "out"]


def test_videos_are_opened_in_one_place() -> None:
    opening = re.compile(r"\bav\.open\(|VideoCapture")
    places = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if opening.search(path.read_text(encoding="utf-8"))
    }
    # The two writers of drawings, and the proof, which decodes drawings.
    assert places <= {
        "video/container.py",
        "video/write.py",
        "privacy/verify.py",
        "training/synthetic_video.py",
    }
