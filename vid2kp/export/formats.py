"""Every format by name, and the export of one recording or of a whole run."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from vid2kp.errors import UsageError, Vid2kpError
from vid2kp.export.bids import export_bids, export_bids_set
from vid2kp.export.coco import export_coco
from vid2kp.export.common import ExportOptions, Label, make_parent
from vid2kp.export.deeplabcut import export_deeplabcut
from vid2kp.export.netcdf import export_netcdf
from vid2kp.export.nwb import export_nwb
from vid2kp.export.openpose import export_openpose
from vid2kp.export.pyskl import export_pyskl, export_pyskl_set
from vid2kp.export.skeleton_npz import export_skeleton_npz
from vid2kp.export.sleap import export_sleap
from vid2kp.files import is_of_full_disk, output_errors
from vid2kp.privacy.pseudonym import PSEUDONYM
from vid2kp.tracks.load import Tracks, load_tracks
from vid2kp.tracks.places import check_outside_results
from vid2kp.tracks.schema import CLEAN_FILE, TRACKS_FILE

UNNAMED: Final = "tracks"
"""Name of a recording whose folder is no pseudonym: another name could be that of a source."""


_CONVERT_CLEAN: Final = "Convert the videos again with --clean."


class _Export(Protocol):
    def __call__(
        self, tracks: Tracks, out: Path, *, options: ExportOptions, name: str = UNNAMED
    ) -> None: ...


class _ExportSet(Protocol):
    def __call__(
        self, recordings: Iterable[tuple[str, Tracks]], out: Path, *, options: ExportOptions
    ) -> None: ...


@dataclass(frozen=True)
class Format:
    """A format of other programs.

    Attributes:
        write: exports one recording.
        what: what comes out, in a few words.
        endings: of the file that it makes; empty for a folder. The first is used for a run.
        true_times: whether the time of every frame is kept where frames are not evenly spaced.
        any_unit: whether it says in which unit the positions are; the others mean pixels.
        one: whether it holds one individual.
        write_set: exports a whole run as one data set, where the format has such a thing.
    """

    write: _Export
    what: str
    endings: tuple[str, ...] = ()
    true_times: bool = False
    any_unit: bool = False
    one: bool = False
    write_set: _ExportSet | None = None


FORMATS: Final = {
    "openpose": Format(export_openpose, "a folder with a JSON file per frame"),
    "coco": Format(export_coco, "a folder with results and images", true_times=True),
    "deeplabcut": Format(export_deeplabcut, "a table", endings=(".csv", ".h5")),
    "sleap": Format(export_sleap, "an analysis file", endings=(".h5",)),
    "nwb": Format(
        export_nwb, "an ndx-pose file", endings=(".nwb",), true_times=True, any_unit=True, one=True
    ),
    "netcdf": Format(
        export_netcdf,
        "the dataset of the movement package",
        endings=(".nc",),
        true_times=True,
        any_unit=True,
    ),
    "bids": Format(
        export_bids,
        "a Motion-BIDS dataset",
        true_times=True,
        any_unit=True,
        one=True,
        write_set=export_bids_set,
    ),
    "skeleton-npz": Format(
        export_skeleton_npz, "NumPy arrays", endings=(".npz",), true_times=True, any_unit=True
    ),
    "pyskl": Format(
        export_pyskl,
        "a pickled set of annotations",
        endings=(".pkl",),
        write_set=export_pyskl_set,
    ),
}
"""The formats of ``vid2kp export --to``."""


@dataclass(frozen=True)
class Exported:
    """What became of one recording.

    Attributes:
        name: its pseudonym.
        problem: why it was left out; empty when it was exported.
        uneven: whether its frames are unevenly spaced.
    """

    name: str
    problem: str = ""
    uneven: bool = False


def export_tracks(
    tracks: Tracks | str | Path,
    out: str | Path,
    *,
    to: str,
    options: ExportOptions | None = None,
    name: str = "",
) -> None:
    """Exports one recording, as ``vid2kp export TRACKS --to FORMAT -o PATH`` does.

    Args:
        tracks: the tracks, or their file.
        out: file or folder to write, by the format; a folder must be new or empty.
        to: one of `FORMATS`.
        options: how.
        name: of the recording in the export; by default the pseudonym that the folder of the
            file has, or else `UNNAMED`.

    Raises:
        UsageError: the format does not exist, cannot hold what was asked for, or needs a library
            that is not installed.
        TracksError: the tracks cannot be read, or hold nothing that the format could hold.
        OutputError: the disk is full or read-only.
    """
    chosen = format_of(to)
    out = Path(out)
    check_outside_results(out)
    if not isinstance(tracks, Tracks):
        path = Path(tracks)
        name = name or recording_name(path)
        tracks = load_tracks(path)
    chosen.write(tracks, out, options=options or ExportOptions(), name=name or UNNAMED)


def export_run(
    run: str | Path,
    out: str | Path,
    *,
    to: str,
    options: ExportOptions | None = None,
    clean: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> list[Exported]:
    """Exports every recording of a run.

    Args:
        run: the folder that `convert` wrote to.
        out: what to make: for `bids` a folder and for `pyskl` a file with all recordings, for the
            others a folder with one file or folder per recording, named by its pseudonym.
        to: one of `FORMATS`.
        options: how.
        clean: the cleaned tracks instead of the raw ones.
        progress: called with the numbers of recordings done and of all.

    Returns:
        what became of each; one that cannot be exported does not keep the others from it. In a
        data set of one piece, it does.

    Raises:
        UsageError: the folder holds no recording, or as in `export_tracks`.
        TracksError, OutputError: as in `export_tracks`.
    """
    chosen, options = format_of(to), options or ExportOptions()
    run, out = Path(run), Path(out)
    check_outside_results(out)
    paths, without = recordings_of(run, clean=clean)
    if chosen.write_set is not None:
        if without:
            raise UsageError(
                f"{len(without):,} of the recordings have no {CLEAN_FILE}.", hint=_CONVERT_CLEAN
            )
        done: list[Exported] = []
        chosen.write_set(_loaded(paths, done, progress), out, options=options)
        return done
    if not chosen.endings or not out.exists():
        make_parent(out)
    with output_errors():
        out.mkdir(exist_ok=True)
    results = [Exported(name, problem=f"It has no {CLEAN_FILE}.") for name in without]
    for count, path in enumerate(paths, 1):
        name = recording_name(path)
        results.append(_one(chosen, path, out / f"{name}{_ending(chosen)}", options))
        if progress:
            progress(count, len(paths))
    return results


def format_of(name: str) -> Format:
    """The format of that name.

    Raises:
        UsageError: there is no such format.
    """
    if name not in FORMATS:
        raise UsageError(f"There is no format {name!r}.", hint=f"Use one of {', '.join(FORMATS)}.")
    return FORMATS[name]


def recording_name(path: Path) -> str:
    """The name of a recording in exports: the pseudonym of its folder, or `UNNAMED`."""
    folder = path.absolute().parent.name
    return folder if PSEUDONYM.fullmatch(folder) else UNNAMED


def recordings_of(run: Path, *, clean: bool = False) -> tuple[list[Path], list[str]]:
    """The tracks files of a run, sorted by pseudonym.

    Returns:
        the files, and the names of the recordings that have none: no clean one.

    Raises:
        UsageError: there is no such folder, or it holds none.
    """
    file = CLEAN_FILE if clean else TRACKS_FILE
    if not run.is_dir():
        raise UsageError("There is no such file or folder of tracks.")
    raw = sorted(p for p in run.glob(f"*/{TRACKS_FILE}") if PSEUDONYM.fullmatch(p.parent.name))
    wanted = [path.with_name(file) for path in raw]
    found = [path for path in wanted if path.exists()]
    if not found:
        raise UsageError(
            f"The folder holds no recording with {file}.",
            hint=_CONVERT_CLEAN if raw else "Give the folder of convert's -o.",
        )
    return found, [recording_name(path) for path in sorted({*wanted} - {*found})]


def read_labels(path: Path) -> dict[str, Label]:
    """Labels from a CSV file with the columns name, label and, if wanted, split.

    Raises:
        UsageError: there is no such file, or it is not like that.
    """
    wrong = UsageError(
        "The labels cannot be read.",
        hint="Give a CSV file with the columns name, label (a whole number) and, if wanted, split.",
    )
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error):
        raise wrong from None
    labels = {}
    for row in rows:
        name, label = row.get("name") or "", row.get("label") or ""
        if not name or not re.fullmatch(r"-?[0-9]{1,9}", label.strip()):
            raise wrong
        labels[name] = Label(int(label), (row.get("split") or Label().split).strip())
    return labels


def _loaded(
    paths: list[Path], done: list[Exported], progress: Callable[[int, int], None] | None
) -> Iterator[tuple[str, Tracks]]:
    for path in paths:
        name, tracks = recording_name(path), load_tracks(path)
        yield name, tracks
        done.append(Exported(name, uneven=tracks.footer.vfr))
        if progress:
            progress(len(done), len(paths))


def _one(chosen: Format, path: Path, out: Path, options: ExportOptions) -> Exported:
    name = recording_name(path)
    try:
        tracks = load_tracks(path)
        chosen.write(tracks, out, options=options, name=name)
    except Vid2kpError as error:
        if is_of_full_disk(error):  # neither will the next one find room
            raise
        return Exported(name, problem=str(error))
    return Exported(name, uneven=tracks.footer.vfr)


def _ending(chosen: Format) -> str:
    return chosen.endings[0] if chosen.endings else ""
