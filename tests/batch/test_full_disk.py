"""A disk that is full ends a batch with what there is, and does not fail the rest of an archive."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from batches import Materials

from vid2kp.batch import BatchOptions, run
from vid2kp.batch.crew import Ended, Event
from vid2kp.batch.ledger import Ledger, Record
from vid2kp.batch.pool import Pool
from vid2kp.batch.worker import describe
from vid2kp.exit_codes import CUT_SHORT
from vid2kp.files import output_errors
from vid2kp.tracks.index import read_index

BATCH = BatchOptions(jobs=1)


def make_copies(materials: Materials, folder: Path, number: int) -> Path:
    folder.mkdir()
    for i in range(number):
        shutil.copy(materials.videos / "Ward 7" / "d.mov", folder / f"{i}.mov")
    return folder


def no_space() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Filling(Pool):
    """Workers who find the disk full at their second video, or another."""

    over = 0
    full_at = 2

    def events(self, timeout: float) -> list[Event]:
        return [self._filled(event) for event in super().events(timeout)]

    def _filled(self, event: Event) -> Event:
        self.over += isinstance(event, Ended)
        if not isinstance(event, Ended) or self.over != self.full_at:
            return event
        shutil.rmtree(event.task.folder)
        return replace(event, outcome=describe(no_space()))


def test_no_video_is_begun_after_one_that_found_the_disk_full(
    materials: Materials, tmp_path: Path
) -> None:
    call = ([make_copies(materials, tmp_path / "videos", 4)], tmp_path / "out")
    result = run(*call, options=materials.options, batch=BATCH, crew=Filling)
    assert result.exit_code == CUT_SHORT
    assert [bool(one.folder) for one in result.results] == [True, False]
    assert any("2 videos were not begun" in note for note in result.notes)
    assert read_index(result.folder / "index.parquet").num_rows == 2
    again = run(*call, options=materials.options, batch=BATCH)
    assert (again.exit_code, len(again.skipped), len(again.results)) == (0, 1, 4)


class Filled(Filling):
    """Workers who find the disk full at once."""

    full_at = 1


def test_where_the_disk_was_full_at_once_not_every_video_was_tried(
    materials: Materials, tmp_path: Path
) -> None:
    videos = make_copies(materials, tmp_path / "videos", 2)
    call = ([videos], tmp_path / "out")
    result = run(*call, options=materials.options, batch=BATCH, crew=Filled)
    assert (result.exit_code, len(result.results)) == (CUT_SHORT, 1)


def test_a_private_folder_that_takes_no_more_ends_the_run_alike(
    materials: Materials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def keep(ledger: Ledger, record: Record) -> None:
        with output_errors():
            raise no_space()

    monkeypatch.setattr(Ledger, "keep", keep)
    videos = make_copies(materials, tmp_path / "videos", 3)
    result = run([videos], tmp_path / "out", options=materials.options, batch=BATCH)
    assert (result.exit_code, len(result.results)) == (CUT_SHORT, 1)
    assert any("2 videos were not begun" in note for note in result.notes)
    assert not list((result.private / "claims").iterdir())


@contextlib.contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    """A disk of that size, where we may mount one."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "none", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no disk may be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("kilobytes", [480, 492, 500])
def test_a_disk_that_is_really_full_is_survived(
    materials: Materials, tmp_path: Path, kilobytes: int
) -> None:
    """Wherever it is that nothing more can be written."""
    videos = make_copies(materials, tmp_path / "videos", 12)
    with small_disk(tmp_path / "disk", kilobytes=kilobytes) as disk:
        result = run([videos], disk / "out", options=materials.options, batch=BATCH)
        whole = [one for one in result.results if one.folder]
        assert 0 < len(whole) < len(result.results) < 12
        assert result.exit_code == CUT_SHORT
        assert any("The disk of the output folder is full" in note for note in result.notes)
        (full,) = (one for one in result.results if not one.folder)
        assert "No space left on device" in full.reason
