"""How long a batch would take is what all its workers do side by side."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from media import Clip, make

from vid2kp.batch import plan
from vid2kp.batch.crew import Crew, Ended
from vid2kp.batch.discovery import find_sources
from vid2kp.batch.worker import Task
from vid2kp.convert import ConvertOptions, VideoResult

FRAMES = 20
SECONDS = 2.0  # that a worker takes for a video, however many others there are


class SideBySide(Crew):
    """Workers who are not in each other's way."""

    def __init__(self, jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.jobs = jobs
        self.now = 0.0
        self._tasks: list[Task] = []
        monkeypatch.setattr(plan, "time", SimpleNamespace(perf_counter=lambda: self.now))

    @property
    def tasks(self) -> list[Task]:
        return self._tasks

    def give(self, task: Task) -> None:
        assert self.busy < self.jobs
        self._tasks.append(task)

    def events(self, timeout: float) -> list[Ended]:
        self.now += SECONDS
        done, self._tasks = self._tasks, []
        assert len({task.folder for task in done}) == len(done)
        return [Ended(t, VideoResult(t.pseudonym, "done", "", frames=FRAMES)) for t in done]


@pytest.mark.parametrize(("videos", "jobs", "rounds"), [(6, 1, 6), (6, 3, 2), (1, 3, 1)])
def test_workers_are_measured_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, videos: int, jobs: int, rounds: int
) -> None:
    for number in range(videos):
        make(tmp_path / f"{number}.mp4", Clip(frames=FRAMES))
    made = plan.make_plan(
        find_sources([tmp_path], out=tmp_path / "out").sources,
        0,
        options=ConvertOptions(),
        pool=SideBySide(jobs, monkeypatch),
        folder=tmp_path,
    )
    assert made.seconds == pytest.approx(rounds * SECONDS)
