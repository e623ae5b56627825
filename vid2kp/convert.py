"""The spine: one video in, its deliverables out, readable top to bottom.

Two passes. The first reads the video once and puts everybody's keypoints into a spool of numbers;
who the infant is can be said only when the whole video was seen. The second writes tracks and
frames from the spool, and draws the skeleton video from the tracks. No pixel of the source gets
further than the first pass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

import vid2kp
from vid2kp.ahead import run_ahead
from vid2kp.files import replacing_folder
from vid2kp.privacy.manifest import Manifest, write_manifest
from vid2kp.render.skeleton_video import RenderOptions, render_video
from vid2kp.tracks.footer import Footer, Scalar, Step
from vid2kp.tracks.schema import (
    FRAMES_FILE,
    INFANT,
    TRACKS_FILE,
    VIDEO_FILE,
    individual_name,
)
from vid2kp.tracks.spool import Spool, SpooledFrame
from vid2kp.tracks.store import FramesWriter, Pose, TracksWriter
from vid2kp.video.read import Frame, ReadOptions, ReadSummary, VideoReader, read_video

if TYPE_CHECKING:
    from vid2kp.pose.choose import Choice
    from vid2kp.pose.estimate import Estimator, Precision

Status = Literal["done", "truncated", "damaged", "no_infant", "ambiguous", "unreadable", "failed"]

_NOBODY = 0.95  # of the frames without the infant: the video shows none
_UNSURE = 0.2  # of the frames with a rival: ambiguous
_RENDER = RenderOptions()
_LIBRARIES = ("av", "numpy", "opencv-python-headless", "pyarrow", "torch")


@dataclass(frozen=True, kw_only=True)
class ConvertOptions:
    """What a conversion shall do; the effective options go into the manifest.

    Attributes:
        model: name of a shipped model, or the path of a model file.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:i``.
        precision: ``auto``, ``fp32``, ``bf16`` or ``fp16``.
        batch_size: pictures looked at together; None for what suits the device.
        people: the ``infant`` alone, or ``all``.
        zoom: ``auto`` crops to the infant, ``off`` always looks at the whole frame, as is done for
            everybody when ``people`` is ``all``.
        start: seconds after the first frame at which to begin.
        duration: seconds to convert; None for all.
        video: draw the skeleton video.
    """

    model: str = "infant-lite"
    device: str = "auto"
    precision: Precision = "auto"
    batch_size: int | None = None
    people: Literal["infant", "all"] = "infant"
    zoom: Literal["auto", "off"] = "auto"
    start: float = 0.0
    duration: float | None = None
    video: bool = True

    @property
    def zooms(self) -> bool:
        """Whether the view follows the infant; a crop to it would hide the others."""
        return self.zoom == "auto" and self.people == "infant"


@dataclass(frozen=True)
class VideoResult:
    """What became of one video; holds nothing that could identify the source.

    Attributes:
        pseudonym: its name among the deliverables.
        status: see docs/cli.md.
        reason: why the status is not ``done``, in plain words.
        frames: rows of the frame table.
        seconds: time of the last frame after the first.
        found: share of the frames in which the infant was seen, 0 to 1.
        completeness: share of the infant's keypoints found in those frames, 0 to 1.
        folder: where the deliverables are; None when there are none.
    """

    pseudonym: str
    status: Status
    reason: str
    frames: int = 0
    seconds: float = 0.0
    found: float = 0.0
    completeness: float = 0.0
    folder: Path | None = None

    @property
    def tracks_path(self) -> Path | None:
        """The tracks file; None when there is none."""
        return None if self.folder is None else self.folder / TRACKS_FILE


def make_estimator(options: ConvertOptions) -> Estimator:
    """The network that the options ask for, ready to work.

    Raises:
        ModelError: the model is missing or damaged.
        UsageError: no such device or precision.
    """
    from vid2kp.pose.estimate import Estimator
    from vid2kp.pose.weights import load_model

    return Estimator(
        load_model(options.model),
        device=options.device,
        precision=options.precision,
        batch_size="auto" if options.batch_size is None else options.batch_size,
    )


def convert_video(
    source: Path,
    folder: Path,
    *,
    pseudonym: str,
    estimator: Estimator,
    options: ConvertOptions,
    key_id: str | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> VideoResult:
    """Converts one video; the folder appears when all its deliverables are complete.

    Args:
        source: the video file.
        folder: of its deliverables; an older one is replaced.
        pseudonym: the video's name from here on.
        estimator: from `make_estimator`; may serve many videos.
        options: what to do.
        key_id: of the key that the pseudonym was derived from, None for a random one.
        progress: called with (frames read, frames expected or None), and over and over with the
            same numbers while the deliverables are written: a sign of life.

    Raises:
        UnreadableVideo: nothing in the file can be decoded as video.
        OutputError: the deliverables cannot be written.
    """
    with replacing_folder(folder) as part, Spool(part, keypoints=len(estimator.skeleton)) as spool:
        first = read_video(
            source,
            lambda reader: _watch(reader, spool, estimator, options, progress),
            options=ReadOptions(start=options.start, duration=options.duration),
        )
        footer = _footer(first, estimator)
        frames = first.summary.frames

        def alive(done: int) -> None:
            if progress:
                progress(frames, frames)

        counts = _write_tracks(part, spool, first, footer, options, alive)
        if options.video:
            render_video(
                part / TRACKS_FILE,
                part / VIDEO_FILE,
                frames_path=part / FRAMES_FILE,
                options=_RENDER,
                progress=alive,
            )
        result = _result(pseudonym, folder, first, counts)
        write_manifest(part, _manifest(result, first, counts, estimator, options, key_id))
    return result


@dataclass(frozen=True)
class _FirstPass:
    """What reading the video once has shown."""

    reader: VideoReader
    summary: ReadSummary
    choice: Choice
    size: tuple[int, int]
    crops: int


@dataclass
class _Counts:
    """Sums over the second pass."""

    frames: int = 0
    last_time: float = 0.0
    infant: int = 0
    ambiguous: int = 0
    keypoints: float = 0.0


def _watch(
    reader: VideoReader,
    spool: Spool,
    estimator: Estimator,
    options: ConvertOptions,
    progress: Callable[[int, int | None], None] | None,
) -> _FirstPass:
    """First pass: everybody's keypoints into the spool."""
    from vid2kp.pose.watch import Watcher, sample_decoded

    spool.clear()
    watcher: Watcher[Frame] = Watcher(estimator, sample_decoded, zoom=options.zooms)
    size = (0, 0)
    with run_ahead(reader.frames()) as frames:
        for seen in watcher.watch(frames):
            frame, tracked = seen.frame, seen.tracked
            size = size if frame.index else (frame.width, frame.height)
            spool.write(
                SpooledFrame(
                    frame=frame.index,
                    time=frame.time,
                    pts=frame.pts,
                    width=frame.width,
                    height=frame.height,
                    suspect=frame.suspect,
                    identities=tracked.identities,
                    keypoints=tracked.people.keypoints,
                    confidence=tracked.people.confidence,
                )
            )
            if progress:
                progress(frame.index + 1, reader.info.header_frames)
    return _FirstPass(reader, reader.summary, watcher.choice(), size, watcher.zoom.moves)


