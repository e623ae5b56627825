"""Tracks in, skeleton video out: the de-identified video, drawn from the Parquet files alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np

from vid2kp.errors import TracksError, UsageError
from vid2kp.files import keep_apart
from vid2kp.pose.framing import View, keypoints_to_network, scaling, translation, whole_frame
from vid2kp.render.drawing import SkeletonPainter, Style
from vid2kp.tracks.load import PosedFrame, iter_frame_sizes, iter_frames, read_tracks_footer
from vid2kp.tracks.schema import INFANT, Footer
from vid2kp.tracks.series import torso_lengths
from vid2kp.tracks.store import Pose
from vid2kp.video.write import SkeletonWriter

SOURCE_SIZE: Final = 0
_LEAST_SIDE: Final = 64
_MARGIN: Final = 0.08


@dataclass(frozen=True)
class RenderOptions:
    """How a skeleton video looks.

    Attributes:
        size: longest side of the canvas in pixels for a 16:9 video; other shapes get the canvas
            of their own shape that fits into it, upright or lying. `SOURCE_SIZE` = the display
            size of the source.
        trail: for how many seconds the paths of wrists and ankles stay visible.
        people: ``all`` in the tracks, those beside the infant dimmed, or the ``infant`` alone.
    """

    size: int = 1280
    trail: float = 0.0
    people: Literal["all", "infant"] = "all"

    def __post_init__(self) -> None:
        if self.size != SOURCE_SIZE and not _LEAST_SIDE <= self.size <= 7680:
            raise UsageError(f"The size of the video must be {_LEAST_SIDE} to 7680 pixels.")
        if not 0 <= self.trail <= 60:
            raise UsageError("The trail must be 0 to 60 seconds long.")
        if self.people not in ("all", "infant"):
            raise UsageError("The people drawn are 'all' or 'infant'.")


def render_video(
    tracks_path: str | Path,
    out: str | Path,
    *,
    frames_path: str | Path | None = None,
    options: RenderOptions | None = None,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Draws the tracks as a video; the same files give the same bytes on one installation.

    Args:
        tracks_path: a tracks file.
        out: the MP4 that appears when all is drawn.
        frames_path: the frames file of the tracks. It is needed only where the size of the
            picture changes within the video; without it every frame has the first one's.
        options: how it looks.
        progress: called after each frame with the number of frames drawn.

    Returns:
        the number of frames.

    Raises:
        TracksError: the files do not follow the schema, or hold no frame.
        UsageError: ``out`` is one of the files that are read.
        OutputError: the video could not be written.
    """
    options = options or RenderOptions()
    keep_apart(Path(out), Path(tracks_path), *([Path(frames_path)] if frames_path else []))
    footer = read_tracks_footer(tracks_path)
    survey = _survey(tracks_path, frames_path, footer)
    placement = _Placement.of(footer, survey, options)
    painter = SkeletonPainter(
        footer.skeleton,
        width=placement.canvas.width,
        height=placement.canvas.height,
        style=Style(
            torso=placement.torso(survey), trail=round(options.trail * (footer.fps or 25.0))
        ),
    )
    drawn = 0
    with SkeletonWriter(Path(out), painter) as writer:
        for posed, size in _sized(tracks_path, frames_path, (footer.width, footer.height)):
            view = placement.view(*size)
            people = {
                name: Pose(keypoints_to_network(view, pose.xy), pose.confidence)
                for name, pose in posed.people.items()
                if options.people == "all" or name == INFANT
            }
            writer.write(posed.time, people)
            drawn += 1
            if progress is not None:
                progress(drawn)
    return drawn


@dataclass(frozen=True)
class _Survey:
    """What must be known of the whole file before the first frame is drawn."""

    torso: float | None  # median torso length of the infant; of frames as large as the first
    low: np.ndarray  # (2,) least x and y of all keypoints
    high: np.ndarray  # (2,) greatest


