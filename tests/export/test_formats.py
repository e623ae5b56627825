"""What all formats have in common, and the export of a whole run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest
import recordings
from console import vid2kp_here
from recordings import NAME, OTHER

from vid2kp.cli.export import export
from vid2kp.errors import TracksError, UsageError
from vid2kp.export.common import ExportOptions, arrays_of
from vid2kp.export.formats import FORMATS, export_run, export_tracks, read_labels
from vid2kp.files import EPOCH
from vid2kp.tracks.index import write_index
from vid2kp.tracks.load import Tracks
from vid2kp.tracks.schema import CLEAN_FILE, INDEX_FILE, MANIFEST_FILE, TRACKS_FILE

NEEDS = {"sleap": "h5py", "nwb": "ndx_pose", "netcdf": "h5netcdf"}


def outputs(to: str) -> tuple[str, ...]:
    return tuple(f"out{ending}" for ending in FORMATS[to].endings or ("",))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with two recordings; of the second nobody was seen, the first is cleaned too."""
    recordings.uneven(tmp_path / "run" / NAME)
    recordings.unseen(tmp_path / "run" / OTHER)
    recordings.cleaned(tmp_path / "cleaned")
    (tmp_path / "cleaned" / TRACKS_FILE).rename(tmp_path / "run" / NAME / CLEAN_FILE)
    (tmp_path / "run" / NAME / MANIFEST_FILE).write_text("{}")
    return tmp_path / "run"


def test_the_command_offers_every_format() -> None:
    choices = get_type_hints(export)["to"]
    assert list(get_args(choices)) == list(FORMATS)


@pytest.mark.parametrize(
    ("to", "out"), [(to, out) for to in FORMATS for out in outputs(to)], ids=str
)
def test_same_tracks_give_same_bytes_without_a_trace_of_now_or_here(
    tmp_path: Path, to: str, out: str
) -> None:
    pytest.importorskip("tables" if out.endswith("out.h5") else NEEDS.get(to, "numpy"))
    path = tmp_path / "secretname" / TRACKS_FILE
    tracks = recordings.uneven(path.parent)
    for again in "ab":
        export_tracks(path, tmp_path / again / out, to=to)
    first, second = (recordings.content(tmp_path / again / out) for again in "ab")
    assert first == second
    assert b"secretname" not in b"".join([*first.values(), *map(str.encode, first)])
    for file in (tmp_path / "a").rglob("*"):
        assert file.stat().st_mtime == EPOCH
    assert not list(tmp_path.rglob(".*.part"))
    assert tracks.footer.vfr


@pytest.mark.parametrize("to", FORMATS)
def test_a_missing_library_is_named_in_one_line(
    tmp_path: Path, to: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("h5py", "h5netcdf", "tables", "pynwb", "ndx_pose"):
        monkeypatch.setitem(sys.modules, module, None)
    tracks, out = recordings.uneven(tmp_path), tmp_path / outputs(to)[-1]
    if to in (*NEEDS, "deeplabcut"):
        with pytest.raises(UsageError, match=r"pip install 'vid2kp\[export\]'"):
            export_tracks(tracks, out, to=to)
        assert not out.exists()
    else:
        export_tracks(tracks, out, to=to)


def test_somebody_who_is_not_there_cannot_be_exported(tmp_path: Path) -> None:
    tracks = recordings.uneven(tmp_path)
    with pytest.raises(UsageError, match="They hold infant, person1"):
        options = ExportOptions(individuals=("person7",))
        export_tracks(tracks, tmp_path / "out.npz", to="skeleton-npz", options=options)


def test_tracks_without_a_frame_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TracksError, match="no frame"):
        export_tracks(recordings.posed(tmp_path, []), tmp_path / "out.npz", to="skeleton-npz")


def test_one_frame_can_be_exported(tmp_path: Path) -> None:
    tracks: Tracks = recordings.posed(tmp_path, [{}], fps=0.0)
    for to in ("openpose", "deeplabcut", "bids", "skeleton-npz", "pyskl"):
        export_tracks(tracks, tmp_path / to / outputs(to)[0], to=to)


def test_recordings_of_a_run_are_exported_under_their_pseudonyms(run: Path, tmp_path: Path) -> None:
    results = export_run(run, tmp_path / "out", to="skeleton-npz")
    assert [(result.name, result.problem, result.uneven) for result in results] == [
        (NAME, "", True), (OTHER, "", False),
    ]  # fmt: skip
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [f"{NAME}.npz", f"{OTHER}.npz"]
    with np.load(tmp_path / "out" / f"{NAME}.npz") as file:
        assert file["name"] == NAME


