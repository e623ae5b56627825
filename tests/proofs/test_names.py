"""Names of sources stay in the private folder, whatever goes wrong; the real console script."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from dirty import FILE, FOLDER
from hospital import Run, Scene
from watched import Watched, watch

from vid2kp.privacy.pseudonym import PSEUDONYM

pytestmark = pytest.mark.timeout(900)  # a whole run, on however busy a machine

NAMES = ("SURNAME", FILE, FOLDER)


def _nothing_is_named(watched: Watched) -> None:
    for name in NAMES:
        assert name not in watched.said
        for path in watched.home.rglob("*"):
            assert name not in path.name
            assert not path.is_file() or name.encode() not in path.read_bytes()


def test_a_verbose_run_names_nothing(run: Run) -> None:
    assert "unreadable" in run.watched.done.stdout
    assert "damaged" in run.watched.done.stdout
    told = [line.split()[0] for line in run.watched.done.stdout.splitlines() if line.strip()]
    assert sum(PSEUDONYM.fullmatch(word) is not None for word in told) == 6, "each by its pseudonym"
    _nothing_is_named(run.watched)


def test_the_private_folder_names_them_and_is_closed(run: Run) -> None:
    assert FILE in (run.private / "run.jsonl").read_text()
    assert stat.S_IMODE(run.private.stat().st_mode) == 0o700
    for path in run.private.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path.name


@pytest.mark.parametrize("process", ["parent", "worker"])
def test_an_error_that_nobody_expected_names_nothing(
    process: str, scene: Scene, tmp_path: Path
) -> None:
    ward = tmp_path / FOLDER
    ward.mkdir()
    (ward / f"{FILE}.mp4").write_bytes(scene.canary.read_bytes())
    watched = watch(
        "convert", ".", "-o", "../out", "--model", scene.model, "--device", "cpu", "-v",
        cwd=ward, home=tmp_path / "home", trace=False, WATCH_FAIL=process,
    )  # fmt: skip
    assert "RuntimeError" in watched.said
    assert "Traceback" not in watched.said
    _nothing_is_named(watched)
    log = (tmp_path / "out.private" / "run.jsonl").read_text()
    if process == "worker":
        assert watched.done.returncode == 3
        assert f"cannot handle {ward / FILE}" in log, "the private log tells all"
    else:
        assert watched.done.returncode == 1
    for path in (tmp_path / "out").rglob("*"):
        assert not path.is_file() or b"SURNAME" not in path.read_bytes()
