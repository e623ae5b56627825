"""Which files are videos, each once, always in the same order."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from vid2kp.batch import BatchOptions, discover, parse_shard
from vid2kp.batch.discovery import find_sources
from vid2kp.batch.run import is_in_shard
from vid2kp.errors import UsageError


def put(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_folders_are_searched_to_the_bottom_in_any_letter_case(tmp_path: Path) -> None:
    wanted = [
        put(tmp_path / name)
        for name in ("-first.mp4", "B.MOV", "a.mp4", "Z/deep/er/c.MtS", "z/d.avi")
    ]
    for name in ("notes.txt", "._a.mp4", "mp4", ".trash/e.mp4", "$RECYCLE.BIN/f.mp4", "g.jpg"):
        put(tmp_path / name)
    found = discover([tmp_path])
    assert set(found) == set(wanted)
    assert [path.relative_to(tmp_path).as_posix() for path in found] == [
        "-first.mp4",
        "B.MOV",
        "a.mp4",
        "Z/deep/er/c.MtS",
        "z/d.avi",
    ]


def test_a_file_that_is_named_is_taken_whatever_it_is_called(tmp_path: Path) -> None:
    named = put(tmp_path / "recording.bin")
    assert discover([named]) == [named]


def test_files_that_are_passed_over_are_counted(tmp_path: Path) -> None:
    for name in ("a.mp4", "IMG_0042", "b.mp4.bak", "deep/c.dav", ".hidden", "._a.mp4"):
        put(tmp_path / name)
    for name in ("manifest.json", "tracks.parquet", "skeleton.mp4", "frames.parquet"):
        put(tmp_path / "results" / name)
    found = find_sources([tmp_path])
    assert (len(found.sources), found.passed_over) == (1, 3)
    more = find_sources([tmp_path, tmp_path / "deep", tmp_path / "IMG_0042"])
    assert (len(more.sources), more.passed_over) == (2, 2), "each once, and none that is named"
    with pytest.raises(UsageError, match=r"no video in the inputs.*by name"):
        find_sources([tmp_path / "deep"])


def test_inputs_keep_their_order_and_paths_are_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    b, a = put(tmp_path / "b.mp4"), put(tmp_path / "a" / "a.mp4")
    monkeypatch.chdir(tmp_path)
    assert discover(["b.mp4", "a"]) == [b, a]


def test_skeleton_videos_of_earlier_results_are_no_recordings(tmp_path: Path) -> None:
    recording = put(tmp_path / "ward" / "a.mp4")
    beside = put(tmp_path / "ward" / "results" / "pseudonym" / "b.mp4")
    own = put(tmp_path / "ward" / "skeleton.mp4")  # a recording of that name
    for name in ("manifest.json", "tracks.parquet", "skeleton.mp4"):
        put(beside.with_name(name))
    assert set(discover([tmp_path])) == {recording, beside, own}


@pytest.mark.skipif(os.name != "posix", reason="links and odd names of POSIX")
def test_one_task_per_file_however_many_names_it_has(tmp_path: Path) -> None:
    a = put(tmp_path / "a.mp4")
    (tmp_path / "hard.mp4").hardlink_to(a)
    (tmp_path / "soft.mp4").symlink_to(a)
    (tmp_path / "dangling.mp4").symlink_to(tmp_path / "gone.mp4")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert discover([tmp_path, a, tmp_path / "loop"]) == [a]


@pytest.mark.skipif(sys.platform != "linux", reason="names that are no text need Linux")
def test_names_that_are_hardly_names(tmp_path: Path) -> None:
    names = [b"new\nline.mp4", b"\xff\xfe.mp4", "赤ちゃん👶.mp4".encode(), b"100%d a:b.mp4"]
    names.append(b"x" * 240 + b".mp4")
    for name in names:
        put(Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))))  # noqa: PTH118
    found = find_sources([tmp_path]).sources
    assert [source.identity for source in found] == sorted(names)


@pytest.mark.skipif(os.name != "posix", reason="a FIFO")
def test_only_regular_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    a = put(tmp_path / "a.mp4")
    assert discover([tmp_path]) == [a]
    with pytest.raises(UsageError, match="Input 2 is neither"):
        discover([a, tmp_path / "pipe.mp4"])


def test_the_output_folder_is_not_searched(tmp_path: Path) -> None:
    a, out = put(tmp_path / "a.mp4"), tmp_path / "out"
    put(out / "pseudonym" / "skeleton.mp4")
    b = put(tmp_path / "inner" / "out" / "b.mp4")  # another folder of that name
    found = find_sources([tmp_path], out=out).sources
    assert [source.path for source in found] == [a, b]
    with pytest.raises(UsageError, match="A source lies in the output folder"):
        find_sources([out / "pseudonym"], out=out)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_closed_folder_is_told(tmp_path: Path) -> None:
    put(tmp_path / "a.mp4")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o000)
    try:
        assert find_sources([tmp_path]).closed == (closed,)
    finally:
        closed.chmod(0o700)


def test_wrong_inputs_are_told_by_number_not_by_name(tmp_path: Path) -> None:
    a = put(tmp_path / "a.mp4")
    with pytest.raises(UsageError, match="Input 2 does not exist") as error:
        discover([a, tmp_path / "Mustermann.mp4"])
    assert "Mustermann" not in str(error.value)
    with pytest.raises(UsageError, match="no video"):
        discover([put(tmp_path / "texts" / "a.txt").parent])


@pytest.mark.parametrize("parts", [1, 2, 7])
def test_shards_part_the_sources_wherever_the_folder_lies(tmp_path: Path, parts: int) -> None:
    here, there = tmp_path / "here", tmp_path / "elsewhere" / "there"
    for i in range(30):
        put(here / f"{i % 3}" / f"{i}.mp4")
        put(there / f"{i % 3}" / f"{i}.mp4")
    shards = []
    for folder in (here, there):
        sources = find_sources([folder]).sources
        shards.append(
            [
                [s.identity for s in sources if is_in_shard(s, (part, parts))]
                for part in range(1, parts + 1)
            ]
        )
    assert shards[0] == shards[1]
    together = [identity for shard in shards[0] for identity in shard]
    assert sorted(together) == sorted(s.identity for s in sources)
    assert all(shards[0])


def test_options_are_checked() -> None:
    assert parse_shard("2/4") == (2, 4)
    for text in ("0/4", "5/4"):
        with pytest.raises(UsageError, match="from 1 to n"):
            BatchOptions(shard=parse_shard(text))
    for text in ("2", "a/b", "1/2/3", "-1/2", ""):
        with pytest.raises(UsageError, match="written i/n"):
            parse_shard(text)
    with pytest.raises(UsageError, match="at least one job"):
        BatchOptions(jobs=0)
