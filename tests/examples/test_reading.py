"""The example that asks pandas, polars and DuckDB the same question gets the same answer."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import recordings

from vid2kp.tracks.schema import TRACKS_FILE

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_pandas_polars_and_duckdb_agree_with_vid2kp(tmp_path: Path) -> None:
    pytest.importorskip("polars")
    pytest.importorskip("duckdb")
    spec = importlib.util.spec_from_file_location("read", EXAMPLES / "read_anywhere.py")
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    tracks = recordings.uneven(tmp_path)
    confidence = tracks.to_numpy()[1][:, 0]
    expected = pd.DataFrame(
        {"seen": np.isfinite(confidence).mean(0), "median": np.nanmedian(confidence, axis=0)},
        index=pd.Index(tracks.skeleton.keypoints, name="keypoint"),
    ).sort_index()
    path = tmp_path / TRACKS_FILE
    for answer in (
        example.with_pandas(path), example.with_polars(path).to_pandas(), example.with_duckdb(path)
    ):  # fmt: skip
        found = answer.set_index("keypoint")
        assert list(found.index) == list(expected.index)
        np.testing.assert_allclose(found.to_numpy(float), expected.to_numpy(float), rtol=1e-5)


def test_the_example_runs_on_the_example_clip() -> None:
    pytest.importorskip("polars")
    pytest.importorskip("duckdb")
    done = subprocess.run(
        [sys.executable, EXAMPLES / "read_anywhere.py"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("left_wrist") >= 2


def test_the_script_for_r_is_r() -> None:
    rscript = shutil.which("Rscript")
    if rscript is None:
        pytest.skip("R is not installed, so its script is not parsed")
    command = [rscript, "-e", f"parse('{(EXAMPLES / 'read_tracks.R').as_posix()}')"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
