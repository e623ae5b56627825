"""Converts the videos and folders that were dropped on it, into a folder beside the first.

It runs ``vid2kp convert``, has the results proven by ``vid2kp verify``, and says in plain words
which folder may be handed over and which must stay.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from itertools import count
from pathlib import Path

RESULTS = "vid2kp-results"
SOME_FAILED = 1  # exit code of convert: the others are complete


def main(arguments: list[str]) -> int:
    """The exit code of a run over these videos and folders."""
    given = [Path(argument).absolute() for argument in arguments]
    if not given:
        say("Give it videos, or folders of videos: drop them on it, or name them after it.")
        return 2
    if missing := [str(path) for path in given if not path.exists()]:
        say("These were not found, so nothing was done:")
        for name in missing:
            say(f"  {name}")
        say("A name with the sign & is cut there. Rename it, or take the folder that it is in.")
        return 2
    out = results_folder(given[0])
    code = vid2kp("convert", *map(str, given), "-o", str(out))
    if code not in (0, SOME_FAILED):
        say("\nNothing new can be handed over. The reason stands above.")
        return code
    say("\nNow the results are checked ...")
    links = out.with_name(f"{out.name}.private") / "links.csv"
    if vid2kp("verify", str(out), "--links", str(links)):
        say(f"\nDO NOT HAND OVER {out}\nThe check found what must not be in it; see above.")
        return 1
    say(f"\nTo hand over:  {out}\nKeep to yourself:  {links.parent}")
    if code == SOME_FAILED:
        say("Some videos could not be converted; the list above says why.")
    return code


def say(text: str) -> None:
    """Shows a line at once, so that it stands between what the programs say."""
    print(text, flush=True)


def results_folder(first: Path) -> Path:
    """The folder `RESULTS` beside the first of the videos.

    Of a disc that cannot be written they go to the user's own folder, each time into another one:
    the next disc may hold another child's video under the same name.
    """
    if may_write(first.parent):
        return first.parent / RESULTS
    names = (f"{RESULTS}-{number}" for number in count(1))
    return next(out for out in map(Path.home().joinpath, names) if not out.exists())


def may_write(folder: Path) -> bool:
    """Whether a file can be made there; asking for permissions is not enough on shared drives."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def vid2kp(*arguments: str) -> int:
    """The exit code of a command of the program that this file lies beside."""
    command = [sys.executable, "-I", "-X", "utf8", "-m", "vid2kp.cli", *arguments]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
