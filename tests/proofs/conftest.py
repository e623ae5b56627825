"""One run of the real console script on recordings full of needles, watched from all sides."""

from __future__ import annotations

import broken_media
import pytest
from batches import make_key, make_model
from dirty import CONTAINERS, FILE, FOLDER, make_canary, make_dirty
from hospital import Run, Scene
from media import Clip, make
from watched import watch


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    base = tmp_path_factory.mktemp("disk")
    ward = base / FOLDER
    ward.mkdir()
    (ward / f"{FILE}_unreadable.mp4").write_bytes(b"no video at all")
    return Scene(
        base=base,
        dirty=tuple(make_dirty(ward / f"{FILE}{suffix}") for suffix in CONTAINERS),
        canary=make_canary(ward / f"{FILE}_canary.mkv"),
        damaged=broken_media.scribbled(
            make(base / "whole.ts", Clip()), ward / f"{FILE}_damaged.ts", at=0.5, length=300
        ),
        unreadable=ward / f"{FILE}_unreadable.mp4",
        model=make_model(base / "loud.safetensors"),
        key=make_key(base / "key"),
    )


@pytest.fixture(scope="session")
def run(scene: Scene) -> Run:
    watched = watch(*scene.convert("out", "-v"), cwd=scene.base, home=scene.base / "home")
    assert watched.done.returncode == 1, watched.said
    return Run(watched, scene.base / "out", scene.base / "out.private")
