from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import people
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vid2kp.errors import TracksError
from vid2kp.files import EPOCH
from vid2kp.pose.skeleton import COCO18, INFANT22
from vid2kp.tracks import store
from vid2kp.tracks.load import iter_frame_sizes, iter_frames, load_frames, load_tracks
from vid2kp.tracks.schema import (
    FRAMES_FILE,
    FRAMES_SCHEMA,
    STATES,
    TRACKS_SCHEMA,
    parquet_writer,
    swapped_pairs,
    swapped_word,
)
from vid2kp.tracks.store import FramesWriter, Pose, TracksWriter


def _pose(x: float, k: int = 22, confidence: float = 0.5) -> Pose:
    return Pose(np.full((k, 2), x, np.float32), np.full(k, confidence, np.float32))


def _write(path: Path, frames: list[dict[str, Pose]], skeleton=INFANT22) -> Path:
    with TracksWriter(path, skeleton) as writer:
        for i, seen in enumerate(frames):
            writer.write(i, i / 25, seen)
        writer.finish(people.footer(skeleton))
    return path


def test_columns_types_and_nothing_else(tmp_path: Path) -> None:
    path = people.write_people(tmp_path, people=2)
    for file, schema in ((path, TRACKS_SCHEMA), (tmp_path / FRAMES_FILE, FRAMES_SCHEMA)):
        found = pq.ParquetFile(file)
        assert found.schema_arrow.names == schema.names
        for have, want in zip(found.schema_arrow, schema, strict=True):
            plain = want.type.value_type if pa.types.is_dictionary(want.type) else want.type
            assert (have.type, have.nullable) == (plain, want.nullable)
        assert set(found.metadata.metadata) == {b"vid2kp"}
        assert found.metadata.created_by == f"parquet-cpp-arrow version {pa.__version__}"
        row_group = found.metadata.row_group(0)
        for i in range(row_group.num_columns):
            assert row_group.column(i).compression == "ZSTD"
        assert file.stat().st_mtime == EPOCH


def test_sorted_by_frame_individual_and_keypoint_order(tmp_path: Path) -> None:
    seen = {"person10": _pose(3), "person2": _pose(2), "infant": _pose(1)}
    path = _write(tmp_path / "t.parquet", [seen, {"person1": _pose(4)}])
    table = pd.read_parquet(path)
    assert list(table["individual"].iloc[:: len(INFANT22)]) == [
        "infant", "person2", "person10", "infant", "person1",
    ]  # fmt: skip
    assert list(table["keypoint"]) == list(INFANT22.keypoints) * 5
    assert list(table["frame"].iloc[::22]) == [0, 0, 0, 1, 1]


def test_the_infant_has_rows_in_every_frame(tmp_path: Path) -> None:
    table = pd.read_parquet(_write(tmp_path / "t.parquet", [{}, {"person1": _pose(1)}]))
    infant = table[table["individual"] == "infant"]
    assert len(infant) == 2 * 22
    assert infant[["x", "y", "confidence"]].isna().all().all()
    assert set(infant["state"]) == {"missing"}


def test_a_keypoint_that_lacks_anything_is_missing_altogether(tmp_path: Path) -> None:
    pose = _pose(5)
    pose.xy[0, 0] = np.nan
    pose.xy[1, 1] = np.inf
    pose.confidence[2] = np.nan
    pose.confidence[3] = 1.2
    table = pq.read_table(_write(tmp_path / "t.parquet", [{"infant": pose}])).to_pandas()
    assert table[["x", "y", "confidence"]].isna().all(axis=1).sum() == 3
    assert list(table["state"][:4]) == ["missing"] * 3 + ["observed"]
    assert table["confidence"][3] == 1.0
    raw = pq.read_table(tmp_path / "t.parquet")["x"]
    assert raw.null_count == 3  # nulls, not NaN


