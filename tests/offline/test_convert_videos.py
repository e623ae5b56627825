"""What happens to videos that are dropped on the script."""

from __future__ import annotations

import os
from pathlib import Path

import convert_videos
import pytest


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "ward 7" / "a video.mp4"
    path.parent.mkdir()
    path.touch()
    return path


class Program:
    """Stands for ``vid2kp``: remembers its arguments and ends with these codes."""

    def __init__(self, **codes: int) -> None:
        self.codes, self.calls = codes, list[tuple[str, ...]]()

    def __call__(self, *arguments: str) -> int:
        self.calls.append(arguments)
        return self.codes.get(arguments[0], 0)


def run(monkeypatch: pytest.MonkeyPatch, program: Program, *given: Path) -> int:
    monkeypatch.setattr(convert_videos, "vid2kp", program)
    return convert_videos.main([str(path) for path in given])


def test_results_lie_beside_the_video_and_are_proven_with_the_names(
    video: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    program = Program()
    assert run(monkeypatch, program, video, video.parent) == 0
    out = video.with_name("vid2kp-results")
    links = video.parent / "vid2kp-results.private" / "links.csv"
    assert program.calls == [
        ("convert", str(video), str(video.parent), "-o", str(out)),
        ("verify", str(out), "--links", str(links)),
    ]
    said = capsys.readouterr().out
    assert f"To hand over:  {out}\nKeep to yourself:  {links.parent}\n" in said


def test_what_is_not_proven_is_not_to_be_handed_over(
    video: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert run(monkeypatch, Program(verify=1), video) == 1
    said = capsys.readouterr().out
    assert "DO NOT HAND OVER" in said
    assert "To hand over" not in said


def test_a_few_that_failed_do_not_hide_the_others(
    video: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert run(monkeypatch, Program(convert=1), video) == 1
    said = capsys.readouterr().out
    assert "To hand over" in said
    assert "could not be converted" in said


@pytest.mark.parametrize("code", [2, 3, 130])
def test_without_results_nothing_is_proven_or_offered(
    code: int, video: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    program = Program(convert=code)
    assert run(monkeypatch, program, video) == code
    assert [call[0] for call in program.calls] == ["convert"]
    assert "To hand over" not in capsys.readouterr().out


def test_what_is_not_there_is_named_and_nothing_is_done(
    video: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    program = Program()
    missing = video.with_name("a")
    assert run(monkeypatch, program, video, missing) == 2
    assert program.calls == []
    assert f"  {missing}\n" in capsys.readouterr().out


def test_without_videos_it_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert run(monkeypatch, Program()) == 2
    assert "drop them on it" in capsys.readouterr().out


def test_of_a_disc_that_cannot_be_written_each_run_has_a_folder_of_its_own(
    video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setattr(convert_videos, "may_write", lambda folder: False)
    assert convert_videos.results_folder(video) == tmp_path / "vid2kp-results-1"
    (tmp_path / "vid2kp-results-1").mkdir()
    assert convert_videos.results_folder(video) == tmp_path / "vid2kp-results-2"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_cannot_be_written(tmp_path: Path):
    tmp_path.chmod(0o500)
    assert not convert_videos.may_write(tmp_path)


def test_trying_whether_a_folder_can_be_written_leaves_nothing(tmp_path: Path):
    assert convert_videos.may_write(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert not convert_videos.may_write(tmp_path / "missing")
