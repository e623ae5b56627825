from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import people
import pytest

from vid2kp.errors import PrivacyError
from vid2kp.files import EPOCH
from vid2kp.privacy.manifest import (
    NOTICE,
    Manifest,
    read_manifest,
    shaping_libraries,
    write_manifest,
)

PSEUDONYM = "abcdefghijklmnopqrstuvwx23"
ALONE = (
    "The only person seen: score 0.84; seen in 3% of the frames, 91% of the keypoints found, "
    "stillness 0.97, infant proportions 0.78, size 1.00."
)


def manifest(**changes: object) -> Manifest:
    values: dict[str, object] = {
        "pseudonym": PSEUDONYM, "status": "done", "model_name": "infant-lite",
        "model_sha256": "0" * 64, "tool_version": "0.1.0", "counts": {"frames": 40},
        "options": {"zoom": "auto", "start": 0.0}, "render": {"size": 1280},
        "libraries": shaping_libraries(),
    }  # fmt: skip
    return Manifest(**{**values, **changes})  # type: ignore[arg-type]


def test_it_answers_for_every_deliverable(tmp_path: Path) -> None:
    people.write_people(tmp_path)
    path = write_manifest(tmp_path, manifest(reason="Nobody was seen."))
    content = json.loads(path.read_text())
    assert list(content["files"]) == ["tracks.parquet", "frames.parquet"]
    for name, entry in content["files"].items():
        data = (tmp_path / name).read_bytes()
        assert entry == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    assert content["notice"] == NOTICE
    assert content["pseudonyms"] == {"mode": "random", "key_id": None}
    assert path.stat().st_mtime == EPOCH


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    people.write_people(tmp_path)
    want = manifest(
        key_id="0123456789abcdef", reason=f"The infant is seen in 3% of the frames. {ALONE}"
    )
    write_manifest(tmp_path, want)
    have, files = read_manifest(tmp_path)
    assert have == want
    assert set(files) == {"tracks.parquet", "frames.parquet"}


def test_same_content_same_bytes_and_no_identity(tmp_path: Path) -> None:
    for name in ("SURNAME a", "SURNAME b"):
        people.write_people(tmp_path / name)
        write_manifest(tmp_path / name, manifest())
    a, b = ((tmp_path / n / "manifest.json").read_bytes() for n in ("SURNAME a", "SURNAME b"))
    assert a == b
    for needle in (b"SURNAME", str(tmp_path).encode(), b"20:", b"T0", b"/home"):
        assert needle not in a


@pytest.mark.parametrize(
    "changes",
    [
        {"pseudonym": "SURNAME_1234"},
        {"status": "unreadable"},
        {"status": "fine"},
        {"reason": "cannot open /home/anna/a.mp4"},
        {"reason": "C:\\data"},
        {"reason": "Emma was seen."},
        {"reason": f"{ALONE} Emma was seen."},
        {"reason": ALONE.replace("person", "Emma")},
        {"options": {"emma": True}},
        {"options": {"clean": 1}},
        {"options": {"start": -1.0}},
        {"options": {"duration": float("inf")}},
        {"options": {"people": "emma"}},
        {"options": {"links": "/home/anna/links.csv"}},
        {"options": {"my option": 1}},
        {"options": {"people": ["all"]}},
        {"counts": {"frames": "40"}},
        {"counts": {"frames": True}},
        {"counts": {"seconds": 1}},
        {"counts": {"frames": 1.5}},
        {"counts": {"people": -1}},
        {"counts": {"people": 1 << 31}},
        {"counts": {"frames": 5, "frames_lost": 6}},
        {"counts": {"rotation": 17}},
        {"model_name": "models/anna.safetensors"},
        {"model_sha256": "00"},
        {"tool_version": ""},
        {"key_id": "SURNAME"},
        {"libraries": {"av": "18 on ward7"}},
        {"libraries": {"av": "18.emma"}},
        {"libraries": {"emma": "18"}},
        {"privacy_profile": ("basic",)},
    ],
)
def test_what_could_tell_an_identity_cannot_be_written(changes: dict[str, object]) -> None:
    with pytest.raises(PrivacyError):
        manifest(**changes)


def _tampered(folder: Path, **changes: object) -> None:
    path = folder / "manifest.json"
    content = json.loads(path.read_text())
    content.update(changes)
    path.write_text(json.dumps(content, indent=2) + "\n")


@pytest.mark.parametrize(
    "changes",
    [
        {"source": "SURNAME.mp4"},
        {"manifest_version": 2},
        {"notice": "anonymous data"},
        {"tool": {"name": "vid2kp", "version": "0.1.0", "user": "SURNAME"}},
        {"files": {"notes.txt": {"bytes": 1, "sha256": "0" * 64}}},
        {"files": {"tracks.parquet": {"bytes": 1, "sha256": "SURNAME"}}},
        {"files": {"tracks.parquet": {"bytes": "1", "sha256": "0" * 64}}},
        {"files": None},
        {"pseudonyms": {"mode": "keyed", "key_id": None}},
    ],
)
def test_reading_is_as_strict_as_writing(changes: dict[str, object], tmp_path: Path) -> None:
    people.write_people(tmp_path)
    write_manifest(tmp_path, manifest())
    _tampered(tmp_path, **changes)
    with pytest.raises(PrivacyError) as caught:
        read_manifest(tmp_path)
    assert "SURNAME" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b"null", None])
def test_a_missing_or_damaged_manifest_is_named(data: bytes | None, tmp_path: Path) -> None:
    if data is not None:
        (tmp_path / "manifest.json").write_bytes(data)
    with pytest.raises(PrivacyError):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    "version", ["18.0.0", "4.13.0.92", "2.10.0+cu128", "2.6.0a0+ecf3bae40a.nv25.1", "3.0.0rc1"]
)
def test_versions_are_those_of_builds_too(version: str) -> None:
    manifest(libraries={"torch": version})


def test_it_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        manifest().status = "failed"  # type: ignore[misc]
