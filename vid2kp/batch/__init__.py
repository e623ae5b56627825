"""Many videos: found, shared among processes, converted, recorded, resumed."""

from vid2kp.batch.discovery import VIDEO_EXTENSIONS, discover
from vid2kp.batch.options import (
    BatchOptions,
    BatchResult,
    Plan,
    Progress,
    ProgressCallback,
    parse_shard,
)
from vid2kp.batch.run import run

__all__ = [
    "VIDEO_EXTENSIONS",
    "BatchOptions",
    "BatchResult",
    "Plan",
    "Progress",
    "ProgressCallback",
    "discover",
    "parse_shard",
    "run",
]
