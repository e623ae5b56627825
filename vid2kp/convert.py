"""The spine: one video in, its deliverables out, readable top to bottom.

Two passes. The first reads the video once and puts everybody's keypoints into a spool of numbers;
who the infant is can be said only when the whole video was seen. The second writes tracks and
frames from the spool, and draws the skeleton video from the tracks. No pixel of the source gets
further than the first pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vid2kp.ahead import run_ahead
from vid2kp.files import replacing_folder
from vid2kp.privacy.manifest import OPTIONS, write_manifest
from vid2kp.privacy.profile import Body, Concealer, Profile, TicksFromZero
from vid2kp.record import Counts, FirstPass, Status, footer_of, judge, manifest_of
from vid2kp.render.skeleton_video import RenderOptions, render_video
from vid2kp.tracks.clean import clean_tracks
from vid2kp.tracks.footer import Footer, Scalar
from vid2kp.tracks.quality import look_reasons, measure_quality
from vid2kp.tracks.schema import (
    CLEAN_FILE,
    FRAMES_FILE,
    INFANT,
    TRACKS_FILE,
    VIDEO_FILE,
    individual_name,
    swapped_word,
)
from vid2kp.tracks.series import read_series
from vid2kp.tracks.spool import Spool, SpooledFrame
from vid2kp.tracks.store import FramesWriter, Pose, TracksWriter
from vid2kp.video.read import Frame, ReadOptions, VideoReader, read_video

if TYPE_CHECKING:
    from vid2kp.pose.choose import Choice
    from vid2kp.pose.estimate import Estimator, Precision
    from vid2kp.pose.framing import View

_RENDER = RenderOptions()


@dataclass(frozen=True, kw_only=True)
class ConvertOptions:
    """What a conversion shall do; the effective options go into the manifest.

    Attributes:
        model: name of a shipped model, or the path of a model file.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:i``.
        precision: ``auto``, ``fp32``, ``bf16`` or ``fp16``.
        batch_size: pictures looked at together; None for what suits the device.
        people: the ``infant`` alone, or ``all``.
        rotate: counter-clockwise degrees by which pictures are turned for the network; ``auto``
            for what puts the infant's head up. Tracks are those of the picture as it is shown.
        zoom: ``auto`` crops to the infant, ``off`` always looks at the whole frame, as is done for
            everybody when ``people`` is ``all``.
        start: seconds after the first frame at which to begin.
        duration: seconds to convert; None for all.
        video: draw the skeleton video.
        clean: also write the clean product, with the defaults of `CleanOptions`.
        drop_face: give no eyes and ears; see `vid2kp.privacy.profile.Profile` for these three.
        normalise: give positions in torso lengths, not in pixels of the picture.
        relative_only: give positions from the infant's mid hip, not from the picture's corner.

    Raises:
        UsageError: the start or the duration is no time.
    """

    model: str = "infant-lite"
    device: str = "auto"
    precision: Precision = "auto"
    batch_size: int | None = None
    people: Literal["infant", "all"] = "infant"
    zoom: Literal["auto", "off"] = "auto"
    rotate: Literal["auto", "0", "90", "180", "270"] = "auto"
    start: float = 0.0
    duration: float | None = None
    video: bool = True
    clean: bool = False
    drop_face: bool = False
    normalise: bool = False
    relative_only: bool = False

    def __post_init__(self) -> None:
        _ = self.reading  # refuses what is no time

    @property
    def reading(self) -> ReadOptions:
        """Which part of the video is read."""
        return ReadOptions(start=self.start, duration=self.duration)

    @property
    def profile(self) -> Profile:
        """What is held back beside the picture."""
        return Profile(
            drop_face=self.drop_face, normalise=self.normalise, relative_only=self.relative_only
        )

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
        quality: its numbers by column of the index, see `vid2kp.tracks.quality`.
    """

    pseudonym: str
    status: Status
    reason: str
    frames: int = 0
    seconds: float = 0.0
    found: float = 0.0
    completeness: float = 0.0
    folder: Path | None = None
    quality: Mapping[str, float | None] = field(default_factory=dict)

    @property
    def tracks_path(self) -> Path | None:
        """The tracks file; None when there is none."""
        return None if self.folder is None else self.folder / TRACKS_FILE

    @property
    def look(self) -> dict[str, str]:
        """Why somebody should look at it, apart from the status: words by the name of the rule."""
        names = ("status", "found", "frames", "seconds")
        return look_reasons({name: getattr(self, name) for name in names} | dict(self.quality))


