"""Tracks of what does not move stand still, small movements are kept (`benchmarks/jitter.py`)."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from vid2kp.convert import ConvertOptions, make_estimator

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def bench() -> Iterator[ModuleType]:
    """The script, as a module."""
    sys.path.insert(0, str(FOLDER))
    spec = importlib.util.spec_from_file_location("jitter", FOLDER / "jitter.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["jitter"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(FOLDER))
    del sys.modules["jitter"]


def test_one_frame_repeated_has_no_jitter_at_all(bench: ModuleType) -> None:
    """Over several decisions about the crop, which fall every 16 frames."""
    estimator = make_estimator(ConvertOptions(device="cpu"))
    still = bench.measure_jitter("still", 1, bench.lying(270), 40, estimator)
    assert still.found > 10
    assert still.worst == 0.0


def test_jitter_is_the_mean_step(bench: ModuleType) -> None:
    tracks = np.zeros((4, 3, 2))
    tracks[1, 0] = tracks[3, 0] = (3, 4)
    tracks[2, 1] = np.nan
    tracks[:, 2] = np.nan
    np.testing.assert_array_equal(bench.jitter(tracks), [5.0, 0.0, np.nan])


def test_the_slope_tells_what_is_kept(bench: ModuleType) -> None:
    turn = np.linspace(0, 4 * np.pi, 50, endpoint=False)
    true = np.stack([np.cos(turn), np.sin(turn)], 1) + 100
    slope, rest = bench.kept(0.7 * true + 5, true)
    assert (slope, rest) == (pytest.approx(0.7), pytest.approx(0, abs=1e-9))
    slope, rest = bench.kept(true + np.random.default_rng(0).normal(0, 0.2, true.shape), true)
    assert slope == pytest.approx(1, abs=0.1) and rest == pytest.approx(0.28, abs=0.06)
    lost = true.copy()
    lost[10:40] = np.nan
    assert np.isnan(bench.kept(lost, true)).all()


@pytest.mark.parametrize("radius", [0.02, 0.08])
def test_the_circling_wrist_goes_as_far_as_asked(bench: ModuleType, radius: float) -> None:
    infant = bench.CirclingInfant(bench.lying(90), 2, radius=radius)
    assert infant._radius() == pytest.approx(radius, rel=0.2)
