"""The infant is chosen for reasons, its fragments are joined, and doubt is said."""

from __future__ import annotations

import numpy as np
import pytest
from belief_maps import person
from crowd import FPS, adult, follow, infant, only, people

from vid2kp.pose.choose import WEIGHTS, choose_infant
from vid2kp.pose.identity import IdentityStatistics, Parts, RunningMean
from vid2kp.pose.skeleton import BODY25, INFANT22


def test_the_only_infant_is_chosen_and_certain() -> None:
    run = follow([people(infant(i / FPS)) for i in range(100)])
    choice = run.choice
    assert choice.infant == {0}
    assert choice.subject((0,)) == "certain"
    assert choice.subject(()) == "absent"
    assert choice.reason.startswith("The only person seen: ")
    assert "seen in 100% of the frames" in choice.reason


def test_weights_add_up_to_one() -> None:
    assert sum(WEIGHTS.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("seed", range(4))
def test_the_infant_is_chosen_beside_an_adult_who_moves_about(seed: int) -> None:
    rng = np.random.default_rng(seed)
    path = np.cumsum(rng.normal(0, 12, 200))
    frames = [people(adult(1200 + path[i], 500), infant(i / FPS, seed=seed)) for i in range(200)]
    choice = follow(frames).choice
    assert choice.infant == {1}
    assert choice.subject((0, 1)) == "certain"
    assert choice.person_of(0) == 1
    assert choice.person_of(7) is None
    assert choice.reason.startswith("Best of 2 people: ")


def test_arms_that_come_and_go_are_never_the_infant() -> None:
    frames = [
        people(
            infant(i / FPS),
            *([only(person(400, 500 - 4 * i, length=900), "wrist", "elbow", "shoulder", "hand")]
              if i % 100 > 40 else []),
        )
        for i in range(300)
    ]  # fmt: skip
    run = follow(frames)
    assert run.choice.infant == {0}
    assert all(run.choice.subject(numbers) == "certain" for numbers in run.seen)


def test_twins_are_ambiguous_while_both_are_there() -> None:
    frames = [people(infant(i / FPS, 200, seed=1), infant(i / FPS, 520, seed=2))
              for i in range(150)]  # fmt: skip
    frames += [people(infant(6 + i / FPS, 200, seed=1)) for i in range(20)]
    run = follow(frames)
    assert run.choice.subject(run.seen[0]) == "ambiguous"
    assert run.choice.subject(run.seen[-1]) == "certain"
    assert "one other person" in run.choice.reason


def test_an_infant_that_comes_back_is_the_same_person() -> None:
    frames = [people(infant(i / FPS)) for i in range(100)]
    frames += [people()] * 75 + [people(infant(7 + i / FPS, 340, 250)) for i in range(100)]
    run = follow(frames)
    assert run.seen[0] != run.seen[-1]
    assert run.choice.infant == {0, 1}
    assert [run.choice.subject(numbers) for numbers in run.seen[99:101]] == ["certain", "absent"]
    assert len(run.choice.people) == 1
    assert run.choice.people[0].identities == (0, 1)
    assert run.choice.people[0].parts["persistence"] == pytest.approx(200 / 275)


def test_a_ghost_in_between_does_not_part_an_infant_from_itself() -> None:
    frames = [people(infant(i / FPS)) for i in range(100)] + [people()] * 40
    frames += [people(only(infant(5.6), "hip", "knee", "ankle"))] + [people()] * 40
    frames += [people(infant(8 + i / FPS)) for i in range(100)]
    run = follow(frames)
    assert {run.seen[0][0], run.seen[-1][0]} <= run.choice.infant


def test_somebody_who_follows_elsewhere_or_in_another_size_is_somebody_else() -> None:
    frames = [people(infant(i / FPS)) for i in range(100)] + [people()] * 40
    elsewhere = follow(frames + [people(infant(i / FPS, 1500)) for i in range(50)]).choice
    larger = follow(frames + [people(adult(300, 240)) for _ in range(50)]).choice
    assert elsewhere.infant == larger.infant == {0}
    assert len(elsewhere.people) == len(larger.people) == 2


def test_people_seen_together_are_never_joined() -> None:
    frames = [people(infant(i / FPS, seed=1), infant(i / FPS, 420, seed=2)) for i in range(60)]
    assert all(len(person.identities) == 1 for person in follow(frames).choice.people)


def test_running_means_are_those_of_numpy() -> None:
    values = np.random.default_rng(0).normal(5, 3, (50, 2))
    running = RunningMean()
    for value in values:
        running.add(value)
    np.testing.assert_allclose(running.mean, values.mean(axis=0))
    np.testing.assert_allclose(running.deviation, values.std(axis=0))
    assert RunningMean().deviation == 0


def test_measures_of_a_body() -> None:
    parts = Parts(INFANT22)
    body = person(50, 60, length=100)
    assert parts.torso(body) == pytest.approx(29)
    assert parts.head(body) == pytest.approx(20)
    assert parts.leg(body) == pytest.approx(np.hypot(10, 15) + np.hypot(6, 16))
    assert parts.centre(body) == pytest.approx([50, 60 + (-24 - 23 * 2 + 5 * 2) / 5])
    head = only(body, "eye", "ear")
    assert np.isnan([parts.torso(head), parts.leg(head)]).all()
    assert parts.centre(head) == pytest.approx([50, 15])
    assert np.isfinite(Parts(BODY25).torso(np.random.default_rng(0).random((25, 2))))


def test_statistics_need_no_torso() -> None:
    statistics = IdentityStatistics(0, first_frame=0, first_time=0.0)
    hand = only(person(0, 0), "wrist", "hand")
    confidence = np.where(np.isnan(hand[:, 0]), np.nan, 0.5)
    statistics.add(0, 0.0, hand, confidence, Parts(INFANT22))
    choice = choose_infant([statistics], frames=10)
    assert choice.people[0].parts["proportions"] == 0.5
    assert choice.people[0].parts["persistence"] == 0.1
