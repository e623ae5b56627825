"""The installer of a bundle, run as people run it, with a program of a few lines in the wheels.

``make bundle-test`` does the same with the true program, where there is no network.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import install
import pack
import pytest
from tiny_wheels import HERE, make_tiny_bundle

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the script is for Linux")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp("a disc") / "the bundle")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return tmp_path / "pro gram's"


def run(bundle: Path, *arguments: str | Path, home: Path | str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.defpath,
        "HOME": str(home),
        "PYTHON": sys.executable,
        "PIP_INDEX_URL": "file:///nowhere",  # settings from outside change nothing
        "PYTHONPATH": "/nowhere",
    }
    command = ["sh", str(bundle / "install.sh"), *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def altered(bundle: Path, goal: Path, name: str, *, mend_sums: bool = False) -> Path:
    """A copy of a bundle with another byte at the end of one file."""
    shutil.copytree(bundle, goal)
    (path,) = goal.glob(name)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    if mend_sums:
        pack.write_sums(goal)
    return goal


def says(program: Path) -> str:
    command = [str(program / "vid2kp"), "version", "a word", "$HOME"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_it_installs_proves_itself_and_a_newer_one_takes_its_place(
    bundle: Path, program: Path, tmp_path: Path
):
    home = tmp_path / "home"
    home.mkdir()
    done = run(bundle, program, home=home)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"vid2kp is installed in {program}" in done.stdout
    assert "250 pictures converted; the results hold nothing but keypoints" in done.stdout
    # isolated from the user's Python, in UTF-8, and every argument as it was given
    assert says(program) == "1.0 1 1 a word $HOME"
    held = {path.name for path in program.iterdir()}
    assert held == {"program-1", "vid2kp", "convert.sh", "GUIDE.txt", "example", "installed.json"}
    assert not (program / "program-1" / "self-test").exists()
    assert list(home.iterdir()) == []

    link = tmp_path / "a link"
    link.symlink_to(program / "vid2kp")
    assert subprocess.run([link, "version"], capture_output=True, check=True).stdout

    # One that fails leaves the old one at work,
    broken = make_tiny_bundle(tmp_path / "broken", version="0.9")
    done = run(broken, program, home=home)
    assert done.returncode == 1
    assert "does not work well on this computer:\n  model: sha256" in done.stdout
    assert {path.name for path in program.iterdir()} == held
    assert says(program).startswith("1.0 ")

    # and one that works takes its place.
    newer = make_tiny_bundle(tmp_path / "newer", version="2.0")
    done = run(newer, program, home=home)
    assert done.returncode == 0, done.stdout + done.stderr
    assert says(program).startswith("2.0 ")
    assert {path.name for path in program.glob("program-*")} == {"program-2"}
    record = json.loads((program / "installed.json").read_text(encoding="utf-8"))
    assert record == {"version": "2.0", "program": "program-2"}


def test_an_example_that_does_not_convert_is_no_installation(program: Path, tmp_path: Path):
    broken = make_tiny_bundle(tmp_path / "broken", status="no_infant")
    done = run(broken, program, home=tmp_path)
    assert done.returncode == 1
    assert "vid2kp was NOT installed.\nThe example video was not converted" in done.stdout
    assert not program.exists()


@pytest.mark.parametrize("name", ["wheels/helper-*.whl", "setup/bundle.json", "example/video.mp4"])
def test_a_changed_file_is_refused_by_name(bundle: Path, program: Path, tmp_path: Path, name: str):
    bad = altered(bundle, tmp_path / "bad", name)
    done = run(bad, program, home=tmp_path)
    (path,) = bundle.glob(name)
    assert done.returncode == 1
    assert "NOT installed" in done.stdout
    assert f"\n  {path.relative_to(bundle).as_posix()}\n" in done.stdout
    assert not program.exists()


def test_a_missing_file_is_refused_by_name(bundle: Path, program: Path, tmp_path: Path):
    bad = tmp_path / "bad"
    shutil.copytree(bundle, bad)
    (bad / "GUIDE.txt").unlink()
    done = run(bad, program, home=tmp_path)
    assert (done.returncode, "\n  GUIDE.txt\n" in done.stdout) == (1, True)


def test_a_wheel_that_was_changed_together_with_its_checksum_is_refused(
    bundle: Path, program: Path, tmp_path: Path
):
    bad = altered(bundle, tmp_path / "bad", "wheels/helper-*.whl", mend_sums=True)
    done = run(bad, program, home=tmp_path)
    assert done.returncode == 1
    assert "DO NOT MATCH THE HASHES" in done.stdout
    assert not program.exists()


def test_a_folder_that_holds_other_things_is_left_alone(
    bundle: Path, program: Path, tmp_path: Path
):
    program.mkdir()
    (program / "thesis.txt").write_text("years of work")
    done = run(bundle, program, home=tmp_path)
    assert (done.returncode, "holds other things" in done.stdout) == (1, True)
    assert [path.name for path in program.iterdir()] == ["thesis.txt"]


def test_what_an_installation_that_was_killed_left_is_replaced(bundle: Path, tmp_path: Path):
    program = tmp_path / "home" / "vid2kp"
    (program / "program-1" / "lib").mkdir(parents=True)
    done = run(bundle, home=tmp_path / "home")  # no folder named: the user's own
    assert done.returncode == 0, done.stdout + done.stderr
    assert says(program).startswith("1.0 ")


def test_without_a_folder_of_ones_own_one_must_be_named(bundle: Path):
    done = run(bundle, home="")
    assert (done.returncode, "Name the folder" in done.stdout) == (1, True)


def test_the_bundle_is_not_installed_into_itself(bundle: Path, tmp_path: Path):
    done = run(bundle, bundle / "here", home=tmp_path)
    assert (done.returncode, "outside the one" in done.stdout) == (1, True)
    assert not (bundle / "here").exists()


def test_no_python_is_said_in_words(bundle: Path, tmp_path: Path):
    shutil.copy(bundle / "install.sh", tmp_path)
    text = (tmp_path / "install.sh").read_text().replace(HERE.python, "3.99")
    (tmp_path / "install.sh").write_text(text)
    done = run(tmp_path, home=tmp_path)
    assert (done.returncode, "has no Python 3.99" in done.stderr) == (1, True)


# ---------------------------------------------------------------- what no machine at hand shows


def facts(**changes: object) -> install.Facts:
    ours = {
        "version": "1.0",
        "platform": "linux",
        "python": HERE.python,
        "machine": HERE.machine,
        "glibc": (2, 28),
        "installed_bytes": 1,
        "longest_path": 167,
    }
    return install.Facts(**(ours | changes))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"platform": "windows"}, "system windows"),
        ({"machine": "AMD65"}, "processor amd65"),
        ({"python": "3.99"}, r"Python 3\.99"),
        ({"glibc": (2, 999)}, r"too old: its C library is .*, not 2\.999"),
    ],
)
def test_a_computer_of_another_kind_is_refused(change: dict[str, object], message: str):
    with pytest.raises(install.Refused, match=message):
        install.check_machine(facts(**change))


def test_a_disk_that_is_too_small_is_refused(tmp_path: Path):
    with pytest.raises(install.Refused, match="too little room"):
        install.check_folder(tmp_path / "new", facts(installed_bytes=10**18))
    assert not (tmp_path / "new").exists()


def test_a_name_too_long_for_windows_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(install, "ON_WINDOWS", True)
    most = install.WINDOWS_LONGEST - len(install.SITE) - 167
    with pytest.raises(install.Refused, match=f"at most {most} characters"):
        install.check_folder(tmp_path / ("long" * 30), facts())
