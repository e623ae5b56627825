"""Programs that are watched: every file they write, every byte, every address they ask for.

Two watches that know nothing of each other. ``strace``, where it is there, sees every system call
of every process; an audit hook of Python sees what Python does, in the spawned workers too.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from console import SCRIPT

_CALLS = (
    "open,openat,openat2,creat,mkdir,mkdirat,mknod,mknodat,rename,renameat,renameat2,link,linkat,"
    "symlink,symlinkat,truncate,write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,sendmmsg,"
    "socket,socketpair,connect,bind,memfd_create,mmap,sendfile,splice,tee,vmsplice,"
    "copy_file_range,process_vm_writev,io_uring_setup,shmget"
)

_HOOK = Path(__file__).with_name("audit_hook")


@cache
def has_strace() -> bool:
    """Whether ``strace`` is there and may trace."""
    return _works("strace", "-f", "--seccomp-bpf", "-o", os.devnull, "true")


@cache
def can_unshare() -> bool:
    """Whether a process may be put where there is no network."""
    return _works("unshare", "-rn", "true")


def _works(program: str, *arguments: str) -> bool:
    if shutil.which(program) is None:
        return False
    done = subprocess.run([program, *arguments], capture_output=True, check=False)
    return done.returncode == 0


@dataclass(frozen=True)
class Watched:
    """A finished run of the console script.

    Attributes:
        done: exit code and output.
        events: (process, event, what) of the audit hook; process is ``parent`` or ``worker``.
        calls: lines of strace, texts in hexadecimal; None without strace.
        home: the only folder, beside those given, where it could leave something.
    """

    done: subprocess.CompletedProcess[str]
    events: list[tuple[str, str, str]]
    calls: list[str] | None
    home: Path

    @property
    def said(self) -> str:
        """All that it showed."""
        return self.done.stdout + self.done.stderr

    def opened(self) -> set[Path]:
        """Files that Python opened for writing, and folders that it made."""
        return {Path(what) for _, event, what in self.events if event in ("open", "os.mkdir")}

    def created(self) -> set[Path]:
        """Files and folders that any process created, opened for writing or gave a name."""
        assert self.calls is not None
        found = set()
        for line in self.calls:
            call = re.match(r"\d+ +(\w+)\(", line)
            if call is None or " = -1 " in line:
                continue
            writing = re.search(r"O_WRONLY|O_RDWR|O_CREAT", line)
            if call[1] in ("open", "openat", "openat2") and not writing:
                continue
            if re.match(r"open|creat|mkdir|mknod|rename|link|symlink|truncate", call[1]):
                found |= {Path(os.fsdecode(text)) for text in _texts(line)}
        return found

    def written(self) -> bytes:
        """Every byte that any process handed to the system, whatever became of it."""
        assert self.calls is not None
        writes = re.compile(r"\d+ +(?:p?writev?2?(?:64)?|send\w+)\(")
        return b"\0".join(b"".join(_texts(line)) for line in self.calls if writes.match(line))


def _texts(line: str) -> list[bytes]:
    return [bytes.fromhex(text.replace("\\x", "")) for text in re.findall(r'"((?:\\x..)*)"', line)]


def command(*arguments: str | Path) -> list[str]:
    """The console script with these arguments, where there is no network if that is possible."""
    offline = ["unshare", "-rn"] if can_unshare() else []
    return [*offline, str(SCRIPT), *map(str, arguments)]


def environment(home: Path, **more: str) -> dict[str, str]:
    """An environment with the audit hook, in which all that is left behind lies in ``home``."""
    home.mkdir(exist_ok=True)
    path = os.pathsep.join(filter(None, [str(_HOOK), os.environ.get("PYTHONPATH")]))
    places = dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"), str(home))
    return {
        **os.environ,
        **places,
        "PYTHONPATH": path,
        "PYTHONDONTWRITEBYTECODE": "1",
        "WATCH_LOG": str(_log_of(home)),
        **more,
    }


def events(home: Path) -> list[tuple[str, str, str]]:
    """What the audit hook saw of the processes with that home."""
    lines = _log_of(home).read_text().splitlines()
    return [tuple(json.loads(line)) for line in lines]


def _log_of(home: Path) -> Path:
    return home.with_name(f"{home.name}.events")


def watch(
    *arguments: str | Path, cwd: Path, home: Path, trace: bool = True, **more: str
) -> Watched:
    """Runs the console script to its end under both watches.

    Args:
        arguments: of the script.
        cwd: where it is called.
        home: a folder for whatever it may leave behind.
        trace: use strace if it is there.
        more: environment variables.
    """
    log = home.with_name(f"{home.name}.strace")
    strace = ["strace", "-f", "--seccomp-bpf", "-xx", "-s", "10000000", "-o", str(log)]
    tracing = trace and has_strace()
    done = subprocess.run(
        [*([*strace, "-e", f"trace={_CALLS}"] if tracing else []), *command(*arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=cwd,
        env=environment(home, **more),
        timeout=600,
        check=False,
    )
    calls = log.read_text(errors="replace").splitlines() if tracing else None
    return Watched(done, events(home), calls, home)
