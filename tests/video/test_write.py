from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import av
import numpy as np
import people
import pytest

from vid2kp.errors import OutputError
from vid2kp.files import EPOCH
from vid2kp.tracks.store import Pose
from vid2kp.video.write import TIME_BASE, Canvas, SkeletonWriter


class Square:
    """Paints a bright square at the first keypoint of the infant."""

    width, height = 160, 96

    def clear(self, canvas: Canvas) -> None:
        canvas.y[:], canvas.u[:], canvas.v[:] = 30, 128, 128

    def paint(self, canvas: Canvas, people: Mapping[str, Pose]) -> None:
        self.clear(canvas)
        x, y = (2 * (people["infant"].xy[0] // 2)).astype(int)
        canvas.y[y : y + 20, x : x + 20] = 200
        canvas.u[y // 2 : y // 2 + 10, x // 2 : x // 2 + 10] = 90


def _pose(x: float, y: float = 30) -> dict[str, Pose]:
    return {"infant": Pose(np.array([[x, y]], np.float32), np.ones(1, np.float32))}


def _write(path: Path, times: list[float]) -> Path:
    with SkeletonWriter(path, Square()) as writer:
        for i, time in enumerate(times):
            writer.write(time, _pose(2 * i))
    return path


def _decode(path: Path) -> list[av.VideoFrame]:
    with av.open(path) as container:
        return list(container.decode(video=0))


@pytest.mark.parametrize(
    "times",
    [
        [i / 25 for i in range(40)],
        [i * 1001 / 30000 for i in range(40)],
        [0.0, 0.033, 0.05, 0.5, 0.51, 3.0],
        [0.0],
        list(np.cumsum(np.random.default_rng(0).uniform(0.005, 0.3, 40))),
    ],
)
def test_times_are_kept_to_a_tick(times: list[float], tmp_path: Path) -> None:
    frames = _decode(_write(tmp_path / "v.mp4", times))
    assert len(frames) == len(times)
    for frame, time in zip(frames, times, strict=True):
        assert frame.time_base == TIME_BASE
        assert abs(frame.pts * TIME_BASE - time) <= TIME_BASE


def test_the_last_frame_lasts_as_long_as_the_one_before(tmp_path: Path) -> None:
    with av.open(_write(tmp_path / "v.mp4", [0.0, 0.04, 0.08])) as container:
        assert container.streams.video[0].duration * TIME_BASE == pytest.approx(0.12, abs=1e-4)
    with av.open(_write(tmp_path / "one.mp4", [0.0])) as container:
        assert container.streams.video[0].duration * TIME_BASE == pytest.approx(0.04, abs=1e-4)


def test_each_frame_shows_what_was_painted_for_it(tmp_path: Path) -> None:
    for i, frame in enumerate(_decode(_write(tmp_path / "v.mp4", [i / 25 for i in range(50)]))):
        luma = frame.to_ndarray(format="yuv420p")[:96]
        square = luma[32:48, 2 * i + 2 : 2 * i + 18]
        assert abs(square.astype(int) - 200).max() < 12
        assert luma[60:].max() < 40


def test_same_poses_same_bytes(tmp_path: Path) -> None:
    times = [i / 25 for i in range(60)]
    a, b = _write(tmp_path / "a.mp4", times), _write(tmp_path / "b.mp4", times)
    assert a.read_bytes() == b.read_bytes()
    assert a.stat().st_mtime == EPOCH


def test_one_h264_stream_that_says_nothing_else(tmp_path: Path) -> None:
    path = _write(tmp_path / "SURNAME.mp4", [i / 25 for i in range(300)])
    with av.open(path) as container:
        (stream,) = container.streams
        context = stream.codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert (context.colorspace, context.color_range) == (1, 1)
        assert (context.width, context.height) == (160, 96)
        assert set(container.metadata) <= {"major_brand", "minor_version", "compatible_brands"}
        assert set(stream.metadata) <= {"language", "handler_name", "vendor_id"}
        nals = [
            data[m.end()] & 31
            for data in (bytes(packet) for packet in container.demux() if packet.size)
            for m in re.finditer(rb"^\0\0..(?=.)", data, re.S)
        ]
    assert set(nals) == {1, 5}  # slices only: no supplemental information
    data = path.read_bytes()
    for text in (b"x264", b"Lavf", b"Lavc", b"SURNAME", b"core 1"):
        assert text not in data


def test_an_error_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(KeyError), SkeletonWriter(tmp_path / "v.mp4", Square()) as writer:
        writer.write(0.0, _pose(1))
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_a_video_without_a_frame_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError), SkeletonWriter(tmp_path / "v.mp4", Square()):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named_without_its_path(tmp_path: Path) -> None:
    with pytest.raises(OutputError) as caught:
        _write(tmp_path / "SURNAME" / "v.mp4", [0.0])
    assert "SURNAME" not in str(caught.value)


@pytest.mark.skipif(os.name != "posix", reason="file size limits are POSIX")
def test_a_full_disk_is_named_without_its_path_and_leaves_nothing(tmp_path: Path) -> None:
    people.write_people(tmp_path / "tracks", frames=300)
    (tmp_path / "SURNAME").mkdir()
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from vid2kp.errors import OutputError\n"
        "from vid2kp.render.skeleton_video import render_video\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "try: render_video(sys.argv[1], sys.argv[2])\n"
        "except OutputError as error: print(error)\n"
    )
    arguments = [tmp_path / "tracks" / "tracks.parquet", tmp_path / "SURNAME" / "v.mp4"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    assert "could not be written" in done.stdout
    assert "SURNAME" not in done.stdout + done.stderr
    assert list((tmp_path / "SURNAME").iterdir()) == []


def test_no_picture_can_be_handed_over() -> None:
    assert list(inspect.signature(SkeletonWriter).parameters) == ["path", "painter"]
    assert list(inspect.signature(SkeletonWriter.write).parameters) == ["self", "time", "people"]
    public = [name for name in vars(SkeletonWriter) if not name.startswith("_")]
    assert public == ["write"]
