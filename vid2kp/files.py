"""How deliverables reach the disk: whole or not at all, and with a time that tells nothing.

A file is written under a temporary name in its own folder, flushed to the disk, given the fixed
time of `EPOCH` and only then renamed, so that a run that dies leaves at most ``.*.part`` files.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vid2kp.errors import OutputError, UsageError

EPOCH = 315_532_800
"""Access and modification time of every deliverable, 1980-01-01 UTC, in seconds since 1970.

Not 0: ZIP archives cannot hold a time before 1980 and would change it.
"""

PART_SUFFIX = ".part"

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a temporary name beside ``path``; on success the file there becomes ``path``.

    Args:
        path: the file that appears, whole, when the block ends without an error. An older
            file of that name is replaced in one step.

    Yields:
        the name to write to. When the block raises, that file is removed and ``path`` is as
        it was.

    Raises:
        OutputError: the folder is missing, full or read-only.
    """
    path = Path(path).absolute()  # "." has no name
    part = path.with_name(f".{path.name}.{secrets.token_hex(6)}{PART_SUFFIX}")
    try:
        yield part
        with output_errors():
            _flush(part)
            fix_time(part)
            part.replace(path)
            _flush(path.parent)
    except BaseException:
        with suppress(OSError):  # of a disk that may only be read, what went wrong is told
            part.unlink(missing_ok=True)
        raise


@contextmanager
def replacing_folder(
    folder: Path, *, word: str = "", check: Callable[[], None] = lambda: None
) -> Iterator[Path]:
    """Gives a temporary folder beside ``folder``; on success it becomes ``folder``.

    Args:
        folder: appears, whole, when the block ends without an error. An older one is replaced.
        word: stands in the temporary name, for `parts_of`.
        check: called when the folder is about to appear; it does not if this raises.

    Yields:
        the folder to write to. When the block raises, it is removed and ``folder`` is as it was.

    Raises:
        OutputError: the folder above is missing, full or read-only.
    """
    folder = Path(folder).absolute()
    name = f".{folder.name}.{word}." if word else f".{folder.name}."
    part, old = (folder.with_name(f"{name}{secrets.token_hex(6)}{PART_SUFFIX}") for _ in range(2))
    try:
        with output_errors():
            part.mkdir(parents=True)
        yield part
        with output_errors():
            fix_folder_times(part)
            check()
            if folder.exists():
                folder.replace(old)
            try:
                part.replace(folder)
            except OSError:
                if old.exists():
                    old.replace(folder)
                raise
            _flush(folder.parent)
            shutil.rmtree(old, ignore_errors=True)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def keep_apart(out: Path, *read: Path) -> None:
    """Refuses an output that would take the place of a file that is read.

    Raises:
        UsageError: it is one of them.
    """
    out = Path(out)
    if any(out.exists() and path.exists() and out.samefile(path) for path in map(Path, read)):
        raise UsageError(
            "The output is a file that is read: it would be lost.", hint="Choose another name."
        )


def parts_of(folder: Path, word: str = "") -> dict[Path, str]:
    """What `replacing_folder` has begun for a folder and not ended, each with its word.

    Args:
        folder: as given to `replacing_folder`.
        word: only those with this word.
    """
    name = f".{folder.name}.{word}." if word else f".{folder.name}."
    return {part: part.name.split(".")[2] for part in folder.parent.glob(f"{name}*{PART_SUFFIX}")}


@contextmanager
def output_errors() -> Iterator[None]:
    """Turns the operating system's errors in its block into `OutputError`, which holds no path.

    Raises:
        OutputError: the block raised an OSError.
    """
    try:
        yield
    except OSError as error:
        # Only the system's words: the exception's own text holds the path, of h5py strerror too.
        why = os.strerror(error.errno) if error.errno else type(error).__name__
        nameless = OutputError(
            f"A result could not be written: {why}.",
            hint="Check the free space of the output folder and that you may write there.",
        )
        nameless.errno = error.errno
        raise nameless from None


def is_of_full_disk(error: Exception) -> bool:
    """Whether the error says that the disk is full, or may only be read: so will the next one."""
    return getattr(error, "errno", None) in _NO_ROOM


def write_text(path: Path, text: str) -> None:
    """Writes a UTF-8 text file, whole or not at all, with the fixed time.

    Raises:
        OutputError: the folder is missing, full or read-only.
    """
    with replacing(path) as part, output_errors():
        part.write_bytes(text.encode("utf-8"))


def fix_time(path: Path) -> None:
    """Gives a file or a folder the fixed time `EPOCH`."""
    os.utime(path, (EPOCH, EPOCH))


def fix_folder_times(folder: Path) -> None:
    """Gives a folder and everything below it the fixed time, the folder itself last."""
    for below in sorted(Path(folder).rglob("*"), reverse=True):
        if not below.is_symlink():
            fix_time(below)
    fix_time(Path(folder))


def remove_parts(folder: Path) -> None:
    """Removes what interrupted runs left in a folder where no run is writing now."""
    for part in Path(folder).glob(f".*{PART_SUFFIX}"):
        if part.is_dir():
            shutil.rmtree(part)
        else:
            part.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    # A folder can be opened for fsync on POSIX only; Windows keeps its journal itself.
    if path.is_dir() and os.name != "posix":
        return
    flags = os.O_RDONLY if os.name == "posix" else os.O_RDWR
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
