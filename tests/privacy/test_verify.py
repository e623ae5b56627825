"""Every tampered deliverable is found out, by the check that is meant to."""

from __future__ import annotations

import io
import json
import os
import shutil
import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import deliverable
import numpy as np
import people
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vid2kp.errors import UsageError
from vid2kp.files import EPOCH, fix_folder_times, fix_time
from vid2kp.pose.skeleton import INFANT22
from vid2kp.privacy.needles import needles_of, scan
from vid2kp.privacy.pseudonym import Links
from vid2kp.privacy.verify import CHECKS, verify
from vid2kp.render.skeleton_video import render_video
from vid2kp.tracks.load import iter_frames
from vid2kp.tracks.schema import TRACKS_SCHEMA, parquet_writer
from vid2kp.tracks.store import TracksWriter

FIRST, SECOND = deliverable.FIRST, deliverable.SECOND
NAME = b"SURNAME_1234"


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


# ---------------------------------------------------------------------------------------------
# Tampering. Each function changes the first video of a clean folder. What can be hidden from the
# hashes is: `sealed` writes a fresh manifest afterwards, as somebody would who knows how.

Tamper = Callable[[Path], None]


def _remux(folder: Path, **tags: str) -> Path:
    """The video once more, by somebody's FFmpeg."""
    path = folder / "skeleton.mp4"
    copy = io.BytesIO()
    with av.open(path) as source, av.open(copy, "w", format="mp4") as target:
        target.metadata.update(tags)
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    path.write_bytes(copy.getvalue())
    return path


def title_tag(folder: Path) -> None:
    _remux(folder, title=NAME.decode())


def audio_added(folder: Path) -> None:
    path, copy = folder / "skeleton.mp4", io.BytesIO()
    with av.open(path) as source, av.open(copy, "w", format="mp4") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        sound = target.add_stream("aac", rate=48000)
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.sample_rate = 48000
        target.mux(sound.encode(silence))
        target.mux(sound.encode(None))
    path.write_bytes(copy.getvalue())


def extra_video_stream(folder: Path) -> None:
    path, copy = folder / "skeleton.mp4", io.BytesIO()
    with av.open(path) as source, av.open(copy, "w", format="mp4") as target:
        streams = [target.add_stream_from_template(source.streams.video[0]) for _ in range(2)]
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                data = bytes(packet)
                for stream in streams:
                    twin = av.Packet(data)
                    twin.pts, twin.dts, twin.time_base = packet.pts, packet.dts, packet.time_base
                    twin.is_keyframe, twin.stream = packet.is_keyframe, stream
                    target.mux(twin)
    path.write_bytes(copy.getvalue())


def _encode(folder: Path, change: Callable[[int, np.ndarray], None], **options: str) -> None:
    """The video decoded, changed and encoded again as well as one can."""
    path, copy = folder / "skeleton.mp4", io.BytesIO()
    with av.open(path) as source:
        frames = list(source.decode(video=0))
    with av.open(copy, "w", format="mp4", options={"fflags": "+bitexact"}) as target:
        stream = target.add_stream("libx264", rate=25, options={"qp": "10", **options})
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 90_000)
        for i, frame in enumerate(frames):
            picture = frame.to_ndarray()
            change(i, picture)
            changed = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            changed.pts, changed.time_base = frame.pts, frame.time_base
            target.mux(stream.encode(changed))
        target.mux(stream.encode(None))
    path.write_bytes(copy.getvalue())


def a_picture_over_one_frame(folder: Path) -> None:
    noise = np.random.default_rng(0).integers(60, 200, (64, 64))

    def overlay(i: int, picture: np.ndarray) -> None:
        if i == 5:
            picture[20:84, 20:84] = noise

    _encode(folder, overlay)


def one_block_of_pixels(folder: Path) -> None:
    def block(i: int, picture: np.ndarray) -> None:
        if i == 7:
            picture[8:16, 8:16] += 12

    _encode(folder, block)


def encoded_again(folder: Path) -> None:
    _encode(folder, lambda i, picture: None)


def _bytes_of(folder: Path, name: str, change: Callable[[bytearray], bytes | None]) -> None:
    data = bytearray((folder / name).read_bytes())
    changed = change(data)
    (folder / name).write_bytes(data if changed is None else changed)


def _put(data: bytearray, kind: bytes, offset: int, value: bytes) -> None:
    at = data.index(kind) + 4 + offset
    data[at : at + len(value)] = value


def creation_date(folder: Path) -> None:
    date = struct.pack(">I", 3_800_000_000)
    _bytes_of(folder, "skeleton.mp4", lambda d: _put(d, b"mvhd", 4, date))


