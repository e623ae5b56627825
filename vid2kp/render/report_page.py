"""The report as text: overview, one section per video, and a page around them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any, Final

import numpy as np

from vid2kp.privacy.manifest import NOTICE
from vid2kp.render import report_charts as charts
from vid2kp.render.report_data import Detail
from vid2kp.tracks.quality import (
    COVERAGE,
    JITTER,
    LIMITS,
    RULES,
    look_reasons,
    measure_quality,
    worst_joint,
)
from vid2kp.tracks.schema import FAILURES

Row = Mapping[str, Any]

LISTED: Final = 500
"""So many rows of the overview are shown at once; a button shows more."""

STATUS_WORDS: Final = {
    "done": "done",
    "truncated": "file cut short",
    "damaged": "damaged in places",
    "no_infant": "no infant found",
    "ambiguous": "unsure who is the infant",
    "unreadable": "unreadable",
    "failed": "failed",
}


def page(rows: Sequence[Row], sections: Mapping[str, str], *, tool_version: str) -> str:
    """The whole report.

    Args:
        rows: of the index.
        sections: from `section`, by pseudonym, in order.
        tool_version: of vid2kp.
    """
    style, script = _part("report.css"), _part("report.js")
    parts = {
        "policy": f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'",
        "style": style,
        "script": script,
        "summary": _summary(rows),
        "overview": _overview(rows, sections),
        "more": f'<button type="button" id="more" data-step="{LISTED}"'
        f"{'' if len(rows) > LISTED else ' hidden'}>List more</button>",
        "rest": _rest(rows, sections),
        "videos": "\n".join(sections.values()),
        "rules": "".join(
            f"<li><b>{escape(_sentences([rule.is_well]))}</b> If not: {escape(rule.why)}</li>"
            for rule in RULES
        ),
        "notice": escape(NOTICE),
        "version": escape(tool_version),
    }
    text = _part("report.html")
    for name, part in parts.items():
        text = text.replace("{{" + name + "}}", part, 1)
    return text


def _part(name: str) -> str:
    return files("vid2kp.render").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """What the page's policy calls this script or style: no other one runs."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


# ---------------------------------------------------------------------------------------------
# Overview


def _summary(rows: Sequence[Row]) -> str:
    made = [row for row in rows if row["status"] not in FAILURES]
    failed = len(rows) - len(made)
    look = sum(_needs_look(row) for row in made)
    jitter = [row[JITTER] for row in made if row[JITTER] is not None]
    figures = {
        "videos": f"{len(rows):,}",
        "need a look": f"{look:,}",
        "failed": f"{failed:,}",
        "recorded": clock(sum(row["seconds"] for row in made)),
        "usable": clock(sum(row["usable_seconds"] or 0 for row in made)),
        "infant seen (median)": _percent(_median([row["found"] for row in made])),
        "jitter (median)": "–" if not jitter else f"{_median(jitter):.1f} %",
    }
    return "".join(f"<div><dt>{name}</dt><dd>{text}</dd></div>" for name, text in figures.items())


def _needs_look(row: Row) -> bool:
    return bool(row["status"] != "done" or row["look"])


_COLUMNS: Final = (
    "Video", "Status", "Length", "Usable", "Longest stretch", "Infant seen", "Least seen joint",
    "Jitter", "Look because",
)  # fmt: skip


def _overview(rows: Sequence[Row], shown: Collection[str]) -> str:
    head = "".join(
        f'<th scope="col"><button type="button" class="sort">{name}</button></th>'
        for name in _COLUMNS
    )
    body = "\n".join(
        _overview_row(row, row["pseudonym"] in shown, is_hidden=i >= LISTED)
        for i, row in enumerate(rows)
    )
    return f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>"


def _overview_row(row: Row, has_detail: bool, *, is_hidden: bool) -> str:
    name = row["pseudonym"]
    failed = row["status"] in FAILURES
    kind = "failed" if failed else "look" if _needs_look(row) else "fine"
    label = f"<code>{escape(name)}</code>"
    link = f'<a href="#v-{name}">{label}</a>' if has_detail else label
    joint = worst_joint(row)
    usable, seconds = row["usable_seconds"], row["seconds"]
    reasons = _reasons(row)
    cells = [
        (name, link),
        (row["status"], _status(row)),
        (seconds, "–" if failed else clock(seconds)),
        (usable, "–" if usable is None else clock(usable)),
        (row["longest_stretch"], "–" if usable is None else clock(row["longest_stretch"])),
        (row["found"], "–" if failed else _percent(row["found"])),
        (
            row[COVERAGE[joint]] if joint else None,
            f"{escape(_plain(joint))} {_percent(row[COVERAGE[joint]])}" if joint else "–",
        ),
        (row[JITTER], "–" if row[JITTER] is None else f"{row[JITTER]:.1f} %"),
        ("; ".join(reasons), escape(_sentences(reasons)) or "–"),
    ]
    header, *rest = (_cell(value, text) for value, text in cells)
    first = header.replace("<td", '<th scope="row"', 1).replace("</td>", "</th>")
    hidden = " hidden" if is_hidden else ""
    return f'<tr class="{kind}"{hidden}>{first}{"".join(rest)}</tr>'


