"""``vid2kp verify``: the proof that a deliverable holds nothing but keypoints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vid2kp.cli.screen import JsonFlag, QuietFlag, Screen, counted


def verify(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A folder that convert wrote to.")],
    links: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The private links.csv: look for the sources' names."),
    ] = None,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Prove that a folder of results holds nothing but keypoints.

    Everything is checked by other code than that which wrote it, down to every pixel of the
    skeleton videos. With --links, every byte is searched for names, folders and tags of the
    sources. Exit code 0 only when all holds.
    """
    from vid2kp.privacy.verify import CHECKS
    from vid2kp.privacy.verify import verify as run

    screen = Screen(as_json=as_json, quiet=quiet)
    with screen.progress("{task.completed:,}/{task.total:,} videos") as progress:
        task = progress.add_task("verifying", total=None)
        report = run(
            out,
            links,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    bad = {finding.check for finding in report.findings}
    rows = [
        (name, "NO" if name in bad else "yes" if report.checked[name] else "not checked",
         report.checked[name], text)
        for name, text in CHECKS.items()
    ]  # fmt: skip
    screen.table(("check", "holds", "files", "what it says"), rows)
    if report.findings:
        found = [(one.where, one.check, one.what) for one in report.findings]
        screen.table(("file", "check", "found"), found)
    if report.needles is not None:
        screen.line(f"{report.needles:,} names, tags and hashes of the sources were looked for.")
    if report.left_out or report.unread:
        screen.note(
            f"{report.left_out} were too short or too common to be looked for; "
            f"{report.unread} sources could not be opened, so only their names were looked for."
        )
    for note in report.notes:
        screen.note(note)
    screen.line(
        f"{counted(report.videos, 'video')}: "
        + (
            "all holds."
            if report.ok
            else f"{counted(len(report.findings), 'finding')}. Do not hand it over."
        )
    )
    screen.document(
        {
            "ok": report.ok,
            "videos": report.videos,
            "checked": report.checked,
            "findings": [vars(finding) for finding in report.findings],
            "needles": report.needles,
            "needles_left_out": report.left_out,
            "sources_not_opened": report.unread,
            "notes": list(report.notes),
        }
    )
    if not report.ok:
        raise typer.Exit(1)
