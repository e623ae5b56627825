"""``vid2kp probe``: what is in a video, without keeping a picture of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vid2kp.cli.screen import JsonFlag, QuietFlag, Screen, VerboseFlag, duration
from vid2kp.errors import Vid2kpError

if TYPE_CHECKING:
    from vid2kp.video.probe import VideoInfo
    from vid2kp.video.read import ReadSummary


@dataclass(frozen=True)
class Probed:
    """What is known of one video.

    Attributes:
        name: what it is called here: its place in the order of the arguments.
        info: what its header says; None where it is unreadable.
        summary: what decoding all of it has shown; None where that was not asked for.
        error: why it is unreadable.
    """

    name: str
    info: VideoInfo | None = None
    summary: ReadSummary | None = None
    error: Vid2kpError | None = None


def probe(
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT...", show_default=False)],
    decode: Annotated[
        bool, typer.Option("--decode", help="Read all of it too: true frame count, rate, damage.")
    ] = False,
    names: Annotated[
        bool,
        typer.Option("--names", help="Show file names; the output then must stay with the videos."),
    ] = False,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
    verbose: VerboseFlag = False,
) -> None:
    """Show what is in videos: size, timing, rotation, streams, damage, warnings.

    Videos are numbered in the order of the arguments, those of a folder in the order of their
    paths, because names of clinical files are often names of patients. No picture is kept, no
    tag value is shown.
    """
    from vid2kp.batch.discovery import discover

    screen = Screen(as_json=as_json, quiet=quiet, verbose=verbose)
    found = discover(inputs)
    probed = []
    with screen.progress("{task.completed}/{task.total}") as progress:
        task = progress.add_task("probing", total=len(found))
        for number, path in enumerate(found, 1):
            probed.append(_probe_one(path.name if names else str(number), path, decode=decode))
            progress.advance(task)
    if len(probed) == 1 or verbose:
        for one in probed:
            _show_facts(screen, one)
    else:
        _show_table(screen, probed)
    screen.document([_as_document(one) for one in probed])
    readable = sum(one.error is None for one in probed)
    raise typer.Exit(0 if readable == len(probed) else (1 if readable else 3))


def _probe_one(name: str, path: Path, *, decode: bool) -> Probed:
    from vid2kp.video.probe import probe as probe_video
    from vid2kp.video.read import VideoReader, read_video

    def read_all(reader: VideoReader) -> ReadSummary:
        for _ in reader.frames():
            pass
        return reader.summary

    try:
        info = probe_video(path)
        return Probed(name, info, read_video(path, read_all) if decode else None)
    except Vid2kpError as error:
        return Probed(name, error=error)


def _show_table(screen: Screen, probed: list[Probed]) -> None:
    columns = (
        "video", "status", "codec", "width", "height", "turn", "fps", "frames", "seconds", "notes"
    )  # fmt: skip
    screen.table(columns, [_row(one) for one in probed])


def _row(one: Probed) -> tuple[object, ...]:
    if one.info is None:
        reason = one.error.message if one.error else ""
        return (one.name, _status(one), "", None, None, None, None, None, None, reason)
    info, summary = one.info, one.summary
    return (
        one.name,
        _status(one),
        info.codec,
        info.width,
        info.height,
        info.rotation,
        summary.fps if summary else info.fps,
        summary.frames if summary else info.header_frames,
        info.header_duration,
        " ".join(_warnings(one)),
    )


def _status(one: Probed) -> str:
    if one.error:
        return "unreadable"
    return one.summary.status if one.summary else "ok"


def _show_facts(screen: Screen, one: Probed) -> None:
    if one.info is None:
        screen.line(f"Video {one.name}: unreadable. {one.error or ''}")
        return
    screen.line(f"Video {one.name}")
    facts = _facts(one.info) | (_findings(one.summary) if one.summary else {})
    width = max(map(len, facts))
    for name, value in facts.items():
        screen.line(f"  {name.ljust(width)}  {value}")
    for warning in _warnings(one):
        screen.line(f"  ! {warning}")


def _warnings(one: Probed) -> tuple[str, ...]:
    said = [part.warnings for part in (one.info, one.summary) if part]
    return tuple(dict.fromkeys(warning for warnings in said for warning in warnings))


def _facts(info: VideoInfo) -> dict[str, str]:
    streams = ", ".join(f"{count} {kind}" for kind, count in info.other_streams)
    coded = f" (coded {info.coded_width} × {info.coded_height})"
    is_changed = (info.coded_width, info.coded_height) != (info.width, info.height)
    frames = "unknown" if info.header_frames is None else f"{info.header_frames:,}"
    length = "unknown" if info.header_duration is None else duration(info.header_duration)
    return {
        "container": info.container,
        "codec": f"{info.codec}, {info.pixel_format}" + (f", HDR {info.hdr}" if info.hdr else ""),
        "picture": f"{info.width} × {info.height}" + (coded if is_changed else ""),
        "rate": f"{info.fps:.4g} frames/s, time base {info.time_base}",
        "promised": f"{frames} frames, {length}",
        "reading will": "; ".join(info.actions) or "change nothing",
        "unopened": streams or "nothing else in the file",
        "tags": ", ".join(info.identifying_tags) or "none that may identify",
    }


def _findings(summary: ReadSummary) -> dict[str, str]:
    rate = "variable rate, median" if summary.vfr else "constant rate"
    damage = f"{summary.suspect_frames:,} suspect, {summary.decode_errors:,} decoding errors"
    return {
        "status": summary.status,
        "frames": f"{summary.frames:,}, {rate} {summary.fps:.4g} frames/s",
        "times": "as in the file" if summary.time_source == "pts" else "rebuilt from the rate",
        "damage": damage if summary.suspect_frames or summary.decode_errors else "none",
    }


def _as_document(one: Probed) -> dict[str, Any]:
    return {
        "video": one.name,
        "status": _status(one),
        "error": one.error.message if one.error else None,
        "info": asdict(one.info) if one.info else None,
        "summary": asdict(one.summary) if one.summary else None,
    }
