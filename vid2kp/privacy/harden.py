"""What a process does so that nothing of a frame or a name leaves it by accident."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from threading import ExceptHookArgs

_NO_CORE: Final = 1 if sys.platform == "linux" else 0
"""Bytes of the largest core file. Linux hands a core to a collector (systemd-coredump, apport)
whatever the limit says, unless it is exactly 1; a file of one byte is never written."""


def forbid_core_files() -> bool:
    """Keeps the system from writing this process's memory, and so its frames, when it crashes.

    Returns:
        whether there is something to forbid: Windows writes no core files.
    """
    if sys.platform == "win32":
        return False
    import resource

    with contextlib.suppress(ValueError, OSError):  # a hard limit of 0 may not be raised to 1
        resource.setrlimit(resource.RLIMIT_CORE, (_NO_CORE, _NO_CORE))
        return True
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return True


def hide_stray_errors(show: Callable[[BaseException], None]) -> None:
    """Shows errors that no code catches, in threads and destructors, without text of theirs.

    Args:
        show: given the error; must not show its text, which may hold a path.
    """

    def from_thread(error: ExceptHookArgs) -> None:
        stray(error.exc_value)

    def from_destructor(error: sys.UnraisableHookArgs) -> None:
        stray(error.exc_value)

    def stray(error: BaseException | None) -> None:
        # The end of a program, or a second Ctrl-C while it ends, is no error.
        if error is not None and not isinstance(error, SystemExit | KeyboardInterrupt):
            show(error)

    threading.excepthook = from_thread
    sys.unraisablehook = from_destructor


def shortfalls(system: str = os.name) -> tuple[str, ...]:
    """What this system does not let vid2kp do, a sentence each for the user.

    Args:
        system: as in `os.name`.
    """
    if system == "posix":
        return ()
    return (
        "This system has no file modes: keep the private folder and the key file where only you "
        "may read them.",
    )
