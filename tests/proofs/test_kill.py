"""Fourth proof: whatever ends a run, only whole results stay, and going on gives the same bytes.

The same folder is disturbed three times: by Ctrl-C and twice by SIGKILL, at random moments. Then
the command is given once more, in another environment, and its results are compared byte by byte
with those of the run that nobody disturbed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from batches import contents
from dirty import FILE, FOLDER, patch_bytes
from hospital import Run, Scene
from watched import Watched, command, environment, watch

from vid2kp.files import PART_SUFFIX
from vid2kp.privacy.needles import Needles, scan

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="signals of POSIX"),
    pytest.mark.timeout(900),  # several whole runs, on however busy a machine
]

OUT = "disturbed"


@dataclass(frozen=True)
class Disturbed:
    """A folder after its disturbances, and the run that finished it.

    Attributes:
        interrupted: what Ctrl-C left of the first run: its exit code and output.
        visible: after each disturbance, files with names that no part has, and their bytes.
        hidden: whether pixels were in any part that a killed run left.
        last: the run that nobody disturbed.
    """

    interrupted: subprocess.CompletedProcess[str]
    visible: list[dict[str, bytes]]
    hidden: bool
    last: Watched


@pytest.fixture(scope="module")
def disturbed(scene: Scene) -> Disturbed:
    rng = random.Random()
    home = scene.base / "home of the disturbed"
    visible, hidden = [], False
    interrupted = None
    wanted = Needles({text.lower(): "canary" for text in patch_bytes()}, left_out=0, unread=0)
    for sign in (signal.SIGINT, signal.SIGKILL, signal.SIGKILL):
        ended = _disturb(scene, home, sign, rng)
        interrupted = interrupted or ended
        visible.append(_visible(scene.base / OUT))
        places = (scene.base / OUT, scene.base / f"{OUT}.private", home)
        files = [path for place in places for path in place.rglob("*") if path.is_file()]
        hidden |= any(scan(path, wanted) for path in files)
    assert interrupted is not None
    last = watch(
        *scene.convert(OUT, "--json"), cwd=scene.base, home=home, trace=False,
        TZ="Asia/Tokyo", LANG="zh_CN.GBK", USER="SURNAME", PYTHONHASHSEED="7", COLUMNS="300",
    )  # fmt: skip
    return Disturbed(interrupted, visible, hidden, last)


def _disturb(
    scene: Scene, home: Path, sign: signal.Signals, rng: random.Random
) -> subprocess.CompletedProcess[str]:
    """Starts a run, waits until another video is at work and a moment more, and ends it."""
    out = scene.base / OUT
    before = set(out.glob(f".*{PART_SUFFIX}"))
    process = subprocess.Popen(
        command(*scene.convert(OUT)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=scene.base,
        env=environment(home),
        start_new_session=True,
    )
    while process.poll() is None and not set(out.glob(f".*{PART_SUFFIX}")) - before:
        time.sleep(0.002)
    time.sleep(rng.uniform(0, 0.4))
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    # Whoever lists the processes of the machine sees a path on the first command line alone.
    shown = " ".join(word for child in family[1:] for word in child.cmdline())
    assert "spawn_main" in shown
    assert FILE not in shown
    assert FOLDER not in shown
    os.killpg(process.pid, sign)
    said, complained = process.communicate(timeout=300)
    _, alive = psutil.wait_procs(family, timeout=120)
    assert not alive, "nobody outlives the run"
    return subprocess.CompletedProcess([], process.returncode, said, complained)


def _visible(out: Path) -> dict[str, bytes]:
    files = contents(out)
    return {
        name: data
        for name, data in files.items()
        if not any(part.startswith(".") for part in Path(name).parts)
    }


def test_ctrl_c_ends_with_130_and_names_nothing(disturbed: Disturbed) -> None:
    ended = disturbed.interrupted
    assert ended.returncode == 130
    assert "Interrupted" in ended.stderr
    assert "Traceback" not in ended.stderr
    for name in (FILE, FOLDER):
        assert name not in ended.stdout + ended.stderr


def test_what_has_a_name_is_whole(disturbed: Disturbed, run: Run) -> None:
    whole = contents(run.out)
    for files in disturbed.visible:
        # The index tells of the videos that were finished by then.
        assert {n: d for n, d in files.items() if n != "index.parquet"}.items() <= whole.items()
    assert not all(len(files) == len(whole) for files in disturbed.visible), "it was disturbed"


def test_parts_that_were_left_hold_no_pixel(disturbed: Disturbed) -> None:
    assert not disturbed.hidden


def test_going_on_gives_the_same_bytes(disturbed: Disturbed, run: Run, scene: Scene) -> None:
    assert disturbed.last.done.returncode == 1, disturbed.last.said
    assert contents(scene.base / OUT) == contents(run.out)


def test_another_environment_changes_neither_bytes_nor_times(
    disturbed: Disturbed, run: Run, scene: Scene
) -> None:
    def facts(out: Path) -> dict[str, tuple[int, int]]:
        paths = [out, *out.rglob("*")]
        return {
            path.relative_to(out).as_posix(): (path.stat().st_mtime_ns, path.stat().st_mode)
            for path in paths
        }

    assert facts(scene.base / OUT) == facts(run.out)


def test_json_names_pseudonyms_and_the_folder_as_it_was_given(disturbed: Disturbed) -> None:
    told = json.loads(disturbed.last.done.stdout)
    assert told["out"] == OUT
    assert all(v["folder"] in (None, f"{OUT}/{v['pseudonym']}") for v in told["videos"])
    assert sorted(v["status"] for v in told["videos"]).count("unreadable") == 1
    for name in (FILE, FOLDER, "SURNAME"):
        assert name not in disturbed.last.said
