"""Where something may be written without harm to the results, and under which name."""

from __future__ import annotations

from pathlib import Path

from vid2kp.errors import UsageError
from vid2kp.tracks.schema import INDEX_FILE, MANIFEST_FILE, TRACKS_FILE


def check_outside_results(out: Path) -> None:
    """Refuses a place inside the folder of a run or a video, and such a folder itself.

    `verify` calls anything foreign there a finding, and it would be one.

    Raises:
        UsageError: it is inside one.
    """
    out = Path(out).resolve()
    for folder in (out, *out.parents):
        is_video = (folder / MANIFEST_FILE).exists() and (folder / TRACKS_FILE).exists()
        if is_video or (folder / INDEX_FILE).exists():
            raise UsageError(
                "The output is inside the folder of results.",
                hint="Choose a place outside, so that the folder can still be verified.",
            )


def check_ending(out: Path, ending: str) -> None:
    """Refuses a name by which other programs would not know what the file is.

    Raises:
        UsageError: it ends otherwise.
    """
    if Path(out).suffix.lower() != ending:
        raise UsageError(f"The name of the output must end in {ending}.")
