"""What a worker does to itself, and what it says of errors."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import textwrap
from types import SimpleNamespace
from typing import cast

import av
import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from vid2kp.batch.pool import cause_of_death
from vid2kp.batch.worker import _warm_up, describe
from vid2kp.errors import OutputError, UnreadableVideo
from vid2kp.files import output_errors
from vid2kp.pose.estimate import Estimator
from vid2kp.privacy.manifest import REASON


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


def test_errors_of_ours_speak_for_themselves() -> None:
    unreadable = describe(raised(UnreadableVideo("It is cut.", hint="Copy it again.")))
    assert (unreadable.status, unreadable.reason) == ("unreadable", "It is cut. Copy it again.")
    failed = describe(raised(OutputError("The disk is full.")))
    assert (failed.status, failed.reason, failed.spoiled) == ("failed", "The disk is full.", False)


def test_foreign_errors_are_told_by_their_class_alone() -> None:
    try:
        av.open("/nowhere/Erika Mustermann.mp4")
    except av.FFmpegError as error:
        failure = describe(error)
    assert failure.status == "failed"
    assert failure.spoiled
    assert "FileNotFoundError" in failure.reason
    assert "Mustermann" not in failure.reason
    assert "Mustermann" in failure.detail


def test_a_lack_of_memory_is_recognised_in_every_library() -> None:
    with pytest.raises(MemoryError) as numpy_error:
        np.empty(1 << 60, np.uint8)
    with pytest.raises(cv2.error) as opencv_error:
        cv2.resize(np.zeros((2, 2), np.uint8), (1 << 30, 1 << 30))
    errors = [numpy_error.value, RuntimeError("could not create a primitive")]
    if "Insufficient memory" in str(opencv_error.value):
        errors.append(opencv_error.value)
    for error in errors:
        assert describe(error).reason == "The video needs more memory than it may take."


@pytest.mark.parametrize(
    ("number", "full"),
    [(errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EROFS, True), (errno.EACCES, False)],
)
def test_a_disk_that_takes_no_more_is_recognised(number: int, full: bool) -> None:
    error = OSError(number, os.strerror(number))
    with pytest.raises(OutputError) as told, output_errors():
        raise error
    assert [describe(one).disk_full for one in (error, told.value)] == [full, full]


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("sign", ["SIGTERM", "SIGINT", "SIGHUP", "SIGSEGV"])
def test_a_signal_that_somebody_sends_is_not_the_fault_of_the_video(sign: str) -> None:
    said = cause_of_death(-signal.Signals[sign])
    assert sign in said
    assert REASON.fullmatch(said)
    assert ("decoder" in said) == (sign == "SIGSEGV")
    assert ("from outside" in said) == (sign != "SIGSEGV")


class _Counting:
    """An estimator that says how many pictures it is given at once."""

    batch_size = 100_000
    device = torch.device("cpu")
    lanes = SimpleNamespace(count=8)
    card = SimpleNamespace(input_size=8)

    def find(self, inputs: NDArray[np.uint8]) -> None:
        self.count = len(inputs)


def test_the_first_pictures_are_no_more_than_are_ever_looked_at_together() -> None:
    estimator = _Counting()
    _warm_up(cast(Estimator, estimator))
    assert estimator.count == 16


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is kept on Linux alone")
def test_memory_beyond_the_limit_is_refused() -> None:
    code = """
    import numpy as np
    from vid2kp.batch.worker import describe, limit_memory

    assert not limit_memory(None, device="cpu")
    assert not limit_memory(1 << 28, device="cuda")
    np.ones(1 << 29, np.uint8)
    assert limit_memory(1 << 28, device="cpu")
    np.ones(1 << 27, np.uint8)
    try:
        np.ones(1 << 29, np.uint8)
    except MemoryError as error:
        print(describe(error).reason)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "The video needs more memory than it may take.\n"
