"""Raw tracks to a second, clean product: sides put right, outliers dropped, smoothed, gaps filled.

The raw file is only read. Every sample that is not as it was seen says so in ``state``, and the
footer lists the steps and their parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from vid2kp.errors import TracksError, UsageError
from vid2kp.files import keep_apart
from vid2kp.tracks.footer import Footer, Step
from vid2kp.tracks.load import iter_frames, load_frames, read_tracks_footer
from vid2kp.tracks.outliers import FASTEST, LEAST, LONGEST, TIMES_USUAL
from vid2kp.tracks.repair import (
    Samples,
    drop_outliers,
    exchange_sides,
    fill_gaps,
    smooth_samples,
)
from vid2kp.tracks.schema import FRAMES_FILE, INFANT, MISSING, STATES, swapped_pairs
from vid2kp.tracks.smooth import half_gain
from vid2kp.tracks.store import Pose, TracksWriter


@dataclass(frozen=True, kw_only=True)
class CleanOptions:
    """What cleaning shall do.

    Attributes:
        passband: hertz; movement up to this frequency keeps at least 95 % of its size. 0 for no
            smoothing. The default keeps fidgety movements whole.
        longest_gap: seconds; longer gaps stay empty. 0 fills none.
        swaps: put keypoints back whose left and right were exchanged, where the frames file says
            so.
        outliers: drop samples that are somewhere else for an instant (`vid2kp.tracks.outliers`).
    """

    passband: float = 6.0
    longest_gap: float = 0.2
    swaps: bool = True
    outliers: bool = True

    def __post_init__(self) -> None:
        if self.passband != 0 and not 0.1 <= self.passband <= 100:
            raise UsageError("The pass band ends at 0.1 to 100 Hz, or is 0 for no smoothing.")
        if not 0 <= self.longest_gap <= 10:
            raise UsageError("The longest gap to fill is 0 to 10 seconds long.")


@dataclass(frozen=True)
class CleanSummary:
    """How many samples of all individuals came out in which state.

    Attributes:
        frames: of the file.
        observed: as they were seen: nothing near to smooth them with.
        smoothed: moved by smoothing.
        interpolated: filled in; they have no confidence.
        swapped: exchanged with the other side, and smoothed with the rest.
        missing: still missing.
        outliers: were dropped; they are among the missing or, filled in, the interpolated ones.
    """

    frames: int
    observed: int
    smoothed: int
    interpolated: int
    swapped: int
    missing: int
    outliers: int


def clean_tracks(
    tracks_path: str | Path,
    out: str | Path,
    *,
    frames_path: str | Path | None = None,
    options: CleanOptions | None = None,
    progress: Callable[[], None] | None = None,
) -> CleanSummary:
    """Writes the clean product of a tracks file; the same file gives the same bytes.

    The whole video is held as numbers: about 300 bytes per frame and individual, so an hour at
    25 frames per second takes 30 MB, and some 2 kB per frame while one keypoint is smoothed.

    Args:
        tracks_path: a raw tracks file.
        out: the file that appears when all is done.
        frames_path: its frames file; by default ``frames.parquet`` beside it, if it is there.
            Without one no sides are exchanged and the picture is taken to keep its size.
        options: what to do.
        progress: called now and then: a sign of life.

    Returns:
        what became of the samples.

    Raises:
        TracksError: the files do not follow the schema, or are clean already.
        UsageError: ``out`` is one of the files that are read.
        OutputError: the file could not be written.
    """
    options = options or CleanOptions()
    alive = progress or (lambda: None)
    footer = read_tracks_footer(tracks_path)
    if footer.product != "raw":
        raise TracksError("The tracks are clean already.", hint="Give the raw tracks file.")
    beside = Path(tracks_path).with_name(FRAMES_FILE)
    wanted = Path(frames_path) if frames_path else beside
    keep_apart(Path(out), Path(tracks_path), wanted)
    rows = load_frames(wanted) if frames_path or beside.exists() else None
    frames, times, people = _read(tracks_path)
    if rows is not None and not np.array_equal(rows["frame"].to_numpy(), frames):
        raise TracksError("Tracks and frames tell of different frames.")
    breaks = np.zeros(len(frames), dtype=int) if rows is None else _breaks(rows)
    if rows is not None and options.swaps and INFANT in people:
        exchange_sides(people[INFANT], _swapped(rows, footer))
    outliers = 0
    for samples in people.values():
        here = slice(samples.start, samples.start + len(samples))
        if options.outliers:
            outliers += drop_outliers(
                samples, times[here], breaks[here], footer.skeleton, alive=alive
            )
        if options.passband:
            smooth_samples(
                samples, times[here], breaks[here], passband=options.passband, alive=alive
            )
        fill_gaps(samples, times[here], breaks[here], longest_gap=options.longest_gap)
    with TracksWriter(Path(out), footer.skeleton) as writer:
        for i, (frame, time) in enumerate(zip(frames, times, strict=True)):
            writer.write(int(frame), float(time), dict(_poses(people, i)))
            alive()
        writer.finish(_clean_footer(footer, options, knows_swaps=rows is not None))
    return _summary(len(frames), people, outliers)


def _read(path: str | Path) -> tuple[np.ndarray, np.ndarray, dict[str, Samples]]:
    """(F,) frame numbers, (F,) times, and everybody's samples."""
    frames: list[int] = []
    times: list[float] = []
    poses: dict[str, list[tuple[int, Pose]]] = {}
    for i, posed in enumerate(iter_frames(path)):
        frames.append(posed.frame)
        times.append(posed.time)
        for name, pose in posed.people.items():
            poses.setdefault(name, []).append((i, pose))
    return (
        np.array(frames, dtype=np.int32),
        np.array(times, dtype=np.float64),
        {name: _samples(seen) for name, seen in poses.items()},
    )