def test_states_of_a_cleaned_file(tmp_path: Path) -> None:
    state = np.full(22, STATES.index("observed"))
    state[0], state[1], state[2] = (STATES.index(s) for s in ("interpolated", "missing", "swapped"))
    pose = _pose(5)
    pose.confidence[0] = np.nan
    path = tmp_path / "t.parquet"
    with TracksWriter(path, INFANT22) as writer:
        writer.write(0, 0.0, {"infant": pose._replace(state=state)})
        writer.finish(people.footer(product="clean"))
    table = load_tracks(path).to_pandas()
    assert list(table["state"][:4]) == ["interpolated", "missing", "swapped", "observed"]
    assert list(table["x"].isna()[:4]) == [False, True, False, False]
    assert list(table["confidence"].isna()[:4]) == [True, True, False, False]


def test_same_rows_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        people.write_people(tmp_path / name, people=3)
    for file in ("tracks.parquet", FRAMES_FILE):
        a, b = ((tmp_path / n / file).read_bytes() for n in ("a", "b"))
        assert hashlib.sha256(a).digest() == hashlib.sha256(b).digest()


def test_row_groups_end_with_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "ROW_GROUP_FRAMES", 7)
    path = people.write_people(tmp_path, frames=20, people=2)
    file = pq.ParquetFile(path)
    assert file.num_row_groups == 3
    starts = [file.read_row_group(g)["frame"][0].as_py() for g in range(3)]
    assert starts == [0, 7, 14]
    assert load_tracks(path).to_numpy()[0].shape == (20, 2, 22, 2)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_numpy_round_trip(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    frames = data.draw(st.integers(1, 6))
    names = data.draw(st.lists(st.sampled_from(["infant", "person1", "person3"]), unique=True))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**16)))
    xy = rng.normal(100, 300, (frames, len(names), 18, 2)).astype(np.float32)
    confidence = rng.random((frames, len(names), 18)).astype(np.float32)
    gone = rng.random(confidence.shape) < 0.3
    xy[gone], confidence[gone] = np.nan, np.nan
    path = _write(
        tmp_path_factory.mktemp("rt") / "t.parquet",
        [{n: Pose(xy[f, i], confidence[f, i]) for i, n in enumerate(names)} for f in range(frames)],
        COCO18,
    )
    tracks = load_tracks(path)
    positions, scores = tracks.to_numpy()
    assert positions.dtype == scores.dtype == np.float32
    for i, name in enumerate(names):
        at = tracks.individuals.index(name)
        np.testing.assert_array_equal(positions[:, at], xy[:, i])
        np.testing.assert_array_equal(scores[:, at], confidence[:, i])
    for posed in iter_frames(path):
        for name, pose in posed.people.items():
            if name in names:
                np.testing.assert_array_equal(pose.xy, xy[posed.frame, names.index(name)])


def test_loaded_tracks_agree_with_plain_pandas(tmp_path: Path) -> None:
    path = people.write_people(tmp_path, people=2)
    plain = pd.read_parquet(path)
    ours = load_tracks(path).to_pandas()
    assert list(plain.columns) == list(ours.columns) == TRACKS_SCHEMA.names
    assert list(ours["keypoint"].cat.categories) == list(INFANT22.keypoints)
    assert list(ours["state"].cat.categories) == list(STATES)
    for column in plain.columns:
        assert plain[column].astype(object).equals(ours[column].astype(object))


@pytest.mark.parametrize("client", ["polars", "duckdb"])
def test_opens_in_other_clients(client: str, tmp_path: Path) -> None:
    module = pytest.importorskip(client)
    path = people.write_people(tmp_path)
    if client == "polars":
        table = module.read_parquet(path).to_pandas()
    else:
        table = module.sql(f"select * from '{path}'").df()
    assert table["x"].isna().sum() == pd.read_parquet(path)["x"].isna().sum()
    assert list(table["keypoint"][:3]) == ["nose", "neck", "right_shoulder"]


