"""``vid2kp convert``: videos in, tracks and skeleton videos out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from vid2kp.cli.screen import JsonFlag, QuietFlag, Screen, VerboseFlag, counted, duration
from vid2kp.errors import UsageError

if TYPE_CHECKING:
    from rich.progress import TaskID

    from vid2kp.batch.crew import CrewMaker
    from vid2kp.batch.options import BatchResult, Plan, Progress, ProgressCallback
    from vid2kp.convert import VideoResult

_FEW = 20  # videos that are all listed at the end; of more only those that need a look
_MOST = 60  # lines of that list


def convert(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="INPUT...", help="Videos, and folders that hold some.", show_default=False
        ),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="OUT", help="Results; OUT.private appears beside it."),
    ],
    model: Annotated[str, typer.Option(help="Name or path of a model.")] = "infant-lite",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:i.")] = "auto",
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "fp16"], typer.Option(help="Kind of numbers.")
    ] = "auto",
    batch_size: Annotated[
        str, typer.Option(metavar="auto|N", help="Pictures looked at together.")
    ] = "auto",
    jobs: Annotated[
        str, typer.Option(metavar="auto|N", help="Videos converted side by side.")
    ] = "auto",
    shard: Annotated[
        str | None,
        typer.Option(metavar="i/n", help="Only the i-th of n parts, for n machines on one OUT."),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Ray cluster: local, auto or HOST:PORT."),
    ] = None,
    people: Annotated[
        Literal["infant", "all"], typer.Option(help="Whose tracks to write.")
    ] = "infant",
    zoom: Annotated[
        Literal["auto", "off"], typer.Option(help="Look again at a crop around the infant.")
    ] = "auto",
    rotate: Annotated[
        Literal["auto", "0", "90", "180", "270"],
        typer.Option(help="Turn pictures by this for the network; auto: the infant's head up."),
    ] = "auto",
    start: Annotated[float, typer.Option(min=0, help="Seconds to leave out at the start.")] = 0.0,
    length: Annotated[
        float | None, typer.Option("--duration", min=0.001, help="Seconds to convert.")
    ] = None,
    no_video: Annotated[bool, typer.Option("--no-video", help="Draw no skeleton video.")] = False,
    clean: Annotated[
        bool, typer.Option("--clean", help="Also write clean tracks; see vid2kp clean.")
    ] = False,
    drop_face: Annotated[bool, typer.Option("--drop-face", help="Give no eyes and ears.")] = False,
    normalise: Annotated[
        bool,
        typer.Option("--normalise", "--normalize", help="Positions in torso lengths, not pixels."),
    ] = False,
    relative_only: Annotated[
        bool, typer.Option("--relative-only", help="Positions from the mid hip of each frame.")
    ] = False,
    links: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Another table of pseudonyms.")
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Derive pseudonyms from this secret key.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Convert finished videos again.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done, and how long it takes.")
    ] = False,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
    verbose: VerboseFlag = False,
) -> None:
    """Convert videos to keypoint tracks and skeleton videos.

    Finished videos are skipped, so the same command goes on where it was stopped. OUT can be
    handed over as it is; OUT.private says which video is which pseudonym and stays with the videos.

    Exit code: 0 every video has its results, 1 some failed, 2 wrong usage, 3 nothing could be
    converted, 4 the disk is full, or the model was changed, and the rest was
    not begun, 130 interrupted.
    """
    if cluster and dry_run:
        raise UsageError("A dry run measures this machine.", hint="Leave --cluster out.")
    from vid2kp.batch.options import BatchOptions, parse_shard
    from vid2kp.batch.run import run
    from vid2kp.convert import ConvertOptions

    screen = Screen(as_json=as_json, quiet=quiet, verbose=verbose)
    options = ConvertOptions(
        model=model,
        device=device,
        precision=precision,
        batch_size=_number(batch_size, "batch size"),
        people=people,
        zoom=zoom,
        rotate=rotate,
        start=start,
        duration=length,
        video=not no_video,
        clean=clean,
        drop_face=drop_face,
        normalise=normalise,
        relative_only=relative_only,
    )
    batch = BatchOptions(
        jobs=_number(jobs, "number of jobs") or "auto",
        shard=parse_shard(shard) if shard else None,
        overwrite=overwrite,
        links=links,
        key_file=key_file,
        dry_run=dry_run,
    )
    with _shown(screen) as progress:
        result = run(
            inputs, out, options=options, batch=batch, progress=progress, crew=_crew(cluster)
        )
    if result.plan:
        _show_plan(screen, result.plan)
    else:
        _show_results(screen, result)
        _show_places(screen, out, result)
    for note in result.notes:
        screen.note(note)
    screen.document(_as_document(out, result))
    raise typer.Exit(result.exit_code)


def _crew(cluster: str | None) -> CrewMaker:
    """Who converts: processes of this machine, or the actors of a cluster."""
    if cluster:
        from vid2kp.cluster import ray_crew

        return ray_crew(cluster)
    from vid2kp.batch.pool import Pool

    return Pool


def _number(text: str, what: str) -> int | None:
    """A positive number; None for ``auto``."""
    if text == "auto":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"The {what} is 'auto' or a number from 1 on.")
    return int(text)


@contextmanager
def _shown(screen: Screen) -> Iterator[ProgressCallback]:
    """A callback that shows what happens: live on a terminal, a line per video elsewhere."""
    from vid2kp.cli.pace import Pace

    pace = Pace()
    with screen.progress("{task.fields[count]}", "{task.fields[rate]}") as display:
        whole = display.add_task("loading the model", total=None, count="", rate="", left="")
        videos: dict[str, TaskID] = {}

        def show(event: Progress) -> None:
            pace.heed(event)
            rate = f"{pace.rate:,.0f} frames/s" if pace.rate else ""
            seconds = pace.seconds_left
            left = "" if seconds is None else f"about {duration(seconds)} left"
            what = "waiting for another process" if event.kind == "waiting" else "converting"
            display.update(
                whole,
                description=what,
                completed=event.done,
                total=event.videos,
                count=f"{event.done:,}/{event.videos:,} videos",
                rate=rate,
                left=left,
            )
            if event.kind == "started" and event.pseudonym not in videos:
                videos[event.pseudonym] = display.add_task(
                    f"  {event.pseudonym[:8]}…", total=event.frames_expected, count="", rate=""
                )
            elif event.kind == "frames" and event.pseudonym in videos:
                display.update(
                    videos[event.pseudonym],
                    completed=event.frames,
                    total=event.frames_expected,
                    count=f"{event.frames:,} frames",
                )
            elif event.kind in ("finished", "skipped"):
                if event.pseudonym in videos:
                    display.remove_task(videos.pop(event.pseudonym))
                if display.disable and event.result:
                    text = f"[{event.done}/{event.videos}] {_one_line(event)}"
                    if event.kind == "finished" and event.done < event.videos and rate:
                        text += "; " + ", ".join(filter(None, (rate, left)))
                    screen.note(text)

        yield show


def _one_line(event: Progress) -> str:
    result = event.result
    if result is None:
        return event.pseudonym
    status = "skipped, was finished before" if event.kind == "skipped" else result.status
    return f"{result.pseudonym} {status}, {result.frames:,} frames"


def _show_plan(screen: Screen, plan: Plan) -> None:
    screen.line(f"To convert: {counted(plan.to_do, 'video')}, about {plan.frames:,} frames.")
    screen.line(f"Finished before: {counted(plan.finished, 'video')}.")
    if plan.frames_per_second and plan.seconds is not None:
        rate = f"{plan.frames_per_second:,.0f} frames/s, measured here"
        screen.line(f"It would take about {duration(plan.seconds)} ({rate}).")


def _show_results(screen: Screen, result: BatchResult) -> None:
    """The table at the end: of a few videos each, of many those that need a look."""
    listed = [
        video
        for video in result.results
        if _needs_a_look(video)
        or screen.verbose
        or (len(result.results) <= _FEW and not screen.quiet)
    ]
    if listed:
        columns = ("video", "status", "frames", "seconds", "usable", "infant seen", "look because")
        shown = listed if screen.verbose else listed[:_MOST]
        screen.table(columns, [_row(video, result) for video in shown])
        if len(shown) < len(listed):
            screen.line(f"… and {len(listed) - len(shown):,} more; see index.parquet.")
    if not screen.quiet or listed:
        screen.line(_summary(result))


def _row(video: VideoResult, result: BatchResult) -> tuple[object, ...]:
    is_skipped = video.pseudonym in result.skipped and not _needs_a_look(video)
    return (
        video.pseudonym,
        "skipped" if is_skipped else video.status,
        video.frames,
        round(video.seconds, 1),
        _seconds(video.quality.get("usable_seconds")),
        f"{video.found:.0%}" if video.frames else "",
        " ".join(filter(None, (video.reason, _sentence(video.look.values())))),
    )


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _sentence(parts: Iterable[str]) -> str:
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _needs_a_look(video: VideoResult) -> bool:
    return video.status != "done" or bool(video.look)


def _summary(result: BatchResult) -> str:
    from vid2kp.tracks.schema import FAILURES

    statuses = [video.status for video in result.results]
    failed = sum(status in FAILURES for status in statuses)
    look = sum(_needs_a_look(video) for video in result.results) - failed
    counts = {"fine": len(statuses) - look - failed, "need a look": look, "failed": failed}
    text = ", ".join(f"{count:,} {what}" for what, count in counts.items())
    skipped = f" ({len(result.skipped):,} were finished before)" if result.skipped else ""
    return f"{counted(len(statuses), 'video')}: {text}{skipped}."


def _show_places(screen: Screen, out: Path, result: BatchResult) -> None:
    from vid2kp.tracks.schema import REPORT_FILE

    if any(video.folder for video in result.results):
        screen.line(f"Results: {out}")
        if (report := out / REPORT_FILE).exists():
            screen.line(f"How usable they are: {report}")
    private = out.parent / result.private.name
    screen.note(f"Which video is which, and why some failed: {private}; keep it with the videos.")


def _as_document(out: Path, result: BatchResult) -> dict[str, Any]:
    # The folder as it was given: the whole path may tell more than the user typed.
    return {
        "exit_code": result.exit_code,
        "out": str(out),
        "videos": [
            asdict(video)
            | {
                "folder": str(out / video.pseudonym) if video.folder else None,
                "look": video.look,
                "skipped": video.pseudonym in result.skipped,
            }
            for video in result.results
        ],
        "notes": list(result.notes),
        "plan": asdict(result.plan) if result.plan else None,
    }
