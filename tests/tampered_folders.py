"""Tampering with the manifest of a video, and with files and folders as such."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from tampered_videos import NAME, SECOND, Tampering, change_bytes


def frames_missing(folder: Path) -> None:
    (folder / "frames.parquet").unlink()


def one_file_too_many(folder: Path) -> None:
    (folder / "notes.txt").write_text("x")


def hidden_file(folder: Path) -> None:
    (folder / ".tracks.parquet.0a1b.part").write_bytes(b"x")


def folder_too_many(folder: Path) -> None:
    (folder / "frames").mkdir()


def file_beside_the_videos(folder: Path) -> None:
    (folder.parent / "links.csv").write_text("x")


def folder_with_a_name(folder: Path) -> None:
    shutil.copytree(folder.parent / SECOND, folder.parent / "SURNAME_1234")


def link_instead_of_a_file(folder: Path) -> None:
    (folder / "skeleton.mp4").rename(folder.parent.parent / "elsewhere.mp4")
    (folder / "skeleton.mp4").symlink_to(folder.parent.parent / "elsewhere.mp4")


def hard_link(folder: Path) -> None:
    (folder.parent.parent / "elsewhere.mp4").hardlink_to(folder / "skeleton.mp4")


def time_of_today(folder: Path) -> None:
    os.utime(folder / "tracks.parquet")


def time_of_the_folder(folder: Path) -> None:
    os.utime(folder)


def hash_off(folder: Path) -> None:
    change_bytes(
        folder, "manifest.json", lambda d: d.replace(b'sha256": "', b'sha256": "0', 2)[:-1]
    )


def another_hash(folder: Path) -> None:
    content = json.loads((folder / "manifest.json").read_text())
    content["files"]["tracks.parquet"]["sha256"] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(content, indent=2) + "\n")


def key_in_the_manifest(folder: Path) -> None:
    content = json.loads((folder / "manifest.json").read_text())
    content["source"] = NAME.decode()
    (folder / "manifest.json").write_text(json.dumps(content, indent=2) + "\n")


def spaces_in_the_manifest(folder: Path) -> None:
    change_bytes(folder, "manifest.json", lambda d: d.replace(b": ", b":  ", 1))


def manifest_missing(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def manifest_of_another_video(folder: Path) -> None:
    shutil.copy(folder.parent / SECOND / "manifest.json", folder / "manifest.json")


def video_missing(folder: Path) -> None:
    (folder / "skeleton.mp4").unlink()


FOLDERS: list[Tampering] = [
    (frames_missing, "files", True),
    (one_file_too_many, "files", True),
    (hidden_file, "files", True),
    (folder_too_many, "files", True),
    (file_beside_the_videos, "files", True),
    (folder_with_a_name, "files", True),
    (link_instead_of_a_file, "files", False),
    (hard_link, "files", True),
    (time_of_today, "times", False),
    (time_of_the_folder, "times", False),
    (hash_off, "manifest", False),
    (another_hash, "manifest", False),
    (key_in_the_manifest, "manifest", False),
    (spaces_in_the_manifest, "manifest", False),
    (manifest_missing, "files", False),
    (manifest_of_another_video, "manifest", False),
    (video_missing, "manifest", False),
]
