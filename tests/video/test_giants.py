"""Pictures beyond 4K: kept smaller, with their coordinates; refused where memory would not do."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import media
import pytest
from media import MARKS, Clip, frame_number, is_colour, make
from reading import read_all

from vid2kp.errors import UnreadableVideo
from vid2kp.video import container, frame
from vid2kp.video.probe import probe
from vid2kp.video.read import open_video


@pytest.fixture
def small_is_gigantic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame, "_KEPT_PIXELS", media.WIDTH * media.HEIGHT)


@pytest.mark.usefixtures("small_is_gigantic")
@pytest.mark.parametrize(
    "clip",
    [
        Clip(frames=5, width=320, height=192),
        Clip(frames=5, width=638, height=382),  # by four; two lines are left over
        Clip(frames=5, width=320, height=192, pixel_format="yuv422p10le", aspect=Fraction(4, 3)),
    ],
    ids=["twice", "four times", "deep and stretched"],
)
def test_a_giant_is_kept_smaller_at_the_same_coordinates(tmp_path: Path, clip: Clip) -> None:
    path = make(tmp_path / "giant.mp4", clip)
    with open_video(path) as reader:
        for number, shown in enumerate(reader.frames()):
            assert shown.planes is not None
            height, width = shown.planes.y.shape
            assert width * height <= media.WIDTH * media.HEIGHT
            assert shown.bytes == width * height + 2 * -(-width // 2) * -(-height // 2)
            assert (shown.width, shown.height) == (reader.info.width, clip.height)
            assert frame_number(shown.image) == number
            assert all(is_colour(shown.image, *MARKS[colour], colour) for colour in MARKS)
    assert number == 4


@pytest.mark.usefixtures("small_is_gigantic")
def test_a_giant_may_be_turned_too(tmp_path: Path) -> None:
    path = make(tmp_path / "giant.mp4", Clip(frames=2, width=320, height=192))
    media.set_display_matrix(path, *media.MIRROR_AND_TURN)
    seen = read_all(path)
    assert seen.sizes[0] == (192, 320)
    x, y = MARKS[media.RED]
    # Turned by three quarters, then mirrored: rows and columns have changed places.
    assert is_colour(seen.images[0], y, x, media.RED)


def test_8k_is_read(tmp_path: Path) -> None:
    clip = Clip(frames=1, width=7680, height=4320, codec="mjpeg", pixel_format="yuvj420p")
    seen = read_all(make(tmp_path / "8k.mov", clip))
    assert seen.sizes == [(7680, 4320)]
    assert seen.numbers == [0]


def test_8k_of_which_a_decoder_may_hold_two_dozen_is_refused(tmp_path: Path) -> None:
    """A bitstream may ask for 16 reference frames; of 8K they took 1.3 GB."""
    clip = Clip(frames=1, width=7680, height=4320, options={"preset": "ultrafast"})
    with pytest.raises(UnreadableVideo, match="7680 x 4320"):
        probe(make(tmp_path / "8k.mp4", clip))


def test_memory_counts_bits_and_what_a_decoder_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = 24 * media.WIDTH * media.HEIGHT
    monkeypatch.setattr(container, "_ALWAYS_PIXELS", 0)
    monkeypatch.setattr(container, "_MAX_BYTES", held * 3 // 2)
    plain = make(tmp_path / "plain.mp4")
    deep = make(tmp_path / "deep.mp4", Clip(pixel_format="yuv420p10le"))
    single = make(tmp_path / "single.avi", Clip(codec="mjpeg", pixel_format="yuvj444p"))
    assert read_all(plain, images=False).summary.frames == 24
    assert read_all(single, images=False).summary.frames == 24
    with pytest.raises(UnreadableVideo, match="more than is decoded"):
        probe(deep)
    monkeypatch.setattr(container, "_ALWAYS_PIXELS", media.WIDTH * media.HEIGHT)
    assert read_all(deep, images=False).summary.frames == 24
