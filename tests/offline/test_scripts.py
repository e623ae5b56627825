"""The scripts and the guide of a bundle, for each system."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import install
import make_bundle
import pytest
from targets import Platform, Target

PAGE = 60  # lines of a printed page
SHELLS = [shell for shell in ("sh", "bash", "dash") if shutil.which(shell)]


def texts(folder: Path, platform: Platform, *, installer: Path | None = None) -> Path:
    make_bundle.write_texts(folder, Target(platform, "3.12"), "1.0", installer=installer)
    return folder


@pytest.fixture
def batch(tmp_path: Path) -> str:
    return (texts(tmp_path, "windows") / "install.bat").read_bytes().decode("ascii")


@pytest.fixture
def generated(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The scripts of an installation on Windows."""
    monkeypatch.setattr(install, "ON_WINDOWS", True)
    return install.scripts(Path("program-2"))


@pytest.mark.parametrize("shell", SHELLS)
def test_shells_understand_the_scripts(tmp_path: Path, shell: str):
    scripts = install.scripts(Path("program-1")) | {
        "install.sh": (texts(tmp_path, "linux") / "install.sh").read_text()
    }
    for text in scripts.values():
        subprocess.run([shell, "-n"], input=text, text=True, check=True)


def test_the_script_for_linux_may_be_run_and_ends_its_lines_as_linux_does(tmp_path: Path):
    script = texts(tmp_path, "linux") / "install.sh"
    assert script.stat().st_mode & 0o111 == 0o111
    assert b"\r" not in script.read_bytes()
    assert not (tmp_path / "install.bat").exists()


def test_batch_files_end_their_lines_as_windows_does(batch: str, generated: dict[str, str]):
    for text in (batch, *generated.values()):
        assert text.count("\n") == text.count("\r\n") >= 3
        assert text.isascii()
        assert text.startswith("@echo off\r\n")


def test_batch_files_quote_every_path(batch: str, generated: dict[str, str]):
    for text in (batch, *generated.values()):
        commands = [line for line in text.splitlines() if not line.startswith("rem")]
        for line in commands:
            unquoted = re.sub(r'"[^"]*"', "", line)
            assert line.count('"') % 2 == 0, line
            assert not re.search(r"%~dp0|%SETUP%|%PYTHON_EXE%|%LocalAppData%", unquoted), line
            # ) ends a block at the wrong place, and a variable within one is read too early
            assert "(" not in unquoted, line


def test_batch_files_take_names_with_exclamation_marks(batch: str, generated: dict[str, str]):
    for text in (batch, *generated.values()):
        assert "setlocal EnableExtensions DisableDelayedExpansion\r\n" in text


def test_every_goto_and_call_of_the_batch_file_has_its_label(batch: str):
    labels = re.findall(r"^:(\w+)\r$", batch, re.MULTILINE)
    assert len(labels) == len(set(labels))
    used = set(re.findall(r"(?:goto |call :)(\w+)", batch))
    assert used <= set(labels)
    assert used >= {"find", "try", "install", "no_python", "damaged", "end"}


def test_the_window_stays_open_and_the_exit_code_is_kept(batch: str, generated: dict[str, str]):
    assert "if not defined VID2KP_NO_PAUSE pause\r\nexit /b %CODE%\r\n" in batch
    assert generated["convert.bat"].endswith(
        '%*\r\nset "CODE=%ERRORLEVEL%"\r\necho.\r\npause\r\nexit /b %CODE%\r\n'
    )


def test_windows_scripts_start_the_program_beside_them(generated: dict[str, str]):
    python = '"%~dp0program-2\\Scripts\\python.exe" -I -X utf8'
    assert f"\r\n{python} -m vid2kp.cli %*\r\n" in generated["vid2kp.bat"]
    convert = f'\r\n{python} "%~dp0program-2\\convert_videos.py" %*\r\n'
    assert convert in generated["convert.bat"]


def test_an_installer_of_python_is_run_only_when_it_is_the_one_that_was_packed(tmp_path: Path):
    setup = tmp_path / "python-3.12.9-amd64.exe"
    setup.write_bytes(b"MZ")
    batch = (texts(tmp_path, "windows", installer=setup) / "install.bat").read_text()
    assert f'findstr /i "{make_bundle.sha256_of(setup)}"' in batch
    assert 'set "SETUP=%~dp0python\\python-installer.exe"' in batch
    check, start = batch.index("certutil"), batch.index('start "" /wait "%SETUP%"')
    assert "if errorlevel 1 goto damaged\n" in batch[check:start]


@pytest.mark.parametrize("platform", ["linux", "windows"])
def test_the_guide_is_two_pages_in_plain_words(tmp_path: Path, platform: Platform):
    guide = (texts(tmp_path, platform) / "GUIDE.txt").read_bytes().decode("ascii")
    assert guide.startswith("vid2kp 1.0: guide")
    lines = guide.splitlines()
    assert len(lines) <= 2 * PAGE
    assert max(map(len, lines)) <= 85
    assert "{{" not in guide
    words = r"python|pip\b|wheel|venv|environment|parquet file|stdout|sha256|repository|exit code"
    assert not re.search(words, guide, re.IGNORECASE)
    assert ("install.bat" in guide, "install.sh" in guide) == (
        platform == "windows",
        platform == "linux",
    )


def test_the_guide_names_every_status_of_a_video(tmp_path: Path):
    cli = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
    table = cli.partition("| status | meaning")[2].partition("\n\n")[0]
    statuses = re.findall(r"^\| `(\w+)`", table, re.MULTILINE)
    assert len(statuses) >= 7
    guide = (texts(tmp_path, "linux") / "GUIDE.txt").read_text()
    assert [status for status in statuses if f"\n  {status} " not in guide] == []