def _samples(seen: list[tuple[int, Pose]]) -> Samples:
    start, end = seen[0][0], seen[-1][0] + 1
    count = len(seen[0][1].confidence)
    rows = np.array([i - start for i, _ in seen])
    there = np.zeros(end - start, dtype=bool)
    there[rows] = True
    xy = np.full((end - start, count, 2), np.nan, dtype=np.float32)
    confidence = np.full((end - start, count), np.nan, dtype=np.float32)
    state = np.full((end - start, count), STATES.index(MISSING), dtype=np.int8)
    for row, (_, pose) in zip(rows, seen, strict=True):
        xy[row], confidence[row] = pose.xy, pose.confidence
        if pose.state is not None:
            state[row] = pose.state
    return Samples(start, there, xy, confidence, state)


def _breaks(rows: pa.Table) -> np.ndarray:
    """(F,) how often the display picture has changed its size so far."""
    size = np.stack([rows["width"].to_numpy(), rows["height"].to_numpy()], axis=-1)
    changed = (np.diff(size, axis=0) != 0).any(axis=1)
    return np.cumsum(np.append(False, changed))[: len(size)]


def _swapped(rows: pa.Table, footer: Footer) -> dict[int, list[int]]:
    """By frame: the keypoints that change places, as `exchange_sides` takes them."""
    skeleton = footer.skeleton
    return {
        i: [k for name in swapped_pairs(skeleton, word) for k in skeleton.pairs[name]]
        for i, word in enumerate(rows["swapped"].to_pylist())
        if word
    }


def _poses(people: dict[str, Samples], i: int) -> Iterator[tuple[str, Pose]]:
    """Who has rows in a frame."""
    for name, samples in people.items():
        row = i - samples.start
        if 0 <= row < len(samples) and samples.there[row]:
            yield name, Pose(samples.xy[row], samples.confidence[row], samples.state[row])


def _clean_footer(footer: Footer, options: CleanOptions, *, knows_swaps: bool) -> Footer:
    steps = []
    if options.swaps and knows_swaps:
        steps.append(Step("exchange_sides", {"told_by": "frames"}))
    if options.outliers:
        steps.append(
            Step(
                "drop_outliers",
                {
                    "method": "there_and_back",
                    "longest_s": LONGEST,
                    "least_torsos": LEAST,
                    "least_torsos_per_s": FASTEST,
                    "times_usual": TIMES_USUAL,
                },
            )
        )
    if options.passband:
        steps.append(
            Step(
                "smooth",
                {
                    "method": "quintic_spline",
                    "passband_hz": options.passband,
                    "half_gain_hz": round(half_gain(options.passband), 3),
                    "weights": "confidence",
                },
            )
        )
    if options.longest_gap:
        steps.append(Step("fill_gaps", {"method": "linear", "longest_gap_s": options.longest_gap}))
    return replace(footer, product="clean", processing=(*footer.processing, *steps))


def _summary(frames: int, people: dict[str, Samples], outliers: int) -> CleanSummary:
    states = [samples.state[samples.there].ravel() for samples in people.values()]
    counts = np.bincount(np.concatenate([np.empty(0, int), *states]), minlength=len(STATES))
    by_state = {name: int(counts[i]) for i, name in enumerate(STATES)}
    return CleanSummary(frames, **by_state, outliers=outliers)
