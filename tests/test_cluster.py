"""Batches on a real Ray cluster of this machine: same bytes, whatever dies.

Left out where Ray is not installed; ``make test-cluster`` installs it and runs them.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from batches import contents, log, make_key, make_model, make_videos, names

from vid2kp.cluster import ray_crew
from vid2kp.cluster.site import make_folder
from vid2kp.errors import UsageError

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed"
)

# Ray speaks through sockets, which the test suite forbids to its own process.
_SCRIPT = """
import sys
from pathlib import Path
from vid2kp.batch import BatchOptions, run
from vid2kp.cluster import ray_crew
from vid2kp.cluster.site import make_folder
from vid2kp.convert import ConvertOptions

if __name__ == "__main__":
    videos, out, key, model, jobs, address = sys.argv[1:]
    crew = {"crew": ray_crew(address)} if address else {}
    result = run(
        [videos],
        out,
        options=ConvertOptions(model=model, device="cpu"),
        batch=BatchOptions(jobs=int(jobs), key_file=Path(key)),
        progress=lambda event: print(event.kind, event.frames, event.pseudonym, flush=True),
        **crew,
    )
    sys.exit(result.exit_code)
"""


def start(folder: Path, out: Path, jobs: int, address: str) -> subprocess.Popen[str]:
    arguments = (folder / "videos", out, folder / "key", folder / "model.safetensors", jobs)
    return subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, *map(str, arguments), address],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def actors_below(pid: int) -> list[psutil.Process]:
    """The processes of the actors of the cluster that a process has made."""
    below = psutil.Process(pid).children(recursive=True)
    return [child for child in below if "Converter" in " ".join(_command(child))]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cluster")
    make_videos(folder / "videos")
    make_key(folder / "key")
    make_model(folder / "model.safetensors")
    return folder


@pytest.fixture(scope="module")
def undisturbed(folder: Path) -> Path:
    out = folder / "undisturbed"
    process = start(folder, out, 1, "")
    process.communicate(timeout=250)
    assert process.returncode == 1  # one file is no video
    return out


@needs_ray
@pytest.mark.timeout(600)
def test_actors_give_the_same_bytes_though_one_is_killed(folder: Path, undisturbed: Path) -> None:
    out = folder / "out"
    process = start(folder, out, 2, "local")
    assert process.stdout is not None
    killed = False
    for line in process.stdout:
        if line.startswith("frames ") and not killed:
            victim = actors_below(process.pid)[0]
            victim.kill()
            killed = True
            addresses = set(listening(psutil.Process(process.pid)))
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, killed) == (1, True), errors
    assert contents(out) == contents(undisturbed)
    assert names(out) == names(undisturbed)
    assert addresses, "Ray should listen somewhere"
    assert addresses <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}, addresses
    finished = log(out, "finished")
    assert len(finished) == len({line["pseudonym"] for line in finished}) == 5


@needs_ray
@pytest.mark.timeout(600)
def test_an_actor_killed_while_it_starts_is_started_again(folder: Path) -> None:
    out = folder / "started-again"
    process = start(folder, out, 1, "local")
    while not (victims := actors_below(process.pid)):
        assert process.poll() is None
        time.sleep(0.02)
    victims[0].kill()
    _, errors = process.communicate(timeout=250)
    assert process.returncode == 1, errors  # one file is no video
    assert len(log(out, "finished")) == 5


def listening(process: psutil.Process) -> Iterator[str]:
    """The addresses at which a process and all below it listen."""
    for one in (process, *process.children(recursive=True)):
        try:
            connections = one.net_connections("inet")
        except psutil.Error:
            continue
        yield from (c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN)


@needs_ray
def test_a_model_that_is_not_there_is_wrong_usage_on_a_cluster_too(folder: Path) -> None:
    script = _SCRIPT.replace("    result = run(", "    model = 'no-such-model'\n    result = run(")
    paths = (folder / "videos", folder / "none", folder / "key")
    process = subprocess.run(
        [sys.executable, "-c", script, *map(str, paths), "", "1", "local"],
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert "UsageError: There is no such model" in process.stderr
    assert not (folder / "none").exists()


def test_the_folder_of_a_cluster_whose_maker_was_killed_goes_with_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    of_another_program = tmp_path / "vid2kp-other"
    of_another_program.mkdir()
    alive = make_folder()
    make = "import os; from vid2kp.cluster.site import make_folder; print(make_folder()); "
    killed = subprocess.run(
        [sys.executable, "-c", make + "os.kill(os.getpid(), 9)"],
        env=os.environ | {"TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert Path(killed.stdout.strip()).parent == tmp_path
    assert {*tmp_path.iterdir()} == {of_another_program, alive, Path(killed.stdout.strip())}
    assert {make_folder(), alive, of_another_program} == {*tmp_path.iterdir()}


def test_the_folder_of_a_cluster_from_before_a_power_cut_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = make_folder()
    owner = folder / "owner.json"
    owner.write_text(json.dumps(json.loads(owner.read_text()) | {"boot": "another"}))
    os.utime(owner, (0, 0))
    assert {make_folder()} == {*tmp_path.iterdir()}


@pytest.mark.parametrize("address", ["nowhere", "ray://host:10001", "host", "10.0.0.1:port", ""])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="no cluster"):
        ray_crew(address)


def test_a_missing_ray_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"not installed.*\n?.*vid2kp\[cluster\]"):
        ray_crew("local")