def _write_tracks(
    folder: Path,
    spool: Spool,
    first: _FirstPass,
    footer: Footer,
    options: ConvertOptions,
    progress: Callable[[int], None],
) -> _Counts:
    """Second pass: tracks and frames, with everybody's final name."""
    counts = _Counts()
    with (
        TracksWriter(folder / TRACKS_FILE, footer.skeleton) as tracks,
        FramesWriter(folder / FRAMES_FILE) as frames,
    ):
        for spooled in spool.frames():
            poses = _named(spooled, first.choice)
            subject = first.choice.subject(spooled.identities)
            tracks.write(
                spooled.frame,
                spooled.time,
                poses
                if options.people == "all"
                else {k: v for k, v in poses.items() if k == INFANT},
            )
            frames.write(
                spooled.frame,
                spooled.time,
                pts=spooled.pts,
                width=spooled.width,
                height=spooled.height,
                suspect=spooled.suspect,
                people=len(spooled.identities),
                subject=subject,
            )
            counts.frames += 1
            progress(counts.frames)
            counts.last_time = spooled.time
            counts.ambiguous += subject == "ambiguous"
            if INFANT in poses:
                counts.infant += 1
                counts.keypoints += float(np.isfinite(poses[INFANT].confidence).mean())
        tracks.finish(footer)
        frames.finish(footer)
    return counts


