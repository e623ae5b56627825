"""What the commands end with; docs/cli.md tells it in full."""

from __future__ import annotations

from typing import Final

ALL_DONE: Final = 0
SOME_FAILED: Final = 1
USAGE: Final = 2
NOTHING_DONE: Final = 3
CUT_SHORT: Final = 4
"""The disk is full or may only be read, or a worker is not like the first: the same command goes
on."""
INTERRUPTED: Final = 130
