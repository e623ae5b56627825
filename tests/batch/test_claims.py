"""Claims: one owner per video, the dead lose theirs, the living keep them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from vid2kp.batch import claims as claims_module
from vid2kp.batch.claims import (
    CLAIMS_FOLDER,
    HEARTBEAT_SECONDS,
    RUNS_FOLDER,
    STALE_SECONDS,
    Claims,
    open_claims,
)

_CLAIM_AND_DIE = """
import os, sys
from pathlib import Path
from vid2kp.batch.claims import Claims
claims = Claims(Path(sys.argv[1]), "dead")
assert claims.claim("video")
os._exit(9)
"""


def test_a_claim_has_one_owner(tmp_path: Path) -> None:
    with open_claims(tmp_path) as one, open_claims(tmp_path) as two:
        assert one.claim("video")
        assert one.claim("video")
        assert not two.claim("video")
        two.release("video")  # not its own
        assert one.of("video").is_kept
        one.release("video")
        assert not one.of("video").is_kept
        assert two.claim("video")


def test_a_run_that_ended_leaves_nothing(tmp_path: Path) -> None:
    with open_claims(tmp_path) as one:
        one.claim("left behind")
        one.diary.with_name(f"{one.diary.name}.0.log").write_text("words")
    assert not list((tmp_path / RUNS_FOLDER).iterdir())
    with open_claims(tmp_path) as two:
        assert two.claim("left behind")


def test_the_claims_of_a_killed_process_are_free_at_once(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", _CLAIM_AND_DIE, str(tmp_path)], check=False)
    assert killed.returncode == 9
    assert (tmp_path / RUNS_FOLDER / "dead.json").exists()
    with open_claims(tmp_path) as claims:
        assert not (tmp_path / RUNS_FOLDER / "dead.json").exists()
        assert claims.claim("video")


def test_a_run_on_another_machine_lives_as_long_as_its_heart_beats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims_module, "_ASK_AGAIN_SECONDS", -1.0)
    with open_claims(tmp_path) as here:
        there = tmp_path / RUNS_FOLDER / "there.json"
        there.write_text('{"machine": "another", "pid": 1, "born": 0}')
        (tmp_path / CLAIMS_FOLDER / "video").write_text("there")
        assert not here.claim("video")
        silent = there.stat().st_mtime - STALE_SECONDS - 1
        os.utime(there, (silent, silent))
        assert here.claim("video")
        assert here.inherited == {"video"}


def of_another_boot(tmp_path: Path, silent: float) -> None:
    """A claim of a run on a machine with the name of this one, another time it was started."""
    process = claims_module.this_process() | {"boot": "another", "pid": 2**22 + 1}
    there = tmp_path / RUNS_FOLDER / "there.json"
    there.write_text(json.dumps(process))
    at = there.stat().st_mtime - silent
    os.utime(there, (at, at))
    (tmp_path / CLAIMS_FOLDER / "video").write_text("there")


def test_a_copy_of_this_machine_under_the_same_name_is_another(tmp_path: Path) -> None:
    with open_claims(tmp_path) as here:
        of_another_boot(tmp_path, silent=HEARTBEAT_SECONDS)
        assert not here.claim("video")


def test_after_a_power_cut_nobody_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims_module, "_ASK_AGAIN_SECONDS", -1.0)
    silent = 4 * HEARTBEAT_SECONDS
    assert silent < STALE_SECONDS
    with open_claims(tmp_path) as here:
        of_another_boot(tmp_path, silent=silent)
        monkeypatch.setattr(claims_module, "_uptime", lambda: silent + 10)
        assert not here.claim("video"), "it has given a sign since this machine was started"
        monkeypatch.setattr(claims_module, "_uptime", lambda: silent - 10)
        assert here.claim("video")


def test_a_claim_without_an_owner_gets_old(tmp_path: Path) -> None:
    with open_claims(tmp_path) as claims:
        empty = tmp_path / CLAIMS_FOLDER / "video"
        empty.touch()
        assert not claims.claim("video")
        silent = empty.stat().st_mtime - STALE_SECONDS - 1
        os.utime(empty, (silent, silent))
        assert claims.claim("video")


def test_of_many_that_take_a_dead_claim_one_succeeds(tmp_path: Path) -> None:
    Claims(tmp_path, "first")  # makes the folders
    runs = [Claims(tmp_path, f"run{i}") for i in range(8)]
    for video in range(20):
        (tmp_path / CLAIMS_FOLDER / f"video{video}").write_text("long dead")
    owners: list[tuple[int, str]] = []
    start = threading.Barrier(len(runs))

    def take(claims: Claims) -> None:
        start.wait()
        for video in range(20):
            if claims.claim(f"video{video}"):
                owners.append((video, claims.run))

    threads = [threading.Thread(target=take, args=(claims,)) for claims in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(video for video, _ in owners) == list(range(20))


def test_a_run_that_was_taken_for_dead_makes_its_file_again(tmp_path: Path) -> None:
    with open_claims(tmp_path) as claims:
        file = tmp_path / RUNS_FOLDER / f"{claims.run}.json"
        before = file.read_bytes()
        file.unlink()
        claims.touch()
        assert file.read_bytes() == before
