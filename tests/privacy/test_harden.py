"""Nothing leaves a process by accident: core files, stray errors, and what a system cannot do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vid2kp.errors import PrivacyError
from vid2kp.privacy.harden import shortfalls
from vid2kp.privacy.pseudonym import check_places

posix = pytest.mark.skipif(os.name != "posix", reason="core files are POSIX")


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )


@posix
def test_a_process_that_crashes_leaves_no_core(tmp_path: Path) -> None:
    code = "from vid2kp.privacy.harden import forbid_core_files; forbid_core_files(); import os; "
    crashed = run(code + "os.abort()", tmp_path)
    assert crashed.returncode < 0, crashed.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="Linux pipes cores to collectors")
def test_collectors_of_cores_get_none_either(tmp_path: Path) -> None:
    code = (
        "from vid2kp.privacy.harden import forbid_core_files; forbid_core_files()\n"
        "print(*(line for line in open('/proc/self/limits') if 'core' in line))"
    )
    assert run(code, tmp_path).stdout.split()[-3:] == ["1", "1", "bytes"]


@posix
def test_a_limit_that_is_lower_already_is_kept(tmp_path: Path) -> None:
    code = (
        "import os, resource\n"
        "from vid2kp.privacy.harden import forbid_core_files\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
        "if os.getuid() == 0: os.setuid(65534)  # root may raise it again\n"
        "forbid_core_files()\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE))"
    )
    told = run(code, Path(__file__).parents[2])
    assert told.stdout.strip() == "(0, 0)", told.stderr


STRAY = """
import sys, threading
from vid2kp.privacy.harden import hide_stray_errors
hide_stray_errors(lambda error: print("stray", type(error).__name__))
def fail(): open("/ward 7/SURNAME_1234.mp4")
thread = threading.Thread(target=fail); thread.start(); thread.join()
class Gone:
    def __del__(self): fail()
Gone()
thread = threading.Thread(target=sys.exit); thread.start(); thread.join()
"""


def test_errors_that_nobody_catches_are_shown_without_their_text(tmp_path: Path) -> None:
    told = run(STRAY, tmp_path)
    assert told.stdout.split() == ["stray", "FileNotFoundError"] * 2
    assert told.stderr == ""


def test_a_system_without_modes_says_so() -> None:
    assert shortfalls("posix") == ()
    assert "private folder" in " ".join(shortfalls("nt"))


@pytest.mark.parametrize("place", ["OUT/links.csv", "OUT/deep/er/links.csv", "x/../OUT/key"])
def test_nothing_private_may_lie_in_the_output_folder(place: str, tmp_path: Path) -> None:
    out = tmp_path / "OUT"
    check_places(out, tmp_path / "links.csv", None)
    for private in ((tmp_path / place, None), (None, tmp_path / place)):
        with pytest.raises(PrivacyError, match="must not lie in the output folder"):
            check_places(out, *private)


def test_a_private_folder_is_no_output_folder(tmp_path: Path) -> None:
    (tmp_path / "OUT.private").mkdir()
    check_places(tmp_path / "OUT.private")
    (tmp_path / "OUT.private" / "links.csv").write_text("")
    for out in (tmp_path / "OUT.private", tmp_path / "OUT.private" / "more"):
        with pytest.raises(PrivacyError, match="private one of another"):
            check_places(out)
    (tmp_path / "links.csv").write_text("")  # of --links, beside OUT
    check_places(tmp_path / "OUT", tmp_path / "links.csv")


def test_the_private_folder_does_not_come_to_lie_in_another_output_folder(tmp_path: Path) -> None:
    (tmp_path / "OUT").mkdir()
    check_places(tmp_path / "OUT" / "again")
    (tmp_path / "OUT" / "index.parquet").write_bytes(b"")
    check_places(tmp_path / "OUT")
    with pytest.raises(PrivacyError, match="lies in another one"):
        check_places(tmp_path / "OUT" / "again")
