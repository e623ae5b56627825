"""The clean product: what changed is marked, what did not is as it was, the raw file stays."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import people
import pyarrow.parquet as pq
import pytest
from console import vid2kp_here
from people import footer, moving_infant, write_people

from vid2kp.errors import TracksError, UsageError
from vid2kp.pose.skeleton import INFANT22
from vid2kp.privacy.parquet_check import check_tracks
from vid2kp.tracks.clean import CleanOptions, clean_tracks
from vid2kp.tracks.load import Tracks, load_tracks
from vid2kp.tracks.schema import FRAMES_FILE, INFANT, STATES, TRACKS_FILE
from vid2kp.tracks.store import FramesWriter, Pose, TracksWriter

OBSERVED, MISSING, SMOOTHED, INTERPOLATED, SWAPPED = range(5)
WRIST, OTHER_WRIST = INFANT22.index("right_wrist"), INFANT22.index("left_wrist")
AS_SEEN = CleanOptions(passband=0, longest_gap=0, outliers=False)


def write(
    folder: Path,
    xy: np.ndarray,
    confidence: np.ndarray,
    *,
    times: np.ndarray | None = None,
    swapped: dict[int, str] | None = None,
    widths: np.ndarray | None = None,
) -> Path:
    """Tracks (F, K, 2) of an infant and their frames; returns the path of the tracks."""
    times = np.arange(len(xy)) / 25 if times is None else times
    widths = np.full(len(xy), 640) if widths is None else widths
    folder.mkdir(exist_ok=True)
    with (
        TracksWriter(folder / TRACKS_FILE, INFANT22) as tracks,
        FramesWriter(folder / FRAMES_FILE) as rows,
    ):
        for f, time in enumerate(times):
            tracks.write(f, float(time), {INFANT: Pose(xy[f], confidence[f])})
            rows.write(
                f, float(time), pts=f, width=int(widths[f]), height=480, suspect=False, people=1,
                subject="certain", swapped=(swapped or {}).get(f, ""),
            )  # fmt: skip
        tracks.finish(footer())
        rows.finish(footer())
    return folder / TRACKS_FILE


def cleaned(path: Path, **more: object) -> Tracks:
    """The clean product of a file beside it."""
    out = path.with_name("clean.parquet")
    clean_tracks(path, out, **more)  # type: ignore[arg-type]
    return load_tracks(out)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_raw_file_stays_and_the_clean_one_passes_the_verifier(tmp_path: Path) -> None:
    raw = write_people(tmp_path, frames=120, people=3)
    before = sha256(raw)
    summary = clean_tracks(raw, tmp_path / "clean.parquet")
    assert sha256(raw) == before
    facts = check_tracks(tmp_path / "clean.parquet", product="clean")
    assert (facts.frames == np.arange(120)).all()
    names = [step.name for step in facts.footer.processing]
    assert names == ["exchange_sides", "drop_outliers", "smooth", "fill_gaps"]
    assert facts.footer.processing[1].parameters["longest_s"] == 0.2
    assert facts.footer.processing[2].parameters["passband_hz"] == 6.0
    assert summary.smoothed > 5000
    assert summary.interpolated > 50


def test_the_same_tracks_give_the_same_bytes(tmp_path: Path) -> None:
    raw = write_people(tmp_path, frames=60, people=2)
    for name in ("one", "two"):
        clean_tracks(raw, tmp_path / name)
    assert sha256(tmp_path / "one") == sha256(tmp_path / "two")


def test_every_sample_says_what_was_done_to_it(tmp_path: Path) -> None:
    raw = load_tracks(write_people(tmp_path, frames=120, people=2))
    clean = cleaned(tmp_path / TRACKS_FILE)
    (xy, confidence), (was, sure) = clean.to_numpy(), raw.to_numpy()
    state, seen = clean.states(), np.isfinite(was[..., 0])
    assert (state[seen] == SMOOTHED).mean() > 0.99
    assert set(np.unique(state[~seen])) == {MISSING, INTERPOLATED}
    np.testing.assert_array_equal(xy[state == OBSERVED], was[state == OBSERVED])
    np.testing.assert_array_equal(confidence[seen], sure[seen])
    assert np.isnan(confidence[state == INTERPOLATED]).all()
    assert np.isfinite(xy[state == INTERPOLATED]).all()
    assert np.abs(xy - was)[seen].max() < 3


def test_gaps_are_filled_with_a_line_up_to_the_given_length(tmp_path: Path) -> None:
    xy = np.repeat(people.rest_pose()[None] * 100, 60, axis=0)
    xy[:, WRIST, 0] = np.arange(60)
    confidence = np.full(xy.shape[:2], 0.8)
    for gap in (slice(10, 14), slice(30, 35), slice(0, 2)):
        confidence[gap, WRIST] = np.nan
    clean = cleaned(write(tmp_path, xy, confidence))
    state = clean.states()[:, 0, WRIST]
    assert (state[10:14] == INTERPOLATED).all()  # 0.2 s from frame 9 to frame 14
    assert (state[30:35] == MISSING).all()
    assert (state[:2] == MISSING).all()
    np.testing.assert_allclose(clean.to_numpy()[0][10:14, 0, WRIST, 0], np.arange(10, 14), atol=0.1)
    longer = cleaned(tmp_path / TRACKS_FILE, options=CleanOptions(longest_gap=0.3))
    assert (longer.states()[30:35, 0, WRIST] == INTERPOLATED).all()


def test_gaps_are_measured_in_time_and_not_in_frames(tmp_path: Path) -> None:
    xy, confidence = moving_infant(40)
    confidence[20, WRIST] = np.nan
    times = np.arange(40) / 25
    times[20:] += 1.0
    clean = cleaned(write(tmp_path, xy, confidence, times=times))
    assert clean.states()[20, 0, WRIST] == MISSING


def test_exchanged_sides_go_back_to_where_they_belong(tmp_path: Path) -> None:
    xy, confidence = moving_infant(30)
    wrong, sure = xy.copy(), confidence.copy()
    mirror = list(INFANT22.mirror)
    for f, names in ((7, ("wrist",)), (8, ("elbow", "wrist"))):
        ends = [k for name in names for k in INFANT22.pairs[name]]
        wrong[f, ends] = xy[f][mirror][ends]
        sure[f, ends] = confidence[f][mirror][ends]
    sure[8, WRIST] = np.nan  # after the exchange it is the left wrist that is missing
    raw = write(tmp_path, wrong, sure, swapped={7: "wrist", 8: "elbow,wrist"})
    clean = cleaned(raw, options=AS_SEEN)
    found, certain = clean.to_numpy()
    expected = confidence.copy()
    expected[8, OTHER_WRIST] = np.nan
    np.testing.assert_array_equal(certain[:, 0], expected)
    np.testing.assert_array_equal(found[:, 0][np.isfinite(expected)], xy[np.isfinite(expected)])
    state = clean.states()[:, 0]
    assert (np.argwhere(state == SWAPPED)[:, 0] == [7, 7, 8, 8, 8]).all()
    assert state[8, OTHER_WRIST] == MISSING
    assert [s.name for s in clean.footer.processing] == ["exchange_sides"]

    smooth = cleaned(raw).states()[:, 0]
    assert (smooth[7, [WRIST, OTHER_WRIST]] == SWAPPED).all()
    assert smooth[8, OTHER_WRIST] == INTERPOLATED
    kept = cleaned(raw, options=replace(AS_SEEN, swaps=False))
    np.testing.assert_array_equal(kept.to_numpy()[1][:, 0], sure)


def test_a_jump_is_dropped_filled_and_pulls_nobody_along(tmp_path: Path) -> None:
    xy, confidence = moving_infant(60)
    wrong = xy.copy()
    wrong[30, WRIST] += (49, 0)
    wrong[40:42, OTHER_WRIST] += (-35, 35)
    raw = write(tmp_path, wrong, confidence)
    clean = cleaned(raw)
    (found, sure), state = clean.to_numpy(), clean.states()[:, 0]
    assert np.abs(found[:, 0] - xy).max() < 3
    assert state[30, WRIST] == state[40, OTHER_WRIST] == state[41, OTHER_WRIST] == INTERPOLATED
    assert (state == INTERPOLATED).sum() == 3
    assert np.isnan(sure[30, 0, WRIST])

    unfilled = clean_tracks(raw, tmp_path / "open", options=CleanOptions(longest_gap=0))
    assert unfilled.outliers == unfilled.missing == 3
    assert unfilled.interpolated == 0
    check_tracks(tmp_path / "open", product="clean")

    kept = cleaned(raw, options=CleanOptions(outliers=False))
    assert (kept.states() == SMOOTHED).all()
    assert np.abs(kept.to_numpy()[0][[29, 31], 0, WRIST] - xy[[29, 31], WRIST]).max() > 5
    assert "drop_outliers" not in [step.name for step in kept.footer.processing]


def test_limits_of_outliers_follow_the_size_of_the_picture(tmp_path: Path) -> None:
    xy, confidence = moving_infant(80)
    xy[40:] *= 4
    xy[20, WRIST] += (49, 0)  # a third of the torso
    xy[60, WRIST] += (49, 0)  # a tenth of it
    raw = write(tmp_path, xy, confidence, widths=np.repeat([640, 2560], 40))
    state = cleaned(raw).states()[:, 0, WRIST]
    assert state[20] == INTERPOLATED
    assert state[60] == SMOOTHED


def test_without_a_torso_no_outlier_can_be_told(tmp_path: Path) -> None:
    xy, confidence = moving_infant(40)
    xy[20, WRIST] += (49, 0)
    confidence[:, INFANT22.index("neck")] = np.nan
    assert clean_tracks(write(tmp_path, xy, confidence), tmp_path / "clean").outliers == 0


def test_nothing_is_smoothed_or_filled_across_a_change_of_the_picture(tmp_path: Path) -> None:
    xy, confidence = moving_infant(40)
    xy[20:] *= 2
    confidence[20, WRIST] = np.nan
    widths = np.repeat([640, 1280], 20)
    clean = cleaned(write(tmp_path, xy, confidence, widths=widths))
    assert np.nanmax(np.abs(clean.to_numpy()[0][:, 0] - xy)) < 3
    assert clean.states()[20, 0, WRIST] == MISSING


def test_what_stands_alone_stays_as_it_was_observed(tmp_path: Path) -> None:
    xy, confidence = moving_infant(30)
    confidence[:, WRIST] = np.nan
    confidence[[3, 4, 5, 20], WRIST] = 0.5
    clean = cleaned(write(tmp_path, xy, confidence))
    found = clean.states()[:, 0, WRIST]
    assert (found[[3, 4, 5, 20]] == OBSERVED).all()
    np.testing.assert_array_equal(clean.to_numpy()[0][3, 0, WRIST], xy[3, WRIST])


def test_without_a_frames_file_no_sides_are_exchanged(tmp_path: Path) -> None:
    raw = write_people(tmp_path, frames=20)
    (tmp_path / FRAMES_FILE).unlink()
    names = [step.name for step in cleaned(raw).footer.processing]
    assert names == ["drop_outliers", "smooth", "fill_gaps"]


def test_times_that_stand_still_do_no_harm(tmp_path: Path) -> None:
    xy, confidence = moving_infant(40)
    times = np.arange(40) / 25
    times[10:13] = times[10]
    clean = cleaned(write(tmp_path, xy, confidence, times=times))
    assert np.abs(clean.to_numpy()[0][:, 0] - xy).max() < 12
    np.testing.assert_array_equal(clean.time, times)


def test_what_cannot_be_cleaned_is_refused(tmp_path: Path) -> None:
    raw = write_people(tmp_path, frames=10)
    before = sha256(raw)
    with pytest.raises(UsageError, match="would be lost"):
        clean_tracks(raw, raw)
    with pytest.raises(UsageError, match="would be lost"):
        clean_tracks(raw, raw.with_name(FRAMES_FILE))
    clean_tracks(raw, tmp_path / "clean.parquet")
    with pytest.raises(TracksError, match="clean already"):
        clean_tracks(tmp_path / "clean.parquet", tmp_path / "again.parquet")
    other = write_people(tmp_path / "other", frames=9).with_name(FRAMES_FILE)
    with pytest.raises(TracksError, match="different frames"):
        clean_tracks(raw, tmp_path / "again.parquet", frames_path=other)
    assert not (tmp_path / "again.parquet").exists()
    assert sha256(raw) == before


@pytest.mark.parametrize("wrong", [{"passband": -1.0}, {"passband": 1e4}, {"longest_gap": -0.1}])
def test_options_have_limits(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        CleanOptions(**wrong)  # type: ignore[arg-type]


def test_samples_are_counted_of_those_who_have_rows(tmp_path: Path) -> None:
    xy, confidence = moving_infant(40)
    path = tmp_path / TRACKS_FILE
    with TracksWriter(path, INFANT22) as writer:
        for frame in range(40):
            infant = Pose(xy[frame], confidence[frame])
            others = {"person1": infant} if frame in (0, 39) else {}
            writer.write(frame, frame / 25, {"infant": infant, **others})
        writer.finish(footer())
    summary = clean_tracks(path, tmp_path / "clean.parquet")
    table = pq.read_table(tmp_path / "clean.parquet")
    counts = {name: getattr(summary, name) for name in STATES}
    assert sum(counts.values()) == len(table) == (40 + 2) * len(INFANT22)
    assert counts["missing"] == 0


def test_the_command_tells_what_became_of_the_samples(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_people(tmp_path / "video", frames=30)
    out = tmp_path / "clean.parquet"
    run = vid2kp_here(capsys, "clean", tmp_path / "video", "-o", out, "--json", "--passband", "8")
    report = json.loads(run.stdout)
    assert run.returncode == 0
    assert sum(report[name] for name in STATES) == 30 * len(INFANT22)
    assert report["outliers"] == 0
    assert load_tracks(out).footer.product == "clean"
    kept = tmp_path / "kept.parquet"
    vid2kp_here(capsys, "clean", tmp_path / "video", "-o", kept, "--keep-outliers", "--keep-swaps")
    names = [step.name for step in load_tracks(kept).footer.processing]
    assert names == ["smooth", "fill_gaps"]
    again = vid2kp_here(capsys, "clean", out, "-o", tmp_path / "again.parquet")
    assert again.returncode == 1
    assert "clean already" in again.stderr
