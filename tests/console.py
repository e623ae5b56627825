"""The real console script, as a user runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from vid2kp.cli.__main__ import main

SCRIPT = Path(sys.executable).with_name("vid2kp.exe" if os.name == "nt" else "vid2kp")


def vid2kp(
    *arguments: str | Path, timeout: float = 240, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """The finished run of ``vid2kp`` with these arguments; its output is text, not a terminal."""
    return subprocess.run(
        [str(SCRIPT), *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout,
        cwd=cwd,
        check=False,
    )


def vid2kp_here(
    capsys: pytest.CaptureFixture[str], *arguments: str | Path
) -> subprocess.CompletedProcess[str]:
    """The same within this process, which has loaded everything already."""
    capsys.readouterr()
    handler = signal.getsignal(signal.SIGTERM)
    hooks = threading.excepthook, sys.unraisablehook
    try:
        code = main([*map(str, arguments)])
    finally:
        signal.signal(signal.SIGTERM, handler)
        threading.excepthook, sys.unraisablehook = hooks
    said = capsys.readouterr()
    return subprocess.CompletedProcess(arguments, code, said.out, said.err)