def _cell(value: object, text: str) -> str:
    key = f"{value:.4f}" if isinstance(value, float) else "" if value is None else str(value)
    kind = "" if isinstance(value, str) else ' class="number"'
    return f'<td{kind} data-v="{escape(key)}">{text}</td>'


def _status(row: Row) -> str:
    """The status, and whether a video that is done needs a look all the same."""
    status = row["status"]
    look = ' <span class="status">needs a look</span>' if status == "done" and row["look"] else ""
    return f'<span class="status {status}">{escape(STATUS_WORDS[status])}</span>{look}'


def _reasons(row: Row) -> list[str]:
    return [*filter(None, [row["reason"]]), *look_reasons(row).values()]


def _sentences(parts: Iterable[str]) -> str:
    """One sentence for each; the statuses' reasons are sentences already."""
    return " ".join(f"{p[0].upper()}{p[1:]}{'' if p.endswith('.') else '.'}" for p in parts)


def _rest(rows: Sequence[Row], shown: Collection[str]) -> str:
    made = sum(row["status"] not in FAILURES for row in rows)
    if len(shown) >= made:
        return ""
    return (
        f"<p>{len(shown):,} of {made:,} videos are shown below, those that need a look first, so "
        "that this page stays small enough to open. <code>vid2kp report OUT --video NAME -o "
        "FILE</code> makes a page of any others.</p>"
    )


# ---------------------------------------------------------------------------------------------
# One video


def section(row: Row, detail: Detail, *, is_open: bool) -> str:
    """What is shown of one video.

    Args:
        row: of the index.
        detail: of its tracks.
        is_open: whether it is shown at once.
    """
    if row["usable_seconds"] is None:
        row = {**row, **measure_quality(detail.series)}
    name = row["pseudonym"]
    end = clock(float(detail.series.time[-1]))
    reasons = "".join(f"<li>{escape(_sentences([text]))}</li>" for text in _reasons(row))
    look = f"<h4>Look because</h4><ul>{reasons}</ul>" if reasons else ""
    thinned = (
        f" Every {detail.every}. frame is shown here; skeleton.mp4 has all."
        if detail.every > 1
        else ""
    )
    alone = (
        " Others are in the tracks too; the infant alone is drawn." if detail.series.others else ""
    )
    return f"""<details class="video" id="v-{name}"{" open" if is_open else ""}>
<summary><h3><code>{name}</code></h3> {_status(row)} <span>{end}</span></summary>
{look}
<div class="columns">
<div class="player" data-for="{name}">
<canvas role="img" aria-label="Skeleton of the infant at the chosen time"></canvas>
<div class="controls">
<button type="button" class="play" aria-label="Play">Play</button>
<button type="button" class="back" aria-label="One frame back">−1</button>
<button type="button" class="forth" aria-label="One frame forth">+1</button>
<button type="button" class="rate" aria-label="Speed: as recorded">1×</button>
<output class="clock">0:00.0 / {end}</output>
</div>
<p class="hint"><span class="key right"></span> the infant's right
<span class="key left"></span> the infant's left</p>
<p class="hint">What was not seen is not drawn.{alone}{thinned}</p>
</div>
<figure class="ways">{charts.paths(detail)}
<figcaption>Ways of wrists (thick) and ankles (thin), right and left, {detail.where}. What is shown
is {detail.across} wide.</figcaption>
</figure>
</div>
<h4>Over time</h4>
{_timeline(name, detail)}
<div class="columns tables">
{_figures(row)}
{_coverage(detail)}
</div>
<script type="application/json" id="d-{name}">{detail.to_json()}</script>
</details>"""