def make_estimator(options: ConvertOptions) -> Estimator:
    """The network that the options ask for, ready to work.

    Raises:
        ModelError: the model is missing or damaged.
        UsageError: no such device or precision, or the model does not find what the privacy
            options measure by.
    """
    from vid2kp.pose.estimate import Estimator
    from vid2kp.pose.weights import load_model

    estimator = Estimator(
        load_model(options.model),
        device=options.device,
        precision=options.precision,
        batch_size="auto" if options.batch_size is None else options.batch_size,
    )
    options.profile.check(estimator.skeleton)
    return estimator


def convert_video(
    source: Path,
    folder: Path,
    *,
    pseudonym: str,
    estimator: Estimator,
    options: ConvertOptions,
    key_id: str | None = None,
    progress: Callable[[int, int | None], None] | None = None,
    replacing: Callable[[Path], AbstractContextManager[Path]] = replacing_folder,
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
        replacing: gives the folder to write to, see `replacing_folder`.

    Raises:
        UnreadableVideo: nothing in the file can be decoded as video.
        OutputError: the deliverables cannot be written.
    """
    with replacing(folder) as part, Spool(part, keypoints=len(estimator.skeleton)) as spool:
        first = read_video(
            source,
            lambda reader: _watch(reader, spool, estimator, options, progress),
            options=options.reading,
        )
        footer = footer_of(first, estimator, options.profile)
        frames = first.summary.frames

        def alive(done: int) -> None:
            if progress:
                progress(frames, frames)

        counts = _write_tracks(part, spool, first, footer, options, alive)
        if options.clean:
            clean_tracks(part / TRACKS_FILE, part / CLEAN_FILE, progress=lambda: alive(0))
        if options.video:
            render_video(
                part / TRACKS_FILE,
                part / VIDEO_FILE,
                frames_path=part / FRAMES_FILE,
                options=_RENDER,
                progress=alive,
            )
        status, reason = judge(first.summary, counts)
        manifest = manifest_of(
            pseudonym,
            status,
            reason,
            first=first,
            counts=counts,
            estimator=estimator,
            profile=options.profile,
            options=_effective(options, estimator),
            render=asdict(_RENDER) if options.video else {},
            key_id=key_id,
        )
        write_manifest(part, manifest)
        quality = measure_quality(read_series(part / TRACKS_FILE, part / FRAMES_FILE))
    return VideoResult(
        pseudonym=pseudonym,
        status=status,
        reason=reason,
        frames=counts.frames,
        seconds=counts.last_time,
        found=counts.found,
        completeness=counts.completeness,
        folder=folder,
        quality=quality,
    )


def _watch(
    reader: VideoReader,
    spool: Spool,
    estimator: Estimator,
    options: ConvertOptions,
    progress: Callable[[int, int | None], None] | None,
) -> FirstPass:
    """First pass: everybody's keypoints into the spool."""
    from vid2kp.pose.find import sample_decoded
    from vid2kp.pose.watch import Watcher

    spool.clear()
    rotation = None if options.rotate == "auto" else int(options.rotate)
    watcher: Watcher[Frame] = Watcher(
        estimator, sample_decoded, zoom=options.zooms, rotation=rotation
    )
    size = (0, 0)

    def skipped() -> None:
        if progress:
            progress(0, reader.info.header_frames)

    with run_ahead(reader.frames(skipped=skipped)) as frames:
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
                    view=None if frame.planes is None else _view_box(seen.view),
                    rotation=round(seen.view.rotation),
                    identities=tracked.identities,
                    keypoints=tracked.people.keypoints,
                    confidence=tracked.people.confidence,
                )
            )
            if progress:
                progress(frame.index + 1, reader.info.header_frames)
    return FirstPass(
        reader,
        reader.summary,
        watcher.choice(),
        watcher.company(),
        size,
        crops=watcher.zoom.moves,
        turns=watcher.direction.moves,
        rotation=watcher.direction.rotation,
    )


