"""Which files of the inputs are videos, each once, always in the same order."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vid2kp.errors import UsageError
from vid2kp.tracks.schema import MANIFEST_FILE, TRACKS_FILE, VIDEO_FILE

_EXTENSIONS = """
.264 .265 .3g2 .3gp .asf .avi .divx .dv .f4v .flv .gxf .h264 .h265 .hevc .ivf .m1v .m2t
.m2ts .m2v .m4v .mj2 .mkv .mod .mov .mp4 .mpe .mpeg .mpg .mts .mxf .nut .obu .ogm .ogv .qt
.rm .rmvb .tod .ts .vob .webm .wmv .wtv .xvid
"""
VIDEO_EXTENSIONS = frozenset(_EXTENSIONS.split())
"""What a file in a folder is called when it is taken for a video, in small letters."""

_WASTE = ("$RECYCLE.BIN", "System Volume Information")

_RESULT = frozenset({MANIFEST_FILE, TRACKS_FILE})
"""What lies in the folder of a video that was converted; its skeleton video is no recording."""


@dataclass(frozen=True, slots=True)
class Source:
    """One video to convert. Private: none of this may reach the output folder.

    Attributes:
        below: the input under which it was found, absolute; of a file that was named, its folder.
        identity: the path as bytes, relative to that, with ``/`` between its parts: the same on
            every machine that sees the same folder.
        size: bytes.
    """

    below: Path
    identity: bytes
    size: int

    @property
    def path(self) -> Path:
        """Absolute; made anew each time, for there may be many thousand sources."""
        return self.below / os.fsdecode(self.identity)


@dataclass(frozen=True)
class Found:
    """What the inputs hold.

    Attributes:
        sources: the videos, those of a folder by their names, folders as they were given.
        closed: folders that may not be read.
        passed_over: how many files of the folders are not called a video.
    """

    sources: tuple[Source, ...]
    closed: tuple[Path, ...]
    passed_over: int = 0


def discover(inputs: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """The videos of files and folders, each once: see `find_sources`.

    Raises:
        UsageError: an input does not exist, or there is no video at all.
    """
    return [source.path for source in find_sources(inputs).sources]


def find_sources(inputs: Sequence[str | os.PathLike[str]], *, out: Path | None = None) -> Found:
    """The videos of files and folders, each once, however many names it has.

    A file that is named is taken whatever it is called. Folders are searched to the bottom for
    regular files with a `VIDEO_EXTENSIONS`, in any letter case; links to folders, hidden folders
    and waste bins are not entered. Skeleton videos of earlier results and the ``._`` files that
    macOS leaves are not videos.

    Args:
        inputs: files and folders.
        out: the output folder, which is not searched.

    Raises:
        UsageError: an input does not exist or is neither file nor folder, a source lies in the
            output folder, or there is no video at all.
    """
    walk = _Walk(out=None if out is None else Path(out).resolve())
    for number, given in enumerate(inputs, 1):
        walk.add(Path(given), number)
    if not walk.sources:
        raise UsageError(
            "There is no video in the inputs.",
            hint="Give video files or folders that hold some. A file whose name does not end like "
            "that of a video (.mp4, .mov …) must be given by name.",
        )
    return Found(tuple(walk.sources), tuple(walk.closed), walk.passed_over)


@dataclass
class _Walk:
    out: Path | None
    sources: list[Source] = field(default_factory=list)
    closed: list[Path] = field(default_factory=list)
    _seen: set[tuple[int | str, ...]] = field(default_factory=set)
    _passed: set[tuple[int | str, ...]] = field(default_factory=set)

    @property
    def passed_over(self) -> int:
        """How many files were not taken, by no name of theirs."""
        return len(self._passed - self._seen)

    def add(self, given: Path, number: int) -> None:
        """Adds the videos of one input."""
        path = given.absolute()
        try:
            status = path.stat()
        except (OSError, ValueError):
            raise UsageError(
                f"Input {number} does not exist, or may not be looked at.",
                hint="Check how it is written, and that its disk is connected.",
            ) from None
        self._refuse_inside_out(path)
        if stat.S_ISDIR(status.st_mode):
            for file in self._files_below(path):
                self._add_file(path, file.relative_to(path))
        elif stat.S_ISREG(status.st_mode):
            self._add_file(path.parent, Path(path.name))
        else:
            raise UsageError(f"Input {number} is neither a file nor a folder.")

    def _refuse_inside_out(self, path: Path) -> None:
        # The output folder is handed over as it is, so nothing of the source may lie there.
        if self.out is not None and path.resolve().is_relative_to(self.out):
            raise UsageError(
                "A source lies in the output folder.",
                hint="Choose an output folder that holds nothing but results.",
            )

    def _files_below(self, folder: Path) -> Iterator[Path]:
        for name, folders, files in os.walk(folder, onerror=self._may_not_enter):
            here = Path(name)
            is_result = _RESULT.issubset(files)
            if is_result:
                files = [file for file in files if file != VIDEO_FILE]
            folders[:] = sorted(filter(lambda n: self._is_to_enter(here / n), folders), key=_order)
            for file in sorted(files, key=_order):
                if _is_called_a_video(file):
                    yield here / file
                elif not (is_result or file.startswith(".")):
                    self._pass_over(here / file)

    def _is_to_enter(self, folder: Path) -> bool:
        if folder.name.startswith(".") or folder.name in _WASTE:
            return False
        return self.out is None or folder.name != self.out.name or folder.resolve() != self.out

    def _may_not_enter(self, error: OSError) -> None:
        self.closed.append(Path(error.filename))

    def _add_file(self, below: Path, relative: Path) -> None:
        path = below / relative
        status = _regular(path)
        if status is not None and (node := _node(path, status)) not in self._seen:
            self._seen.add(node)
            self.sources.append(Source(below, os.fsencode(relative.as_posix()), status.st_size))

    def _pass_over(self, path: Path) -> None:
        status = _regular(path)
        if status is not None:
            self._passed.add(_node(path, status))


def _regular(path: Path) -> os.stat_result | None:
    """What is known of a regular file; None for anything else, as a link to nothing."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _node(path: Path, status: os.stat_result) -> tuple[int | str, ...]:
    """The same for all names of one file."""
    # Some network drives number no files.
    return (status.st_dev, status.st_ino) if status.st_ino else (str(path.resolve()),)


def _is_called_a_video(name: str) -> bool:
    return not name.startswith("._") and Path(name).suffix.lower() in VIDEO_EXTENSIONS


def _order(name: str) -> bytes:
    # As bytes: a name need not be text, and the order must not depend on the language.
    return os.fsencode(name)
