"""Proves that an output folder holds nothing but keypoints and drawings of them.

A second code path: it shares the schema with the writers and reads what they wrote in ways of its
own, down to the boxes of the video and the pages of the tables. Whatever is not on an allow-list
is a finding, and a check that could not be carried out is one too.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar, cast

import av
import numpy as np

from vid2kp.errors import UsageError, Vid2kpError
from vid2kp.files import EPOCH
from vid2kp.privacy.agreement import Statements, check_agreement, check_row_by_row
from vid2kp.privacy.finding import Finding, NotAllowed
from vid2kp.privacy.html_check import check_html
from vid2kp.privacy.manifest import FileHash, Manifest, read_manifest, shaping_libraries
from vid2kp.privacy.mp4_check import check_mp4
from vid2kp.privacy.needles import Needles, needles_of, scan
from vid2kp.privacy.parquet_check import check_frames, check_tracks
from vid2kp.privacy.pseudonym import PSEUDONYM, Links
from vid2kp.render.report import report_text
from vid2kp.render.skeleton_video import RenderOptions, render_video
from vid2kp.tracks.schema import (
    CLEAN_FILE,
    FRAMES_FILE,
    INDEX_FILE,
    MANIFEST_FILE,
    REPORT_FILE,
    TRACKS_FILE,
    VIDEO_FILE,
)

P = ParamSpec("P")
Found = TypeVar("Found")

CHECKS: Final = {
    "files": "Every file and folder is a known and plain one, without attributes; none is missing.",
    "times": "Every file and folder, OUT itself too, has the fixed time of 1980-01-01.",
    "manifest": "The manifest holds known names and sentences; size and SHA-256 of files fit.",
    "tracks": "Columns, types, footer and each value of the tracks are those of the schema.",
    "frames": "Columns, types, footer and each value of the frames are those of the schema.",
    "container": "The video has one H.264 stream, no sound, no tag, no date, no other byte.",
    "pixels": "Every pixel and byte of the video is that of a fresh drawing from the tracks.",
    "agreement": "Manifest, tracks, frames and video tell of the same frames, times and model.",
    "index": "The index has the columns of its schema and says what the videos' files say.",
    "report": "The report page is what index and tracks give, and refers to nothing outside.",
    "needles": "No byte holds a name, tag value or hash of a source (with the table of links).",
}
"""What is checked, in the order of the report."""

_TOP_FILES: Final = {INDEX_FILE, REPORT_FILE}
_NO_REPORT: Final = (
    "There is no report.html. Python's vid2kp.convert writes none; vid2kp report OUT does."
)
_NEEDED: Final = (MANIFEST_FILE, TRACKS_FILE, FRAMES_FILE)
_POSSIBLE: Final = {*_NEEDED, CLEAN_FILE, VIDEO_FILE}


@dataclass(frozen=True)
class VerifyReport:
    """What was checked and what was found.

    Attributes:
        findings: everything that is wrong; empty when all holds.
        checked: how many files each of `CHECKS` looked at.
        videos: how many videos the folder holds.
        needles: how many names, tag values and hashes were looked for; None without links.
        left_out: how many were too short or too common to be looked for.
        unread: how many sources could not be opened, so that only their names were looked for.
        notes: what is nothing wrong in itself but should be known, one sentence each.
    """

    findings: tuple[Finding, ...]
    checked: dict[str, int]
    videos: int
    needles: int | None = None
    left_out: int = 0
    unread: int = 0
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether all holds."""
        return not self.findings


