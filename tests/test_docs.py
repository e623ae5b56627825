"""Documents that are written from the code say what the code says."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from vid2kp.export.formats import FORMATS
from vid2kp.tracks.index import INDEX_SCHEMA
from vid2kp.tracks.schema import FRAMES_SCHEMA, STATES, TRACKS_SCHEMA

ROOT = Path(__file__).parents[1]
TRACKS = ROOT / "docs" / "tracks.md"


def test_the_document_of_the_tracks_is_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("make_tracks", ROOT / "docs" / "make_tracks.py")
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    assert TRACKS.read_text(encoding="utf-8") == maker.document(), "run: make docs"


def test_it_explains_every_column_state_and_format() -> None:
    text = TRACKS.read_text(encoding="utf-8")
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| `")]
    explained = {
        name for row in rows for name in re.findall(r"`([\w-]+)`", row[0]) if row[-1].strip()
    }
    columns = {*TRACKS_SCHEMA.names, *FRAMES_SCHEMA.names, *INDEX_SCHEMA.names}
    assert columns | set(FORMATS) <= explained
    assert all(f"`{state}`" in text for state in STATES)
