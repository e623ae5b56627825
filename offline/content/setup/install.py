"""Installs vid2kp from the folder that this file came in. Needs Python alone, and no network.

The program goes into one folder and nowhere else. A new one is put beside an old one and takes
its place only when it has passed its tests, so an installation that fails changes nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BUNDLE = Path(__file__).resolve().parents[1]
ON_WINDOWS = os.name == "nt"
WINDOWS_LONGEST = 259  # characters of a path there, see MAX_PATH
SITE = "/program-1/Lib/site-packages/"  # stands before a wheel's files there
ROOM = 1.4  # for compiled files and the self test, times what the wheels hold
RECORD = "installed.json"
PROGRAMS = ("program-1", "program-2")
SCRIPTS = ("vid2kp", "convert.sh", "vid2kp.bat", "convert.bat")
OURS = {*PROGRAMS, *SCRIPTS, RECORD, "GUIDE.txt", "example"}


class Refused(Exception):
    """vid2kp cannot be installed; the text says why and what to do."""


@dataclass(frozen=True)
class Facts:
    """What the bundle says of itself, see ``bundle.json``."""

    version: str
    platform: str
    python: str
    machine: str
    glibc: tuple[int, int] | None
    installed_bytes: int
    longest_path: int


def main() -> int:
    """The command line; its exit code."""
    parser = argparse.ArgumentParser(prog="install", description=__doc__)
    parser.add_argument(
        "folder", nargs="?", help="where the program goes; left out: vid2kp in your own folder"
    )
    given: str | None = parser.parse_args().folder
    try:
        install(Path(given) if given else default_folder())
    except Refused as error:
        say(f"\nvid2kp was NOT installed.\n{error}")
        return 1
    except KeyboardInterrupt:
        say("\nInterrupted. vid2kp was NOT installed.")
        return 130
    return 0


def say(text: str) -> None:
    """Shows a line at once."""
    print(text, flush=True)


def default_folder() -> Path:
    """Where programs of one user go."""
    home = os.environ.get("LOCALAPPDATA" if ON_WINDOWS else "HOME")
    if not home:
        raise Refused("You have no folder of your own here. Name the folder to install into.")
    return Path(home) / "vid2kp"


def install(folder: Path) -> None:
    """Does it all, and tells about it.

    Raises:
        Refused: something is in the way. What was installed before works as before.
    """
    os.umask(0o022)  # whoever may enter the folder may run what is in it
    facts = read_facts()
    say(f"Installing vid2kp {facts.version}. This takes some minutes and needs no network.")
    check_machine(facts)
    say("1 of 5  Checking that the files are whole and unchanged ...")
    names = check_files()
    folder = check_folder(folder, facts)
    say(f"2 of 5  Copying the program to {folder} ...")
    with new_program(folder) as program:
        make_program(program, pip=BUNDLE / next(n for n in names if n.startswith("wheels/pip-")))
        say("3 of 5  Looking at this computer ...")
        say(examine(program))
        say("4 of 5  Trying it on the example video ...")
        say(try_example(program))
        say("5 of 5  Switching it on ...")
        switch_to(program, folder, facts)
    say(what_next(folder))
    if sys.platform == "win32":
        with contextlib.suppress(OSError):
            os.startfile(folder)


def read_facts() -> Facts:
    """What this bundle is for."""
    try:
        record = json.loads((BUNDLE / "setup" / "bundle.json").read_text(encoding="utf-8"))
        return Facts(**record)
    except (OSError, ValueError, TypeError) as error:
        raise Refused(damaged(["setup/bundle.json"])) from error


def check_machine(facts: Facts) -> None:
    """Refuses a computer that the wheels were not made for."""
    here = {
        "system": (platform.system().lower(), facts.platform),
        "processor": (platform.machine().lower(), facts.machine.lower()),
        "Python": (f"{sys.version_info.major}.{sys.version_info.minor}", facts.python),
        "kind of Python": (f"{sys.maxsize.bit_length() + 1} bit", "64 bit"),
    }
    for what, (found, wanted) in here.items():
        if found != wanted:
            raise Refused(f"This copy is for the {what} {wanted}; here is {found}.")
    library, version = platform.libc_ver()
    if facts.glibc and library == "glibc":
        numbers = tuple(map(int, version.split(".")[:2]))
        if numbers < tuple(facts.glibc):
            wanted = ".".join(map(str, facts.glibc))
            raise Refused(f"This system is too old: its C library is {version}, not {wanted}.")
    elif facts.glibc:
        raise Refused("This system has another C library (not glibc) than the program needs.")


def check_files() -> list[str]:
    """Compares every file of the bundle with its checksum.

    Returns:
        The names of the files, with ``/`` between the parts.
    """
    try:
        lines = (BUNDLE / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise Refused(damaged(["SHA256SUMS"])) from error
    sums = {name: digits for digits, _, name in (line.partition("  ") for line in lines)}
    if bad := [name for name, digits in sums.items() if sha256_of(BUNDLE / name) != digits]:
        raise Refused(damaged(bad))
    return list(sums)


def sha256_of(path: Path) -> str | None:
    """Checksum in hexadecimal digits; None for a file that cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def damaged(names: list[str]) -> str:
    """What to say of files that are not as they were packed."""
    listed = "\n".join(f"  {name}" for name in names[:10])
    return (
        "These files are missing, damaged or were changed since they were packed:\n"
        f"{listed}\nCopy the whole folder again. If that does not help, ask who gave it to you."
    )


