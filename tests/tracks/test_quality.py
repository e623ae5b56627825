"""The numbers of quality, on tracks whose flaws are known, and when they ask for a look."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from people import footer, moving_infant, rest_pose, write_people

from vid2kp.errors import TracksError
from vid2kp.pose.skeleton import COCO18, INFANT22
from vid2kp.tracks.quality import (
    COVERAGE,
    JITTER,
    RULES,
    look_reasons,
    measure_quality,
    worst_joint,
)
from vid2kp.tracks.schema import FRAMES_FILE
from vid2kp.tracks.series import Series, read_series, torso_lengths

DOCUMENT = Path(__file__).parents[2] / "docs" / "quality.md"


def series(frames: int = 250, fps: float = 25.0) -> Series:
    """Somebody who is seen throughout; the last frame is shown 9.96 s after the first."""
    xy, confidence = moving_infant(frames)
    no = np.zeros(frames, dtype=bool)
    return Series(
        footer=footer(),
        time=np.arange(frames) / fps,
        xy=xy,
        confidence=confidence,
        size=np.tile([640, 480], (frames, 1)),
        suspect=no,
        people=np.ones(frames, dtype=np.int16),
        ambiguous=no,
        swapped=no,
        view=np.tile(np.float32([0, 0, 640, 480, 0]), (frames, 1)),
    )


def gone(one: Series, frames: slice, keypoints: object = slice(None)) -> Series:
    """The series without these keypoints in these frames."""
    xy = one.xy.copy()
    xy[frames, keypoints] = np.nan
    return replace(one, xy=xy)


def marked(frames: slice, count: int = 250) -> np.ndarray:
    flags = np.zeros(count, dtype=bool)
    flags[frames] = True
    return flags


def test_a_perfect_recording_is_usable_throughout() -> None:
    quality = measure_quality(series())
    assert [quality[column] for column in COVERAGE.values()] == [1.0] * 12
    assert quality["usable_seconds"] == pytest.approx(9.96)
    assert quality["longest_stretch"] == pytest.approx(9.96)
    assert quality["longest_gap"] == quality["seconds_with_others"] == 0
    assert quality["frames_swapped"] == quality["view_changes"] == quality["frames_suspect"] == 0
    assert not look_reasons({**quality, "found": 1.0, "frames": 250, "seconds": 9.96})


def test_coverage_is_told_of_each_joint() -> None:
    quality = measure_quality(gone(series(), slice(0, 125), INFANT22.index("left_knee")))
    assert quality["coverage_left_knee"] == 0.5
    assert quality["coverage_right_knee"] == 1.0
    assert quality["usable_seconds"] == pytest.approx(9.96), "one joint may be missing"
    assert worst_joint(quality) == "left_knee"
    assert look_reasons(quality) == {"joint": "the left knee is seen in 50 % of the frames"}


def test_the_longest_gap_counts_the_ends_of_the_video() -> None:
    inside = measure_quality(gone(series(), slice(50, 100)))
    assert inside["longest_gap"] == pytest.approx(2.04)  # from frame 49 to frame 100
    assert measure_quality(gone(series(), slice(125, 250)))["longest_gap"] == pytest.approx(5)
    assert measure_quality(gone(series(), slice(0, 250)))["longest_gap"] == pytest.approx(9.96)


@pytest.mark.parametrize(
    "flaw",
    [
        lambda one, part: gone(one, part, [INFANT22.index(f"right_{j}") for j in
                                           ("wrist", "elbow", "knee", "ankle")]),
        lambda one, part: replace(one, suspect=marked(part)),
        lambda one, part: replace(one, ambiguous=marked(part)),
    ],
    ids=["a third of the joints missing", "damaged", "ambiguous"],
)  # fmt: skip
def test_what_cannot_be_used_ends_a_stretch_unless_it_is_short(flaw) -> None:
    quality = measure_quality(flaw(series(), slice(100, 150)))
    assert quality["usable_seconds"] == pytest.approx(7.96)
    assert quality["longest_stretch"] == pytest.approx(4)
    short = measure_quality(flaw(series(), slice(100, 104)))
    assert short["usable_seconds"] == pytest.approx(9.8)
    assert short["longest_stretch"] == pytest.approx(9.96)


@pytest.mark.parametrize("seed", range(5))
def test_no_part_of_a_video_is_longer_than_the_whole(seed: int) -> None:
    time = np.cumsum(np.random.default_rng(seed).choice([0.01, 0.04, 0.04, 1.0], 250))
    time -= time[0]
    quality = measure_quality(replace(series(), time=time, people=np.full(250, 2)))
    assert 0 < quality["usable_seconds"] <= time[-1] + 1e-9
    assert quality["longest_stretch"] <= time[-1]
    assert quality["seconds_with_others"] <= time[-1] + 1e-9
    lost = measure_quality(replace(gone(series(), slice(0, 250)), time=time))
    assert 0 < lost["longest_gap"] <= time[-1] + 1e-9


def test_a_hole_in_the_video_is_no_usable_time() -> None:
    one = series()
    time = one.time.copy()
    time[125:] += 60
    quality = measure_quality(replace(one, time=time))
    assert quality["usable_seconds"] == pytest.approx(10, abs=0.1)
    assert quality["longest_stretch"] == pytest.approx(5, abs=0.1)
    assert quality["longest_gap"] == 0, "the infant is in every frame that there is"


def test_a_new_size_of_the_picture_and_of_the_view_is_one_change() -> None:
    one = series()
    view, size = one.view.copy(), one.size.copy()
    size[100:] = (320, 240)
    view[100:, 2:4] = (320, 240)
    assert measure_quality(replace(one, view=view, size=size))["view_changes"] == 1


def test_swaps_others_views_and_damage_are_counted() -> None:
    one = series()
    view = one.view.copy()
    view[100:] += 8
    view[200:, 4] = 90
    view[50:60] = np.nan
    size = one.size.copy()
    size[240:] = (480, 640)
    quality = measure_quality(
        replace(
            one,
            view=view,
            size=size,
            swapped=marked(slice(3, 6)),
            suspect=marked(slice(10, 12)),
            people=np.where(marked(slice(0, 50)), 2, 1),
        )
    )
    assert quality["frames_swapped"] == 3
    assert quality["frames_suspect"] == 2
    assert quality["seconds_with_others"] == pytest.approx(2)
    assert quality["view_changes"] == 3
    untold = measure_quality(replace(one, view=np.full_like(view, np.nan)))
    assert untold["view_changes"] is None


def test_jitter_is_the_distance_from_the_straight_way_whatever_the_times() -> None:
    one = series()
    rng = np.random.default_rng(0)
    still = np.repeat(one.xy[:1], 250, axis=0)
    torso = float(np.hypot(*(still[0, 1] - (still[0, 8] + still[0, 11]) / 2)))
    noise = rng.normal(size=still.shape) * 0.02 * torso
    found = measure_quality(replace(one, xy=still + noise))[JITTER]
    # Distance in two dimensions of a difference with the variance 1 + 1/2.
    assert found == pytest.approx(100 * 0.02 * np.sqrt(1.5 * 2 * np.log(2)), rel=0.1)

    uneven = np.cumsum(rng.uniform(0.02, 0.06, 250))
    moving = still[:1] + uneven[:, None, None] * 50
    assert measure_quality(replace(one, time=uneven, xy=moving))[JITTER] < 1e-3


def test_what_cannot_be_measured_is_none() -> None:
    nobody = measure_quality(gone(series(), slice(0, 250)))
    assert nobody[JITTER] is None
    assert nobody["usable_seconds"] == nobody["longest_stretch"] == 0
    one = series(1)
    assert measure_quality(one)[JITTER] is None
    arms = footer(replace(COCO18, name="arms", keypoints=COCO18.keypoints[:8], limbs=()))
    part = replace(series(), footer=arms, xy=series().xy[:, :8])
    assert measure_quality(part)["coverage_left_ankle"] is None
    assert measure_quality(part)["coverage_left_wrist"] == 1.0


def test_a_torso_is_measured_from_the_neck_to_the_middle_of_the_hips() -> None:
    poses = np.stack([rest_pose(), rest_pose() * 3])
    assert torso_lengths(poses, INFANT22) == pytest.approx([1.0, 3.0])
    poses[1, INFANT22.index("left_hip")] = np.nan
    assert np.isnan(torso_lengths(poses, INFANT22)).tolist() == [False, True]


def test_a_series_is_what_the_files_say(tmp_path: Path) -> None:
    tracks = write_people(tmp_path, frames=60, people=2)
    one = read_series(tracks, tmp_path / FRAMES_FILE)
    assert len(one) == 60 and one.xy.shape == (60, 22, 2)
    assert one.seen.sum() == 55
    assert (one.people == 2).any() and (one.size == [640, 480]).all()
    assert one.others
    alone = write_people(tmp_path / "alone", frames=60)
    assert not read_series(alone, alone.with_name(FRAMES_FILE)).others
    other = write_people(tmp_path / "other", frames=50).with_name(FRAMES_FILE)
    with pytest.raises(TracksError, match="different frames"):
        read_series(tracks, other)


ROW = {"frames": 1000, "seconds": 100.0, "found": 1.0, "usable_seconds": 100.0} | dict.fromkeys(
    COVERAGE.values(), 1.0
)


@pytest.mark.parametrize(
    ("name", "at_limit", "beyond"),
    [
        ("unseen", {"found": 0.9}, {"found": 0.89}),
        ("usable", {"usable_seconds": 75.0}, {"usable_seconds": 74.0}),
        ("joint", {"coverage_left_hip": 0.7}, {"coverage_left_hip": 0.69}),
        ("gap", {"longest_gap": 5.0}, {"longest_gap": 5.2}),
        ("jitter", {"jitter": 2.5}, {"jitter": 2.6}),
        ("swaps", {"frames_swapped": 20}, {"frames_swapped": 21}),
        ("others", {"seconds_with_others": 20.0}, {"seconds_with_others": 21.0}),
        ("suspect", {"frames_suspect": 50}, {"frames_suspect": 51}),
        ("views", {"view_changes": 33}, {"view_changes": 34}),
    ],
)
def test_each_rule_asks_for_a_look_beyond_its_limit(
    name: str, at_limit: dict[str, float], beyond: dict[str, float]
) -> None:
    assert look_reasons({**ROW, **at_limit}) == {}
    assert list(look_reasons({**ROW, **beyond})) == [name]


@pytest.mark.parametrize(
    ("beyond", "words"),
    [
        ({"frames_swapped": 21}, "left and right change in 2.1 % of the frames"),
        ({"frames": 100_000, "frames_swapped": 2001}, "left and right change in 2.001 % of the"),
        ({"found": 0.8996}, "the infant is seen in 89.96 % of the frames"),
        ({"found": 0.89}, "the infant is seen in 89 % of the frames"),
        ({"jitter": 2.53}, "joints tremble by 2.53 % of the torso"),
        ({"longest_gap": 5.04}, "the infant is away for 5.04 s"),
    ],
)
def test_a_reason_has_the_digits_that_tell_it_from_its_limit(
    beyond: dict[str, float], words: str
) -> None:
    (found,) = look_reasons({**ROW, **beyond}).values()
    assert found.startswith(words)


def test_numbers_that_come_out_of_the_index_are_told_as_those_that_went_in() -> None:
    at_limit = {"found": 0.9, "coverage_left_hip": 0.7, "longest_gap": 5.0, "jitter": 2.5}
    as_float32 = {name: float(np.float32(value)) for name, value in at_limit.items()}
    assert as_float32["found"] < 0.9
    assert look_reasons({**ROW, **as_float32}) == {}


@pytest.mark.parametrize("status", ["no_infant", "failed", "unreadable"])
def test_where_there_is_no_infant_nothing_else_is_told(status: str) -> None:
    assert look_reasons({**ROW, "found": 0.0, "status": status}) == {}


def test_every_rule_is_explained_in_the_documentation() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for rule in RULES:
        assert f"| `{rule.name}` | {rule.is_well} | {rule.why} |" in text.splitlines(), rule.name
