"""Every sentence that the program can write as a reason is known, and no other is."""

from __future__ import annotations

import ast
import os
import signal
from collections.abc import Iterator
from dataclasses import fields
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from crowd import FPS, adult, follow, infant, people
from hypothesis import given
from hypothesis import strategies as st

from vid2kp.batch.worker import describe, stalled
from vid2kp.convert import ConvertOptions
from vid2kp.errors import OutputError, TracksError, UnreadableVideo
from vid2kp.files import output_errors
from vid2kp.pose.choose import WEIGHTS, Candidate, Choice, _reason
from vid2kp.privacy.manifest import OPTIONS
from vid2kp.privacy.reasons import (
    CHOSEN,
    JUDGED,
    REASON,
    judgement,
    manifest_reason,
    says,
    texts_of,
)
from vid2kp.record import Counts, judge
from vid2kp.tracks.schema import STATUSES
from vid2kp.video import lookalikes
from vid2kp.video.container import _refuse_to_open
from vid2kp.video.lookalikes import Lookalike
from vid2kp.video.probe import probe
from vid2kp.video.read import ReadSummary

PACKAGE = files("vid2kp")
NOBODY = "Nobody was seen."


# ---------------------------------------------------------------------------------------------
# Of videos that have deliverables


@pytest.mark.parametrize(("infant", "status"), [(0, "no_infant"), (1, "done")])
def test_a_twentieth_of_the_frames_is_enough(infant: int, status: str) -> None:
    summary = SimpleNamespace(status="done", frames=20, suspect_frames=0)
    assert judge(cast(ReadSummary, summary), Counts(frames=20, infant=infant))[0] == status


@given(st.data())
def test_what_was_judged_follows_from_the_counts(data: st.DataObject) -> None:
    frames = data.draw(st.integers(1, 200_000))
    part = st.integers(0, frames)
    counts = Counts(frames=frames, infant=data.draw(part), ambiguous=data.draw(part))
    state = data.draw(st.sampled_from(["done", "truncated", "damaged"]))
    suspect = data.draw(part)
    summary = SimpleNamespace(status=state, frames=frames, suspect_frames=suspect)
    status, reason = judge(cast(ReadSummary, summary), counts)
    counted = {
        "frames": frames,
        "frames_with_infant": counts.infant,
        "frames_ambiguous": counts.ambiguous,
        "frames_suspect": suspect,
    }
    assert judgement(status, counted) == reason
    assert REASON.fullmatch(reason)
    whole = f"{reason} {NOBODY}".strip()
    assert manifest_reason().fullmatch(whole)
    assert says(whole, reason)
    assert all(not says(whole, judgement(s, counted)) for s in STATUSES if s != status)


def test_every_status_is_judged() -> None:
    assert set(JUDGED) == set(STATUSES) - {"done"}


def candidate(value: float) -> Candidate:
    return Candidate((0,), dict.fromkeys(WEIGHTS, value), value, 100.0, value)


@pytest.mark.parametrize("value", [0.0, 0.004, 0.5, 0.999, 1.0, float("nan")])
@pytest.mark.parametrize("rivals", [0, 1, 2, 11])
@pytest.mark.parametrize("others", [0, 1, 2, 130])
@pytest.mark.parametrize("afar", [frozenset(), frozenset({3})])
def test_every_choice_can_be_told(
    afar: frozenset[int], others: int, rivals: int, value: float
) -> None:
    everybody = [candidate(value)] * (1 + others)
    said = _reason(everybody, everybody[:rivals])
    choice = Choice(tuple(everybody), frozenset(), said).with_rivals(afar)
    assert manifest_reason().fullmatch(choice.reason), choice.reason
    for status in STATUSES:
        judged = judgement(status, {"frames": 40})
        assert manifest_reason().fullmatch(f"{judged} {choice.reason}".strip())


def test_choices_as_they_are_made_can_be_told() -> None:
    for frames in (
        [people()] * 5,
        [people(infant(i / FPS)) for i in range(30)],
        [people(adult(1200, 500), infant(i / FPS)) for i in range(30)],
        [people(infant(i / FPS, 200), infant(i / FPS, 520, seed=2)) for i in range(60)],
    ):
        choice = follow(frames).choice
        assert manifest_reason().fullmatch(choice.reason), choice.reason
        assert manifest_reason().fullmatch(choice.with_rivals(frozenset({9})).reason)


