"""The sentences that may stand in a deliverable as a reason; no other words may.

What is said of a video that has deliverables is put together from numbers, by `record.judge` and
`pose.choose`: its patterns stand here once more, and the tests hold them against those two. Why a
video has none is said by whatever part of the program gave up: those sentences are read from the
program's own source, with short lists for what is put into them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

_NUMBER: Final = r"(?:-?[0-9]{1,10}(?:\.[0-9]{1,2})?|nan)%?"

JUDGED: Final = {
    "truncated": "The file is cut; the tracks end where it ends.",
    "damaged": "The file holds damaged data: # of # frames are marked suspect.",
    "no_infant": "The infant is seen in # of the frames.",
    "ambiguous": "In # of the frames somebody else might be the infant as well.",
}
"""What is said of each status; # is a number. Of ``done`` nothing is."""

_PERSON: Final = (
    "score #; seen in # of the frames, # of the keypoints found, stillness #, "
    "infant proportions #, size #"
)
CHOSEN: Final = (
    ("Nobody was seen", f"The only person seen: {_PERSON}", f"Best of # people: {_PERSON}"),
    (f". Next (#): {_PERSON}",),
    (
        ". Ambiguous where one other person with nearly the same score can be seen",
        ". Ambiguous where # other people with nearly the same score can be seen",
    ),
    (". Ambiguous where somebody else with nearly the same score is in the whole frame",),
)
"""Why the infant was taken for the infant, part after part; all but the first may be missing."""

# What may stand in a sentence about a failure where its text is not fixed. Whatever else would
# stand there, a sentence with it stays in the private log.
_INSERTED: Final = (
    # What systems say of a file or a disk.
    "Input/output error", "Is a directory", "No such device", "No space left on device",
    "Not a directory", "Disk quota exceeded", "File name too long", "File too large",
    "Operation not permitted", "Permission denied", "No such file or directory",
    "Read-only file system", "Resource temporarily unavailable", "Stale file handle",
    "Too many levels of symbolic links", "Too many open files", "Cannot allocate memory",
    "Connection timed out", "Host is down", "Invalid argument", "No such device or address",
    "Device or resource busy", "Transport endpoint is not connected", "Structure needs cleaning",
    # How a process ends.
    "SIGABRT", "SIGALRM", "SIGBUS", "SIGFPE", "SIGHUP", "SIGILL", "SIGINT", "SIGPIPE", "SIGQUIT",
    "SIGSEGV", "SIGSYS", "SIGTERM", "SIGTRAP", "SIGXCPU", "SIGXFSZ",
    # Errors that nobody expected.
    "ArithmeticError", "AssertionError", "AttributeError", "BlockingIOError", "BrokenPipeError",
    "EOFError", "FileExistsError", "FileNotFoundError", "FloatingPointError", "ImportError",
    "IndexError", "InterruptedError", "IsADirectoryError", "KeyError", "LookupError",
    "ModuleNotFoundError", "NameError", "NotADirectoryError", "NotImplementedError", "OSError",
    "OverflowError", "PermissionError", "RecursionError", "ReferenceError", "RuntimeError",
    "StopIteration", "SystemError", "TimeoutError", "TypeError", "UnboundLocalError",
    "UnicodeDecodeError", "UnicodeEncodeError", "ValueError", "ZeroDivisionError",
    "av.error.ArgumentError", "av.error.BufferTooSmallError", "av.error.BugError",
    "av.error.EOFError", "av.error.ExternalError", "av.error.FileNotFoundError",
    "av.error.InvalidDataError", "av.error.MemoryError", "av.error.OSError",
    "av.error.PatchWelcomeError", "av.error.PermissionError", "av.error.UndefinedError",
    "av.error.UnknownError", "av.error.ValueError", "cv2.error", "pyarrow.lib.ArrowInvalid",
    "pyarrow.lib.ArrowNotImplementedError", "torch.AcceleratorError", "torch.OutOfMemoryError",
    "torch.cuda.OutOfMemoryError", "numpy.linalg.LinAlgError",
    # A part of a sentence of `video.probe`.
    "", ", or its picture is larger than is decoded",
)  # fmt: skip