def track_date(folder: Path) -> None:
    _bytes_of(folder, "skeleton.mp4", lambda d: _put(d, b"tkhd", 8, b"\1"))


def media_language(folder: Path) -> None:
    _bytes_of(folder, "skeleton.mp4", lambda d: _put(d, b"mdhd", 20, b"\x19\x01"))


def encoder_name(folder: Path) -> None:
    def name(data: bytearray) -> None:
        at = data.rindex(b"avc1") + 4 + 42  # the first is a brand of the file
        data[at : at + 13] = b"\x0cSURNAME_1234"

    _bytes_of(folder, "skeleton.mp4", name)


def handler_name(folder: Path) -> None:
    _bytes_of(folder, "skeleton.mp4", lambda d: d.replace(b"VideoHandler", NAME))


def text_after_the_video(folder: Path) -> None:
    _bytes_of(folder, "skeleton.mp4", lambda d: d + NAME)


def box_after_the_video(folder: Path) -> None:
    box = struct.pack(">I4s", 8 + len(NAME), b"uuid") + NAME
    _bytes_of(folder, "skeleton.mp4", lambda d: d + box)


def free_box_with_content(folder: Path) -> None:
    def fill(data: bytearray) -> bytes:
        at = data.index(b"free") - 4
        longer = data[:at] + struct.pack(">I4s", 8 + len(NAME), b"free") + NAME + data[at + 8 :]
        return _moved(longer, len(NAME))

    _bytes_of(folder, "skeleton.mp4", fill)


def bytes_between_pictures(folder: Path) -> None:
    def insert(data: bytearray) -> bytes:
        at = data.index(b"mdat") + 4
        size = struct.unpack_from(">I", data, at - 8)[0] + len(NAME)
        return _moved(
            data[: at - 8] + struct.pack(">I", size) + b"mdat" + NAME + data[at:], len(NAME)
        )

    _bytes_of(folder, "skeleton.mp4", insert)


def _moved(data: bytes, by: int) -> bytes:
    """Chunk offsets set right after bytes were put before the pictures."""
    data = bytearray(data)
    at = data.index(b"stco") + 8
    (count,) = struct.unpack_from(">I", data, at)
    for i in range(count):
        (offset,) = struct.unpack_from(">I", data, at + 4 + 4 * i)
        struct.pack_into(">I", data, at + 4 + 4 * i, offset + by)
    return bytes(data)


def sei_with_text(folder: Path) -> None:
    """A message in the first picture, all sizes and offsets set right."""

    def insert(data: bytearray) -> bytes:
        payload = b"\x06\x05" + bytes([16 + len(NAME)]) + b"\0" * 16 + NAME + b"\x80"
        unit = struct.pack(">I", len(payload)) + payload
        at = data.index(b"mdat") + 4
        size = struct.unpack_from(">I", data, at - 8)[0] + len(unit)
        data = data[: at - 8] + struct.pack(">I", size) + b"mdat" + unit + data[at:]
        first = data.index(b"stsz") + 4 + 12
        struct.pack_into(">I", data, first, struct.unpack_from(">I", data, first)[0] + len(unit))
        return bytes(data)

    _bytes_of(folder, "skeleton.mp4", insert)


def last_frame_cut_off(folder: Path) -> None:
    _encode_fewer(folder, 11)


def _encode_fewer(folder: Path, count: int) -> None:
    tracks = people.write_people(folder / "other", frames=count, people=2)
    render_video(tracks, folder / "skeleton.mp4", options=deliverable.RENDER)
    shutil.rmtree(folder / "other")


def video_of_another_recording(folder: Path) -> None:
    shutil.copy(folder.parent / SECOND / "skeleton.mp4", folder / "skeleton.mp4")


def tracks_of_another_recording(folder: Path) -> None:
    for name in ("tracks.parquet", "frames.parquet"):
        shutil.copy(folder.parent / SECOND / name, folder / name)


def video_at_other_times(folder: Path) -> None:
    tracks = people.write_people(folder / "other", frames=12, people=2, times=np.arange(12) / 24.0)
    render_video(tracks, folder / "skeleton.mp4", options=deliverable.RENDER)
    shutil.rmtree(folder / "other")


def video_is_a_text(folder: Path) -> None:
    (folder / "skeleton.mp4").write_bytes(NAME)


def video_is_empty(folder: Path) -> None:
    (folder / "skeleton.mp4").write_bytes(b"")


def video_is_matroska(folder: Path) -> None:
    path, copy = folder / "skeleton.mp4", io.BytesIO()
    with av.open(path) as source, av.open(copy, "w", format="matroska") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    path.write_bytes(copy.getvalue())


