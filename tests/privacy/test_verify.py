"""Every tampered deliverable is found out, by the check that is meant to."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import deliverable
import numpy as np
import people
import pytest
from tampered_folders import FOLDERS, manifest_of_another_video
from tampered_index import INDEX
from tampered_tables import TABLES
from tampered_videos import FIRST, NAME, SECOND, VIDEOS, Tamper, change_bytes

from vid2kp.errors import UsageError
from vid2kp.files import EPOCH, fix_folder_times
from vid2kp.pose.skeleton import INFANT22
from vid2kp.privacy.html_check import check_html
from vid2kp.privacy.needles import needles_of, scan
from vid2kp.privacy.pseudonym import Links
from vid2kp.privacy.verify import CHECKS, verify
from vid2kp.render.report import write_report
from vid2kp.render.skeleton_video import render_video
from vid2kp.tracks.load import iter_frames
from vid2kp.tracks.store import TracksWriter

TAMPERED = [*VIDEOS, *TABLES, *FOLDERS, *INDEX]


@pytest.fixture(autouse=True, scope="module")
def no_waiting_for_the_disk() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return deliverable.write_deliverable(tmp_path_factory.mktemp("made") / "OUT")


@pytest.fixture
def out(clean: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "OUT"
    shutil.copytree(clean, copy)
    fix_folder_times(copy)
    return copy


def test_a_deliverable_as_it_was_made_passes_every_check(out: Path) -> None:
    report = verify(out)
    assert report.findings == ()
    assert report.ok
    assert report.videos == 2
    unused = {"report", "needles"}
    assert {name for name, count in report.checked.items() if not count} == unused


def test_options_of_the_video_are_taken_from_the_manifest(out: Path) -> None:
    folder = out / FIRST
    options = {"size": 320, "trail": 0.5, "people": "infant"}
    render_video(
        folder / "tracks.parquet",
        folder / "skeleton.mp4",
        frames_path=folder / "frames.parquet",
        options=deliverable.RenderOptions(**options),  # type: ignore[arg-type]
    )
    deliverable.seal(folder, render=options)
    assert verify(out).ok


def test_a_clean_product_and_a_run_without_video_pass(out: Path) -> None:
    folder = out / FIRST
    (folder / "skeleton.mp4").unlink()
    with TracksWriter(folder / "clean.parquet", INFANT22) as writer:
        for frame in iter_frames(folder / "tracks.parquet"):
            writer.write(frame.frame, frame.time, frame.people)
        writer.finish(people.footer(product="clean"))
    deliverable.seal(folder, render={})
    assert verify(out).findings == ()


@pytest.mark.parametrize(
    ("tamper", "check", "sealable"), TAMPERED, ids=[t[0].__name__ for t in TAMPERED]
)
def test_tampering_is_found(tamper: Tamper, check: str, sealable: bool, out: Path) -> None:
    tamper(out / FIRST)
    if sealable:
        deliverable.seal(out / FIRST)
        fix_folder_times(out)
    report = verify(out)
    assert not report.ok
    assert check in {finding.check for finding in report.findings}
    told = " ".join(f"{f.where} {f.what}" for f in report.findings)
    assert "SURNAME" not in told  # findings go to the screen
    assert str(out.parent) not in told
    assert SECOND not in told or tamper is manifest_of_another_video  # the other video is clean


@pytest.mark.parametrize(
    "tamper", [t for t, _, sealable in TAMPERED if sealable][:10], ids=lambda t: t.__name__
)
def test_without_a_fresh_manifest_the_hash_tells(tamper: Tamper, out: Path) -> None:
    tamper(out / FIRST)
    fix_folder_times(out)
    assert "manifest" in {finding.check for finding in verify(out).findings}


# ---------------------------------------------------------------------------------------------
# Needles


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A recording with a name, in a folder with a name, with tags."""
    path = tmp_path / "ward 7" / "SURNAME_1234.mp4"
    path.parent.mkdir()
    with av.open(path, "w", format="mp4") as container:
        container.metadata["title"] = "Jane Doe-Smythe"
        container.metadata["comment"] = "张伟的孩子"
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        picture = av.VideoFrame.from_ndarray(np.zeros((96, 64), np.uint8), format="yuv420p")
        container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def links(source: Path, tmp_path: Path) -> Path:
    Links(tmp_path / "OUT.private").pseudonym_for(source)
    return tmp_path / "OUT.private" / "links.csv"


