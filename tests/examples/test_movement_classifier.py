"""Synthetic movements, the classifier, and its training in two hospitals."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from vid2kp.tracks.load import load_tracks
from vid2kp.tracks.schema import TRACKS_FILE

ROOT = Path(__file__).parents[2]
FEDERATED = ROOT / ".venv-federated" / "bin" / "python"


@pytest.fixture(scope="module")
def movements(load_example, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hospitals with four infants each, one recording of 20 s."""
    maker, folder = load_example("make_movements"), tmp_path_factory.mktemp("movements")
    for number, hospital in enumerate(maker.HOSPITALS):
        maker.write_hospital(
            folder / hospital.name, hospital, infants=4, recordings=1, seconds=20, seed=number
        )
    return folder


@pytest.fixture(scope="module")
def classifier(load_example):
    return load_example("movement_classifier")


def test_recordings_are_tracks_as_vid2kp_writes_them(movements: Path) -> None:
    labels = pd.read_csv(movements / "hospital_b" / "labels.csv")
    assert labels["label"].value_counts().to_dict() == {0: 2, 1: 2}
    for name in labels["pseudonym"]:
        tracks = load_tracks(movements / "hospital_b" / name / TRACKS_FILE)
        tracks.check()
        assert tracks.footer.vfr
        assert np.diff(tracks.time).std() > 0.1 / 30
        assert 0.03 < np.isnan(tracks.to_numpy()[1]).mean() < 0.1


def test_both_kinds_move_as_much(load_example) -> None:
    maker, time = load_example("make_movements"), np.arange(0, 60, 0.04)
    rng = np.random.default_rng(3)
    varied, reduced = (maker.angles(time, label, rng).std(0) for label in (0, 1))
    np.testing.assert_allclose(varied, reduced, rtol=1e-9)


def test_windows_do_not_depend_on_place_size_or_direction(
    movements: Path, classifier, tmp_path: Path
) -> None:
    path = next((movements / "hospital_a").glob(f"*/{TRACKS_FILE}"))
    table = pd.read_parquet(path)
    moved = table.copy()
    x, y = table["x"].astype(float), table["y"].astype(float)
    moved["x"], moved["y"] = 0.5 * y + 40, -0.5 * x + 900
    first, second = classifier.windows_of(table), classifier.windows_of(moved)
    assert first.shape == (len(first), classifier.CHANNELS, classifier.SAMPLES)
    assert len(first) == 7
    torch.testing.assert_close(first, second, atol=1e-4, rtol=1e-4)


def test_no_infant_is_on_both_sides_of_a_split(movements: Path, classifier) -> None:
    infants = classifier.load_infants(movements / "hospital_a")
    held_out = []
    for fold in range(2):
        rest, out = classifier.split(infants, fold, 2)
        assert {i.name for i in rest}.isdisjoint(i.name for i in out)
        assert {i.label for i in out} == {0, 1}
        held_out += [i.name for i in out]
    assert sorted(held_out) == [i.name for i in infants]


def test_the_classifier_tells_infants_that_it_never_saw(movements: Path, classifier) -> None:
    torch.manual_seed(0)
    model, known, unknown = classifier.Classifier(), [], []
    for hospital in movements.iterdir():
        rest, held_out = classifier.split(classifier.load_infants(hospital), 0, 2)
        known, unknown = known + rest, unknown + held_out
    classifier.train(model, known, epochs=40, rate=3e-3, seed=0)
    counts = classifier.count_right(model, unknown)
    assert counts["infants"] == 4
    assert counts["infants_right"] >= 3
    assert counts["windows_right"] / counts["windows"] > 0.6


def test_two_hospitals_train_together_and_only_weights_and_counts_cross(movements: Path) -> None:
    if not FEDERATED.exists():
        pytest.skip("Flower is missing: make test-clients installs it in .venv-federated")
    command = [FEDERATED, ROOT / "examples" / "federated_training.py", "--rounds", "10"]
    hospitals = sorted(movements.glob("hospital_*"))
    done = subprocess.run(
        [*command, *hospitals], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    (together,) = [line.split() for line in lines if line.startswith("federated")]
    assert together[3:] == ["of", "8"]
    assert int(together[2]) >= 6
    crossed = lines[lines.index("What crossed between hospitals and server:") + 1 :]
    kinds = {line.split("(")[1].rstrip(")") for line in crossed}
    assert kinds == {"ArrayRecord", "ConfigRecord", "MetricRecord"}
    metrics = {line.split()[0] for line in crossed if "MetricRecord" in line}
    assert metrics == {
        "infants", "infants_right", "loss", "num-examples", "windows", "windows_right",
    }  # fmt: skip
