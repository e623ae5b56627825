"""Writes docs/tracks.md from the schema, the exporters and the examples: ``make docs``.

What the columns mean stands beside the schemas, in the code, and nowhere else; a test fails when
the document no longer says what the code says.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pyarrow as pa

from vid2kp.export import formats
from vid2kp.export.common import FILLED_CONFIDENCE
from vid2kp.pose.skeleton import SKELETONS
from vid2kp.tracks import footer, index, schema
from vid2kp.tracks.load import read_tracks_footer

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "tracks.md"
EXAMPLES = ROOT / "examples"

OTHERS = {"pseudonym": "name of the folder of the video"}
FIGURE = "a figure of the quality report, see [quality](quality.md)"

TEXT = """\
# Tracks: what is in the files

<!-- Written by docs/make_tracks.py from the code; change it there and run: make docs -->

A run writes a folder per video, named by its pseudonym. The tables in it are Parquet files that
open in any program that reads Parquet. This page is schema version {version}; the number stands in
the footer of every file and changes when an old reader could no longer follow.

## `{tracks_file}`: positions

{tracks_intro}

{tracks_columns}

- **Coordinates** are those of the picture as it is shown: after rotation, mirroring and pixel
  aspect. (0, 0) is the centre of the top left pixel, x goes right and y goes down. With
  `--normalise` or `--relative-only` they are something else, and the footer says what: check
  `units` and `point_of_reference` before you take a number for a pixel.
- **Missing is null**, never 0 and never −1: x, y and confidence together.
- **Time is true time.** The frame rate of a phone varies; speed is distance over the difference of
  `time`, never distance × fps.
- **`{clean_file}`** has the same columns. `state` says of every sample whether it is `observed`,
  `smoothed`, `interpolated` (it has a position but no confidence), or `swapped` (left and right
  were exchanged). Outliers that were dropped are `interpolated`, or `missing` like what was never
  seen.

## `{frames_file}`: what is known of each frame

{frames_intro}

{frames_columns}

## `{index_file}`: the run

{index_intro}

{index_columns}

## The footer

`{tracks_file}` and `{frames_file}` hold one key, `vid2kp`, with JSON from an allow-list. Of the
example clip it says:

```json
{footer_json}
```

{footer_fields}

## Keypoint sets

{skeletons}

## Reading

{reading}

## Checking

`vid2kp.load_tracks` refuses a file whose columns, types, footer or order are not those above, and
says what is wrong. `check` looks at every value too, which is worth it when a file went through
other hands:

```python
vid2kp.load_tracks("tracks.parquet").check()
# TracksError: In 3 rows it has a value although the state is missing; the first is frame 10,
# infant, nose.
```

## Exports

```sh
vid2kp export OUT/<pseudonym> --to netcdf -o tracks.nc   # one recording
vid2kp export OUT --to openpose -o openpose              # every recording of a run
```

{exports}

"Pixels only": the format has no place for a unit, so tracks in another one are refused and never
taken for pixels. "One": it holds one individual, the infant if no other is asked for with
`--individual`. netcdf, nwb, sleap and the `.h5` of deeplabcut need
`pip install 'vid2kp[export]'`. The same tracks give the same bytes in every format.

netcdf, nwb and skeleton-npz keep the `state`. Where a confidence of 0 means "not found" (openpose,
coco, pyskl), interpolated positions, which have none, are written with {filled}.