def check_folder(folder: Path, facts: Facts) -> Path:
    """The folder, absolute; refuses one in which the program would not fit or not be alone."""
    folder = folder.expanduser().absolute()
    if folder.resolve().is_relative_to(BUNDLE):
        raise Refused("Choose a folder outside the one that you install from.")
    longest = len(str(folder)) + len(SITE) + facts.longest_path
    if ON_WINDOWS and longest > WINDOWS_LONGEST:
        most = len(str(folder)) - (longest - WINDOWS_LONGEST)
        raise Refused(f"The folder's name is too long; take one of at most {most} characters.")
    try:
        held = {path.name for path in folder.iterdir()} if folder.exists() else set()
    except OSError as error:
        raise Refused(f"The folder {folder} cannot be used: {error.strerror}.") from error
    if RECORD not in held and held - OURS:
        raise Refused(f"The folder {folder} holds other things. Name an empty or a new one.")
    disk = next(path for path in (folder, *folder.parents) if path.exists())
    needed = int(facts.installed_bytes * ROOM)
    if (free := shutil.disk_usage(disk).free) < needed:
        raise Refused(
            f"There is too little room: {needed / 1e9:.1f} GB are needed in {folder}, "
            f"{free / 1e9:.1f} GB are free."
        )
    return folder


