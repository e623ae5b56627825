"""The report: what is in it, that nothing else is, and what is shown when there is much."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from console import vid2kp_here
from people import footer, moving_infant, write_people
from reported import CROWDED, FINE, UNEVEN, UNREADABLE, row_of, write_run

from vid2kp.errors import UsageError
from vid2kp.files import EPOCH, fix_time
from vid2kp.pose.skeleton import INFANT22
from vid2kp.privacy.html_check import check_html
from vid2kp.privacy.manifest import NOTICE
from vid2kp.render import report, report_data
from vid2kp.render.report import write_report
from vid2kp.render.report_data import read_detail
from vid2kp.tracks.index import write_index
from vid2kp.tracks.quality import RULES
from vid2kp.tracks.schema import FRAMES_FILE, INDEX_FILE, INFANT, TRACKS_FILE
from vid2kp.tracks.store import FramesWriter, Pose, TracksWriter

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
TRUNK = (["neck"], ["right_hip", "left_hip"])


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


def rewrite_unit(folder: Path, *, unit: str, point: str) -> Path:
    """Tracks of an infant as ``--normalise`` and ``--relative-only`` write them."""
    xy, confidence = moving_infant(60)
    neck, hips = (xy[:, [INFANT22.index(name) for name in names]].mean(axis=1) for names in TRUNK)
    origin = {"top_left": 0, "mid_hip": hips[:, None], "median_mid_hip": np.median(hips, axis=0)}
    length = np.median(np.hypot(*(neck - hips).T)) if unit == "torso" else 1
    xy = (xy - origin[point]) / length
    return write_infant(folder, xy, confidence, position_unit=unit, point_of_reference=point)


def write_infant(folder: Path, xy: np.ndarray, confidence: np.ndarray, **about: object) -> Path:
    """Tracks of an infant alone at (F, K, 2) with (F, K); the rest of the footer as given."""
    folder.mkdir(exist_ok=True)
    with (
        TracksWriter(folder / TRACKS_FILE, INFANT22) as tracks,
        FramesWriter(folder / FRAMES_FILE) as rows,
    ):
        for f in range(len(xy)):
            tracks.write(f, f / 25, {INFANT: Pose(xy[f], confidence[f])})
            rows.write(
                f, f / 25, pts=f, width=640, height=480, suspect=False, people=1,
                subject="certain",
            )  # fmt: skip
        tracks.finish(footer(**about))
        rows.finish(footer(**about))
    return folder / TRACKS_FILE


def test_the_page_passes_the_verifier_and_tells_no_time(out: Path) -> None:
    path = write_report(out)
    check_html(path)
    assert path == out / "report.html"
    assert path.stat().st_mtime == out.stat().st_mtime == EPOCH


def test_the_same_results_give_the_same_bytes(out: Path) -> None:
    first = write_report(out).read_bytes()
    assert write_report(out, out.parent / "again.html").read_bytes() == first


def test_an_index_that_took_the_place_of_another_is_seen(out: Path) -> None:
    """The system gives the number of a file that was removed to the next one."""
    before = report._state(out)
    index = out / INDEX_FILE
    index.write_bytes(index.read_bytes())
    fix_time(index)
    assert report._state(out) != before


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


@pytest.mark.parametrize(
    ("unit", "point", "where", "wide"),
    [
        ("px", "top_left", "in the picture", r"\d{3} pixels"),
        ("torso", "median_mid_hip", "around the usual place of the hips", r"\d\.\d torso lengths"),
        ("px", "mid_hip", "around the hips, which stay in the middle", r"\d{3} pixels"),
        ("torso", "mid_hip", "around the hips, which stay in the middle", r"\d\.\d torso lengths"),
    ],
)
def test_captions_say_from_where_and_in_what_positions_are_measured(
    tmp_path: Path, unit: str, point: str, where: str, wide: str
) -> None:
    tracks = rewrite_unit(tmp_path / FINE, unit=unit, point=point)
    write_index(tmp_path / INDEX_FILE, [row_of(tracks.parent)])
    (figure,) = re.findall(
        r'<figure class="ways">.*?</figure>', write_report(tmp_path).read_text("utf-8"), re.DOTALL
    )
    assert f"both ankles {where}" in figure
    assert f"right and left, {where}." in figure
    assert re.search(rf"What is shown\nis {wide} wide\.", figure)
    assert (where == "in the picture") == ("picture" in figure)


@pytest.mark.parametrize(("unit", "point"), [("px", "top_left"), ("torso", "mid_hip")])
def test_the_circle_of_the_head_is_inside(tmp_path: Path, unit: str, point: str) -> None:
    detail = read_detail(rewrite_unit(tmp_path / FINE, unit=unit, point=point).parent)
    assert detail is not None
    given = json.loads(detail.to_json())
    heads = detail.xy[:, given["face"]].mean(axis=1)
    size = np.array([detail.box.width, detail.box.height]) / detail.box.longer
    assert given["head"] == pytest.approx(0.36 * detail.torso, abs=1e-4)
    assert (heads - given["head"] >= 0).all()
    assert (heads + given["head"] <= size).all()


def test_the_player_says_that_it_draws_the_infant_alone(out: Path) -> None:
    text = write_report(out).read_text(encoding="utf-8")
    crowded, fine = (
        text[text.index(f'id="v-{name}"') : text.index(f'id="d-{name}"')]
        for name in (CROWDED, FINE)
    )
    assert "the infant alone is drawn" in crowded
    assert "the infant alone is drawn" not in fine


def test_one_length_of_a_video_stands_everywhere(out: Path) -> None:
    text = write_report(out).read_text(encoding="utf-8")
    section = text[text.index(f'id="v-{FINE}"') :]
    assert numbers(text, FINE)["seconds"] == 3.96
    assert "<span>0:04.0</span></summary>" in section
    assert 'aria-valuemax="3.96"' in section
    assert row_of(out / FINE)["usable_seconds"] <= row_of(out / FINE)["seconds"] + 1e-9


def test_a_mark_at_the_very_end_can_be_seen(tmp_path: Path) -> None:
    tracks = write_people(tmp_path / FINE, frames=11)  # the infant is not seen in the last frame
    write_index(tmp_path / INDEX_FILE, [row_of(tracks.parent)])
    text = write_report(tmp_path).read_text(encoding="utf-8")
    assert '<path class="mark" d="M998.0 0H1000.0V100H998.0Z"/>' in text


def test_single_points_far_away_do_not_make_everything_small(tmp_path: Path) -> None:
    xy, confidence = moving_infant(100)
    far = xy.copy()
    far[50, 3] = (5000, -4000)
    write_infant(tmp_path / FINE, far, confidence, position_unit="px", point_of_reference="mid_hip")
    detail = read_detail(tmp_path / FINE)
    assert detail is not None
    spread = float(np.ptp(xy.reshape(-1, 2), axis=0).max())
    assert detail.box.longer < 1.5 * spread


def test_nobody_seen_and_no_numbers_make_a_page_all_the_same(tmp_path: Path) -> None:
    unseen = np.full((11, len(INFANT22), 2), np.nan, np.float32)
    for unit, point in (("px", "top_left"), ("torso", "mid_hip")):
        write_infant(
            tmp_path / FINE, unseen, unseen[..., 0], position_unit=unit, point_of_reference=point
        )
        row = row_of(tmp_path / FINE)
        write_index(tmp_path / INDEX_FILE, [row])
        check_html(write_report(tmp_path))
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
