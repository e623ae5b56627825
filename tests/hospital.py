"""A hospital's disk with recordings full of needles, and a watched conversion of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dirty import FOLDER
from watched import Watched


@dataclass(frozen=True)
class Scene:
    """A hospital's disk.

    Attributes:
        base: holds everything.
        dirty: recordings with all that recordings can hold.
        canary: the recording whose every frame shows the patch.
        damaged: a recording with damage inside.
        unreadable: called a video, and none.
        model: sees people everywhere, so that there is something to draw.
        key: of the pseudonyms.
    """

    base: Path
    dirty: tuple[Path, ...]
    canary: Path
    damaged: Path
    unreadable: Path
    model: Path
    key: Path

    @property
    def ward(self) -> Path:
        """The folder of the recordings."""
        return self.base / FOLDER

    def convert(self, out: str, *more: str) -> list[str]:
        """Arguments of a conversion of all recordings, from `base`."""
        return [
            "convert", FOLDER, "-o", out, "--model", self.model.name, "--key-file", self.key.name,
            "--device", "cpu", "--jobs", "1", *more,
        ]  # fmt: skip


@dataclass(frozen=True)
class Run:
    """A watched conversion of the whole scene."""

    watched: Watched
    out: Path
    private: Path
