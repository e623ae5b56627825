"""The report: what is in it, that nothing else is, and what is shown when there is much."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from console import vid2kp_here
from people import moving_infant, write_people
from reported import CROWDED, FINE, UNEVEN, UNREADABLE, row_of, write_run

from vid2kp.errors import UsageError
from vid2kp.files import EPOCH
from vid2kp.privacy.html_check import check_html
from vid2kp.privacy.manifest import NOTICE
from vid2kp.render import report, report_data
from vid2kp.render.report import write_report
from vid2kp.render.report_data import read_detail
from vid2kp.tracks.index import write_index
from vid2kp.tracks.quality import RULES
from vid2kp.tracks.schema import INDEX_FILE, TRACKS_FILE

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("made") / "OUT")


@pytest.fixture
def out(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "OUT")
    return tmp_path / "OUT"


def sections(text: str) -> list[str]:
    """The videos that are shown one by one, in their order."""
    return re.findall(r'<details class="video" id="v-([a-z2-7]+)"', text)


def numbers(text: str, name: str) -> dict[str, object]:
    """What the player of a video is given."""
    found = re.search(rf'<script type="application/json" id="d-{name}">(.*?)</script>', text)
    assert found is not None
    content: dict[str, object] = json.loads(found[1])
    return content


def test_the_page_passes_the_verifier_and_tells_no_time(out: Path) -> None:
    path = write_report(out)
    check_html(path)
    assert path == out / "report.html"
    assert path.stat().st_mtime == out.stat().st_mtime == EPOCH


def test_the_same_results_give_the_same_bytes(out: Path) -> None:
    first = write_report(out).read_bytes()
    assert write_report(out, out.parent / "again.html").read_bytes() == first


def test_everything_a_reader_needs_is_in_the_page(out: Path) -> None:
    text = write_report(out).read_text(encoding="utf-8")
    assert "{{" not in text
    for name in (FINE, CROWDED, UNREADABLE):
        assert f"<code>{name}</code>" in text
    assert "No &lt;video&gt; at all." in text
    assert "Others are in view for" in text
    assert NOTICE.replace("'", "&#x27;") in text
    assert all(rule.why in text for rule in RULES)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy[1]


def test_what_needs_a_look_comes_first_and_failures_have_no_section(out: Path) -> None:
    assert FINE < CROWDED
    assert sections(write_report(out).read_text(encoding="utf-8")) == [CROWDED, FINE]


def test_a_large_run_shows_as_many_videos_as_fit(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "MOST_LETTERS", 1000)
    text = write_report(out).read_text(encoding="utf-8")
    assert sections(text) == [CROWDED], "one at least"
    assert "1 of 2 videos are shown below" in text
    assert f"<code>{FINE}</code>" in text, "the overview has all"

    chosen = write_report(out, out.parent / "one.html", videos=[FINE]).read_text(encoding="utf-8")
    assert sections(chosen) == [FINE]
    assert CROWDED not in chosen and "are shown below" not in chosen


def test_a_video_that_is_not_there_is_listed_but_not_shown(out: Path) -> None:
    shutil.rmtree(out / CROWDED)
    (out / FINE / TRACKS_FILE).write_bytes(b"no Parquet")
    text = write_report(out).read_text(encoding="utf-8")
    assert sections(text) == []
    assert CROWDED in text


def test_the_player_gets_the_positions_and_times_of_the_tracks(out: Path) -> None:
    text = write_report(out).read_text(encoding="utf-8")
    detail = read_detail(out / CROWDED)
    assert detail is not None
    given = numbers(text, CROWDED)
    keypoints = len(str(given["sides"]))
    codes = np.array([LETTERS.index(letter) for letter in str(given["poses"])])
    x1, x2, y1, y2, sure = codes.reshape(-1, keypoints, 5).transpose(2, 0, 1)
    placed = np.stack([64 * x1 + x2, 64 * y1 + y2], axis=-1) / 4095
    there = np.isfinite(detail.xy[..., 0])
    np.testing.assert_array_equal(sure > 0, there)
    np.testing.assert_allclose(placed[there], detail.xy[there].clip(0, 1), atol=0.6 / 4095)
    found = detail.series.confidence[there]
    np.testing.assert_allclose(sure[there] / 63, found, atol=0.6 / 63)
    times = np.cumsum(given["steps"]) / 1000  # type: ignore[arg-type]
    np.testing.assert_allclose(times, UNEVEN, atol=0.0006)
    assert numbers(text, FINE)["step"] == 0.04


def test_long_videos_are_thinned_and_the_page_says_so(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_data, "MOST_POSES", 30)
    text = write_report(out, out.parent / "one.html", videos=[FINE]).read_text(encoding="utf-8")
    assert numbers(text, FINE)["count"] == 25
    assert numbers(text, FINE)["step"] == 0.16
    assert "Every 4. frame is shown here" in text


def test_tracks_that_say_nothing_of_the_picture_are_shown_too(tmp_path: Path) -> None:
    tracks = write_people(
        tmp_path / FINE, frames=40, position_unit="torso", point_of_reference="mid_hip"
    )
    write_index(tmp_path / INDEX_FILE, [row_of(tracks.parent)])
    text = write_report(tmp_path).read_text(encoding="utf-8")
    assert numbers(text, FINE)["frame"] is None
    inside = read_detail(tmp_path / FINE)
    assert inside is not None and np.nanmean(np.abs(inside.xy - 0.5)) < 0.5


def test_single_points_far_away_do_not_make_everything_small(tmp_path: Path) -> None:
    folder = write_people(tmp_path / FINE, frames=100, gaps=False).parent
    detail = read_detail(folder)
    assert detail is not None
    xy, _ = moving_infant(100)
    spread = float(np.ptp(xy.reshape(-1, 2), axis=0).max())
    assert detail.box.longer < 1.5 * spread


def test_nobody_seen_and_no_numbers_make_a_page_all_the_same(tmp_path: Path) -> None:
    folder = write_people(tmp_path / FINE, frames=11, gaps=True).parent
    row = row_of(folder)
    unmeasured = {k: v for k, v in row.items() if k in ("pseudonym", "status", "reason", "frames")}
    write_index(tmp_path / INDEX_FILE, [unmeasured])
    check_html(write_report(tmp_path))
    write_index(tmp_path / INDEX_FILE, [])
    check_html(write_report(tmp_path))


def test_a_folder_without_results_is_refused(tmp_path: Path, made: Path) -> None:
    with pytest.raises(UsageError, match="no index"):
        write_report(tmp_path)
    with pytest.raises(UsageError, match="1 of the videos"):
        write_report(made, tmp_path / "one.html", videos=["a" * 26])


def test_the_command_builds_it_again(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = vid2kp_here(capsys, "report", out, "--json")
    assert run.returncode == 0
    assert json.loads(run.stdout)["bytes"] == (out / "report.html").stat().st_size
    some = vid2kp_here(capsys, "report", out, "--video", FINE)
    assert some.returncode == 2
    assert "-o" in some.stderr