def _rows(folder: Path, change: Callable[[pa.Table], pa.Table], schema: pa.Schema) -> None:
    """The tracks written again by the project's own format writer after a change."""
    path = folder / "tracks.parquet"
    footer = pq.ParquetFile(path).metadata.metadata
    table = change(pq.read_table(path).replace_schema_metadata(None).cast(TRACKS_SCHEMA))
    with path.open("wb") as file, parquet_writer(file, schema) as writer:
        writer.write_table(table.cast(schema))
        writer.add_key_value_metadata(footer)


def extra_column(folder: Path) -> None:
    schema = TRACKS_SCHEMA.append(pa.field("source", pa.string()))
    _rows(folder, lambda t: t.append_column("source", pa.array([NAME.decode()] * len(t))), schema)


def binary_column(folder: Path) -> None:
    schema = TRACKS_SCHEMA.append(pa.field("pixels", pa.binary()))
    _rows(folder, lambda t: t.append_column("pixels", pa.array([b"\xff\xd8"] * len(t))), schema)


def column_missing(folder: Path) -> None:
    schema = TRACKS_SCHEMA.remove(7)
    _rows(folder, lambda t: t.drop_columns(["state"]), schema)


def other_type(folder: Path) -> None:
    schema = TRACKS_SCHEMA.set(4, pa.field("x", pa.float64()))
    _rows(folder, lambda t: t, schema)


def _set(table: pa.Table, name: str, values: object) -> pa.Table:
    index = table.schema.get_field_index(name)
    field = TRACKS_SCHEMA.field(name)
    kind = pa.string() if pa.types.is_dictionary(field.type) else field.type
    return table.set_column(index, field, pa.array(values, kind).cast(field.type))


def name_as_individual(folder: Path) -> None:
    def rename(table: pa.Table) -> pa.Table:
        names = table["individual"].to_pylist()
        return _set(table, "individual", [n.replace("person1", "SURNAME_1234") for n in names])

    _rows(folder, rename, TRACKS_SCHEMA)


def word_that_no_row_uses(folder: Path) -> None:
    def add(table: pa.Table) -> pa.Table:
        column = table["state"].combine_chunks()
        words = pa.array([*column.dictionary.to_pylist(), NAME.decode()])
        wider = pa.DictionaryArray.from_arrays(column.indices, words)
        return table.set_column(7, TRACKS_SCHEMA.field("state"), wider)

    _rows(folder, add, TRACKS_SCHEMA)


def _floats(folder: Path, name: str, change: Callable[[np.ndarray], None]) -> None:
    def edit(table: pa.Table) -> pa.Table:
        column = table[name].combine_chunks()
        values = column.to_numpy(zero_copy_only=False).copy()
        mask = column.is_null().to_numpy(zero_copy_only=False)
        change(values)
        index = table.schema.get_field_index(name)
        return table.set_column(index, TRACKS_SCHEMA.field(name), pa.array(values, mask=mask))

    _rows(folder, edit, TRACKS_SCHEMA)


def payload_in_a_nan(folder: Path) -> None:
    def hide(values: np.ndarray) -> None:
        seen = np.flatnonzero(~np.isnan(values))[3]
        values.view(np.uint32)[seen] = 0x7FC0BEEF

    _floats(folder, "x", hide)


def coordinate_far_away(folder: Path) -> None:
    _floats(folder, "y", lambda v: v.__setitem__(np.flatnonzero(~np.isnan(v))[0], 1e30))


def confidence_above_one(folder: Path) -> None:
    _floats(folder, "confidence", lambda v: v.__setitem__(np.flatnonzero(~np.isnan(v))[0], 1.5))


def one_keypoint_moved(folder: Path) -> None:
    _floats(folder, "x", lambda v: v.__setitem__(np.flatnonzero(~np.isnan(v))[40], 5.0))


def rows_shuffled(folder: Path) -> None:
    _rows(folder, lambda t: t.take(list(range(len(t)))[::-1]), TRACKS_SCHEMA)


def rows_missing(folder: Path) -> None:
    _rows(folder, lambda t: t.slice(0, len(t) - 22), TRACKS_SCHEMA)


def state_that_lies(folder: Path) -> None:
    def lie(table: pa.Table) -> pa.Table:
        states = table["state"].to_pylist()
        states[states.index("missing")] = "observed"
        return _set(table, "state", states)

    _rows(folder, lie, TRACKS_SCHEMA)


