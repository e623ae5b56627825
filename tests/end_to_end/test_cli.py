"""The command line as a whole: help, version, wrong usage, and what it never says."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from console import vid2kp, vid2kp_here
from people import write_people
from typer.main import get_command

import vid2kp as package
from vid2kp.cli.app import app

COMMANDS = sorted(get_command(app).commands)
HEAVY = ("torch", "av", "cv2", "pandas", "pyarrow", "scipy", "matplotlib", "numpy")


def test_version_is_that_of_the_package() -> None:
    run = vid2kp("--version")
    assert (run.returncode, run.stdout) == (0, f"vid2kp {package.__version__}\n")


def test_help_lists_every_command() -> None:
    run = vid2kp("--help")
    assert run.returncode == 0
    listed = re.findall(r"^  (\w+)  ", run.stdout, flags=re.MULTILINE)
    assert sorted(listed) == COMMANDS
    assert {"convert", "render", "probe", "models", "synth", "train", "doctor"} <= set(listed)


def test_no_argument_is_a_plea_for_help() -> None:
    assert vid2kp().stdout == vid2kp("--help").stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    run = vid2kp(command, "--help")
    assert run.returncode == 0
    assert f"vid2kp {command}" in run.stdout.split("Example")[1]


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["convert", "--help"]])
def test_help_and_version_load_nothing_heavy(arguments: list[str]) -> None:
    # A second is spent on imports or not at all, so what is imported is what is tested.
    code = (
        "import sys\n"
        "from vid2kp.cli.__main__ import main\n"
        f"main({arguments!r})\n"
        f"print('loaded:', *[name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1].strip() == "loaded:"


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = f"import sys, vid2kp; print([name for name in {HEAVY!r} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "arguments",
    [
        ["convert"],
        ["convert", "--no-such-option"],
        ["no-such-command"],
        ["convert", "x.mp4", "-o", "out", "--jobs", "many"],
        ["render"],
    ],
)
def test_wrong_usage_ends_with_2_and_one_clear_line(arguments: list[str], tmp_path: Path) -> None:
    run = vid2kp(*arguments, cwd=tmp_path)
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.startswith("Error: ")
    assert "Traceback" not in run.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["{name}"],
        ["convert", "{name}", "-o", "out"],
        ["probe", "{name}"],
        ["render", "tracks.parquet", "{name}", "-o", "x.mp4"],
    ],
)
def test_messages_never_repeat_the_name_of_a_source(arguments: list[str], tmp_path: Path) -> None:
    name = "Muster_Anna_2024-01-02.mp4"
    (tmp_path / name).write_bytes(b"no video at all")
    run = vid2kp(*(a.format(name=name) for a in arguments), cwd=tmp_path)
    assert run.returncode != 0
    said = run.stdout + run.stderr
    assert "Error" in said or "unreadable" in said
    assert "Muster" not in said
    assert str(tmp_path) not in said


@pytest.mark.parametrize("value", ["0", "-5"])
def test_limits_are_told_whole(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = vid2kp_here(capsys, "synth", "-o", "x", "--video", "--seconds", value)
    assert said.returncode == 2
    assert "0.04" in said.stderr


@pytest.mark.parametrize(
    ("error", "code"), [(errno.ENOSPC, 4), (errno.EROFS, 4), (errno.EACCES, 1)]
)
def test_a_disk_that_takes_nothing_has_an_exit_code_of_its_own(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: int,
    code: int,
) -> None:
    tracks = write_people(tmp_path / "video", frames=3)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(Path, "replace", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)  # as of a disk that may only be read
    run = vid2kp_here(capsys, "clean", tracks, "-o", tmp_path / "clean.parquet")
    assert run.returncode == code
    assert os.strerror(error) in run.stderr
    assert "Check the free space" in run.stderr


def test_output_in_a_pipe_has_no_colour_and_no_control_characters() -> None:
    run = vid2kp("models", "list")
    assert run.returncode == 0
    assert "\x1b" not in run.stdout + run.stderr