def _survey(tracks_path: str | Path, frames_path: str | Path | None, footer: Footer) -> _Survey:
    lengths: list[float] = []
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    first = max(footer.width, footer.height)
    frames = 0
    for posed, size in _sized(tracks_path, frames_path, (footer.width, footer.height)):
        frames += 1
        for name, pose in posed.people.items():
            seen = pose.xy[~np.isnan(pose.xy[:, 0])]
            if len(seen):
                low, high = np.minimum(low, seen.min(axis=0)), np.maximum(high, seen.max(axis=0))
            if name == INFANT:
                length = float(torso_lengths(pose.xy[None], footer.skeleton)[0])
                lengths.append(length * first / max(size) if _in_pixels(footer) else length)
    if not frames:
        raise TracksError("The tracks hold no frame.")
    known = [length for length in lengths if not np.isnan(length)]
    return _Survey(float(np.median(known)) if known else None, low, high)


@dataclass(frozen=True)
class _Placement:
    """Where on the canvas the coordinates of the tracks lie."""

    canvas: View  # for frames as large as the first
    first: tuple[int, int] | None  # their size; None where the tracks do not say where they are

    @classmethod
    def of(cls, footer: Footer, survey: _Survey, options: RenderOptions) -> _Placement:
        size = _longest_side(footer.width, footer.height, options.size)
        frame = whole_frame(footer.width, footer.height, size=size, multiple=2)
        if _in_pixels(footer):
            return cls(frame, (footer.width, footer.height))
        return cls(_fit(survey, frame.width, frame.height), None)

    def view(self, width: int, height: int) -> View:
        """The map onto the canvas for a frame of that display size."""
        if self.first is None or self.first == (width, height):
            return self.canvas
        across, down = self.canvas.width, self.canvas.height
        size = min(across / width, down / height) * max(width, height)
        own = whole_frame(width, height, size=round(size), multiple=1)
        shift = translation((across - own.width) / 2, (down - own.height) / 2)
        return View(across, down, shift @ own.network_from_display)

    def torso(self, survey: _Survey) -> float:
        """The usual torso length in canvas pixels, kept within what looks well."""
        side = min(self.canvas.width, self.canvas.height)
        length = 0.25 * side if survey.torso is None else survey.torso * self.canvas.scale
        return float(np.clip(length, 0.06 * side, 0.5 * side))


def _longest_side(width: int, height: int, size: int) -> int:
    if size == SOURCE_SIZE:
        return max(width, height, _LEAST_SIDE)
    longest, shortest = max(width, height), min(width, height)
    scale = min(size / longest, size * 9 / 16 / shortest)
    return max(2 * round(scale * longest / 2), _LEAST_SIDE)


def _fit(survey: _Survey, width: int, height: int) -> View:
    """The canvas around all keypoints, for tracks that say nothing of where the picture was."""
    low, high = survey.low, survey.high
    if not np.isfinite(low).all():
        low, high = np.array([-1.0, -1.0]), np.array([1.0, 1.0])
    room = np.maximum(high - low, 1e-6)
    scale = float(min(np.array([width, height]) * (1 - 2 * _MARGIN) / room))
    x, y = (low + high) / 2
    middle = translation((width - 1) / 2, (height - 1) / 2)
    return View(width, height, middle @ scaling(scale, scale) @ translation(-x, -y))


def _in_pixels(footer: Footer) -> bool:
    return footer.position_unit == "px" and footer.point_of_reference == "top_left"


def _sized(
    tracks_path: str | Path, frames_path: str | Path | None, size: tuple[int, int]
) -> Iterator[tuple[PosedFrame, tuple[int, int]]]:
    """Each frame with the width and height of its display picture."""
    changes = iter_frame_sizes(frames_path) if frames_path is not None else iter(())
    change = next(changes, None)
    for posed in iter_frames(tracks_path):
        while change is not None and change.frame <= posed.frame:
            size = (change.width, change.height)
            change = next(changes, None)
        yield posed, size
