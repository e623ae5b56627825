from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vid2kp.errors import OutputError
from vid2kp.tracks.spool import Spool, SpooledFrame


def _frame(number: int, people: int, rng: np.random.Generator) -> SpooledFrame:
    keypoints = rng.normal(0, 500, (people, 22, 2)).astype(np.float32)
    keypoints[:, ::3] = np.nan
    return SpooledFrame(
        frame=number,
        time=number / 25,
        pts=None if number % 3 == 0 else -number * 512,
        width=640 + number,
        height=480,
        suspect=number % 2 == 0,
        view=None if number % 5 == 0 else (-0.5, 3.25 * number, 640.0, 480.0),
        rotation=90 * (number % 4),
        identities=tuple(range(number, number + people)),
        keypoints=keypoints,
        confidence=rng.random((people, 22)).astype(np.float32),
    )


def test_frames_come_back_bit_for_bit_as_often_as_wanted(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    written = [_frame(i, i % 4, rng) for i in range(50)]
    with Spool(tmp_path, keypoints=22) as spool:
        for frame in written:
            spool.write(frame)
        for _ in range(2):
            for want, have in zip(written, spool.frames(), strict=True):
                assert vars(want).keys() == vars(have).keys()
                for name, value in vars(want).items():
                    if isinstance(value, np.ndarray):
                        assert value.tobytes() == getattr(have, name).tobytes()
                        assert value.shape == getattr(have, name).shape
                    else:
                        assert value == getattr(have, name)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full")
def test_a_disk_that_is_full_at_the_last_byte_is_said(tmp_path: Path) -> None:
    with Spool(tmp_path, keypoints=22) as spool:
        spool._open.close()
        spool._file = Path("/dev/full").open("w+b", buffering=1 << 16)  # noqa: SIM115
        spool.write(_frame(0, 1, np.random.default_rng(0)))  # into the buffer
        with pytest.raises(OutputError, match="No space left"):
            next(spool.frames())
        with pytest.raises(OutputError, match="No space left"):
            spool.clear()


def test_nothing_is_left_nor_seen_in_the_folder(tmp_path: Path) -> None:
    with Spool(tmp_path, keypoints=22) as spool:
        spool.write(_frame(0, 2, np.random.default_rng(0)))
    assert list(tmp_path.iterdir()) == []


def test_wrong_shapes_are_refused(tmp_path: Path) -> None:
    with Spool(tmp_path, keypoints=18) as spool, pytest.raises(ValueError, match="keypoints"):
        spool.write(_frame(0, 1, np.random.default_rng(0)))


def test_use_outside_of_its_block_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="with block"):
        list(Spool(tmp_path, keypoints=22).frames())
