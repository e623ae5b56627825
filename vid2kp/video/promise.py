"""Whether a file ends before its header says."""

from __future__ import annotations

from av.stream import Discard

from vid2kp.video.container import READ_ERRORS, Source
from vid2kp.video.probe import VideoInfo

_SHORT = 0.02  # of the header's promise: more is a cut file
_DELAY_FRAMES = 3  # of B-frames, which some writers count into the duration
_SOUND_SECONDS = 0.25  # by which sound and picture may end apart


def is_cut(source: Source, info: VideoInfo, *, frames: int | None, seconds: float | None) -> bool:
    """Whether what was read falls short of every promise of the header.

    Args:
        source: the video, read to its end; its place in the file is lost.
        info: with the promises.
        frames: read, lost ones included; None where reading did not begin with the first.
        seconds: from the first frame shown to the end of the last one read; None where the file's
            clock leaps, which its duration is measured with.
    """
    short = []
    if info.header_frames and frames is not None:
        missing = info.header_frames - frames
        short.append(missing > max(1, _SHORT * info.header_frames))
    if info.header_duration and seconds is not None:
        slack = max(_DELAY_FRAMES / info.fps, _SHORT * info.header_duration)
        short.append(info.header_duration - seconds > slack)
    if not short or not all(short):
        return False
    return not (info.header_duration_loose and _something_lasts(source))


def _something_lasts(source: Source) -> bool:
    """Whether sound, say, goes on until the end that the header gives for the whole file."""
    promised = (source.container.duration or 0) / 1e6
    enough = promised - max(_SOUND_SECONDS, _SHORT * promised)
    for stream in source.container.streams:
        if hasattr(stream, "discard"):
            stream.discard = Discard.default
    try:
        source.container.seek(0)
        for packet in source.container.demux():
            if packet.pts is None or packet.time_base is None:
                continue
            if (packet.pts + (packet.duration or 0)) * packet.time_base >= enough:
                return True
    except READ_ERRORS:
        pass
    return False