{rules}
"""


def document() -> str:
    """The whole page."""
    files = {name.lower(): value for name, value in vars(schema).items() if name.endswith("_FILE")}
    tracks_intro, tracks_columns = described(schema, "TRACKS_SCHEMA")
    frames_intro, frames_columns = described(schema, "FRAMES_SCHEMA")
    index_intro, index_columns = described(index, "INDEX_SCHEMA")
    return TEXT.format(
        **files,
        version=schema.SCHEMA_VERSION,
        filled=FILLED_CONFIDENCE,
        tracks_intro=tracks_intro,
        tracks_columns=tracks_columns,
        frames_intro=frames_intro,
        frames_columns=frames_columns,
        index_intro=index_intro,
        index_columns=index_columns,
        footer_json=_footer_json(),
        footer_fields=_footer_fields(),
        skeletons=_skeletons(),
        reading=_reading(),
        exports=_exports(),
        rules=_rules(),
    )


def described(module: ModuleType, name: str) -> tuple[str, str]:
    """What the text below a schema says: its first part, and its columns as a table."""
    text = " ".join(_text_below(module, name).split())
    start = re.compile(r"((?:``\w+``(?:, )?)+): ")
    intro, *parts = start.split(text)
    meanings = {
        column: meaning.strip().rstrip(".")
        for columns, meaning in zip(parts[::2], parts[1::2], strict=True)
        for column in re.findall(r"``(\w+)``", columns)
    }
    rows: list[tuple[str, str, str]] = []
    for field in getattr(module, name):
        word = pa.types.is_dictionary(field.type)
        kind = ("string" if word else str(field.type)) + (" or null" if field.nullable else "")
        meaning = _plain(meanings.get(field.name, OTHERS.get(field.name, FIGURE)))
        column = f"`{field.name}`"
        if rows and rows[-1][1:] == (kind, meaning):
            column = f"{rows.pop()[0]}, {column}"
        rows.append((column, kind, meaning))
    return _plain(intro.strip()), _table(("column", "type", "is"), rows)


def _text_below(module: ModuleType, name: str) -> str:
    body = ast.parse(inspect.getsource(module)).body
    for statement, after in pairwise(body):
        if isinstance(statement, ast.AnnAssign) and ast.unparse(statement.target) == name:
            assert isinstance(after, ast.Expr)
            return str(ast.literal_eval(after.value))
    raise LookupError(name)


def _plain(text: str) -> str:
    """Markdown of a docstring, with the values of the constants that it names."""

    def values(found: re.Match[str]) -> str:
        name = found[1].removeprefix("schema.")
        constant = getattr(schema, name, getattr(footer, name, None))
        known = constant if isinstance(constant, tuple) else ()
        return ", ".join(f"`{value}`" for value in known) or f"`{found[1]}`"

    text = re.sub(r"``(.+?)``", r"<\1>", text)
    text = re.sub(r"`([\w.]+)`", values, text)
    return re.sub(r"<(.+?)>", r"`\1`", text)


def _footer_json() -> str:
    content = json.loads(read_tracks_footer(EXAMPLES / "infant" / schema.TRACKS_FILE).to_json())
    for key in ("keypoints", "limbs", "mirror"):
        content["skeleton"][key] = [*content["skeleton"][key][:3], "…"]
    lines = [f'  "{key}": {json.dumps(item, ensure_ascii=False)}' for key, item in content.items()]
    return "{\n" + ",\n".join(lines) + "\n}"


def _footer_fields() -> str:
    text = inspect.getdoc(footer.Footer) or ""
    fields = re.findall(r"^    (\w+): (.+(?:\n        .+)*)", text, flags=re.MULTILINE)
    rows = [
        (f"`{name}`", _plain(" ".join(meaning.split()).rstrip("."))) for name, meaning in fields
    ]
    return _table(("field", "is"), rows)


def _skeletons() -> str:
    lines = [
        f"- **`{skeleton.name}`**, {len(skeleton)} keypoints: {', '.join(skeleton.keypoints)}."
        for skeleton in SKELETONS.values()
    ]
    return "\n".join(lines)


def _reading() -> str:
    anywhere = (EXAMPLES / "read_anywhere.py").read_text(encoding="utf-8")
    parts = []
    for title, file, function in (
        ("pandas", anywhere, "with_pandas"),
        ("polars", anywhere, "with_polars"),
        ("DuckDB", anywhere, "with_duckdb"),
    ):
        (node,) = (n for n in ast.parse(file).body if getattr(n, "name", "") == function)
        parts.append(f"{title}:\n\n```python\n{ast.get_source_segment(file, node)}\n```")
    script = (EXAMPLES / "read_tracks.R").read_text(encoding="utf-8").rstrip()
    parts.append(f"R:\n\n```r\n{script}\n```")
    own = (
        "With vid2kp:\n\n```python\nimport vid2kp\n\n"
        'tracks = vid2kp.load_tracks("OUT/<pseudonym>/tracks.parquet")\n'
        "tracks.to_pandas()                         # the table\n"
        "positions, confidence = tracks.to_numpy()  "
        "# (frames, individuals, keypoints, 2), without the 2\n"
        "tracks.to_xarray()                         # the dataset of the movement package\n"
        "tracks.time                                # (frames,) seconds\n"
        "tracks.states()                            # (frames, individuals, keypoints)\n"
        "```"
    )
    return "\n\n".join([own, *parts])


def _exports() -> str:
    rows = [
        (
            f"`{name}`",
            ", ".join([chosen.what, " or ".join(f"`{e}`" for e in chosen.endings)]).rstrip(", "),
            "true times" if chosen.true_times else "frame numbers only",
            "one" if chosen.one else "all",
            "said in the file" if chosen.any_unit else "pixels only",
        )
        for name, chosen in formats.FORMATS.items()
    ]
    return _table(("`--to`", "makes", "times", "individuals", "units"), rows)


def _rules() -> str:
    parts = []
    for chosen in formats.FORMATS.values():
        module = inspect.getmodule(chosen.write)
        assert module is not None
        title, _, rest = (inspect.getdoc(module) or "").partition("\n\n")
        parts.append(f"**{_plain(title)}**\n{_plain(rest)}")
    return "\n\n".join(parts)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    OUT.write_text(document(), encoding="utf-8")
