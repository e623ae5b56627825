"""What deliverables hold whatever the source: the words of the formats and of the program itself.

A folder called ``encrypted`` or ``rotation`` is no trace in a report that says why a video could
not be read, or in a table with that column: the words were there before the video.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from vid2kp.pose.skeleton import SKELETONS
from vid2kp.privacy.manifest import LIBRARIES, Manifest, shaping_libraries
from vid2kp.privacy.reasons import texts_of
from vid2kp.tracks.index import INDEX_SCHEMA
from vid2kp.tracks.schema import FAILURES, FRAMES_SCHEMA, STATES, STATUSES, SUBJECTS, TRACKS_SCHEMA

# Names of folders that say nothing of anybody, and words that a report page may well use.
_EVERYDAY: Final = (
    "archive", "babies", "clips", "clinic", "data", "desktop", "documents", "downloads",
    "export", "films", "frames", "home", "hospital", "import", "infants", "input", "media",
    "movies", "output", "patients", "pictures", "private", "project", "projects", "public",
    "recordings", "results", "scratch", "shared", "source", "storage", "studies", "study",
    "users", "video", "videos", "work",
)  # fmt: skip

# What can put a sentence into a deliverable: reasons, quality, the report.
_SPEAKERS: Final = ("batch", "pose", "render", "tracks", "video", "convert.py", "record.py")
_PAGE: Final = (".html", ".css", ".js")


@cache
def vocabulary() -> bytes:
    """Those words in lower case, one after the other."""
    schemas = (TRACKS_SCHEMA, FRAMES_SCHEMA, INDEX_SCHEMA)
    words = [name for schema in schemas for name in schema.names]
    words += [*STATES, *SUBJECTS, *STATUSES, *FAILURES, "infant", "person", "zstd", *LIBRARIES]
    for skeleton in SKELETONS.values():
        words += [skeleton.name, *skeleton.keypoints]
    blank = Manifest("a" * 26, STATUSES[0], "none", "", "0", libraries=shaping_libraries())
    words += [blank.to_json({}), *_EVERYDAY, "VideoHandler isomiso2avc1mp41 mdirappl und"]
    for name in _SPEAKERS:
        place = files("vid2kp") / name
        words += [part for parts in texts_of(place) for part in parts if part]
        words += _pages(place)
    return "\n".join(words).lower().encode()


def _pages(place: Traversable) -> Iterator[str]:
    """The texts of which the report is made, in a folder or below it."""
    for one in place.iterdir() if place.is_dir() else ():
        yield from _pages(one)
        if one.name.endswith(_PAGE):
            yield one.read_text(encoding="utf-8")
