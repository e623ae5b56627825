"""The privacy options: what is held back, that everything reads on, and that verify proves it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import deliverable
import numpy as np
import people
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vid2kp.errors import UsageError
from vid2kp.pose.skeleton import COCO18, INFANT22, Skeleton
from vid2kp.privacy.finding import NotAllowed
from vid2kp.privacy.profile import Body, Concealer, Profile, TicksFromZero
from vid2kp.privacy.profile_check import check_ticks
from vid2kp.privacy.verify import verify
from vid2kp.render.skeleton_video import render_video
from vid2kp.tracks.footer import Footer
from vid2kp.tracks.load import iter_frames, load_tracks
from vid2kp.tracks.schema import FRAMES_FILE, INFANT, TRACKS_FILE, VIDEO_FILE
from vid2kp.tracks.store import Pose, TracksWriter

ALL = [
    Profile(drop_face=face, normalise=torso, relative_only=relative)
    for face in (False, True)
    for torso in (False, True)
    for relative in (False, True)
]
ids = [profile.name[0] for profile in ALL]
HIPS = [INFANT22.index("right_hip"), INFANT22.index("left_hip")]
NECK = INFANT22.index("neck")


def infant(frames: int = 20, **how: object) -> list[Pose]:
    xy, confidence = people.moving_infant(frames, **how)  # type: ignore[arg-type]
    return [Pose(*pose) for pose in zip(xy, confidence, strict=True)]


def concealed(profile: Profile, poses: list[Pose]) -> np.ndarray:
    """(F, K, 2) of the infant after the steps."""
    steps = Concealer(profile, INFANT22, Body.of(poses, INFANT22))
    return np.stack([steps.apply({INFANT: pose})[INFANT].xy for pose in poses])


def test_without_an_option_nothing_changes() -> None:
    poses = infant()
    assert np.array_equal(concealed(Profile(), poses), np.stack([pose.xy for pose in poses]))
    assert (Profile().position_unit, Profile().point_of_reference) == ("px", "top_left")
    assert Profile().name == ("pseudonymised", "1")
    assert Profile().steps == ()


def test_eyes_and_ears_are_missing_and_the_nose_is_not() -> None:
    xy = concealed(Profile(drop_face=True), infant())
    gone = {INFANT22.keypoints[i] for i in np.flatnonzero(np.isnan(xy[0, :, 0]))}
    assert gone == {"right_eye", "left_eye", "right_ear", "left_ear"}


def test_normalised_tracks_tell_neither_size_nor_place() -> None:
    poses = infant()
    larger = [Pose(pose.xy * 2.5 + [300, 40], pose.confidence) for pose in poses]
    one, two = (concealed(Profile(normalise=True), p) for p in (poses, larger))
    assert np.allclose(one, two, atol=1e-5)
    hip = one[:, HIPS].mean(axis=1)
    assert np.allclose(np.median(hip, axis=0), 0, atol=1e-6)
    assert np.median(np.hypot(*(one[:, NECK] - hip).T)) == pytest.approx(1, abs=1e-6)
    assert np.ptp(hip, axis=0).max() > 0.01, "the way through the picture stays"


def test_relative_tracks_tell_no_way_through_the_picture() -> None:
    poses = infant()
    steps = np.cumsum(np.full((20, 2), 3.0), axis=0)
    moved = [Pose(p.xy + s, p.confidence) for p, s in zip(poses, steps, strict=True)]
    one, two = (concealed(Profile(relative_only=True), p) for p in (poses, moved))
    assert np.allclose(one, two, atol=1e-3)
    assert np.allclose(one[:, HIPS].mean(axis=1), 0, atol=1e-4)
    # Lengths are still pixels.
    arms = [INFANT22.index("right_elbow"), INFANT22.index("right_wrist")]
    before = np.stack([pose.xy for pose in poses])[:, arms]
    assert np.allclose(np.diff(one[:, arms], axis=1), np.diff(before, axis=1), atol=1e-4)


def test_everybody_is_measured_from_the_infant() -> None:
    (pose,) = infant(1)
    other = Pose(pose.xy + np.array([50, 0]), pose.confidence)
    steps = Concealer(Profile(relative_only=True), INFANT22)
    told = steps.apply({INFANT: pose, "person1": other})
    assert np.allclose(told["person1"].xy - told[INFANT].xy, [50, 0], atol=1e-4)


@pytest.mark.parametrize("lost", [[HIPS[0]], HIPS])
def test_without_both_hips_a_relative_frame_is_missing(lost: list[int]) -> None:
    (pose,) = infant(1)
    xy, confidence = pose.xy.copy(), pose.confidence.copy()
    xy[lost], confidence[lost] = np.nan, np.nan
    steps = Concealer(Profile(relative_only=True), INFANT22)
    told = steps.apply({INFANT: Pose(xy, confidence), "person1": pose})
    assert all(np.isnan(p.xy).all() and np.isnan(p.confidence).all() for p in told.values())
    assert np.isnan(steps.apply({"person1": pose})["person1"].xy).all()


def test_without_a_torso_there_is_no_unit_and_nothing_is_told() -> None:
    poses = infant()
    for pose in poses:
        pose.xy[NECK] = np.nan
    assert np.isnan(concealed(Profile(normalise=True), poses)).all()
    assert np.isnan(Body.of([], INFANT22).torso)


def test_a_picture_that_changes_its_size_changes_nothing() -> None:
    poses = infant()
    steps = Concealer(Profile(normalise=True), INFANT22, Body.of(poses, INFANT22))
    half = Pose(poses[3].xy / 2, poses[3].confidence)
    one = steps.apply({INFANT: poses[3]})[INFANT].xy
    two = steps.apply({INFANT: half}, scale=2.0)[INFANT].xy
    assert np.allclose(one, two, atol=1e-5)


@given(st.sampled_from(ALL), st.lists(st.booleans(), min_size=22, max_size=22))
def test_what_is_missing_stays_missing(profile: Profile, lost: list[bool]) -> None:
    poses = infant(3)
    for pose in poses:
        pose.xy[lost], pose.confidence[lost] = np.nan, np.nan
    steps = Concealer(profile, INFANT22, Body.of(poses, INFANT22))
    told = steps.apply({INFANT: poses[1]})[INFANT]
    assert np.isnan(told.xy[lost]).all()
    assert np.array_equal(np.isnan(told.xy[:, 0]), np.isnan(told.confidence))
    assert told.xy.dtype == told.confidence.dtype == np.float32


def test_a_model_without_the_keypoints_is_refused() -> None:
    arms = Skeleton("arms", ("neck", "right_wrist"), ((0, 1),), (0.1, 0.1))
    Profile(drop_face=True).check(arms)
    for profile in (Profile(normalise=True), Profile(relative_only=True)):
        with pytest.raises(UsageError, match="right hip"):
            profile.check(arms)
    Profile(normalise=True, relative_only=True).check(COCO18)


# ---------------------------------------------------------------------------------------------
# In a deliverable


def conceal(folder: Path, profile: Profile, **footer: object) -> None:
    """Makes the tracks of a video again with the steps of the profile, and all that hangs on it."""
    frames = list(iter_frames(folder / TRACKS_FILE))
    seen = [f.people[INFANT] for f in frames]
    steps = Concealer(profile, INFANT22, Body.of(seen, INFANT22))
    told = [replace_people(f.people, steps) for f in frames]
    about = people.footer(**{
        "privacy_profile": profile.name,
        "position_unit": profile.position_unit,
        "point_of_reference": profile.point_of_reference,
        "processing": profile.steps,
        **footer,
    })  # fmt: skip
    write(folder, told, about)
    deliverable.seal(folder, privacy_profile=about.privacy_profile)


def replace_people(poses: dict[str, Pose], steps: Concealer) -> dict[str, Pose]:
    return steps.apply({name: Pose(p.xy, p.confidence) for name, p in poses.items()})


def write(folder: Path, told: list[dict[str, Pose]], about: Footer) -> None:
    times = load_tracks(folder / TRACKS_FILE).time
    deliverable.rewrite_frames(folder, about)
    with TracksWriter(folder / TRACKS_FILE, INFANT22) as writer:
        for number, poses in enumerate(told):
            writer.write(number, float(times[number]), poses)
        writer.finish(about)
    render_video(
        folder / TRACKS_FILE,
        folder / VIDEO_FILE,
        frames_path=folder / FRAMES_FILE,
        options=deliverable.RENDER,
    )


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return deliverable.write_deliverable(tmp_path / "OUT", [deliverable.FIRST])


@pytest.mark.parametrize("profile", ALL, ids=ids)
def test_every_profile_is_drawn_read_and_proven(profile: Profile, out: Path) -> None:
    folder = out / deliverable.FIRST
    conceal(folder, profile)
    assert verify(out).findings == ()
    tracks = load_tracks(folder / TRACKS_FILE)
    positions, _ = tracks.to_numpy()
    assert np.isfinite(positions).any()
    assert tracks.footer.position_unit == profile.position_unit
    assert tracks.footer.privacy_profile == profile.name


def lie_about(**footer: object) -> Callable[[Path], None]:
    return lambda folder: conceal(folder, Profile(), **footer)


def one_eye_is_told(folder: Path) -> None:
    profile = Profile(drop_face=True)
    eye = INFANT22.index("left_eye")

    def steps(poses: dict[str, Pose]) -> dict[str, Pose]:
        told = replace_people(poses, Concealer(profile, INFANT22))
        told[INFANT].xy[eye], told[INFANT].confidence[eye] = 3.0, 0.5
        return told

    told = [steps(frame.people) for frame in iter_frames(folder / TRACKS_FILE)]
    write(folder, told, people.footer(privacy_profile=profile.name, processing=profile.steps))
    deliverable.seal(folder, privacy_profile=profile.name)


RELATIVE, TORSO = Profile(relative_only=True), Profile(normalise=True)


@pytest.mark.parametrize(
    "lie",
    [
        one_eye_is_told,
        lie_about(privacy_profile=("pseudonymised+drop-face", "1")),
        lie_about(processing=Profile(drop_face=True).steps),
        lie_about(position_unit="torso"),
        lie_about(
            privacy_profile=RELATIVE.name,
            processing=RELATIVE.steps,
            point_of_reference="mid_hip",
        ),
        lie_about(
            privacy_profile=TORSO.name,
            processing=TORSO.steps,
            position_unit="torso",
            point_of_reference="median_mid_hip",
        ),
    ],
)
def test_an_option_that_was_not_kept_is_found(lie: Callable[[Path], None], out: Path) -> None:
    lie(out / deliverable.FIRST)
    assert "tracks" in {finding.check for finding in verify(out).findings}


def test_manifest_and_tracks_name_the_same_options(out: Path) -> None:
    conceal(out / deliverable.FIRST, Profile(drop_face=True))
    deliverable.seal(out / deliverable.FIRST, privacy_profile=("pseudonymised", "1"))
    assert {finding.check for finding in verify(out).findings} == {"agreement"}
    deliverable.seal(
        out / deliverable.FIRST,
        privacy_profile=Profile(drop_face=True).name,
        options={"drop_face": False},
    )
    assert {finding.check for finding in verify(out).findings} == {"agreement"}


def test_a_footer_says_its_units() -> None:
    footer = people.footer()
    for profile in ALL:
        told = replace(
            footer,
            position_unit=profile.position_unit,
            point_of_reference=profile.point_of_reference,
        )
        assert Footer.from_json(told.to_json()) == told


# ---------------------------------------------------------------------------------------------
# Times


def test_pts_are_counted_from_the_first_frame() -> None:
    base = Fraction(1, 90_000)
    of_the_day = 41_000_000_000
    clock = TicksFromZero(base, is_usable=True)
    assert [clock.since_start(of_the_day + 3600 * i, 0.04 * i) for i in range(3)] == [0, 3600, 7200]
    # Begun later: the first frame of the file is what counts.
    late = TicksFromZero(base, is_usable=True)
    assert late.since_start(of_the_day + 900_000, 10.0) == 900_000
    assert late.since_start(None, 10.04) is None
    assert TicksFromZero(base, is_usable=False).since_start(of_the_day, 0.0) is None


@pytest.mark.parametrize(
    ("ticks", "is_usable", "is_clean"),
    [
        ([0, 3600, 7200, 10800], True, True),
        ([0, 3600, np.nan, 10800], True, True),
        ([np.nan] * 4, False, True),
        ([0, 3600, 7200, 10800], False, False),
        ([77_000, 80_600, 84_200, 87_800], True, False),
        ([0, 3600, 7300, 10800], True, False),
    ],
)
def test_pts_that_say_something_of_their_own_are_found(
    ticks: list[float], is_usable: bool, is_clean: bool
) -> None:
    times = 0.04 * np.arange(4)
    if is_clean:
        check_ticks(np.array(ticks), times, is_usable=is_usable)
    else:
        with pytest.raises(NotAllowed, match="pts"):
            check_ticks(np.array(ticks), times, is_usable=is_usable)