def _view_box(view: View) -> tuple[float, float, float, float]:
    """Left, top, width and height of what a view shows, display pixels."""
    x0, y0, x1, y1 = view.box
    return x0, y0, x1 - x0, y1 - y0


def _write_tracks(
    folder: Path,
    spool: Spool,
    first: FirstPass,
    footer: Footer,
    options: ConvertOptions,
    progress: Callable[[int], None],
) -> Counts:
    """Second pass: tracks and frames, with everybody's final name."""
    from vid2kp.pose.swaps import SideWatch

    counts, sides = Counts(), SideWatch(footer.skeleton)
    concealer = Concealer(options.profile, footer.skeleton, _body(spool, first, footer, options))
    clock = TicksFromZero(first.reader.info.time_base, is_usable=footer.time_source == "pts")
    with (
        TracksWriter(folder / TRACKS_FILE, footer.skeleton) as tracks,
        FramesWriter(folder / FRAMES_FILE) as frames,
    ):
        for spooled in spool.frames():
            poses = _named(spooled, first.choice)
            infant = poses.get(INFANT)
            swapped = sides.update(spooled.time, infant.xy) if infant else []
            nearby = first.company.at(spooled.frame)
            subject = first.choice.subject((*spooled.identities, *nearby))
            told = concealer.apply(poses, scale=_scale(spooled, footer))
            tracks.write(
                spooled.frame,
                spooled.time,
                told if options.people == "all" else {k: v for k, v in told.items() if k == INFANT},
            )
            frames.write(
                spooled.frame,
                spooled.time,
                pts=clock.since_start(spooled.pts, spooled.time),
                width=spooled.width,
                height=spooled.height,
                suspect=spooled.suspect,
                people=len(spooled.identities) + first.company.out_of_view(spooled.frame),
                subject=subject,
                view=None if options.profile.hides_place else spooled.view,
                rotation=spooled.rotation,
                swapped=swapped_word(footer.skeleton, swapped),
            )
            counts.add(
                spooled.time,
                infant=infant and concealer.kept_of(infant),
                ambiguous=subject == "ambiguous",
                swapped=bool(swapped),
            )
            progress(counts.frames)
        tracks.finish(footer)
        frames.finish(footer)
    return counts


def _body(spool: Spool, first: FirstPass, footer: Footer, options: ConvertOptions) -> Body | None:
    """The infant's measures over the whole video, where positions are to be in its lengths."""
    if not options.normalise:
        return None
    frames = ((_named(one, first.choice).get(INFANT), one) for one in spool.frames())
    poses = (
        Pose(pose.xy * _scale(one, footer), pose.confidence)
        for pose, one in frames
        if pose is not None
    )
    return Body.of(poses, footer.skeleton)


def _scale(frame: SpooledFrame, footer: Footer) -> float:
    """Longest side of the first picture in parts of this one's."""
    return max(footer.width, footer.height) / max(frame.width, frame.height)


def _named(spooled: SpooledFrame, choice: Choice) -> dict[str, Pose]:
    """Poses of one frame by the individual's name."""
    poses = {}
    for i, identity in enumerate(spooled.identities):
        place = choice.person_of(identity)
        if place is not None:
            poses[individual_name(place)] = Pose(spooled.keypoints[i], spooled.confidence[i])
    return poses


def _effective(options: ConvertOptions, estimator: Estimator) -> dict[str, Scalar]:
    """The options that can change a deliverable, for the manifest."""
    effective = {name: value for name, value in asdict(options).items() if name in OPTIONS}
    effective |= {"precision": estimator.precision, "zoom": "auto" if options.zooms else "off"}
    return {name: value for name, value in sorted(effective.items()) if value is not None}
