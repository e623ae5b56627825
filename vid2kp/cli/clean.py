"""``vid2kp clean``: a second product, put right, smoothed, with short gaps filled."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from vid2kp.cli.screen import JsonFlag, QuietFlag, Screen


def clean(
    tracks: Annotated[
        Path, typer.Argument(metavar="TRACKS", help="A raw tracks file, or its folder.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="The clean tracks file to write.")
    ],
    passband: Annotated[
        float,
        typer.Option(metavar="HZ", help="Movement up to here keeps 95 % of its size; 0: as seen."),
    ] = 6.0,
    longest_gap: Annotated[
        float, typer.Option("--max-gap", metavar="SECONDS", help="Longer gaps stay empty.")
    ] = 0.2,
    keep_swaps: Annotated[
        bool, typer.Option("--keep-swaps", help="Leave exchanged left and right as they are.")
    ] = False,
    keep_outliers: Annotated[
        bool, typer.Option("--keep-outliers", help="Leave samples that jump away and back.")
    ] = False,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Put sides right, drop outliers, smooth, and fill short gaps, into a file of its own.

    The raw tracks stay as they are; every changed sample is marked in the column state.
    """
    from vid2kp.tracks.clean import CleanOptions, clean_tracks
    from vid2kp.tracks.places import check_ending, check_outside_results
    from vid2kp.tracks.schema import TRACKS_FILE

    check_ending(out, ".parquet")
    check_outside_results(out)
    screen = Screen(as_json=as_json, quiet=quiet)
    summary = clean_tracks(
        tracks / TRACKS_FILE if tracks.is_dir() else tracks,
        out,
        options=CleanOptions(
            passband=passband,
            longest_gap=longest_gap,
            swaps=not keep_swaps,
            outliers=not keep_outliers,
        ),
    )
    counts = asdict(summary)
    frames, outliers = counts.pop("frames"), counts.pop("outliers")
    whole = max(sum(counts.values()), 1)
    rows = [(name, count, f"{count / whole:.1%}") for name, count in counts.items()]
    screen.table(("keypoints", "number", "share"), rows)
    screen.line(f"{frames:,} frames; {outliers:,} outliers dropped.")
    screen.document(asdict(summary))