def test_a_recording_that_cannot_be_exported_is_left_out_with_a_reason(
    run: Path, tmp_path: Path
) -> None:
    first, second = export_run(run, tmp_path / "out", to="coco")
    assert not first.problem
    assert "Nobody was seen" in second.problem
    assert [path.name for path in (tmp_path / "out").iterdir()] == [NAME]


@pytest.mark.parametrize("to", ["bids", "pyskl"])
def test_data_sets_hold_all_recordings(run: Path, tmp_path: Path, to: str) -> None:
    results = export_run(run, tmp_path / outputs(to)[0], to=to)
    assert [result.name for result in results] == [NAME, OTHER]
    together = b"".join(recordings.content(tmp_path / outputs(to)[0]).values())
    assert NAME.encode() in together
    assert OTHER.encode() in together


def test_the_cleaned_tracks_of_a_run(run: Path, tmp_path: Path) -> None:
    without, result = export_run(run, tmp_path / "out", to="skeleton-npz", clean=True)
    assert (result.name, result.problem) == (NAME, "")
    assert (without.name, without.problem) == (OTHER, "It has no clean.parquet.")
    with pytest.raises(UsageError, match=r"1 of the recordings have no clean\.parquet"):
        export_run(run, tmp_path / "set.pkl", to="pyskl", clean=True)
    with np.load(tmp_path / "out" / f"{NAME}.npz") as file:
        assert set(np.unique(file["state"])) == {0, 1, 2, 3, 4}


def test_nothing_is_written_into_results(run: Path) -> None:
    with pytest.raises(UsageError, match="inside the folder of results"):
        export_tracks(run / NAME / TRACKS_FILE, run / NAME / "out.npz", to="skeleton-npz")
    assert not (run / NAME / "out.npz").exists()


@pytest.mark.parametrize(
    "command",
    [
        ["render", f"{NAME}", "-o", f"{NAME}/again.mp4"],
        ["clean", f"{NAME}", "-o", f"{NAME}/frames.parquet"],
        ["clean", f"{NAME}", "-o", f"{NAME}/clean2.parquet"],
        ["report", ".", "-o", "index.parquet"],
        ["export", f"{NAME}", "--to", "skeleton-npz", "-o", "all.npz"],
    ],
    ids=lambda command: " ".join(command[::2]).replace(NAME, "NAME"),
)
def test_no_command_writes_into_results(
    run: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
) -> None:
    write_index(run / INDEX_FILE, [])
    before = recordings.content(run)
    monkeypatch.chdir(run)
    told = vid2kp_here(capsys, *command)
    assert told.returncode == 2
    assert "inside the folder of results" in told.stderr
    assert recordings.content(run) == before


def test_beside_results_is_not_inside_them(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_index(run / INDEX_FILE, [])
    monkeypatch.chdir(run / NAME)
    assert vid2kp_here(capsys, "clean", ".", "-o", "../../clean.parquet").returncode == 0
    assert vid2kp_here(capsys, "report", "..", "-o", "../../r.html").returncode == 0
    assert vid2kp_here(capsys, "report", "..", "-o", "../report.html").returncode == 0
    some = vid2kp_here(capsys, "report", "..", "--video", NAME, "-o", "../report.html")
    assert some.returncode == 2, "it would be no report of the folder any more"


def test_a_label_that_is_missing_or_misspelt_is_told(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text(f"name,label\n{NAME},1\n{OTHER[:-1]}x,1\n")
    told = vid2kp_here(
        capsys, "export", run, "--to", "skeleton-npz", "--labels", labels, "-o", tmp_path / "out"
    )
    assert told.returncode == 1
    assert "has no label" in told.stdout
    assert "Of no recording here: 1 label." in told.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == [f"{NAME}.npz"]


def test_who_is_asked_for_twice_comes_once(tmp_path: Path) -> None:
    tracks = recordings.uneven(tmp_path)
    twice = ExportOptions(individuals=("infant", "infant"))
    assert arrays_of(tracks, twice, name=NAME).individuals == ("infant",)


def test_labels_are_read(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(f"name,label,split\n{NAME},1,train\n{OTHER},0,\n")
    labels = read_labels(path)
    assert (labels[NAME].label, labels[NAME].split) == (1, "train")
    assert (labels[OTHER].label, labels[OTHER].split) == (0, "all")
    path.write_text("name,label\nx,often\n")
    with pytest.raises(UsageError, match="labels cannot be read"):
        read_labels(path)
