"""What a batch would do and how long it would take, from headers and a short measurement."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice, product
from pathlib import Path
from typing import Final

from vid2kp.batch.crew import Crew, Ended
from vid2kp.batch.discovery import Source
from vid2kp.batch.options import Plan
from vid2kp.batch.worker import Task
from vid2kp.convert import ConvertOptions, VideoResult
from vid2kp.errors import UnreadableVideo
from vid2kp.video.probe import VideoInfo, probe

SAMPLE_SECONDS: Final = 4.0
"""Seconds of video that are converted to see how fast this machine is."""

_MOST_PROBED: Final = 100
_MOST_TRIED: Final = 3


def shortened(options: ConvertOptions) -> ConvertOptions:
    """The same options for the little that is converted to measure."""
    return replace(options, duration=min(options.duration or SAMPLE_SECONDS, SAMPLE_SECONDS))


def make_plan(
    sources: Sequence[Source], finished: int, *, options: ConvertOptions, pool: Crew, folder: Path
) -> Plan:
    """The plan for these videos.

    Args:
        sources: the videos to do.
        finished: number of the videos that would be skipped.
        options: of the conversions.
        pool: started, with the `shortened` options.
        folder: for what is converted to measure; to be thrown away afterwards.
    """
    if not sources:
        return Plan(to_do=0, finished=finished, frames=0, frames_per_second=None, seconds=0.0)
    by_size = sorted(sources, key=lambda source: (source.size, source.identity))
    sample = by_size[:: -(-len(by_size) // _MOST_PROBED)]
    readable = {source: info for source in sample if (info := _probe(source)) is not None}
    # Many videos are not all opened: the others are taken to hold as many frames per byte.
    share = sum(source.size for source in sample) / max(1, sum(source.size for source in sources))
    frames = round(sum(_frames(info, options) for info in readable.values()) / (share or 1))
    rate = _measure(list(readable), min(pool.jobs, len(sources)), pool, folder)
    return Plan(
        to_do=len(sources),
        finished=finished,
        frames=frames,
        frames_per_second=rate,
        seconds=None if rate is None else frames / rate,
    )


def _probe(source: Source) -> VideoInfo | None:
    try:
        return probe(source.path)
    except UnreadableVideo:
        return None


def _frames(info: VideoInfo, options: ConvertOptions) -> float:
    """The frames that will be converted, as far as the header knows."""
    whole = info.header_frames or (info.header_duration or 0.0) * info.fps
    if options.start == 0 and options.duration is None:
        return whole
    seconds = (info.header_duration or whole / info.fps) - options.start
    return max(0.0, min(seconds, options.duration or seconds)) * info.fps


def _measure(sources: Sequence[Source], jobs: int, pool: Crew, folder: Path) -> float | None:
    """Frames per second of all workers side by side, each with a video of middling size."""
    middle = len(sources) // 2
    for source in sources[middle : middle + _MOST_TRIED]:
        names = map("".join, islice(product("ab", repeat=26), jobs))  # as pseudonyms look
        tasks = [Task(source.path, folder / name, name) for name in names]
        _run(pool, tasks)  # the first time also loads models and prepares kernels
        begin = time.perf_counter()
        if frames := _run(pool, tasks):
            return frames / (time.perf_counter() - begin)
    return None


def _run(pool: Crew, tasks: Sequence[Task]) -> int:
    """Converts side by side; the frames that came of it."""
    for task in tasks:
        pool.give(task)
    frames = 0
    while pool.busy:
        for event in pool.events(1.0):
            if isinstance(event, Ended) and isinstance(event.outcome, VideoResult):
                frames += event.outcome.frames
    return frames