def raw_tracks_with_smoothed_values(folder: Path) -> None:
    def smooth(table: pa.Table) -> pa.Table:
        states = table["state"].to_pylist()
        states[states.index("observed")] = "smoothed"
        return _set(table, "state", states)

    _rows(folder, smooth, TRACKS_SCHEMA)


def _footer(folder: Path, name: str, footer: dict[bytes, bytes]) -> None:
    path = folder / name
    file = pq.ParquetFile(path)
    schema = TRACKS_SCHEMA if name == "tracks.parquet" else None
    assert schema is not None
    table = file.read().replace_schema_metadata(None).cast(schema)
    with path.open("wb") as opened, parquet_writer(opened, schema) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata(footer)


def second_footer_key(folder: Path) -> None:
    old = pq.ParquetFile(folder / "tracks.parquet").metadata.metadata
    _footer(folder, "tracks.parquet", {**old, b"pandas": NAME})


def key_inside_the_footer(folder: Path) -> None:
    old = json.loads(pq.ParquetFile(folder / "tracks.parquet").metadata.metadata[b"vid2kp"])
    text = json.dumps({**old, "source": NAME.decode()}, separators=(",", ":"))
    _footer(folder, "tracks.parquet", {b"vid2kp": text.encode()})


def footer_of_another_model(folder: Path) -> None:
    text = people.footer(model_name="other").to_json()
    _footer(folder, "tracks.parquet", {b"vid2kp": text.encode()})


def bytes_before_the_footer(folder: Path) -> None:
    def insert(data: bytearray) -> bytes:
        length = struct.unpack_from("<I", data, len(data) - 8)[0]
        at = len(data) - 8 - length
        return bytes(data[:at] + NAME + data[at:])

    _bytes_of(folder, "tracks.parquet", insert)