def verify(
    out_dir: str | Path,
    links: str | Path | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> VerifyReport:
    """Checks an output folder.

    Args:
        out_dir: the folder that `convert` wrote to.
        links: the private table of links; with it the needle scan is done.
        progress: called after each video with the numbers of videos done and of all.

    Returns:
        all findings; a finding does not keep the other checks from being made.

    Raises:
        UsageError: there is no such folder, or it holds no video.
        PrivacyError: the table of links cannot be used.
    """
    folder = Path(out_dir)
    if not folder.is_dir():
        raise UsageError("There is no such output folder.")
    run = _Run()
    videos = _check_top(run, folder)
    if not videos:
        raise UsageError("The folder holds no video.", hint="Give the folder of -o.")
    needles = None if links is None else needles_of(_sources(Path(links)))
    delivered = {}
    for done, video in enumerate(videos, 1):
        delivered[video.name] = _check_video(run, video)
        if progress is not None:
            progress(done, len(videos))
    if (folder / INDEX_FILE).exists():
        run.attempt("index", INDEX_FILE, check_row_by_row, folder / INDEX_FILE, delivered)
    else:
        run.add("files", INDEX_FILE, "it is missing")
    if (folder / REPORT_FILE).exists():
        run.attempt("report", REPORT_FILE, _check_report, folder)
    else:
        run.notes.append(_NO_REPORT)
    if run.open_to_all:
        run.notes.append(f"{run.open_to_all} of its files and folders may be changed by everybody.")
    if needles is not None:
        _scan_all(run, folder, needles)
    return VerifyReport(
        findings=tuple(run.findings),
        checked=run.checked,
        videos=len(videos),
        needles=None if needles is None else len(needles.texts),
        left_out=0 if needles is None else needles.left_out,
        unread=0 if needles is None else needles.unread,
        notes=tuple(run.notes),
    )


@dataclass
class _Run:
    """Collects findings."""

    findings: list[Finding] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CHECKS, 0))
    notes: list[str] = field(default_factory=list)
    open_to_all: int = 0

    def attempt(
        self, check: str, where: str, look: Callable[P, Found], *args: P.args, **kwargs: P.kwargs
    ) -> Found | None:
        """Carries out a check of a file; what it raises becomes a finding, and None comes back."""
        self.checked[check] += 1
        try:
            return look(*args, **kwargs)
        except NotAllowed as error:
            self.add(check, where, str(error))
        except Vid2kpError as error:
            self.add(check, where, error.message)
        except OSError as error:
            self.add(check, where, f"it cannot be read: {error.strerror}")
        except Exception as error:
            # What cannot be checked is not proven. The text of the error may hold a path.
            self.add(check, where, f"it cannot be checked ({type(error).__name__})")
        return None

    def add(self, name: str, where: str, what: str) -> None:
        self.findings.append(Finding(where, name, what))


def _sources(links: Path) -> list[Path]:
    if not links.exists():
        raise UsageError("There is no such table of links.")
    return list(Links(links).sources().values())


# ---------------------------------------------------------------------------------------------
# Files and folders


def _check_top(run: _Run, folder: Path) -> list[Path]:
    """Checks what lies in the output folder; returns the folders of the videos."""
    videos = []
    _check_entry(run, folder.resolve(), "the output folder")
    for path in sorted(folder.iterdir()):
        if PSEUDONYM.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
            videos.append(path)
            _check_entry(run, path, path.name)
        elif path.name in _TOP_FILES:
            _check_entry(run, path, path.name)
        else:
            run.checked["files"] += 1
            run.add("files", "the output folder", "a file or folder that is no deliverable")
    return videos


def _check_entry(run: _Run, path: Path, where: str) -> None:
    run.attempt("files", where, _check_kind, path)
    run.attempt("times", where, _check_time, path)
    if os.name == "posix" and not path.is_symlink():
        run.open_to_all += bool(path.stat().st_mode & stat.S_IWOTH)


def _check_kind(path: Path) -> None:
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        raise NotAllowed("it is no plain file (a link, a pipe)")
    if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
        raise NotAllowed("it has another name elsewhere (a hard link)")
    if hasattr(os, "listxattr") and any(
        name.startswith("user.") for name in os.listxattr(path, follow_symlinks=False)
    ):
        raise NotAllowed("it has extended attributes")


def _check_time(path: Path) -> None:
    if path.lstat().st_mtime_ns != EPOCH * 10**9:
        raise NotAllowed("its time tells when it was made")


def _check_report(folder: Path) -> None:
    """The page is on the allow-list, and what is written again from the index and the tracks."""
    check_html(folder / REPORT_FILE)
    if not (folder / INDEX_FILE).exists():
        raise NotAllowed("a page without the index that it is made from")
    again = report_text(folder, (), lambda count: None)
    if (folder / REPORT_FILE).read_bytes() != again.encode():
        raise NotAllowed("not what the index and the tracks give: make it again with vid2kp report")


def _check_video(run: _Run, folder: Path) -> Statements:
    name = folder.name
    present = _check_files(run, folder)
    manifest = (
        run.attempt("manifest", f"{name}/{MANIFEST_FILE}", _check_manifest, run, folder, present)
        if MANIFEST_FILE in present
        else None
    )

    def checked(check: str, file: str, look: Callable[[Path], Found]) -> Found | None:
        if file not in present:
            return None
        return run.attempt(check, f"{name}/{file}", look, folder / file)

    tracks = checked("tracks", TRACKS_FILE, partial(check_tracks, product="raw"))
    clean = checked("tracks", CLEAN_FILE, partial(check_tracks, product="clean"))
    frames = checked("frames", FRAMES_FILE, check_frames)
    video = checked("container", VIDEO_FILE, check_mp4)
    stated = Statements(manifest, tracks, frames, clean, video)
    run.attempt("agreement", name, check_agreement, stated)
    if VIDEO_FILE in present:
        drawable = tracks is not None and frames is not None
        where = f"{name}/{VIDEO_FILE}"
        run.attempt("pixels", where, _check_pixels, folder, manifest if drawable else None)
    return stated


