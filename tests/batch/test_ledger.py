"""Records: when a video counts as finished, and what a failure leaves alone."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from vid2kp.batch.ledger import Ledger, Record, fingerprint_of
from vid2kp.batch.workload import Way

OPTIONS = {"model": "infant-lite", "zoom": "auto", "duration": None}
WAY = Way(options=OPTIONS, model_sha256="aa")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path, run="run")


def make_record(source: Path) -> Record:
    return Record(
        pseudonym="p",
        source=fingerprint_of(source),
        options=OPTIONS,
        model_sha256="aa",
        status="done",
        reason="",
        numbers={"frames": 3, "seconds": 0.5, "found": 1.0, "completeness": 0.25},
        counts={"people": 1},
        files={"tracks.parquet": 4},
    )


def test_a_record_comes_back_as_it_was(ledger: Ledger, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"data")
    record = make_record(source)
    ledger.keep(record)
    assert ledger.delivered("p") == record
    assert list(ledger.records()) == [record]


def test_another_source_option_or_model_is_another_video(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"a" * 200_000)
    record = make_record(source)
    before = fingerprint_of(source)
    assert WAY.made(record, before)
    assert not replace(WAY, model_sha256="bb").made(record, before)
    assert not replace(WAY, options={**OPTIONS, "zoom": "off"}).made(record, before)
    assert not replace(WAY, since=record.finished + 1).made(record, before)
    with_more = replace(record, options={**OPTIONS, "device": "cuda"})  # as versions before wrote
    assert WAY.made(with_more, before)
    status = source.stat()
    for changed in (b"b" + b"a" * 199_999, b"a" * 199_999 + b"b", b"a" * 200_001):
        source.write_bytes(changed)
        os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert not WAY.made(record, fingerprint_of(source))
    source.write_bytes(b"a" * 200_000)
    os.utime(source, ns=(0, status.st_mtime_ns))
    assert WAY.made(record, fingerprint_of(source))
    os.utime(source, ns=(0, status.st_mtime_ns + 1))
    assert not WAY.made(record, fingerprint_of(source))


def test_deliverables_must_be_there_at_their_sizes(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"data")
    record = make_record(source)
    assert not record.is_complete_in(tmp_path)
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "tracks.parquet").write_bytes(b"four")
    assert record.is_complete_in(tmp_path)
    (tmp_path / "p" / "tracks.parquet").write_bytes(b"cut")
    assert not record.is_complete_in(tmp_path)


def test_a_failure_leaves_earlier_deliverables_alone(ledger: Ledger, tmp_path: Path) -> None:
    done = make_record(tmp_path / "none")
    failure = replace(done, status="failed", files={}, numbers={}, counts={})
    ledger.keep(failure)
    assert list(ledger.records()) == [failure]
    ledger.keep(done)
    assert (ledger.delivered("p"), ledger.failed("p")) == (done, None)
    ledger.keep(failure)
    assert list(ledger.records()) == [done]
    assert ledger.failed("p") == failure


def test_a_damaged_record_is_none(ledger: Ledger, tmp_path: Path) -> None:
    ledger.keep(make_record(tmp_path / "none"))
    (file,) = (tmp_path / "records").iterdir()
    whole = file.read_text()
    for damaged in ("", whole[:-9], "[]", json.dumps({**json.loads(whole), "version": 99})):
        file.write_text(damaged)
        assert ledger.delivered("p") is None
        assert list(ledger.records()) == []


def test_reading_writes_nothing(ledger: Ledger, tmp_path: Path) -> None:
    assert (ledger.delivered("p"), ledger.failed("p"), list(ledger.records())) == (None, None, [])
    before = ledger.state()
    assert not list(tmp_path.iterdir())
    ledger.keep(make_record(tmp_path / "none"))
    assert ledger.state() != before


def test_the_log_takes_names_that_are_no_text(ledger: Ledger, tmp_path: Path) -> None:
    path = Path(os.fsdecode(b"/films/\xff\n.mp4"))
    ledger.log("started", source=path)
    ledger.log("finished", detail='two\nlines and a "quote"')
    first, second = map(json.loads, (tmp_path / "run.jsonl").read_text().splitlines())
    assert os.fsencode(first["source"]) == b"/films/\xff\n.mp4"
    assert (second["event"], second["run"]) == ("finished", "run")