@contextlib.contextmanager
def new_program(folder: Path) -> Iterator[Path]:
    """A folder for the new program beside the one in use; it goes again when the block fails."""
    in_use = program_in_use(folder)
    program = folder / next(name for name in PROGRAMS if name != in_use)
    try:
        shutil.rmtree(program, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        yield program
    except BaseException as error:
        shutil.rmtree(program, ignore_errors=True)
        with contextlib.suppress(OSError):
            folder.rmdir()  # where nothing else is in it
        if isinstance(error, OSError):
            raise Refused(f"The system says: {error.strerror or error}.") from error
        raise


def program_in_use(folder: Path) -> str | None:
    """Which of `PROGRAMS` the folder's scripts start."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return str(record["program"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def make_program(program: Path, *, pip: Path) -> None:
    """Makes an environment of its own and installs the wheels, each checked by its hash."""
    run([sys.executable, "-I", "-m", "venv", "--without-pip", str(program)])
    run(
        [
            *(str(python_of(program)), "-I", str(pip / "pip"), "install", "--isolated"),
            *("--quiet", "--no-input", "--no-cache-dir", "--disable-pip-version-check"),
            *("--no-index", "--find-links", str(BUNDLE / "wheels"), "--only-binary=:all:"),
            *("--require-hashes", "--requirement", str(BUNDLE / "setup" / "requirements.txt")),
        ]
    )
    shutil.copyfile(BUNDLE / "setup" / "convert_videos.py", program / "convert_videos.py")


def python_of(program: Path) -> Path:
    """The Python of an environment."""
    return program / ("Scripts/python.exe" if ON_WINDOWS else "bin/python")


def run(command: list[str], *, codes: tuple[int, ...] = (0,)) -> str:
    """Runs a command, with no settings of pip or Python from outside; what it wrote to stdout.

    Raises:
        Refused: its exit code is not among ``codes``.
    """
    kept = {k: v for k, v in os.environ.items() if not k.upper().startswith(("PIP_", "PYTHON"))}
    done = subprocess.run(
        command,
        env=kept | {"PIP_CONFIG_FILE": os.devnull},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode not in codes:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise Refused("\n".join(["A step did not succeed. Its last words were:", *lines[-12:]]))
    return done.stdout


def ask(program: Path, *arguments: str, codes: tuple[int, ...] = (0,)) -> dict[str, Any]:
    """Runs a command of the program that lies there; the document that it answers with."""
    answer = run([*vid2kp(program), *arguments, "--json"], codes=codes)
    try:
        document: dict[str, Any] = json.loads(answer)
    except ValueError as error:
        raise Refused(f"The program does not answer as it should: {arguments[0]}.") from error
    return document


def vid2kp(program: Path) -> list[str]:
    """The start of a command line of the program that lies there."""
    return [str(python_of(program)), "-I", "-X", "utf8", "-m", "vid2kp.cli"]


def examine(program: Path) -> str:
    """Asks ``vid2kp doctor``; how fast this computer is, in words."""
    report = ask(program, "doctor", codes=(0, 1))
    checks = report["checks"]
    if not report["ok"]:
        bad = [f"  {one['subject']}: {one['finding']}" for one in checks if one["ok"] is False]
        raise Refused("\n".join(["The program does not work well on this computer:", *bad]))
    speeds = [f"        {one['finding']}" for one in checks if one["subject"].startswith("speed")]
    return "\n".join(["        All is well.", *speeds])


def try_example(program: Path) -> str:
    """Converts the example and has the results proven; what came out, in words."""
    out = program / "self-test" / "results"
    video = BUNDLE / "example" / "video.mp4"
    report = ask(program, "convert", str(video), "-o", str(out))
    statuses = [one["status"] for one in report["videos"]]
    if statuses != ["done"]:
        raise Refused(f"The example video was not converted as it should: {statuses}.")
    links = out.with_name("results.private") / "links.csv"
    ask(program, "verify", str(out), "--links", str(links))
    shutil.rmtree(out.parent)
    frames = report["videos"][0]["frames"]
    return f"        {frames} pictures converted; the results hold nothing but keypoints."


def switch_to(program: Path, folder: Path, facts: Facts) -> None:
    """Makes the folder's scripts start the new program, and removes the old one."""
    shutil.copyfile(BUNDLE / "GUIDE.txt", folder / "GUIDE.txt")
    (folder / "example").mkdir(exist_ok=True)
    shutil.copyfile(BUNDLE / "example" / "video.mp4", folder / "example" / "video.mp4")
    for name, text in scripts(program).items():
        replace(folder / name, text, mode=0o755)
    record = {"version": facts.version, "program": program.name}
    replace(folder / RECORD, json.dumps(record) + "\n", mode=0o644)
    for name in PROGRAMS:
        if name != program.name:
            shutil.rmtree(folder / name, ignore_errors=True)
            if (folder / name).exists():
                say(f"        {folder / name} is in use; the next installation removes it.")


def scripts(program: Path) -> dict[str, str]:
    """What people start, by name: ``convert`` with the files to convert, ``vid2kp`` for the rest.

    They find the program beside themselves, so that the folder's name never stands in them.
    """
    options = shlex.join(vid2kp(program)[1:-2])
    if ON_WINDOWS:
        head = "@echo off\r\nsetlocal EnableExtensions DisableDelayedExpansion\r\n"
        here = f"%~dp0{program.name}\\"
        python = f'"{here}Scripts\\python.exe" {options}'
        wait = 'set "CODE=%ERRORLEVEL%"\r\necho.\r\npause\r\nexit /b %CODE%\r\n'
        return {
            "vid2kp.bat": f"{head}{python} -m vid2kp.cli %*\r\n",
            "convert.bat": f'{head}title vid2kp\r\n{python} "{here}convert_videos.py" %*\r\n{wait}',
        }
    head = '#!/bin/sh\nhere=$(dirname -- "$(readlink -f -- "$0")")\n'
    here = f"$here/{program.name}/"
    python = f'exec "{here}bin/python" {options}'
    return {
        "vid2kp": f'{head}{python} -m vid2kp.cli "$@"\n',
        "convert.sh": f'{head}{python} "{here}convert_videos.py" "$@"\n',
    }


def replace(path: Path, text: str, *, mode: int) -> None:
    """Writes a file in one step: whoever starts it meets the old or the new one, whole."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8", newline="")
    part.chmod(mode)
    part.replace(path)


def what_next(folder: Path) -> str:
    """What to do with it, in plain words."""
    name = "convert.bat" if ON_WINDOWS else "convert.sh"
    how = (
        f"Drop videos, or folders of videos, on {name}"
        if ON_WINDOWS
        else f'Convert videos, or folders of videos, with:  "{folder / name}" VIDEO-OR-FOLDER ...'
    )
    return (
        f"\nvid2kp is installed in {folder}\n\n{how}\n"
        f"To practise, take example{os.sep}video.mp4 of that folder.\n"
        "Everything else is in GUIDE.txt there."
    )


if __name__ == "__main__":
    sys.exit(main())
