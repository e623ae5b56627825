"""All workers of a run have one model and one precision, or the run ends in good order."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from batches import Materials, make_model

from vid2kp.batch import BatchOptions, Progress, run
from vid2kp.batch.crew import CrewOptions, Halted, alike, difference
from vid2kp.batch.worker import Ready, Refused, Task
from vid2kp.cluster.actor import Actor
from vid2kp.cluster.crew import RayCrew
from vid2kp.convert import ConvertOptions
from vid2kp.exit_codes import CUT_SHORT

FIRST = Ready(model_sha256="aa", device="cpu", precision="bf16", gpus=0, limited=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda model: make_model(model, seed=3), "is not the one that the run began with"),
        (lambda model: model.unlink(), "There is no such model"),
    ],
)
def test_a_model_that_changes_meanwhile_ends_the_run_in_good_order(
    change: Callable[[Path], object], said: str, materials: Materials, tmp_path: Path
) -> None:
    model = make_model(tmp_path / "model.safetensors")
    (tmp_path / "videos").mkdir()
    for number in range(3):
        shutil.copy(materials.videos / "Ward 7" / "d.mov", tmp_path / "videos" / f"{number}.mov")

    def after_the_first(event: Progress) -> None:
        if event.kind == "finished" and event.done == 1:
            change(model)

    call = ([tmp_path / "videos"], tmp_path / "out")
    options = replace(materials.options, model=str(model))
    batch = BatchOptions(jobs=1, recycle=1)
    result = run(*call, options=options, batch=batch, progress=after_the_first)
    assert (result.exit_code, len(result.results)) == (CUT_SHORT, 1)
    (note,) = (note for note in result.notes if said in note)
    assert "2 videos were not begun. The same command goes on." in note
    assert not list((result.private / "claims").iterdir())
    make_model(model)
    again = run(*call, options=options, batch=batch)
    assert (again.exit_code, len(again.skipped), len(again.results)) == (0, 1, 3)


def test_another_model_or_precision_is_told_in_one_sentence() -> None:
    assert difference(FIRST, replace(FIRST, device="cuda", gpus=2)) == ""
    assert "another one" in difference(FIRST, replace(FIRST, model_sha256="bb"))
    assert "fp32; the run began in bf16" in difference(FIRST, replace(FIRST, precision="fp32"))


def cluster_crew(tmp_path: Path) -> RayCrew:
    options = CrewOptions(
        jobs=1,
        most=1,
        spread=False,
        stall_seconds=1.0,
        memory=None,
        recycle=1,
        diary=tmp_path / "diary",
    )
    crew = RayCrew("local", ConvertOptions(), options)
    vars(crew)["_site"] = SimpleNamespace(ray=SimpleNamespace(is_initialized=lambda: False))
    return crew


@pytest.mark.parametrize(
    "answer", [replace(FIRST, precision="fp32"), Refused("No model.", "", is_usage=False)]
)
def test_a_machine_of_another_kind_ends_the_run_on_a_cluster_too(
    answer: Ready | Refused, tmp_path: Path
) -> None:
    crew = cluster_crew(tmp_path)
    crew.ready = FIRST
    task = Task(tmp_path, tmp_path, "a" * 26)
    crew._actors[0] = Actor(None, tmp_path, None, task)
    (event,) = crew._answered(0, answer)
    assert isinstance(event, Halted)
    assert event.task == task
    assert not crew.busy


def test_later_machines_take_the_precision_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert alike(ConvertOptions(), FIRST) == ConvertOptions(precision="bf16")
    crew = cluster_crew(tmp_path)
    monkeypatch.setattr(crew, "_join", lambda: None)
    monkeypatch.setattr(crew, "_spawn", lambda slot: None)
    monkeypatch.setattr(crew, "_first_answer", lambda actor: FIRST)
    crew.start()
    assert crew._convert.precision == "bf16"
