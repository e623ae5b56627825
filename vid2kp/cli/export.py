"""``vid2kp export``: tracks in the formats of other programs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from vid2kp.cli.screen import JsonFlag, QuietFlag, Screen, counted
from vid2kp.errors import UsageError
from vid2kp.exit_codes import NOTHING_DONE, SOME_FAILED


def export(
    tracks: Annotated[
        Path,
        typer.Argument(
            metavar="TRACKS", help="A tracks file, the folder of a video, or that of a whole run."
        ),
    ],
    to: Annotated[
        Literal[
            "openpose",
            "coco",
            "deeplabcut",
            "sleap",
            "nwb",
            "netcdf",
            "bids",
            "skeleton-npz",
            "pyskl",
        ],
        typer.Option("--to", help="The format."),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="PATH", help="The file or the new folder to make."),
    ],
    individual: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this individual; may be repeated."),
    ] = None,
    layout: Annotated[
        Literal["body25", "coco18"],
        typer.Option(help="Keypoints of openpose files. Its clients read any as body25."),
    ] = "body25",
    task: Annotated[
        str, typer.Option(metavar="LABEL", help="Name of the task in bids.")
    ] = "spontaneous",
    labels: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="CSV with name, label, split for the skeleton formats."),
    ] = None,
    clean: Annotated[
        bool, typer.Option("--clean", help="Of a folder: the cleaned tracks, not the raw ones.")
    ] = False,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Write tracks in the format of another program.

    Nothing but tracks is read. docs/tracks.md says what each format keeps: which have a place for
    the time of every frame, for several individuals and for units other than pixels.
    """  # fmt: skip
    from vid2kp.export.common import ExportOptions
    from vid2kp.export.formats import Exported, export_run, export_tracks, format_of, read_labels
    from vid2kp.tracks.load import read_tracks_footer
    from vid2kp.tracks.schema import CLEAN_FILE, TRACKS_FILE

    screen = Screen(as_json=as_json, quiet=quiet)
    options = ExportOptions(
        individuals=tuple(individual or ()),
        layout=layout,
        task=task,
        labels=read_labels(labels) if labels else {},
    )
    file = tracks / (CLEAN_FILE if clean else TRACKS_FILE)
    if tracks.is_dir() and not file.exists():
        with screen.progress("{task.completed:,}/{task.total:,}") as progress:
            bar = progress.add_task("exporting", total=None)
            results = export_run(
                tracks,
                out,
                to=to,
                options=options,
                clean=clean,
                progress=lambda done, all_: progress.update(bar, completed=done, total=all_),
            )
    else:
        if clean and not tracks.is_dir():
            raise UsageError(
                "--clean chooses among the files of a folder.", hint="Give the cleaned file itself."
            )
        file = file if tracks.is_dir() else tracks
        export_tracks(file, out, to=to, options=options)
        results = [Exported("", uneven=read_tracks_footer(file).vfr)]
    left_out = [result for result in results if result.problem]
    if left_out:
        screen.table(("recording", "left out because"), [(r.name, r.problem) for r in left_out])
    exported = len(results) - len(left_out)
    screen.line(f"{exported:,} of {len(results):,} recordings exported.")
    if any(result.uneven for result in results) and not format_of(to).true_times:
        screen.note(
            f"The frames are not evenly spaced, and {to} has no place for their times: "
            "netcdf, nwb, bids, coco and skeleton-npz have."
        )
    unknown = set(options.labels) - {result.name for result in results}
    if unknown and all(result.name for result in results):
        screen.note(f"Of no recording here: {counted(len(unknown), 'label')}. Misspelt?")
    screen.document({"format": to, "recordings": [asdict(result) for result in results]})
    if left_out:
        raise typer.Exit(SOME_FAILED if exported else NOTHING_DONE)
