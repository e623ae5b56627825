"""Made once for all tests of batches."""

from __future__ import annotations

from pathlib import Path

import pytest
from batches import Materials, make_key, make_model, make_videos

from vid2kp.batch import BatchOptions, BatchResult, Progress, run
from vid2kp.convert import ConvertOptions


@pytest.fixture(scope="session")
def materials(tmp_path_factory: pytest.TempPathFactory) -> Materials:
    folder = tmp_path_factory.mktemp("materials")
    model = make_model(folder / "loud.safetensors")
    return Materials(
        videos=make_videos(folder / "Erika Mustermann"),
        key=make_key(folder / "key"),
        options=ConvertOptions(model=str(model), device="cpu"),
    )


@pytest.fixture(scope="session")
def undisturbed(
    materials: Materials, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, BatchResult, list[Progress]]:
    """A whole batch in one go: its folder, its result and what it said."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    events: list[Progress] = []
    result = run(
        [materials.videos],
        out,
        options=materials.options,
        batch=BatchOptions(jobs=1, key_file=materials.key),
        progress=events.append,
    )
    return out, result, events
