"""A change of view moves nothing at a stroke, and is forgotten in the end."""

from __future__ import annotations

import numpy as np
from crowd import FPS, infant

from vid2kp.pose.blend import Blend, BlendOptions


def test_keypoints_go_on_from_where_they_were() -> None:
    rng = np.random.default_rng(0)
    shown = infant(0.0)
    seen = shown + rng.normal(0, 3, shown.shape)
    blend = Blend()
    blend.change(7, shown, seen, 10.0)
    np.testing.assert_allclose(blend(7, seen, 10.0), shown)
    places = np.stack([blend(7, seen, 10.0 + i / FPS) for i in range(1000)])
    steps = np.hypot(*np.moveaxis(np.diff(places, axis=0), -1, 0))
    torso = 87  # of an infant of 300 pixels
    assert steps.max() < 0.005 * torso
    np.testing.assert_allclose(places[-1], seen, atol=0.01)


def test_another_limb_is_missing_for_a_while_not_a_leap() -> None:
    shown = infant(0.0)
    seen = shown.copy()
    seen[4] += 100
    seen[6] = np.nan
    blend = Blend(BlendOptions(most=0.1, silence=1.0))
    blend.change(0, shown, seen, 5.0)
    now = infant(0.04)
    soon, later = blend(0, now, 5.9), blend(0, now, 6.1)
    assert np.isnan(soon[4]).all()
    others = np.arange(len(now)) != 4
    np.testing.assert_allclose(soon[others], now[others])
    np.testing.assert_allclose(later, now)
    assert np.isnan(blend(0, np.full((22, 2), np.nan), 5.5)).all()


def test_what_is_silent_stays_so_when_the_view_changes_again() -> None:
    shown, seen = infant(0.0), infant(0.0)
    seen[4] += 300
    blend = Blend()
    blend.change(0, shown, seen, 5.0)
    given = blend(0, seen, 5.4)
    blend.change(0, given, seen, 5.4)
    assert np.isnan(blend(0, seen, 5.9)[4]).all()
    np.testing.assert_allclose(blend(0, seen, 6.1), seen, atol=1e-9)


def test_another_body_silences_nothing() -> None:
    shown = infant(0.0)
    blend = Blend()
    blend.change(0, shown, shown + 500, 5.0)
    np.testing.assert_array_equal(blend(0, shown + 500, 5.1), shown + 500)
    blend.change(0, shown, np.full_like(shown, np.nan), 6.0)
    np.testing.assert_array_equal(blend(0, shown, 6.1), shown)


def test_it_is_that_person_s_alone() -> None:
    shown = infant(0.0)
    blend = Blend()
    blend.change(3, shown, shown + 2, 0.0)
    np.testing.assert_array_equal(blend(4, shown, 0.1), shown)
    assert (blend(3, shown, 0.1) != shown).all()
    blend.forget()
    np.testing.assert_array_equal(blend(3, shown, 0.1), shown)
