"""Python imports this before anything else, in a watched process and in those it starts.

Every file that is opened for writing, every socket and every program that is started becomes a
line of the log ``WATCH_LOG``. In the process that ``WATCH_FAIL`` names (``parent`` or ``worker``)
opening a recording fails in a way that no code expects.
"""

import json
import os
import sys

_log = os.open(os.environ["WATCH_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
_process = "worker" if "--multiprocessing-fork" in sys.orig_argv else "parent"
_fails = os.environ.get("WATCH_FAIL") == _process
_writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND
_others = {
    "os.mkdir", "os.rename", "os.link", "os.symlink", "os.truncate",
    "subprocess.Popen", "os.system", "os.posix_spawn", "os.exec",
}  # fmt: skip


def _note(event: str, what: object) -> None:
    text = os.fsdecode(what) if isinstance(what, bytes) else str(what)
    os.write(_log, json.dumps([_process, event, text]).encode() + b"\n")


def _watch(event: str, arguments: tuple) -> None:
    if event == "open":
        path, mode, flags = arguments
        if isinstance(path, int):
            return
        if set(mode or "") & set("wxa+") or (flags or 0) & _writing:
            _note(event, path)
        if _fails and "SURNAME" in str(path):
            raise RuntimeError(f"cannot handle {path}")
    elif event.startswith("socket.") or event in _others:
        _note(event, arguments[0] if arguments else "")


_note("watching", sys.argv[:1])
sys.addaudithook(_watch)
