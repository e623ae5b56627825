"""Glances at the whole frame say who else is there, and who ought to be followed instead."""

from __future__ import annotations

import numpy as np
from crowd import FPS, adult, infant, people

from vid2kp.pose.choose import WEIGHTS, Candidate
from vid2kp.pose.company import Company, CompanyOptions, Glimpse, Sightings, look_closer
from vid2kp.pose.framing import View
from vid2kp.pose.people import People
from vid2kp.pose.skeleton import INFANT22
from vid2kp.pose.zoom import Zoom

FOLLOWED = Candidate((0,), dict.fromkeys(WEIGHTS, 1.0), 1.0, 150.0, 1.0)


def glances(company: Company, *bodies: list[np.ndarray], followed: int | None) -> list[bool]:
    return [
        company.glance(
            32 * i, 32 * i / FPS, people(*seen), None if followed is None else seen[followed]
        )
        for i, seen in enumerate(bodies)
    ]


def test_a_twin_out_of_the_view_is_a_rival_while_it_is_there() -> None:
    company = Company(INFANT22)
    both = [[infant(i, 200), infant(i, 900, seed=1)] for i in range(6)]
    assert not any(glances(company, *both, followed=0))
    for i in range(6, 20):
        company.glance(32 * i, 32 * i / FPS, people(infant(i, 200)), infant(i, 200))
    sightings = company.sightings()
    (twin,) = sightings.at(0)
    assert twin < 0 and company.rivals(FOLLOWED) == {twin}
    assert sightings.at(5 * 32 + sightings.reach) == (twin,)
    assert sightings.at(5 * 32 + sightings.reach + 1) == ()


def test_somebody_was_there_before_a_glance_saw_them() -> None:
    seen = [Glimpse(100, -1, False), Glimpse(132, -1, False), Glimpse(400, -2, False)]
    sightings = Sightings(seen, reach=50)
    assert [sightings.at(frame) for frame in (49, 50, 182, 183)] == [(), (-1,), (-1,), ()]
    assert sightings.at(390) == (-2,)


def test_one_who_walks_is_counted_once_and_who_is_in_view_not_at_all() -> None:
    company = Company(INFANT22)
    for i in range(8):  # so far between glances that each sees somebody new
        followed, walker, twin = infant(i, 200), adult(400 * i, 500), infant(i, 330, seed=1)
        company.glance(
            32 * i, i, people(followed, walker, twin), followed, np.stack([followed, twin])
        )
    assert len(company.sightings().at(120)) > 2
    assert company.sightings().out_of_view(120) == 1
    assert company.sightings().out_of_view(1000) == 0


def test_an_adult_is_there_but_no_rival() -> None:
    company = Company(INFANT22)
    both = [[infant(i, 200), adult(900 + 40 * i, 500)] for i in range(6)]
    assert not any(glances(company, *both, followed=0))
    assert len(company.sightings().at(0)) == 1
    assert not company.rivals(FOLLOWED)


def test_an_infant_beside_the_adult_who_is_followed_is_noticed() -> None:
    company = Company(INFANT22)
    both = [[infant(i, 200), adult(900 + 40 * i, 500)] for i in range(4)]
    needed = CompanyOptions().glances
    found = glances(company, *both, followed=1)
    assert found[:needed] == [False] * (needed - 1) + [True]


def test_the_scales_take_turns() -> None:
    company = Company(INFANT22)
    scales = []
    for i in range(4):
        scales.append(company.scale)
        company.glance(i, float(i), people(), None)
    assert scales == [1.0, 1.75, 1.0, 1.75]


class Eyes:
    """A network that sees one list of people after the other."""

    skeleton = INFANT22

    def __init__(self, *seen: People) -> None:
        self.seen = list(seen)

    def __call__(self, frames: list[str], views: list[View]) -> list[People]:
        assert len(frames) == len(views)
        return [self.seen.pop(0) for _ in views]


def test_who_is_gone_when_looked_at_closely_was_nobody() -> None:
    own, twin, sleeve = infant(0, 200), infant(0, 900, seed=1), infant(0, 1500, seed=2)
    closer = twin + 3.0
    eyes = Eyes(people(closer, own), people(own))
    found = look_closer(eyes, Zoom(256), "", people(own + 8.0, twin, sleeve), people(own))
    np.testing.assert_allclose(found.keypoints, [own, closer])
    assert not eyes.seen


def test_nobody_is_looked_for_when_the_followed_one_is_alone() -> None:
    own = infant(0, 200)
    found = look_closer(Eyes(), Zoom(256), "", people(own + 8.0), people(own))
    np.testing.assert_allclose(found.keypoints, [own])
    assert len(look_closer(Eyes(), Zoom(256), "", people(), people())) == 0
