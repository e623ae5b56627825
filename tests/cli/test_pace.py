"""How long a batch will go on is said alike on a terminal and in a pipe, and is right."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
from rich.console import Console

from vid2kp.batch.options import Kind, Progress, ProgressCallback
from vid2kp.cli import pace
from vid2kp.cli.convert import _shown
from vid2kp.cli.screen import Screen
from vid2kp.convert import VideoResult

VIDEOS = 100
FRAMES = 4000


class Told:
    """What `_shown` shows of a batch of videos that take a minute each, most finished before."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> None:
        self.now = 1000.0
        self.done = 0
        self._text = io.StringIO()
        self.screen = Screen()
        vars(self.screen)["err"] = Console(file=self._text, force_terminal=terminal, width=150)
        monkeypatch.setattr(pace, "time", SimpleNamespace(monotonic=lambda: self.now))

    def event(self, kind: Kind, frames: int = 0) -> Progress:
        name = f"{self.done:026}"
        self.done += kind in ("finished", "skipped")
        return Progress(
            kind=kind,
            videos=VIDEOS,
            done=self.done,
            pseudonym=name,
            frames=frames,
            frames_expected=FRAMES,
            result=VideoResult(name, "done", "", frames=FRAMES),
        )

    def convert(self, show: ProgressCallback, frames: int = FRAMES) -> None:
        """A video is converted, at a minute for each."""
        show(self.event("started"))
        for done in range(20, frames + 1, 20):
            self.now += 60 * 20 / FRAMES
            show(self.event("frames", done))
        if frames == FRAMES:
            show(self.event("finished"))

    @property
    def text(self) -> str:
        """All that it said."""
        return self._text.getvalue()

    @property
    def left(self) -> str:
        """The last that it said of the time left."""
        return re.findall(r"about (.*?) left", self.text)[-1]


@pytest.mark.parametrize("terminal", [True, False])
def test_videos_finished_before_take_no_time(
    monkeypatch: pytest.MonkeyPatch, *, terminal: bool
) -> None:
    told = Told(monkeypatch, terminal=terminal)
    with _shown(told.screen) as show:
        show(told.event("ready"))
        for _ in range(90):
            told.now += 0.01
            show(told.event("skipped"))
        told.convert(show)
    assert told.left == "9 min 0 s"


def test_files_without_a_frame_say_nothing_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(monkeypatch, terminal=False)
    with _shown(told.screen) as show:
        show(told.event("started"))
        told.now += 0.1
        broken = told.event("finished")
        show(replace(broken, result=VideoResult(broken.pseudonym, "unreadable", "It is empty.")))
        assert told.text.splitlines()[-1].endswith("unreadable, 0 frames")
        told.convert(show)
    assert told.left


def test_a_video_under_way_counts_as_far_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(monkeypatch, terminal=True)
    with _shown(told.screen) as show:
        show(told.event("ready"))
        for _ in range(10):
            told.convert(show)
        told.convert(show, frames=FRAMES // 2)
    assert told.left == "1 h 29 min"
