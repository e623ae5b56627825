from __future__ import annotations

import errno
from pathlib import Path

import pytest

from vid2kp.errors import OutputError, UsageError
from vid2kp.files import (
    EPOCH,
    fix_folder_times,
    keep_apart,
    remove_parts,
    replacing,
    replacing_folder,
    write_text,
)


def test_a_file_appears_whole_with_the_fixed_time(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    with replacing(target) as part:
        part.write_text("new")
        assert not target.exists()
        assert part.parent == tmp_path
    assert target.read_text() == "new"
    assert target.stat().st_mtime_ns == EPOCH * 10**9
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    write_text(target, "old")
    with pytest.raises(KeyError), replacing(target) as part:
        part.write_text("half")
        raise KeyError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_an_output_may_be_no_file_that_is_read(tmp_path: Path) -> None:
    read, other = tmp_path / "a", tmp_path / "b"
    read.write_text("x")
    keep_apart(other, read)
    other.symlink_to(read)
    for out in (read, other):
        with pytest.raises(UsageError, match="would be lost"):
            keep_apart(out, tmp_path / "not there", read)


def test_a_folder_that_cannot_be_put_in_its_place_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "a").write_text("old")
    rename = Path.replace

    def full(self: Path, target: Path) -> Path:
        if self.exists() and (self / "b").exists():  # the new folder
            raise OSError(errno.ENOSPC, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OutputError, match="No space left"), replacing_folder(folder) as part:
        (part / "b").write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (folder / "a").read_text() == "old"


def test_the_folder_one_stands_in_is_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError):
        write_text(Path(), "x")
    assert not list(tmp_path.iterdir())


def test_errors_of_the_disk_do_not_tell_the_path(tmp_path: Path) -> None:
    with pytest.raises(OutputError) as caught:
        write_text(tmp_path / "SURNAME" / "a.txt", "x")
    assert "SURNAME" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_folder_times_are_fixed_from_the_inside_out(tmp_path: Path) -> None:
    (tmp_path / "out" / "sub").mkdir(parents=True)
    (tmp_path / "out" / "sub" / "a").write_text("x")
    fix_folder_times(tmp_path / "out")
    for path in [tmp_path / "out", *(tmp_path / "out").rglob("*")]:
        assert path.stat().st_mtime == EPOCH


def test_remains_of_killed_runs_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".tracks.parquet.0a1b.part").write_text("x")
    (tmp_path / "tracks.parquet").write_text("x")
    remove_parts(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["tracks.parquet"]