def _timeline(name: str, detail: Detail) -> str:
    limit = charts.reach_limit(detail)
    strips = [
        ("Joints seen", "0 to 100 % of trunk and limbs", charts.coverage_strip(detail), ""),
        ("Confidence", "mean, 0 to 1", charts.confidence_strip(detail), ""),
        (
            "Wrists",
            f"from the trunk, 0 to {limit:g} torsos",
            charts.reach_strip(detail, "wrist", limit),
            "",
        ),
        (
            "Ankles",
            f"from the trunk, 0 to {limit:g} torsos",
            charts.reach_strip(detail, "ankle", limit),
            "",
        ),
        *((title, "", strip, " low") for title, strip in charts.mark_strips(detail)),
    ]
    labels = "".join(
        f'<div class="label{low}"><b>{title}</b>{f"<small>{what}</small>" if what else ""}</div>'
        for title, what, _, low in strips
    )
    drawn = "".join(f'<div class="strip{low}">{svg}</div>' for _, _, svg, low in strips)
    seconds = float(detail.series.time[-1])
    ticks = "".join(f"<span>{clock(seconds * i / 4)}</span>" for i in range(5))
    return (
        f'<div class="timeline"><div class="labels">{labels}</div>'
        f'<div class="seek" role="slider" tabindex="0" data-for="{name}" aria-label="Time in the '
        f'recording" aria-orientation="horizontal" aria-valuemin="0" '
        f'aria-valuemax="{seconds:.2f}" aria-valuenow="0" aria-valuetext="0:00.0">'
        f'{drawn}<div class="head"></div></div><div class="ticks" aria-hidden="true">{ticks}</div>'
        "</div>"
        '<p class="hint">Click on the strips to go there; with the keyboard: arrows, Page up and '
        "down, Home, End.</p>"
    )


def _figures(row: Row) -> str:
    usable = (
        f"{clock(row['usable_seconds'])} ({_percent(_part_of(row, 'usable_seconds', 'seconds'))})"
    )
    swapped, suspect = (
        f"{row[name]:,} frames ({_percent(_part_of(row, name, 'frames'))})"
        for name in ("frames_swapped", "frames_suspect")
    )
    lines = [
        ("Infant seen", _percent(row["found"]), "of the frames"),
        ("Usable", usable,
         "nine of twelve joints seen, nothing damaged, no doubt who"),
        ("Longest stretch", clock(row["longest_stretch"]), "usable without an interruption"),
        ("Longest gap", f"{row['longest_gap']:.1f} s", "without the infant"),
        ("Jitter", "–" if row[JITTER] is None else f"{row[JITTER]:.2f} %",
         "of the torso: how far joints lie off a smooth way, frame by frame"),
        ("Sides exchanged", swapped,
         "left taken for right, or the reverse"),
        ("Others in view", f"{row['seconds_with_others']:.1f} s", "more than one person is seen"),
        ("Damaged data", suspect,
         "near errors of the file"),
        ("View changes", "–" if row["view_changes"] is None else f"{row['view_changes']:,}",
         "the network had to look elsewhere"),
    ]  # fmt: skip
    body = "".join(
        f'<tr><th scope="row">{a}</th><td class="number">{b}</td><td>{c}</td></tr>'
        for a, b, c in lines
    )
    return f'<table class="figures"><caption>Quality</caption><tbody>{body}</tbody></table>'


def _part_of(row: Row, name: str, whole: str) -> float:
    return min(float(row[name]) / max(float(row[whole]), 1e-9), 1.0)


def _coverage(detail: Detail) -> str:
    names = detail.series.footer.skeleton.keypoints
    shares = dict(zip(names, detail.series.observed.mean(axis=0), strict=True))
    parts = list(dict.fromkeys(n.removeprefix("right_").removeprefix("left_") for n in names))
    body = []
    for part in parts:
        cells = (
            [shares[part], None]
            if part in shares
            else [shares.get(f"right_{part}"), shares.get(f"left_{part}")]
        )
        drawn = "".join(
            "<td></td>"
            if share is None
            else f'<td><meter min="0" max="1" low="{LIMITS["joint"]}" optimum="1" '
            f'value="{share:.3f}"></meter> {_percent(share)}</td>'
            for share in cells
        )
        body.append(f'<tr><th scope="row">{escape(_plain(part))}</th>{drawn}</tr>')
    return (
        '<table class="coverage"><caption>How often each point was seen</caption><thead><tr>'
        '<th scope="col">point</th><th scope="col">right or middle</th><th scope="col">left</th>'
        f"</tr></thead><tbody>{''.join(body)}</tbody></table>"
    )


# ---------------------------------------------------------------------------------------------
# Words and numbers


def clock(seconds: float) -> str:
    """A length of time: ``0:07.4``, ``3:05``, ``1:02:03``."""
    if seconds < 59.95:
        return f"0:{seconds:04.1f}"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d}"
    return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if values else 0.0


def _plain(name: str) -> str:
    return name.replace("_", " ")