@pytest.mark.parametrize("module", ["record.py", "pose/choose.py"])
def test_those_who_give_reasons_have_no_other_sentence(module: str) -> None:
    """A new one must be added to `vid2kp.privacy.reasons`, or no video would be delivered."""
    known = "\n".join([*JUDGED.values(), *(text for part in CHOSEN for text in part), NOBODY])
    for parts in texts_of(PACKAGE / module):
        for part in filter(None, parts):
            words = part.removesuffix(".").removesuffix("% of the frames, ")
            assert " " not in words.strip() or words in known, part


@pytest.mark.parametrize(
    "text",
    [
        "Emma Smith.",
        "Emma Smith was seen.",
        f"{NOBODY} Emma Smith.",
        f" {NOBODY}",
        f"{NOBODY}\n",
        "The infant is seen in Emma of the frames.",
        "The infant is seen in 20190304123456 of the frames.",
        "See the private log",
        "Unexpected Emma; see the private log.",
        "Model Emma cannot be read. May you read it?",
        "The file cannot be opened (Emma). Check the disk or the network share.",
        "The file is empty. Emma. Copy it again from the camera.",
    ],
)
def test_other_words_are_no_reason(text: str) -> None:
    assert not manifest_reason().fullmatch(text)
    assert not REASON.fullmatch(text)


# ---------------------------------------------------------------------------------------------
# Of videos that have none


def _raised(error: type[Exception]) -> Iterator[Any]:
    """Every such error in the program with a text of its own, a number wherever one is put in."""
    for path in Path(str(PACKAGE)).rglob("*.py"):
        if "training" in path.parts or "cli" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or ast.unparse(node.func) != error.__name__:
                continue
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            texts = [_filled(one) for one in given]
            if texts and None not in texts:
                yield pytest.param(" ".join(map(str, texts)), id=f"{path.stem}-{node.lineno}")


def _filled(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(o.value) if isinstance(o, ast.Constant) else "7" for o in node.values)
    return None


FAILURES = [*_raised(UnreadableVideo), *_raised(OutputError)]


def test_there_are_such_failures() -> None:
    assert len(FAILURES) > 15


@pytest.mark.parametrize("text", FAILURES)
def test_every_failure_of_a_video_can_be_told(text: str) -> None:
    assert REASON.fullmatch(text)


def test_every_file_that_is_no_video_can_be_told() -> None:
    kinds = [kind for kind in vars(lookalikes).values() if isinstance(kind, Lookalike)]
    assert len(kinds) > 5
    for kind in kinds:
        assert REASON.fullmatch(str(UnreadableVideo(kind.message, hint=kind.hint)))


def test_failures_as_they_happen_can_be_told(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_bytes(b"no video at all")
    (tmp_path / "cut.mp4").write_bytes(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom")
    for name in ("none.mp4", "text.mp4", "cut.mp4", "."):
        with pytest.raises(UnreadableVideo) as caught:
            probe(tmp_path / name)
        assert REASON.fullmatch(describe(caught.value).reason)
    with pytest.raises(UnreadableVideo) as unopened:
        _refuse_to_open(OSError(5, "Input/output error"))
    with pytest.raises(OutputError) as full, output_errors():
        raise OSError(28, "No space left on device")
    for error in (
        unopened.value,
        full.value,
        MemoryError(),
        RuntimeError("SURNAME"),
        TracksError("Tracks and frames tell of different frames."),
    ):
        assert REASON.fullmatch(describe(error).reason), describe(error).reason
    assert REASON.fullmatch(stalled(300))
    assert REASON.fullmatch("See the private log.")


@pytest.mark.parametrize(
    "name", ["SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV", "SIGSYS", "SIGTERM", "SIGTRAP"]
)
def test_every_crash_can_be_told(name: str) -> None:
    assert os.name != "posix" or name in signal.Signals.__members__
    assert REASON.fullmatch(f"Its process crashed ({name}), most likely in the decoder.")


# ---------------------------------------------------------------------------------------------
# Options


def test_every_option_is_recorded_or_told_otherwise() -> None:
    """The model by its name and hash; the others change nothing."""
    elsewhere = {"model", "device", "batch_size"}
    assert set(OPTIONS) == {field.name for field in fields(ConvertOptions)} - elsewhere
