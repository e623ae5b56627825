"""``vid2kp report``: the page about a run, built again from its results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vid2kp.cli.screen import JsonFlag, QuietFlag, Screen
from vid2kp.errors import UsageError


def report(
    folder: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="A folder that convert wrote to.", show_default=False),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Instead of OUT/report.html."),
    ] = None,
    videos: Annotated[
        list[str] | None,
        typer.Option("--video", metavar="NAME", help="Only this pseudonym; may be given again."),
    ] = None,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Build the page that shows how usable the recordings are.

    One file that needs nothing else and asks for nothing: it opens in any browser, without a
    network. convert writes it too.
    """
    from vid2kp.render.report import write_report
    from vid2kp.tracks.places import check_outside_results
    from vid2kp.tracks.schema import REPORT_FILE

    if out is not None and (videos or out.resolve() != (folder / REPORT_FILE).resolve()):
        check_outside_results(out)
    if videos and out is None:
        raise UsageError(
            "A report of some videos is not the report of the folder.", hint="Give it a name: -o."
        )
    screen = Screen(as_json=as_json, quiet=quiet)
    with screen.progress("{task.completed:,} videos") as progress:
        task = progress.add_task("reading", total=None)
        path = write_report(
            folder,
            out,
            videos=videos or (),
            progress=lambda count: progress.update(task, completed=count),
        )
    size = path.stat().st_size
    screen.line(f"Report: {path} ({size / 1e6:,.1f} MB)")
    screen.document({"report": str(path), "bytes": size})