def _check_files(run: _Run, folder: Path) -> set[str]:
    """Checks what lies in the folder of a video; returns the names of its deliverables."""
    present = set()
    for path in sorted(folder.iterdir()):
        if path.name in _POSSIBLE and path.is_file() and not path.is_symlink():
            present.add(path.name)
            _check_entry(run, path, f"{folder.name}/{path.name}")
        else:
            run.checked["files"] += 1
            run.add("files", folder.name, "a file or folder that is no deliverable")
    for needed in _NEEDED:
        if needed not in present:
            run.add("files", f"{folder.name}/{needed}", "it is missing")
    return present


def _check_manifest(run: _Run, folder: Path, present: set[str]) -> Manifest:
    manifest, files = read_manifest(folder)
    if manifest.pseudonym != folder.name:
        raise NotAllowed("it is the manifest of another video")
    if set(files) != present - {MANIFEST_FILE}:
        raise NotAllowed("it lists other files than there are")
    for option, name in (("video", VIDEO_FILE), ("clean", CLEAN_FILE)):
        if manifest.options.get(option, name in files) != (name in files):
            raise NotAllowed("it has options that do not fit the files that there are")
    if bool(manifest.render) != (VIDEO_FILE in files):
        raise NotAllowed("it says how a video was drawn that is not there, or not how")
    if manifest.render:
        _render_options(manifest)
    for name, expected in files.items():
        if FileHash.of(folder / name) != expected:
            run.add("manifest", f"{folder.name}/{name}", "it is not the file that was made")
    return manifest


# ---------------------------------------------------------------------------------------------
# Pixels


def _check_pixels(folder: Path, manifest: Manifest | None) -> None:
    """Draws the video again from the tables and compares."""
    if manifest is None:
        raise NotAllowed("tracks, frames or manifest are wrong, so it cannot be drawn again")
    options = _render_options(manifest)
    with tempfile.TemporaryDirectory(prefix="vid2kp-verify-") as fresh_folder:
        fresh = Path(fresh_folder) / VIDEO_FILE
        render_video(folder / TRACKS_FILE, fresh, frames_path=folder / FRAMES_FILE, options=options)
        if _same_bytes(folder / VIDEO_FILE, fresh):
            return
        _explain_difference(folder / VIDEO_FILE, fresh, manifest)


def _render_options(manifest: Manifest) -> RenderOptions:
    """How the video was drawn: every option of `RenderOptions`, no other, each of its type."""
    given = {name: type(value) for name, value in manifest.render.items()}
    if given != {name: type(value) for name, value in asdict(RenderOptions()).items()}:
        raise NotAllowed("the manifest does not say how it was drawn, or more than that")
    return RenderOptions(**cast(dict[str, Any], manifest.render))


def _explain_difference(delivered: Path, fresh: Path, manifest: Manifest) -> None:
    """Raises `NotAllowed` with the most telling difference of two videos."""
    try:
        differing = _differing_frames(delivered, fresh)
    except (av.FFmpegError, ValueError):
        raise NotAllowed("its pictures cannot be decoded") from None
    here = shaping_libraries()
    other = [n for n, version in manifest.libraries.items() if here.get(n, version) != version]
    if other:
        raise NotAllowed(
            "it differs from a fresh drawing, but it was made with other versions of "
            f"{', '.join(sorted(other))}: check it where it was made"
        )
    if differing:
        raise NotAllowed(
            f"{len(differing)} frames are not what the tracks show, the first is {differing[0]}"
        )
    raise NotAllowed("its bytes are not those of a fresh drawing, though its pictures are")


def _differing_frames(delivered: Path, fresh: Path) -> list[int]:
    with (
        delivered.open("rb") as one_file,
        fresh.open("rb") as two_file,
        av.open(one_file, "r", format="mp4", metadata_errors="replace") as a,
        av.open(two_file, "r", format="mp4") as b,
    ):
        pairs = zip(a.decode(video=0), b.decode(video=0), strict=True)
        return [
            i
            for i, (one, two) in enumerate(pairs)
            if not np.array_equal(one.to_ndarray(), two.to_ndarray())
        ]


def _same_bytes(one: Path, two: Path) -> bool:
    return FileHash.of(one) == FileHash.of(two)


# ---------------------------------------------------------------------------------------------
# Needles


def _scan_all(run: _Run, folder: Path, needles: Needles) -> None:
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        known = all(PSEUDONYM.fullmatch(p) for p in relative.parts[:-1]) and (
            relative.name in _POSSIBLE | _TOP_FILES
        )
        where = relative.as_posix() if known else "a file that is no deliverable"
        if path.is_file() and not path.is_symlink():
            run.attempt("needles", where, _check_needles, path, needles)


def _check_needles(path: Path, needles: Needles) -> None:
    kinds = scan(path, needles)
    if kinds:
        raise NotAllowed(f"it holds a {', a '.join(sorted(kinds))} of a source")