def test_a_clean_deliverable_has_no_needle(out: Path, links: Path) -> None:
    report = verify(out, links)
    assert report.findings == ()
    assert report.needles is not None
    assert report.needles > 10
    assert report.unread == 0
    assert report.checked["needles"] == 9


def _hex(source: Path) -> bytes:
    import hashlib

    return hashlib.sha256(source.read_bytes()).hexdigest().upper().encode()


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("file name", lambda s: b"SURNAME_1234.mp4"),
        ("file name", lambda s: b"surname_1234"),
        ("file name", lambda s: "SURNAME_1234".encode("utf-16-le")),
        ("folder name", lambda s: b"Ward 7"),
        ("tag value", lambda s: b"Jane Doe-Smythe"),
        ("tag value", lambda s: "张伟的孩子".encode()),
        ("tag value", lambda s: "张伟的孩子".encode("gb18030")),
        ("hash", _hex),
        ("hash", lambda s: bytes.fromhex(_hex(s).decode())),
    ],
)
@pytest.mark.parametrize("name", ["tracks.parquet", "skeleton.mp4", "manifest.json"])
def test_a_needle_in_any_byte_is_found(
    kind: str, text: Callable[[Path], bytes], name: str, out: Path, links: Path, source: Path
) -> None:
    path = out / FIRST / name
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + text(source) + data[len(data) // 2 :])
    found = [f for f in verify(out, links).findings if f.check == "needles"]
    assert [(f.where, kind in f.what) for f in found] == [(f"{FIRST}/{name}", True)]


def test_a_needle_in_a_compressed_page_is_found(out: Path, links: Path) -> None:
    rows = [
        {"pseudonym": p, "status": "done", "reason": reason, "frames": 12, "seconds": 0.44}
        for p, reason in (
            (FIRST, f"{'The infant is seen in half of the frames; ' * 9}Jane Doe-Smythe was too."),
            (SECOND, "A rival."),
        )
    ]
    rows.append({"pseudonym": "c" * 26, "status": "unreadable", "reason": "Unreadable."})
    deliverable.write_index(out / "index.parquet", rows)
    fix_folder_times(out)
    assert b"Doe-Smythe was" not in (out / "index.parquet").read_bytes(), "it is compressed"
    found = verify(out, links).findings
    assert {f.check for f in found if f.where == "index.parquet"} == {"index", "needles"}


def test_a_needle_across_two_reads_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vid2kp.privacy.needles._CHUNK", 64)
    needles = needles_of([Path("/ward 7/SURNAME_1234.mp4")])
    for offset in range(180):
        (tmp_path / "file").write_bytes(b"." * offset + b"surname_1234" + b"." * (180 - offset))
        assert scan(tmp_path / "file", needles) == {"file name"}, offset
    (tmp_path / "file").write_bytes(b"surname_123" * 20)
    assert scan(tmp_path / "file", needles) == set()


def test_sources_that_are_gone_are_looked_for_by_name(out: Path, links: Path, source: Path) -> None:
    source.unlink()
    report = verify(out, links)
    assert report.ok
    assert report.unread == 1
    change_bytes(out / FIRST, "manifest.json", lambda d: d + NAME)
    assert any(f.check == "needles" for f in verify(out, links).findings)


def test_words_of_the_programs_own_sentences_are_no_trace() -> None:
    needles = needles_of([Path("/encrypted/rotation/SURNAME_1234.mp4")])

    kinds = {text.decode(): kind for text, kind in needles.texts.items() if text.isascii()}
    assert "encrypted" not in kinds
    assert "rotation" not in kinds
    assert "surname_1234" in kinds


def test_names_that_deliverables_are_made_of_are_left_out(out: Path, tmp_path: Path) -> None:
    private = tmp_path / "private"
    Links(private).pseudonym_for(Path("/data/infant/keypoint/left_wrist.mp4"))
    report = verify(out, private / "links.csv")
    assert report.ok
    assert report.left_out >= 3


# ---------------------------------------------------------------------------------------------
# Use


def test_folders_that_are_none_are_a_wrong_usage(out: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for wrong in (tmp_path / "SURNAME", tmp_path / "empty", out / FIRST):
        with pytest.raises(UsageError) as caught:
            verify(wrong)
        assert "SURNAME" not in str(caught.value)
    with pytest.raises(UsageError):
        verify(out, tmp_path / "links.csv")


def test_a_missing_report_is_said_and_no_finding(out: Path) -> None:
    (note,) = verify(out).notes
    assert "report.html" in note
    write_report(out)
    report = verify(out)
    assert report.ok
    assert report.notes == ()


@pytest.mark.skipif(os.name != "posix", reason="file modes of POSIX")
def test_a_folder_that_everybody_may_change_is_said(out: Path) -> None:
    write_report(out)
    out.chmod(0o777)
    (out / FIRST / "tracks.parquet").chmod(0o666)
    report = verify(out)
    assert report.ok
    assert [note.split()[0] for note in report.notes] == ["2"]


def test_attributes_of_the_output_folder_are_found(out: Path) -> None:
    try:
        os.setxattr(out, "user.name", NAME)
    except (AttributeError, OSError):
        pytest.skip("no extended attributes here")
    assert [(f.where, f.check) for f in verify(out).findings] == [("the output folder", "files")]


def test_a_link_to_the_output_folder_is_the_folder(out: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(out)
    assert verify(tmp_path / "link").ok


def test_progress_and_descriptions(out: Path) -> None:
    calls: list[tuple[int, int]] = []
    report = verify(out, progress=lambda done, all_: calls.append((done, all_)))
    assert calls == [(1, 2), (2, 2)]
    assert set(report.checked) == set(CHECKS)


def test_nothing_is_changed_by_looking(out: Path) -> None:
    before = {p: (p.stat().st_mtime_ns, p.is_file() and p.read_bytes()) for p in out.rglob("*")}
    verify(out)
    after = {p: (p.stat().st_mtime_ns, p.is_file() and p.read_bytes()) for p in out.rglob("*")}
    assert before == after
    assert {mtime for mtime, _ in after.values()} == {EPOCH * 10**9}


def test_a_page_that_the_program_did_not_write_is_found(out: Path) -> None:
    """However harmless its elements: a name in plain words has none that gives it away."""
    assert verify(out).findings == ()
    page = out / "report.html"
    write_report(out)
    assert verify(out).findings == ()
    page.write_text(page.read_text().replace("</body>", "<p>Emma Smith, 2019-03-04</p></body>"))
    fix_folder_times(out)
    assert [finding.check for finding in verify(out).findings] == ["report"]


def test_a_report_page_of_text_and_svg_passes(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>vid2kp</title>'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'">'
        "<style>p { color: #123; }</style></head><body><p>12 videos</p>"
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><defs><path id="a" d="M0 0"/>'
        '</defs><use href="#a"/></svg><canvas></canvas>'
        '<p title="The file: it holds damaged data: 5 of 23 frames">Found in the file: nothing</p>'
        '<script type="application/json">{"x": [1, 2]}</script>'
        "<script>const pen = document.querySelector('canvas').getContext('2d');"
        "pen.fillRect(0, 0, 9, 9);</script></body></html>"
    )
    check_html(page)


@pytest.mark.parametrize(
    "html",
    [
        '<script src="https://example.org/a.js"></script>',
        "<script>fetch('https://example.org')</script>",
        '<link rel="stylesheet" href="a.css">',
        "<style>@import 'a.css';</style>",
        "<style>p { background: url(a.png); }</style>",
        '<p style="background: url(data:image/png;base64,AAAA)">',
        '<svg><image href="#x"/></svg>',
        "<svg><metadata>2026-01-02</metadata></svg>",
        "<!-- SURNAME -->",
        '<meta name="author" content="SURNAME">',
        '<a href="file:///home/SURNAME">x</a>',
        '<a href="../OUT.private/links.csv">x</a>',
        "<?xml-stylesheet href='a.css'?>",
        '<svg xmlns="https://example.org/">',
        '<meta http-equiv="refresh" content="0; url=links.csv">',
        "<style>p { background: image-set('a.png' 1x); }</style>",
        "<script>fetch('links.csv')</script>",
        '<p style="background: var(--a, data: image/png;base64,AAAA)">',
        "<script>const x = new XMLHttpRequest()</script>",
        "<script>pen.putImageData(frame, 0, 0)</script>",
        "\0",
    ],
)
def test_a_report_page_with_more_is_found(html: str, out: Path) -> None:
    (out / "report.html").write_text("<!doctype html>" + html)
    fix_folder_times(out)
    assert {finding.check for finding in verify(out).findings} == {"report"}
