"""Third proof: with the sources gone, the skeleton video is drawn again to the last bit."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from console import vid2kp_here
from hospital import Run, Scene

pytestmark = pytest.mark.timeout(900)  # a whole run, on however busy a machine


def test_without_the_sources_the_drawing_is_the_same(
    run: Run, scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [folder for folder in run.out.iterdir() if folder.is_dir()]
    assert len(folders) == 5
    gone = scene.ward.rename(tmp_path / "gone")
    try:
        for number, folder in enumerate(folders):
            video = tmp_path / f"{number}.mp4"
            drawn = vid2kp_here(capsys, "render", folder, "-o", video)
            assert drawn.returncode == 0, drawn.stderr
            assert _digest(video) == _digest(folder / "skeleton.mp4")
    finally:
        gone.rename(scene.ward)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
