"""``vid2kp render``: a skeleton video from tracks alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from vid2kp.cli.screen import JsonFlag, QuietFlag, Screen
from vid2kp.errors import UsageError


def render(
    tracks: Annotated[Path, typer.Argument(metavar="TRACKS", help="A tracks file, or its folder.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="VIDEO", help="The MP4 to write.")],
    size: Annotated[
        str,
        typer.Option(help="Longest side of a 16:9 picture in pixels, or 'source'."),
    ] = "1280",
    trail: Annotated[
        float, typer.Option(help="Seconds for which the paths of wrists and ankles stay visible.")
    ] = 0.0,
    people: Annotated[
        Literal["infant", "all"], typer.Option(help="Whom to draw of those in the tracks.")
    ] = "all",
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Draw tracks as a video, with the original timing.

    Nothing but the tracks is read: the source is not needed and may be gone.
    """
    from vid2kp.render.skeleton_video import SOURCE_SIZE, RenderOptions, render_video
    from vid2kp.tracks.places import check_ending, check_outside_results
    from vid2kp.tracks.schema import FRAMES_FILE, TRACKS_FILE

    check_ending(out, ".mp4")
    check_outside_results(out)
    screen = Screen(as_json=as_json, quiet=quiet)
    tracks = tracks / TRACKS_FILE if tracks.is_dir() else tracks
    frames = tracks.with_name(FRAMES_FILE)
    options = RenderOptions(
        size=SOURCE_SIZE if size == "source" else _pixels(size), trail=trail, people=people
    )
    with screen.progress("{task.completed:,} frames") as progress:
        task = progress.add_task("drawing", total=None)
        count = render_video(
            tracks,
            out,
            frames_path=frames if frames.exists() else None,
            options=options,
            progress=lambda drawn: progress.update(task, completed=drawn),
        )
    screen.line(f"{count:,} frames drawn.")
    screen.document({"frames": count})


def _pixels(size: str) -> int:
    if not size.isdecimal() or not int(size):
        raise UsageError("The size is a number of pixels or 'source'.")
    return int(size)