def test_xarray_has_the_layout_of_movement(tmp_path: Path) -> None:
    tracks = load_tracks(people.write_people(tmp_path, people=2))
    dataset = tracks.to_xarray()
    assert dataset["position"].dims == ("time", "space", "keypoints", "individuals")
    assert dataset["confidence"].dims == ("time", "keypoints", "individuals")
    positions, _ = tracks.to_numpy()
    picked = dataset["position"].sel(keypoints="left_wrist", individuals="person1", space="y")
    np.testing.assert_array_equal(picked, positions[:, 1, INFANT22.index("left_wrist"), 1])
    assert dataset.attrs["ds_type"] == "poses"
    assert "source_file" not in dataset.attrs


def test_times_are_those_of_the_frames(tmp_path: Path) -> None:
    times = np.cumsum(np.random.default_rng(1).uniform(0.01, 0.2, 30))
    times -= times[0]
    tracks = load_tracks(people.write_people(tmp_path, frames=30, times=times))
    np.testing.assert_array_equal(tracks.time, times)
    assert tracks.frames is not None
    np.testing.assert_array_equal(tracks.frames["time"], times)
    np.testing.assert_array_equal(tracks.frame, np.arange(30))
    assert (tracks.states()[10] == STATES.index("missing")).all()


def test_tracks_without_a_frames_file(tmp_path: Path) -> None:
    path = people.write_people(tmp_path)
    (tmp_path / FRAMES_FILE).unlink()
    assert load_tracks(path).frames is None


def test_frames_rows(tmp_path: Path) -> None:
    path = tmp_path / FRAMES_FILE
    with FramesWriter(path) as writer:
        for i, size in enumerate([(320, 240), (320, 240), (480, 272)]):
            writer.write(
                i, i / 10, pts=None if i == 1 else 100 + i, width=size[0], height=size[1],
                suspect=i == 2, people=i, subject=("certain", "ambiguous", "absent")[i],
                view=None if i == 1 else (-0.5, 20.0, 100.0 + i, 100.0), rotation=90 * i,
                swapped=("", "elbow,wrist", "eye")[i],
            )  # fmt: skip
        writer.finish(people.footer())
    table = load_frames(path).to_pandas()
    assert list(table["suspect"]) == [False, False, True]
    assert list(table["subject"]) == ["certain", "ambiguous", "absent"]
    assert pq.read_table(path)["pts"].to_pylist() == [100, None, 102]
    assert pq.read_table(path)["view_width"].to_pylist() == [100, None, 102]
    assert list(table["rotation"]) == [0, 90, 180]
    assert list(table["swapped"]) == ["", "elbow,wrist", "eye"]
    assert list(iter_frame_sizes(path)) == [(0, 320, 240), (2, 480, 272)]


def test_a_rotation_that_is_no_quarter_turn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TracksError, match="rotation"), FramesWriter(tmp_path / "f") as writer:
        writer.write(
            0, 0.0, pts=None, width=2, height=2, suspect=False, people=0, subject="absent",
            rotation=45,
        )  # fmt: skip


def test_exchanged_pairs_are_named_in_the_order_of_the_skeleton() -> None:
    word = swapped_word(INFANT22, ["wrist", "ear", "elbow", "wrist"])
    assert word == "elbow,wrist,ear" and swapped_pairs(INFANT22, word) == ("elbow", "wrist", "ear")
    assert swapped_word(INFANT22, []) == "" and swapped_pairs(INFANT22, "") == ()
    for wrong in ("wrist,elbow", "nose", "wrist,wrist", "right_wrist", ",", "SURNAME"):
        with pytest.raises(TracksError):
            swapped_pairs(INFANT22, wrong)


def test_no_frames_at_all(tmp_path: Path) -> None:
    path = _write(tmp_path / "t.parquet", [])
    tracks = load_tracks(path)
    assert tracks.to_numpy()[0].shape == (0, 0, 22, 2)
    assert list(iter_frames(path)) == []


