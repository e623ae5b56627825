"""First proof: of all that recordings hold beside the picture, nothing is in any output byte."""

from __future__ import annotations

from pathlib import Path

import av
import pyarrow.parquet as pq
import pytest
from dirty import CONTAINERS, FILE, FOLDER, needles, variants
from hospital import Run, Scene

from vid2kp.privacy.verify import verify

pytestmark = pytest.mark.timeout(900)  # a whole run, on however busy a machine


def test_the_recordings_hold_it_all(scene: Scene) -> None:
    kinds: set[str] = set()
    for path in scene.dirty:
        data, found = path.read_bytes(), needles(path)
        kinds |= set(found)
        for kind, texts in found.items():
            assert texts, (path.suffix, kind)
            assert all(text in data for text in texts), (path.suffix, kind)
        with av.open(str(path), metadata_errors="replace") as container:
            assert container.chapters()
            assert {"audio", "subtitle", "video"} <= {s.type for s in container.streams}
    assert kinds == {
        "title", "comment", "artist", "location", "creation_time", "make", "model", "name in GBK",
        "subtitle", "chapter", "audio", "video", "cover art",
    }  # fmt: skip


def _everything(out: Path) -> dict[str, bytes]:
    """What lies in a folder, by name; of tables also what their compressed pages say."""
    found = {}
    for path in (path for path in out.rglob("*") if path.is_file()):
        name = path.relative_to(out).as_posix()
        found[name] = name.encode() + b"\0" + path.read_bytes()
        if path.suffix == ".parquet":
            found[f"{name}: rows"] = repr(pq.read_table(path).to_pylist()).encode()
    return found


def test_no_output_byte_tells_of_it(run: Run, scene: Scene) -> None:
    everything = {name: data.lower() for name, data in _everything(run.out).items()}
    assert sum(name.endswith("skeleton.mp4") for name in everything) == len(CONTAINERS) + 2
    looked_for = {("file", text.encode()) for text in (FILE, FOLDER)}
    for path in scene.dirty:
        looked_for |= {(kind, text) for kind, texts in needles(path).items() for text in texts}
    for kind, text in looked_for:
        for variant in variants(text):
            held = [name for name, data in everything.items() if variant in data]
            assert not held, (kind, held)


def test_verify_agrees(run: Run) -> None:
    report = verify(run.out, run.private / "links.csv")
    assert report.findings == ()
    assert report.needles is not None
    assert report.needles > 100
    assert report.unread == 1, "the one that is no video"


@pytest.mark.parametrize("text", ["患者王小明".encode("gbk"), "患者王小明".encode(), b"20190304"])
def test_verify_looks_for_names_in_every_encoding_and_dates_in_every_form(
    text: bytes, run: Run, tmp_path: Path
) -> None:
    from vid2kp.privacy.needles import needles_of, scan
    from vid2kp.privacy.pseudonym import Links

    wanted = needles_of(Links(run.private).sources().values())
    (tmp_path / "a.bin").write_bytes(b"..." + text + b"...")
    assert scan(tmp_path / "a.bin", wanted) == {"tag value"}
