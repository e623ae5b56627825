"""Which wheels are taken for which machine."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest
from packaging.markers import default_environment
from targets import Target
from tiny_wheels import make_wheel
from wheels import (
    BundleError,
    Fetch,
    collect,
    downloader,
    read_pins,
    read_wheel,
    requirements_text,
)

LINUX, WINDOWS = Target("linux", "3.12"), Target("windows", "3.12")
PINS = {"drawing": "1.5", "colours": "0.4", "old": "1.0", "extra-part": "3.0", "torch": "2.13.0"}


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """Wheels as a package index has them."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    make_wheel(shelf, "drawing", "1.5", needs=('colours; sys_platform == "win32"',))
    make_wheel(shelf, "colours", "0.4")
    make_wheel(shelf, "old", "1.0")
    make_wheel(shelf, "extra_part", "3.0")
    make_wheel(shelf, "torch", "2.13.0+cpu", tag="cp312-cp312-manylinux_2_28_x86_64")
    make_wheel(shelf, "torch", "2.13.0", tag="cp312-cp312-win_amd64")
    return shelf


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    return folder


def from_shelf(shelf: Path, folder: Path, asked: list[list[str]]) -> Fetch:
    def fetch(requirements: list[str]) -> None:
        asked.append(requirements)
        for requirement in requirements:
            name, _, version = requirement.partition("==")
            for path in shelf.glob(f"{name.replace('-', '_')}-{version}-*.whl"):
                shutil.copy(path, folder)

    return fetch


@pytest.mark.parametrize(
    ("target", "names"),
    [(LINUX, ["drawing", "main"]), (WINDOWS, ["colours", "drawing", "main"])],
)
def test_conditions_are_asked_of_the_target_and_not_of_this_machine(
    shelf: Path, folder: Path, target: Target, names: list[str]
):
    path = make_wheel(folder, "main", "1", needs=("drawing>=1", 'old; python_version < "3.12"'))
    asked: list[list[str]] = []
    fetch = from_shelf(shelf, folder, asked)
    wheels = collect(read_wheel(path), folder=folder, target=target, pins=PINS, fetch=fetch)
    assert [wheel.name for wheel in wheels] == names
    assert asked[0] == ["drawing==1.5"]


def test_an_environment_for_conditions_names_all_that_they_can_ask():
    assert set(LINUX.marker_environment()) == set(default_environment())


def test_extras_bring_what_they_need(shelf: Path, folder: Path):
    path = make_wheel(folder, "main", "1", needs=("part[more]",))
    make_wheel(shelf, "part", "1.0", needs=('extra-part; extra == "more"', 'old; extra == "less"'))
    pins = PINS | {"part": "1.0"}
    fetch = from_shelf(shelf, folder, [])
    wheels = collect(read_wheel(path), folder=folder, target=LINUX, pins=pins, fetch=fetch)
    assert [wheel.name for wheel in wheels] == ["extra-part", "main", "part"]


def test_what_is_not_pinned_is_refused(shelf: Path, folder: Path):
    path = make_wheel(folder, "main", "1", needs=("unheard-of",))
    fetch = from_shelf(shelf, folder, [])
    with pytest.raises(BundleError, match=r"unheard-of is needed on linux-python3\.12"):
        collect(read_wheel(path), folder=folder, target=LINUX, pins=PINS, fetch=fetch)


def test_a_pin_that_does_not_fit_is_refused(shelf: Path, folder: Path):
    path = make_wheel(folder, "main", "1", needs=("drawing>=2",))
    fetch = from_shelf(shelf, folder, [])
    with pytest.raises(BundleError, match=r"main needs drawing>=2, but 1\.5 is pinned"):
        collect(read_wheel(path), folder=folder, target=LINUX, pins=PINS, fetch=fetch)


@pytest.mark.parametrize(
    ("target", "file"),
    [
        (LINUX, "torch-2.13.0+cpu-cp312-cp312-manylinux_2_28_x86_64.whl"),
        (WINDOWS, "torch-2.13.0-cp312-cp312-win_amd64.whl"),
    ],
)
def test_pip_fetches_for_the_target_and_of_torch_the_build_for_processors(
    shelf: Path, folder: Path, target: Target, file: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    path = make_wheel(folder, "main", "1", needs=("torch>=2",))
    fetch = downloader(folder, target)
    collect(read_wheel(path), folder=folder, target=target, pins=PINS, fetch=fetch)
    names = {wheel.name for wheel in folder.iterdir()}
    assert file in names
    assert not names - {file} & {path.name for path in shelf.glob("torch-*")}


def test_a_torch_that_is_not_to_be_had_names_the_variable(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(BundleError, match=r"No matching distribution(.|\n)*TORCH_INDEX="):
        downloader(folder, LINUX)(["torch==2.13.0+cpu"])


def test_licences_and_hashes_of_a_wheel(tmp_path: Path):
    files = {
        "x-1.dist-info/licenses/deep/COPYING": "first",
        "x-1.dist-info/LICENSE.txt": "second",
        "x/LICENSE": "of something within",
    }
    fields = ("Classifier: License :: OSI Approved :: MIT License", "License: text\n  more text")
    wheel = read_wheel(make_wheel(tmp_path, "x", "1", fields=fields, files=files))
    assert wheel.licence == "MIT License"
    assert dict(wheel.licence_texts()) == {
        "licenses/deep/COPYING": "first",
        "LICENSE.txt": "second",
    }
    assert requirements_text([wheel]) == f"x==1 --hash=sha256:{wheel.sha256}\n"


def test_a_file_that_is_no_wheel_is_refused(tmp_path: Path):
    path = tmp_path / "broken-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("nothing", "")
    with pytest.raises(BundleError, match="broken-1-py3-none-any"):
        read_wheel(path)


def test_everything_that_a_bundle_takes_is_pinned():
    pins = read_pins(Path(__file__).parents[2] / "constraints.txt")
    assert {"pip", "colorama", "torch", "typing-extensions"} <= set(pins)