def _named(spooled: SpooledFrame, choice: Choice) -> dict[str, Pose]:
    """Poses of one frame by the individual's name."""
    poses = {}
    for i, identity in enumerate(spooled.identities):
        place = choice.person_of(identity)
        if place is not None:
            poses[individual_name(place)] = Pose(spooled.keypoints[i], spooled.confidence[i])
    return poses


def _footer(first: _FirstPass, estimator: Estimator) -> Footer:
    info, summary = first.reader.info, first.summary
    return Footer(
        skeleton=estimator.skeleton,
        width=first.size[0],
        height=first.size[1],
        fps=summary.fps,
        vfr=summary.vfr,
        rotation_applied=info.rotation,
        mirrored=info.mirrored,
        time_source=summary.time_source,
        model_name=estimator.card.name,
        model_sha256=estimator.card.sha256,
        tool_version=vid2kp.__version__,
        processing=(Step("estimate", {"precision": estimator.precision}),),
    )


def _result(pseudonym: str, folder: Path, first: _FirstPass, counts: _Counts) -> VideoResult:
    """Status and reason, the gravest finding first."""
    frames = max(counts.frames, 1)
    found = counts.infant / frames
    status: Status = "done"
    reason = ""
    unsure = counts.ambiguous / frames
    if found < 1 - _NOBODY:
        status, reason = "no_infant", f"The infant is seen in {found:.0%} of the frames."
    elif first.summary.status == "truncated":
        status, reason = "truncated", "The file is cut; the tracks end where it ends."
    elif first.summary.status == "damaged":
        status = "damaged"
        reason = f"{first.summary.suspect_frames} frames near damaged data are marked suspect."
    elif unsure > _UNSURE:
        status = "ambiguous"
        reason = f"In {unsure:.0%} of the frames somebody else might be the infant as well."
    return VideoResult(
        pseudonym=pseudonym,
        status=status,
        reason=reason,
        frames=counts.frames,
        seconds=counts.last_time,
        found=found,
        completeness=counts.keypoints / counts.infant if counts.infant else 0.0,
        folder=folder,
    )


def _manifest(
    result: VideoResult,
    first: _FirstPass,
    counts: _Counts,
    estimator: Estimator,
    options: ConvertOptions,
    key_id: str | None,
) -> Manifest:
    effective: dict[str, Scalar] = {
        "people": options.people,
        "precision": estimator.precision,
        "start": options.start,
        "video": options.video,
        "zoom": "auto" if options.zooms else "off",
    }
    if options.duration is not None:
        effective["duration"] = options.duration
    return Manifest(
        pseudonym=result.pseudonym,
        status=result.status,
        reason=f"{result.reason} {first.choice.reason}".strip(),
        model_name=estimator.card.name,
        model_sha256=estimator.card.sha256,
        tool_version=vid2kp.__version__,
        counts={
            "frames": counts.frames,
            "frames_with_infant": counts.infant,
            "frames_ambiguous": counts.ambiguous,
            "frames_suspect": first.summary.suspect_frames,
            "frames_lost": first.summary.lost_frames,
            "people": len(first.choice.people),
            "crop_changes": first.crops,
        },
        options=effective,
        render=asdict(_RENDER) if options.video else {},
        libraries={name: version(name) for name in _LIBRARIES},
        key_id=key_id,
    )
