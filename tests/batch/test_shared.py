"""Several runs on one output folder: whoever sleeps or dies, one deliverable results."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from batches import Materials, contents, log, names, start_process
from media import Clip, make

from vid2kp.batch import BatchOptions, run
from vid2kp.batch.claims import RUNS_FOLDER, STALE_SECONDS, open_claims
from vid2kp.batch.worker import Task
from vid2kp.errors import OutputError
from vid2kp.files import PART_SUFFIX
from vid2kp.privacy.pseudonym import private_folder
from vid2kp.privacy.verify import verify

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

PSEUDONYM = "a" * 26


@pytest.fixture(scope="module")
def long(materials: Materials, tmp_path_factory: pytest.TempPathFactory) -> Materials:
    """One clip that takes a while."""
    folder = tmp_path_factory.mktemp("long")
    make(folder / "long.mp4", Clip(frames=400))
    return replace(materials, videos=folder)


@pytest.fixture(scope="module")
def whole(long: Materials, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one run alone makes of it."""
    out = tmp_path_factory.mktemp("whole") / "out"
    batch = BatchOptions(jobs=1, key_file=long.key)
    assert run([long.videos], out, options=long.options, batch=batch).exit_code == 0
    return out


def wait_for(process: subprocess.Popen[str], kind: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(kind):
            return
    raise AssertionError(f"it ended without {kind}")


Start = Callable[[Materials, Path], subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts runs of which nobody outlives the test."""
    families = []

    def start(materials: Materials, out: Path) -> subprocess.Popen[str]:
        process = start_process(materials, out)
        families.append(process)
        return process

    yield start
    for process in families:
        if process.poll() is None:
            for one in everybody(process):
                one.kill()
            process.communicate()


def everybody(process: subprocess.Popen[str]) -> list[psutil.Process]:
    parent = psutil.Process(process.pid)
    return [parent, *parent.children(recursive=True)]


@pytest.mark.timeout(300)
def test_a_run_that_slept_leaves_its_video_to_the_one_that_took_it(
    long: Materials, whole: Path, tmp_path: Path, start: Start
) -> None:
    out = tmp_path / "out"
    sleeper = start(long, out)
    wait_for(sleeper, "frames")
    family = everybody(sleeper)
    for process in family:
        process.send_signal(signal.SIGSTOP)
    for file in (tmp_path / "out.private" / RUNS_FOLDER).glob("*.json"):
        silent = file.stat().st_mtime - STALE_SECONDS - 1
        os.utime(file, (silent, silent))
    other = start(long, out)
    wait_for(other, "frames")
    for process in reversed(family):
        process.send_signal(signal.SIGCONT)
    other.communicate(timeout=250)
    sleeper.communicate(timeout=250)
    assert (other.returncode, sleeper.returncode) == (0, 0)
    assert names(out) == names(whole)
    assert contents(out) == contents(whole)
    assert len(log(out, "taken over")) == len(log(out, "finished")) == 1


@pytest.mark.timeout(300)
def test_what_a_killed_run_had_begun_goes_with_the_one_that_takes_over(
    long: Materials, whole: Path, tmp_path: Path, start: Start
) -> None:
    out = tmp_path / "out"
    killed = start(long, out)
    wait_for(killed, "frames")
    other = start(long, out)
    wait_for(other, "waiting")
    assert list(out.glob(f".*{PART_SUFFIX}"))
    killed.kill()
    wait_for(other, "frames")
    assert len(list(out.glob(f".*{PART_SUFFIX}"))) == 1, "that of the other"
    other.communicate(timeout=250)
    killed.communicate()
    assert other.returncode == 0
    assert names(out) == names(whole)
    assert not verify(out).findings


def test_a_run_removes_what_dead_ones_left_of_videos_that_are_not_its_own(
    materials: Materials, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with open_claims(private_folder(out)) as alive:
        assert alive.claim(PSEUDONYM)
        parts = [
            out / f".{pseudonym}.{word}.{secrets.token_hex(6)}{PART_SUFFIX}"
            for pseudonym in (PSEUDONYM, "b" * 26)
            for word in (alive.run, "0123456789abcdef")
        ]
        for part in parts:
            part.mkdir()
        run([materials.videos / "Ward 7" / "d.mov"], out, options=materials.options)
        assert {parts[0], parts[2]} <= {*out.iterdir()}
        assert parts[3] not in out.iterdir()
        assert alive.of(PSEUDONYM).is_kept
    run([materials.videos / "Ward 7" / "d.mov"], out, options=materials.options)
    assert not verify(out).findings


def test_nothing_is_published_of_a_video_that_another_run_has(tmp_path: Path) -> None:
    with open_claims(tmp_path) as one, open_claims(tmp_path) as two:
        task = Task(tmp_path, tmp_path / PSEUDONYM, PSEUDONYM, claim=one.of(PSEUDONYM))
        assert two.claim(PSEUDONYM)
        theirs = tmp_path / f".{PSEUDONYM}.{two.run}.0123456789ab{PART_SUFFIX}"
        theirs.mkdir()
        with (
            pytest.raises(OutputError, match="Another run has taken the video over"),
            task.replacing(task.folder) as part,
        ):
            assert one.run in part.name
        task.remove_parts()
        assert not task.folder.exists()
        assert list(tmp_path.glob(f".*{PART_SUFFIX}")) == [theirs]
        two.release(PSEUDONYM)
        assert one.claim(PSEUDONYM)
        with task.replacing(task.folder):
            pass
        assert task.folder.is_dir()
