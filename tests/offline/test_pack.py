"""Checksums and archives of a bundle."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pack
import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "a bundle"
    (folder / "in it").mkdir(parents=True)
    (folder / "in it" / "data.bin").write_bytes(os.urandom(3 << 20))
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    return folder


def test_sums_are_what_sha256sum_checks(folder: Path):
    pack.write_sums(folder)
    command = ["sha256sum", "--check", "--strict", pack.SUMS]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["in it/data.bin: OK", "run.sh: OK"]
    before = (folder / pack.SUMS).read_bytes()
    pack.write_sums(folder)
    assert (folder / pack.SUMS).read_bytes() == before


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_the_same_files_give_the_same_archive(folder: Path, tmp_path: Path, suffix: str):
    other = tmp_path / "elsewhere" / folder.name
    shutil.copytree(folder, other)
    os.utime(other / "run.sh", (1, 1))
    (other / "run.sh").chmod(0o700)
    archives = [tmp_path / f"{number}{suffix}" for number in (1, 2)]
    for source, archive in zip((folder, other), archives, strict=True):
        pack.write_archive(source, archive)
    assert archives[0].read_bytes() == archives[1].read_bytes()


def test_a_tar_unpacks_to_the_same_files(folder: Path, tmp_path: Path):
    pack.write_archive(folder, tmp_path / "a.tar")
    with tarfile.open(tmp_path / "a.tar") as archive:
        archive.extractall(tmp_path / "out", filter="data")
    assert_same(folder, tmp_path / "out" / folder.name)
    assert os.access(tmp_path / "out" / folder.name / "run.sh", os.X_OK)


def test_a_zip_unpacks_to_the_same_files(folder: Path, tmp_path: Path):
    pack.write_archive(folder, tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path / "out")
    assert_same(folder, tmp_path / "out" / folder.name)


def assert_same(one: Path, other: Path) -> None:
    contents = [
        {path.relative_to(root).as_posix(): path.read_bytes() for path in pack.files_below(root)}
        for root in (one, other)
    ]
    assert contents[0] == contents[1]
    assert contents[0]