def test_rows_regrouped_by_somebody_else_are_read_frame_by_frame(tmp_path: Path) -> None:
    path = people.write_people(tmp_path, people=2)
    table, metadata = pq.read_table(path), pq.ParquetFile(path).metadata.metadata
    required = pa.schema(
        [f.with_nullable(w.nullable) for f, w in zip(table.schema, TRACKS_SCHEMA, strict=True)],
        metadata=metadata,
    )
    other = tmp_path / "other.parquet"
    with pq.ParquetWriter(other, required, store_schema=False) as writer:
        writer.write_table(table.cast(required), row_group_size=33)
        writer.add_key_value_metadata(metadata)
    ours, theirs = list(iter_frames(path)), list(iter_frames(other))
    assert len(ours) == len(theirs) == 40
    for a, b in zip(ours, theirs, strict=True):
        assert (a.frame, a.time, list(a.people)) == (b.frame, b.time, list(b.people))
        for name in a.people:
            np.testing.assert_array_equal(a.people[name].xy, b.people[name].xy)


def test_an_error_leaves_no_file(tmp_path: Path) -> None:
    with (
        pytest.raises(KeyError),
        TracksWriter(tmp_path / "t.parquet", INFANT22) as writer,
    ):
        writer.write(0, 0.0, {"infant": _pose(1)})
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_a_file_without_its_footer_never_appears(tmp_path: Path) -> None:
    with (
        pytest.raises(TracksError, match="not finished"),
        TracksWriter(tmp_path / "t.parquet", INFANT22) as writer,
    ):
        writer.write(0, 0.0, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="needs kill -9")
def test_kill_9_leaves_only_a_part(tmp_path: Path) -> None:
    code = (
        "import sys, time, numpy as np; from pathlib import Path\n"
        "from vid2kp.tracks.store import TracksWriter; from vid2kp.pose.skeleton import INFANT22\n"
        "with TracksWriter(Path(sys.argv[1]) / 'tracks.parquet', INFANT22) as w:\n"
        "    for i in range(5000): w.write(i, i / 25, {})\n"
        "    print('writing', flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"writing\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".tracks.parquet.")
    assert left.suffix == ".part"


def test_misuse_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(TracksError, match="order"),
        TracksWriter(tmp_path / "t.parquet", INFANT22) as writer,
    ):
        writer.write(3, 0.0, {})
        writer.write(3, 0.1, {})
    for name in ("Infant", "person0", "person01", "SURNAME", "person", "person²"):
        with (
            pytest.raises(TracksError, match="individual"),
            TracksWriter(tmp_path / "t.parquet", INFANT22) as writer,
        ):
            writer.write(0, 0.0, {name: _pose(1)})
    with (
        pytest.raises(ValueError, match="xy must be"),
        TracksWriter(tmp_path / "t.parquet", INFANT22) as writer,
    ):
        writer.write(0, 0.0, {"infant": _pose(1, 18)})
    assert list(tmp_path.iterdir()) == []


def test_foreign_and_damaged_files_are_refused_without_their_path(tmp_path: Path) -> None:
    folder = tmp_path / "SURNAME"
    good = people.write_people(folder)
    names = ("text", "cut", "other", "sw", "less")
    text, cut, foreign, swapped, less = (folder / f"{name}.parquet" for name in names)
    text.write_text("hello")
    cut.write_bytes(good.read_bytes()[:-20])
    table = pq.read_table(good)
    pq.write_table(table, foreign)
    pq.write_table(table.select(["frame", "x"]), less)
    with swapped.open("wb") as file, parquet_writer(file, TRACKS_SCHEMA) as writer:
        writer.write_table(table.take(list(range(len(table)))[::-1]).cast(TRACKS_SCHEMA))
        writer.add_key_value_metadata(pq.ParquetFile(good).metadata.metadata)
    frames = good.with_name(FRAMES_FILE)
    for path in (text, cut, foreign, swapped, less, frames, folder / "nowhere.parquet", folder):
        with pytest.raises(TracksError) as caught:
            load_tracks(path)
        assert "SURNAME" not in str(caught.value)


def test_writing_is_fast_enough_for_the_spine(tmp_path: Path) -> None:
    seen = {"infant": _pose(1.5), "person1": _pose(2.5)}
    start = time.process_time()
    _write(tmp_path / "t.parquet", [seen] * 2000)
    assert time.process_time() - start < 2.0  # 0.15 s when nothing else runs
