"""Glances at the whole frame say who else is there, and who ought to be followed instead."""

from __future__ import annotations

import numpy as np
from crowd import FPS, adult, infant, people

from vid2kp.pose.choose import WEIGHTS, Candidate
from vid2kp.pose.company import Company, CompanyOptions
from vid2kp.pose.skeleton import INFANT22

FOLLOWED = Candidate((0,), dict.fromkeys(WEIGHTS, 1.0), 1.0, 150.0)


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
    assert len(company.present) == 1 and company.present[0] < 0
    assert company.rivals(FOLLOWED) == set(company.present)
    for i in range(6, 10):
        company.glance(32 * i, 32 * i / FPS, people(infant(i, 200)), infant(i, 200))
    assert company.present == ()


def test_an_adult_is_there_but_no_rival() -> None:
    company = Company(INFANT22)
    both = [[infant(i, 200), adult(900 + 40 * i, 500)] for i in range(6)]
    assert not any(glances(company, *both, followed=0))
    assert len(company.present) == 1
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
