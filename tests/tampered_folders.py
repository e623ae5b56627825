"""Tampering with the manifest of a video, and with files and folders as such."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


def time_of_the_output_folder(folder: Path) -> None:
    os.utime(folder.parent)


def _manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """The manifest written again after a change, as the program would write it."""
    content = json.loads((folder / "manifest.json").read_text())
    change(content)
    (folder / "manifest.json").write_text(json.dumps(content, indent=2) + "\n")


def another_hash(folder: Path) -> None:
    _manifest(folder, lambda m: m["files"]["tracks.parquet"].update(sha256="0" * 64))


def key_in_the_manifest(folder: Path) -> None:
    _manifest(folder, lambda m: m.update(source=NAME.decode()))


def name_in_the_reason(folder: Path) -> None:
    _manifest(folder, lambda m: m.update(reason="Nobody was seen. Emma Smith was."))


def numbers_in_the_reason_that_were_not_counted(folder: Path) -> None:
    reason = "The infant is seen in 7% of the frames. Nobody was seen."
    _manifest(folder, lambda m: m.update(status="no_infant", reason=reason))


def reason_of_another_status(folder: Path) -> None:
    _manifest(folder, lambda m: m.update(reason="The file is cut; the tracks end where it ends."))


def option_that_is_none(folder: Path) -> None:
    _manifest(folder, lambda m: m["options"].update(emma=True))


def name_as_an_option(folder: Path) -> None:
    _manifest(folder, lambda m: m["options"].update(precision="emma"))


def options_of_another_delivery(folder: Path) -> None:
    _manifest(folder, lambda m: m["options"].update(video=False))


def count_of_something_else(folder: Path) -> None:
    _manifest(folder, lambda m: m["counts"].update(emma=1))


def count_left_out(folder: Path) -> None:
    _manifest(folder, lambda m: m["counts"].pop("frames_with_infant"))


def more_suspect_frames_than_frames(folder: Path) -> None:
    _manifest(folder, lambda m: m["counts"].update(frames_suspect=20190304))


def library_that_is_none(folder: Path) -> None:
    _manifest(folder, lambda m: m["libraries"].update(emma="1.0"))


def name_as_a_version(folder: Path) -> None:
    _manifest(folder, lambda m: m["libraries"].update(av="Emma"))


def way_of_drawing_that_is_none(folder: Path) -> None:
    _manifest(folder, lambda m: m["render"].update(emma=1))


def way_of_drawing_of_another_type(folder: Path) -> None:
    _manifest(folder, lambda m: m["render"].update(trail=False))


def way_of_drawing_left_out(folder: Path) -> None:
    _manifest(folder, lambda m: m["render"].clear())


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
    (time_of_the_output_folder, "times", False),
    (hash_off, "manifest", False),
    (another_hash, "manifest", False),
    (key_in_the_manifest, "manifest", False),
    (name_in_the_reason, "manifest", False),
    (numbers_in_the_reason_that_were_not_counted, "agreement", False),
    (reason_of_another_status, "agreement", False),
    (option_that_is_none, "manifest", False),
    (name_as_an_option, "manifest", False),
    (options_of_another_delivery, "manifest", False),
    (count_of_something_else, "manifest", False),
    (count_left_out, "agreement", False),
    (more_suspect_frames_than_frames, "manifest", False),
    (library_that_is_none, "manifest", False),
    (name_as_a_version, "manifest", False),
    (way_of_drawing_that_is_none, "manifest", False),
    (way_of_drawing_of_another_type, "manifest", False),
    (way_of_drawing_left_out, "manifest", False),
    (spaces_in_the_manifest, "manifest", False),
    (manifest_missing, "files", False),
    (manifest_of_another_video, "manifest", False),
    (video_missing, "manifest", False),
]