def tracks_cut_off(folder: Path) -> None:
    _bytes_of(folder, "tracks.parquet", lambda d: d[: len(d) // 2])


def tracks_written_by_pandas(folder: Path) -> None:
    import pandas as pd

    pd.read_parquet(folder / "tracks.parquet").to_parquet(folder / "tracks.parquet")


def frames_cut_off(folder: Path) -> None:
    _bytes_of(folder, "frames.parquet", lambda d: d[:-1])


def frames_missing(folder: Path) -> None:
    (folder / "frames.parquet").unlink()


def one_file_too_many(folder: Path) -> None:
    (folder / "notes.txt").write_text("x")


def hidden_file(folder: Path) -> None:
    (folder / ".tracks.parquet.0a1b.part").write_bytes(b"x")


def folder_too_many(folder: Path) -> None:
    (folder / "frames").mkdir()


def file_beside_the_videos(folder: Path) -> None:
    (folder.parent / "links.csv").write_text("x")


def folder_with_a_name(folder: Path) -> None:
    shutil.copytree(folder.parent / SECOND, folder.parent / "SURNAME_1234")


def link_instead_of_a_file(folder: Path) -> None:
    (folder / "skeleton.mp4").rename(folder.parent.parent / "elsewhere.mp4")
    (folder / "skeleton.mp4").symlink_to(folder.parent.parent / "elsewhere.mp4")


def hard_link(folder: Path) -> None:
    (folder.parent.parent / "elsewhere.mp4").hardlink_to(folder / "skeleton.mp4")


def time_of_today(folder: Path) -> None:
    os.utime(folder / "tracks.parquet")


def time_of_the_folder(folder: Path) -> None:
    os.utime(folder)


def hash_off(folder: Path) -> None:
    _bytes_of(folder, "manifest.json", lambda d: d.replace(b'sha256": "', b'sha256": "0', 2)[:-1])


def another_hash(folder: Path) -> None:
    content = json.loads((folder / "manifest.json").read_text())
    content["files"]["tracks.parquet"]["sha256"] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(content, indent=2) + "\n")


def key_in_the_manifest(folder: Path) -> None:
    content = json.loads((folder / "manifest.json").read_text())
    content["source"] = NAME.decode()
    (folder / "manifest.json").write_text(json.dumps(content, indent=2) + "\n")


def spaces_in_the_manifest(folder: Path) -> None:
    _bytes_of(folder, "manifest.json", lambda d: d.replace(b": ", b":  ", 1))


def manifest_missing(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def manifest_of_another_video(folder: Path) -> None:
    shutil.copy(folder.parent / SECOND / "manifest.json", folder / "manifest.json")


def video_missing(folder: Path) -> None:
    (folder / "skeleton.mp4").unlink()


def index_of_other_videos(folder: Path) -> None:
    deliverable.write_index(folder.parent / "index.parquet", [])
    fix_time(folder.parent / "index.parquet")


def index_with_a_name(folder: Path) -> None:
    table = pq.read_table(folder.parent / "index.parquet")
    schema = table.schema.append(pa.field("name", pa.string()))
    pq.write_table(
        table.append_column("name", pa.array([NAME.decode()] * 3)).cast(schema),
        folder.parent / "index.parquet",
    )


def index_with_a_path_as_reason(folder: Path) -> None:
    rows = [
        {"pseudonym": p, "status": "done", "reason": "/home/SURNAME_1234/a.mp4"}
        for p in (FIRST, SECOND)
    ]
    deliverable.write_index(folder.parent / "index.parquet", rows)


def report_with_a_picture(folder: Path) -> None:
    (folder.parent / "report.html").write_text('<!doctype html><img src="data:image/png;base64,">')


# Tampering, the check that must find it, and whether it can hide behind a fresh manifest.
TAMPERED: list[tuple[Tamper, str, bool]] = [
    (audio_added, "container", True),
    (title_tag, "container", True),
    (extra_video_stream, "container", True),
    (a_picture_over_one_frame, "pixels", True),
    (one_block_of_pixels, "pixels", True),
    (encoded_again, "pixels", True),
    (creation_date, "container", True),
    (track_date, "container", True),
    (media_language, "container", True),
    (encoder_name, "container", True),
    (handler_name, "container", True),
    (text_after_the_video, "container", True),
    (box_after_the_video, "container", True),
    (free_box_with_content, "container", True),
    (bytes_between_pictures, "container", True),
    (sei_with_text, "container", True),
    (last_frame_cut_off, "agreement", True),
    (video_of_another_recording, "pixels", True),
    (tracks_of_another_recording, "pixels", True),
    (video_at_other_times, "agreement", True),
    (video_is_a_text, "container", True),
    (video_is_empty, "container", True),
    (video_is_matroska, "container", True),
    (extra_column, "tracks", True),
    (binary_column, "tracks", True),
    (column_missing, "tracks", True),
    (other_type, "tracks", True),
    (name_as_individual, "tracks", True),
    (word_that_no_row_uses, "tracks", True),
    (payload_in_a_nan, "tracks", True),
    (coordinate_far_away, "tracks", True),
    (confidence_above_one, "tracks", True),
    (one_keypoint_moved, "pixels", True),
    (rows_shuffled, "tracks", True),
    (rows_missing, "pixels", True),
    (state_that_lies, "tracks", True),
    (raw_tracks_with_smoothed_values, "tracks", True),
    (second_footer_key, "tracks", True),
    (key_inside_the_footer, "tracks", True),
    (footer_of_another_model, "agreement", True),
    (bytes_before_the_footer, "tracks", True),
    (tracks_cut_off, "tracks", True),
    (tracks_written_by_pandas, "tracks", True),
    (frames_cut_off, "frames", True),
    (frames_missing, "files", True),
    (one_file_too_many, "files", True),
    (hidden_file, "files", True),
    (folder_too_many, "files", True),
    (file_beside_the_videos, "files", True),
    (folder_with_a_name, "files", True),
    (link_instead_of_a_file, "files", False),
    (hard_link, "files", True),
    (time_of_today, "times", False),
    (time_of_the_folder, "times", False),
    (hash_off, "manifest", False),
    (another_hash, "manifest", False),
    (key_in_the_manifest, "manifest", False),
    (spaces_in_the_manifest, "manifest", False),
    (manifest_missing, "files", False),
    (manifest_of_another_video, "manifest", False),
    (video_missing, "manifest", False),
    (index_of_other_videos, "index", True),
    (index_with_a_name, "index", True),
    (index_with_a_path_as_reason, "index", True),
    (report_with_a_picture, "report", True),
]


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
    _bytes_of(out / FIRST, "manifest.json", lambda d: d + NAME)
    assert any(f.check == "needles" for f in verify(out, links).findings)


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


def test_a_report_page_of_text_and_svg_passes(out: Path) -> None:
    (out / "report.html").write_text(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>vid2kp</title>'
        "<style>p { color: #123; }</style></head><body><p>12 videos</p>"
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><defs><path id="a" d="M0 0"/>'
        '</defs><use href="#a"/></svg></body></html>'
    )
    fix_folder_times(out)
    assert verify(out).findings == ()


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
        "\0",
    ],
)
def test_a_report_page_with_more_is_found(html: str, out: Path) -> None:
    (out / "report.html").write_text("<!doctype html>" + html)
    fix_folder_times(out)
    assert {finding.check for finding in verify(out).findings} == {"report"}
