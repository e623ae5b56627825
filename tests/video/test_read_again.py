"""Reading that starts over, reads a part, or goes on for long."""

from __future__ import annotations

import gc
import threading
import tracemalloc
from fractions import Fraction
from pathlib import Path

import av
import pytest
from broken_media import scribbled
from media import Clip, make
from reading import read_all

from vid2kp.errors import UnreadableVideo
from vid2kp.video.read import DecodeRestart, ReadOptions, open_video


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("clips") / "plain.mp4")


# -- starting over -----------------------------------------------------------------------------


def test_unusable_times_ask_for_a_fresh_start(tmp_path: Path) -> None:
    path = make(tmp_path / "raw.h264")
    with open_video(path) as reader, pytest.raises(DecodeRestart) as restart:
        list(reader.frames())
    assert restart.value.options == ReadOptions(times="constant", seek=False)
    with open_video(path, options=restart.value.options) as reader:
        assert len(list(reader.frames())) == 24


def test_a_consumer_may_stop_or_fail_at_any_frame(plain: Path) -> None:
    threads = threading.active_count()
    with open_video(plain) as reader:
        assert next(reader.frames()).index == 0
    assert threading.active_count() == threads
    with pytest.raises(ZeroDivisionError), open_video(plain) as reader:
        for frame in reader.frames():
            _ = 1 / (3 - frame.index)
    assert threading.active_count() == threads


# -- a part of a video -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    clip = Clip(frames=240, rate=Fraction(8), keyframe_every=24)
    return make(tmp_path_factory.mktemp("long") / "long.mp4", clip)


@pytest.mark.parametrize(
    ("start", "duration"), [(0, 2.0), (1.0, 3.0), (15.0, 2.5), (15.0, None), (29.875, None)]
)
def test_a_part_is_the_same_part_of_the_whole(
    long: Path, start: float, duration: float | None
) -> None:
    whole = read_all(long, images=False)
    part = read_all(long, ReadOptions(start=start, duration=duration), images=False)
    end = start + (duration if duration is not None else 1e9)
    inside = [i for i, time in enumerate(whole.times) if start <= time < end]
    assert part.times == [whole.times[i] for i in inside]
    assert part.digests == [whole.digests[i] for i in inside]
    assert part.summary.status == "done"


def test_skipping_to_a_start_shows_that_it_lives(tmp_path: Path) -> None:
    """What cannot be sought is decoded up to the start: a watchdog must not take it for hanging."""
    path = make(tmp_path / "long.ts", Clip(frames=100, rate=Fraction(4)))
    signs: list[int] = []
    options = ReadOptions(start=20)
    with open_video(path, options=options) as reader:
        shown = [frame.time for frame in reader.frames(skipped=lambda: signs.append(1))]
    assert shown == [20 + n / 4 for n in range(20)]
    assert len(signs) == 80


def test_a_start_after_the_end_is_said(plain: Path) -> None:
    with pytest.raises(UnreadableVideo, match="part"):
        read_all(plain, ReadOptions(start=60))


# -- memory ------------------------------------------------------------------------------------


def test_frames_are_freed_without_the_garbage_collector(long: Path) -> None:
    """It comes by too rarely: a frame is megabytes of memory, but only a few objects."""
    gc.collect()
    gc.disable()
    try:
        with open_video(long) as reader:
            for frame in reader.frames():
                last = frame.index
            held = sum(type(thing) is av.VideoFrame for thing in gc.get_objects())
    finally:
        gc.enable()
    assert last == 239
    assert held < 24, "no more than those of the 10 key frames, and what the decoder holds"


def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    def peak(frames: int) -> int:
        path = make(tmp_path / f"{frames}.ts", Clip(frames=frames, width=32, height=32))
        with open_video(path) as reader:
            tracemalloc.start()
            for _ in reader.frames():
                pass
            used = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return used

    assert peak(600) < peak(60) + 256 * 1024


def test_damage_from_end_to_end_is_unreadable(tmp_path: Path) -> None:
    whole = make(tmp_path / "one.ts", Clip(frames=20, keyframe_every=100, b_frames=0))
    for at in (0.12, 0.16, 0.2):
        path = scribbled(whole, tmp_path / "bad.ts", at=at, length=60)
        try:
            seen = read_all(path)
        except UnreadableVideo:
            return
        assert not all(seen.suspect)
    pytest.fail("none of the faults hit the only keyframe")


def test_a_motion_jpeg_picture_without_its_scan_is_lost(tmp_path: Path) -> None:
    """FFmpeg gives what was in memory before, and says nothing."""
    path = make(tmp_path / "a.avi", Clip(codec="mjpeg", pixel_format="yuvj422p"))
    data = bytearray(path.read_bytes())
    scans = [place for place in range(len(data)) if data[place : place + 2] == b"\xff\xda"]
    data[scans[9]] = 0xDF
    path.write_bytes(data)
    with av.open(str(path)) as container:
        assert len(list(container.decode(video=0))) == 24
    seen = read_all(path)
    assert [n for n, suspect in enumerate(seen.suspect) if suspect] == [9]
    assert seen.numbers == [None if n == 9 else n for n in range(24)]
