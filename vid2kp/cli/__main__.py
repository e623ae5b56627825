"""The entry point: runs a command and turns whatever happens into an honest exit code."""

from __future__ import annotations

import os
import re
import signal
import sys
import traceback
from pathlib import Path
from types import FrameType

import typer

from vid2kp.cli.app import app
from vid2kp.cli.screen import show_error
from vid2kp.errors import UsageError, Vid2kpError
from vid2kp.exit_codes import CUT_SHORT, INTERRUPTED, SOME_FAILED, USAGE
from vid2kp.files import is_of_full_disk
from vid2kp.privacy.harden import forbid_core_files, hide_stray_errors


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: what follows the program's name; `sys.argv` when left out.

    Returns:
        The exit code: 0 all well, 1 something failed, 2 wrong usage, 3 nothing could be
        converted, 4 cut short, 130 interrupted; docs/cli.md has them.
    """
    arguments = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    # Slurm and `kill` send SIGTERM: it ends a run as Ctrl-C does, so that only finished results
    # stay behind.
    signal.signal(signal.SIGTERM, _interrupt)
    # Commands that look at pictures themselves (probe, train, evaluate) are such processes too.
    forbid_core_files()
    hide_stray_errors(lambda error: show_error(_what_went_wrong(error), _where(error)))
    try:
        code = app(arguments, prog_name="vid2kp", standalone_mode=False)
        sys.stdout.flush()
        if code == INTERRUPTED:  # a command was, or said so of what it had begun
            raise KeyboardInterrupt
    except typer.TyperException as error:
        show_error(_without_names(error.format_message(), arguments), "See: vid2kp --help")
        return USAGE
    except (KeyboardInterrupt, typer.Abort):
        show_error(
            "Interrupted.", "What was finished is complete; the same command goes on from there."
        )
        return INTERRUPTED
    except Vid2kpError as error:
        show_error(error.message, error.hint)
        if is_of_full_disk(error):
            return CUT_SHORT
        return USAGE if isinstance(error, UsageError) else SOME_FAILED
    except BrokenPipeError:
        # The reader (`head`, `less`) has seen enough; Python must not complain at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        show_error(_what_went_wrong(error), _where(error))
        return CUT_SHORT if is_of_full_disk(error) else SOME_FAILED
    return code if isinstance(code, int) else 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _without_names(message: str, arguments: list[str]) -> str:
    """The parser's message without the arguments, any of which may be the name of a source."""
    for argument in sorted(arguments, key=len, reverse=True):
        if argument and not argument.startswith("-"):
            # No part of a word, nor of a limit such as 0.001.
            message = re.sub(rf"(?<![\w.]){re.escape(argument)}(?!\w|\.\d)", "…", message)
    return message


def _what_went_wrong(error: BaseException) -> str:
    # The text of a foreign exception may hold a path of the source, so only its class is shown;
    # of the system's errors the number says enough.
    if isinstance(error, OSError) and error.errno:
        return f"{os.strerror(error.errno)} ({type(error).__name__})."
    return f"Unexpected {type(error).__name__}; this is a fault of vid2kp."


def _where(error: BaseException) -> str:
    """The places in the code, innermost last, without values: fit for a bug report."""
    package = Path(__file__).parents[1]
    places = [
        f"{Path(frame.filename).relative_to(package.parent).as_posix()}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(package)
    ]
    return f"At {' → '.join(places[-4:])}." if places else ""


if __name__ == "__main__":
    sys.exit(main())
