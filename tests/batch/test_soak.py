"""A small seeded soak; `benchmarks/soak.py` is the large one."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from batches import Materials
from media import Clip, make

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_random_kills_change_no_byte_and_do_nothing_twice(
    materials: Materials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    soak = importlib.import_module("soak")
    (tmp_path / "videos").mkdir()
    for number in range(3):
        make(tmp_path / "videos" / f"{number}.mp4", Clip(frames=40, first_number=number))
    what = soak.Soak(tmp_path / "videos", materials.key, materials.options.model)
    killed = soak.soak(what, tmp_path, kills=2, seed=3)
    assert killed.total() == 2


def test_folders_that_were_left_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    soak = importlib.import_module("soak")
    for name in ("out", "calm"):
        (tmp_path / name).mkdir()
    (tmp_path / "out" / ".left.part").mkdir()
    with pytest.raises(AssertionError, match="not those of an undisturbed batch"):
        soak._compare(tmp_path / "out", tmp_path / "calm")
