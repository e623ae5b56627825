"""``vid2kp synth``: synthetic infants with exact keypoints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vid2kp.cli.screen import JsonFlag, QuietFlag, Screen
from vid2kp.errors import UsageError

if TYPE_CHECKING:
    from vid2kp.training.scenes import SceneOptions
    from vid2kp.training.synthetic_video import VideoOptions

_LEAST_SIDE = 32


def synth(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder to write to.")],
    images: Annotated[
        int, typer.Option(metavar="COUNT", help="How many labelled pictures.", min=0)
    ] = 0,
    video: Annotated[bool, typer.Option("--video", help="A video with its true tracks.")] = False,
    scene: Annotated[
        str | None,
        typer.Option(
            metavar="EVENTS",
            help="A video of a scene in which this happens, joined by +: arms, adult, crowd, twin, "
            "blanket, knock, light, leave; or alone.",
        ),
    ] = None,
    fill: Annotated[
        float,
        typer.Option(help="Size of the video's infant, up to 1: all the picture.", min=0.05, max=1),
    ] = 0.8,
    seed: Annotated[int, typer.Option(help="The same seed gives the same infants.")] = 0,
    size: Annotated[
        str | None,
        typer.Option(metavar="N or WxH", help="Side of the pictures; size of the video."),
    ] = None,
    seconds: Annotated[float, typer.Option(help="Length of the video.", min=0.04)] = 10.0,
    fps: Annotated[float, typer.Option(help="Frames per second of the video.", min=1)] = 25.0,
    direction: Annotated[
        float, typer.Option(help="Degrees by which the infant of the video is turned; 0: head up.")
    ] = 0.0,
    device: Annotated[str, typer.Option(help="Where pictures are rendered: cpu or cuda.")] = "cpu",
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Make synthetic infants: labelled pictures to train on, or a video with its true tracks.

    Pictures come with COCO keypoint annotations (annotations.json), a video with tracks.parquet
    and frames.parquet. The video of a scene has the tracks of everybody in it.
    """
    if not images and not video and scene is None:
        raise UsageError(
            "Nothing was asked for.", hint="Give --images COUNT, --video, or --scene EVENTS."
        )
    from vid2kp.tracks.places import check_outside_results
    from vid2kp.training.synthetic_video import VideoOptions

    check_outside_results(out)
    screen = Screen(as_json=as_json, quiet=quiet)
    made: dict[str, object] = {}
    options = None
    if video or scene is not None:  # what cannot be done is said before anything is
        width, height = _sides(size or "960x540")
        options = VideoOptions(
            seconds=seconds, fps=fps, width=width, height=height, direction=direction, fill=fill
        )
        happening = _happening(scene, options)
    if images:
        made |= _write_images(screen, out, images, seed, size, device)
    if options is not None:
        made |= _write_video(screen, out, seed, options, happening)
    screen.document(made)


def _write_images(
    screen: Screen, out: Path, count: int, seed: int, size: str | None, device: str
) -> dict[str, object]:
    from vid2kp.training.synthetic import write_images

    side, height = _sides(size or "288")
    if side != height:
        raise UsageError("Pictures are square.", hint="Give one number: --size 288.")
    with screen.progress("{task.completed:,}/{task.total:,}") as progress:
        task = progress.add_task("rendering pictures", total=count)
        annotations = write_images(
            out,
            count=count,
            seed=seed,
            size=side,
            device=device,
            progress=lambda done, _: progress.update(task, completed=done),
        )
    screen.line(f"{count:,} pictures: {annotations}")
    return {"images": count, "annotations": str(annotations)}


def _happening(scene: str | None, options: VideoOptions) -> SceneOptions | None:
    """What ``--scene`` asks for, None for no scene.

    Raises:
        UsageError: there is no such event.
    """
    from vid2kp.training.scenes import SceneOptions

    if scene is None:
        return None
    events = () if scene == "alone" else tuple(scene.split("+"))
    return SceneOptions(events=events, video=options)


def _write_video(
    screen: Screen, out: Path, seed: int, options: VideoOptions, happening: SceneOptions | None
) -> dict[str, object]:
    from vid2kp.training.scenes import write_scene
    from vid2kp.training.synthetic_video import write_video

    with screen.progress("{task.completed:,}/{task.total:,}") as progress:
        task = progress.add_task("rendering video", total=round(options.seconds * options.fps))

        def show(done: int, _: int) -> None:
            progress.update(task, completed=done)

        if happening is None:
            files = write_video(out, seed=seed, options=options, progress=show)
        else:
            files = write_scene(out, seed=seed, options=happening, progress=show)
    screen.line(f"video: {files.video}")
    screen.line(f"its true tracks: {files.tracks}")
    return {"video": str(files.video), "tracks": str(files.tracks), "frames": str(files.frames)}


def _sides(size: str) -> tuple[int, int]:
    """Width and height of ``640x480`` or of ``288``, a square."""
    width, _, height = size.lower().replace("×", "x").partition("x")
    if not width.isdecimal() or not (height or width).isdecimal():
        raise UsageError("The size is one number of pixels, or two as in 640x480.")
    sides = int(width), int(height or width)
    if min(sides) < _LEAST_SIDE or sides[0] % 2 or sides[1] % 2:
        raise UsageError(f"Both sides must be even and at least {_LEAST_SIDE} pixels.")
    return sides