# Where a video can fail.
_PLACES: Final = ("batch", "cluster", "pose", "render", "tracks", "video", "files.py")
_MOST_SENTENCES: Final = 3


class _Reason:
    """All the reasons that the index may give."""

    def fullmatch(self, text: str) -> re.Match[str] | None:
        """The text as a match, as a compiled pattern gives it; None where it is no reason."""
        return re.fullmatch(f"{_judged()}?", text) or _failed().fullmatch(text)


REASON: Final = _Reason()
"""What the index says of a video: nothing, what was judged, or why it failed."""


@cache
def manifest_reason() -> re.Pattern[str]:
    """What a manifest says: what was judged, and why the infant was taken for the infant."""
    judged, chosen = _judged(), _chosen()
    return re.compile(f"(?:{judged} )?{chosen}|{judged}?")


def says(reason: str, judged: str) -> bool:
    """Whether a reason that `manifest_reason` allows says that this was judged, "" for nothing."""
    chosen = reason.removeprefix(judged).removeprefix(" ")
    return reason.startswith(judged) and re.fullmatch(f"{_chosen()}?", chosen) is not None


def judgement(status: str, counts: Mapping[str, int]) -> str:
    """What is said of a status, with the numbers that follow from the counts of a manifest."""
    frames = counts.get("frames", 0)
    numbers = {
        "damaged": (str(counts.get("frames_suspect", 0)), str(frames)),
        "no_infant": (_share(counts.get("frames_with_infant", 0), frames),),
        "ambiguous": (_share(counts.get("frames_ambiguous", 0), frames),),
    }
    text = JUDGED.get(status, "")
    for number in numbers.get(status, ()):
        text = text.replace("#", number, 1)
    return text


def texts_of(place: Traversable) -> Iterator[tuple[str | None, ...]]:
    """The texts in a module or a folder of them, without what only a reader of it sees.

    Yields:
        each text in parts; None where a value is put in.
    """
    if place.is_dir():
        for one in place.iterdir():
            yield from texts_of(one)
    elif place.name.endswith(".py"):
        nodes = list(ast.walk(ast.parse(place.read_text(encoding="utf-8"))))
        known = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        known |= {id(one) for n in nodes if isinstance(n, ast.JoinedStr) for one in n.values}
        for node in nodes:
            if isinstance(node, ast.JoinedStr):
                parts = (
                    one.value if isinstance(one, ast.Constant) else None for one in node.values
                )
                yield tuple(None if part is None else str(part) for part in parts)
            elif (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and id(node) not in known
            ):
                yield (node.value,)


def _judged() -> str:
    return _any_of(map(_pattern, JUDGED.values()))


def _chosen() -> str:
    first, *others = (_any_of(map(_pattern, part)) for part in CHOSEN)
    return f"(?:{first}{''.join(f'{part}?' for part in others)}{re.escape('.')})"


@cache
def _failed() -> re.Pattern[str]:
    """One sentence of the program, or several: what is wrong, and what to do about it."""
    inserted = _any_of([_NUMBER, *map(re.escape, _INSERTED)])
    sentences = {
        "".join(inserted if part is None else re.escape(part) for part in parts)
        for place in _PLACES
        for parts in texts_of(files("vid2kp") / place)
        if _is_sentence(parts)
    }
    one = _any_of(sorted(sentences))
    return re.compile(f"{one}(?: {one}){{0,{_MOST_SENTENCES - 1}}}")


def _is_sentence(parts: tuple[str | None, ...]) -> bool:
    first, last = parts[0] or "", parts[-1] or ""
    return first[:1].isupper() and last.endswith(".") and " " in "".join(filter(None, parts))


def _pattern(text: str) -> str:
    return _NUMBER.join(map(re.escape, text.split("#")))


def _any_of(patterns: Iterable[str]) -> str:
    return f"(?:{'|'.join(patterns)})"


def _share(count: int, frames: int) -> str:
    return f"{count / max(frames, 1):.0%}"
