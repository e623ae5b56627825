"""Whom a conversion follows in synthetic scenes: the right one, all the time, and when in doubt.

    python benchmarks/scenes.py [--folder DIR] [--only NUMBER ...] [--model NAME]

Makes 26 seeded scenes (kept in the folder, so that a second run only converts), converts each as
`vid2kp convert` does, and compares tracks and frames with the truth. Exit code 1 if a scene fails.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from vid2kp.convert import ConvertOptions, convert_video, make_estimator
from vid2kp.tracks.load import load_tracks
from vid2kp.training.following import Following, measure_following
from vid2kp.training.scenes import SceneOptions, write_scene
from vid2kp.training.synthetic_video import VideoOptions

_VIDEO = VideoOptions(seconds=4.8, fps=12.5, width=480, height=270, crf=20)
EVENTS = (
    (), (), (), (), ("arms",), ("arms",), ("adult",), ("adult",), ("crowd",), ("crowd",),
    ("crowd",), ("twin",), ("twin",), ("twin",), ("blanket",), ("blanket",), ("knock",), ("knock",),
    ("light",), ("light",), ("leave",), ("leave",), ("leave", "adult"), ("arms", "blanket"),
    ("knock", "light"), ("twin", "arms"),
)  # fmt: skip
"""What happens in each scene."""


def scene(number: int) -> SceneOptions:
    """One of the scenes: directions in steps of 37 degrees, four sizes."""
    fill = (0.45, 0.6, 0.75, 0.9)[number % 4]
    if {"twin", "crowd", "adult"} & set(EVENTS[number]):
        fill = min(fill, 0.65)
    video = replace(_VIDEO, direction=37.0 * number, fill=fill)
    return SceneOptions(events=EVENTS[number], video=video)


def problems(events: tuple[str, ...], result: Following) -> list[str]:
    """What is wrong in a scene, in plain words; nothing if all is as it should be."""
    found = []
    twins = "twin" in events
    wanted = {"infant", "person1"} if twins else {"infant"}
    if result.followed not in wanted:
        found.append(f"followed {result.followed or 'nobody'}")
    if result.wrong > 0.1:
        found.append(f"{result.wrong:.0%} of the poses are not its")
    if result.switches:
        found.append(f"{result.switches} switches")
    if result.seen < 0.8:
        found.append(f"seen in {result.seen:.0%}")
    if twins and result.ambiguous < 0.8:
        found.append(f"ambiguous in {result.ambiguous:.0%}")
    if not twins and result.ambiguous > 0.2:
        found.append(f"ambiguous in {result.ambiguous:.0%}")
    if result.late:
        found.append(f"{result.late} frames present though gone")
    return found


def main() -> int:
    """Makes, converts and judges the scenes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", type=int, nargs="*", default=range(len(EVENTS)))
    parser.add_argument("--model", default="infant-lite")
    arguments = parser.parse_args()
    folder = arguments.folder or Path(tempfile.mkdtemp())
    options = ConvertOptions(model=arguments.model, video=False)
    estimator = make_estimator(options)
    failed = 0
    for number in arguments.only:
        made = folder / f"scene{number:02d}"
        if not (made / "frames.parquet").exists():
            write_scene(made, seed=number, options=scene(number))
        out = folder / f"out{number:02d}"
        convert_video(
            made / "video.mp4",
            out,
            pseudonym="a" * 26,
            estimator=estimator,
            options=options,
        )
        truth, found = load_tracks(made / "tracks.parquet"), load_tracks(out / "tracks.parquet")
        result = measure_following(truth, found)
        wrong = problems(EVENTS[number], result)
        failed += bool(wrong)
        near, nearer, _ = result.pck
        print(
            f"{number:2d} {'+'.join(EVENTS[number]) or 'alone':14s} "
            f"seen {result.seen:4.0%}  wrong {result.wrong:4.0%}  switches {result.switches}  "
            f"ambiguous {result.ambiguous:4.0%}  PCK@0.05 {near:.2f} @0.1 {nearer:.2f}  "
            f"{'; '.join(wrong) or 'as it should be'}",
            flush=True,
        )
    print(f"{len(arguments.only) - failed} of {len(arguments.only)} scenes as they should be")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
