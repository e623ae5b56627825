"""Damaged copies by the hundred: no hang, no crash, the same result every time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "fuzz_ingest.py"


@pytest.mark.skipif(sys.platform == "win32", reason="limits are POSIX")
@pytest.mark.parametrize(
    ("copies", "converted"),
    [(60, 10), pytest.param(1000, 100, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])],
)
def test_damaged_copies_never_hang_crash_differ_or_leave_parts(copies: int, converted: int) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--copies", str(copies), "--convert", str(converted)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["outcomes"] == {"read": copies}
    assert report["differing"] == []
    # The faults do bite, and do not make everything unreadable.
    assert {"damaged", "truncated", "unreadable", "done"} <= set(report["statuses"])
    assert report["converted"]["wrong"] == []
    assert report["converted"]["delivered"] > 0
    assert sum(report["converted"]["statuses"].values()) == converted
