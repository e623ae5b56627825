"""What the command line does, for programs: the function behind `vid2kp.convert`."""

from __future__ import annotations

import os

from vid2kp.batch.options import BatchOptions
from vid2kp.batch.run import run
from vid2kp.convert import ConvertOptions, VideoResult


def convert(
    video: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    options: ConvertOptions | None = None,
    overwrite: bool = False,
) -> VideoResult:
    """Convert one video, as ``vid2kp convert VIDEO -o OUT`` does, but without a report.

    A report is about a whole run: `vid2kp.write_report` makes it when all videos are done.

    The work is done in a process of its own, so a script must guard the call with
    ``if __name__ == "__main__":``. A video that was finished before is not converted again.

    Args:
        video: the video file.
        out: the output folder; made if missing. ``OUT.private`` appears beside it.
        options: what to do.
        overwrite: convert it again.

    Returns:
        what came of it: status, reason, counts, and where tracks and video are. A video that
        cannot be converted is a result too, with the status ``unreadable`` or ``failed``.

    Raises:
        UsageError: there is no such file, model or device, or the folder cannot be used.
        KeyboardInterrupt: it was interrupted.
    """
    batch = BatchOptions(jobs=1, overwrite=overwrite, report=False)
    results = run([video], out, options=options, batch=batch).results
    if not results:
        raise KeyboardInterrupt
    return results[0]
