"""``vid2kp labelme2coco``: labels made with labelme → COCO keypoint annotations."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from vid2kp.cli.screen import JsonFlag, QuietFlag, Screen
from vid2kp.exit_codes import NOTHING_DONE, SOME_FAILED


def labelme2coco(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="labelme's JSON files.", exists=True, file_okay=False),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The annotations.")],
    images: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The pictures, if they are not beside the labels."),
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="JSON object: label to keypoint, to infant, or to null."),
    ] = None,
    skeleton: Annotated[
        Literal["coco18", "infant22", "body25"], typer.Option(help="The keypoint set.")
    ] = "infant22",
    hidden: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FLAG",
            help="Flag of points that are hidden; may be repeated. "
            "If left out: occluded, hidden, invisible.",
        ),
    ] = None,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Make COCO keypoint annotations of labels made with labelme.

    Points of one group_id are one infant; points without one belong to the rectangle they lie in,
    or all to one infant. A rectangle is named infant, baby, person or the like. Labels are matched
    by name (RWrist, right_wrist, "Right Wrist"), others by the mapping. Pictures stay where they
    are and are not copied. What is wrong is listed for each file.
    """
    from vid2kp.pose.skeleton import get_skeleton
    from vid2kp.tracks.places import check_outside_results
    from vid2kp.training.labelme import (
        HIDDEN_FLAGS,
        LabelmeOptions,
        check_no_labels,
        convert_labelme,
        read_aliases,
    )

    screen = Screen(as_json=as_json, quiet=quiet)
    check_outside_results(out)
    check_no_labels(out)
    options = LabelmeOptions(
        skeleton=get_skeleton(skeleton),
        aliases=read_aliases(mapping) if mapping else {},
        hidden_flags=tuple(hidden) if hidden else HIDDEN_FLAGS,
        images=images,
    )
    with screen.progress("{task.completed:,}/{task.total:,}") as progress:
        task = progress.add_task("reading labels", total=None)
        converted = convert_labelme(
            folder,
            options=options,
            skip=out,
            progress=lambda done, all_: progress.update(task, completed=done, total=all_),
        )
    if converted.problems:
        screen.table(
            ("file", "status", "problem"),
            [(p.file, "failed" if p.left_out else "", p.text) for p in converted.problems],
        )
    left_out = sum(problem.left_out for problem in converted.problems)
    if converted.pictures:
        converted.write(out)
        screen.line(f"{converted.pictures:,} pictures, {converted.people:,} people: {out}")
    if left_out:
        screen.note(f"{left_out:,} files were left out.")
    screen.document(
        {
            "annotations": str(out) if converted.pictures else None,
            "pictures": converted.pictures,
            "people": converted.people,
            "problems": [asdict(problem) for problem in converted.problems],
        }
    )
    if left_out:
        raise typer.Exit(SOME_FAILED if converted.pictures else NOTHING_DONE)
