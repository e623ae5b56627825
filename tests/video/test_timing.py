"""Times are those of the file as long as the file's can be used."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vid2kp.video.timing import Clock, TimeRule, TimesBroken, usual_rate

MILLISECOND = Fraction(1, 1000)


def run(pts: list[int | None], rule: TimeRule = "pts", rate: int = 25) -> tuple[Clock, list[float]]:
    clock = Clock(time_base=MILLISECOND, rate=Fraction(rate), rule=rule)
    return clock, [clock.tick(value) for value in pts]


def run_to_the_end(pts: list[int | None]) -> tuple[Clock, list[float]]:
    """As a reader does it: from rule to rule until one holds."""
    rule: TimeRule = "pts"
    for _ in range(3):
        try:
            return run(pts, rule)
        except TimesBroken as broken:
            assert broken.rule != rule
            rule = broken.rule
    raise AssertionError("no rule holds")


def test_times_count_from_the_first_frame_shown() -> None:
    assert run([-80, -40, 0, 700])[1] == [0.0, 0.04, 0.08, 0.78]


def test_one_division_however_long_the_recording() -> None:
    clock = Clock(time_base=Fraction(1, 90000), rate=Fraction(30000, 1001))
    times = [clock.tick(3003 * n) for n in range(5000)]
    assert times[4321] == 3003 * 4321 / 90000


def test_two_frames_of_one_time_are_a_tick_apart() -> None:
    assert run([0, 40, 40, 80])[1] == pytest.approx([0, 0.04, 0.041, 0.08])


def test_joined_recordings_go_on_by_one_step() -> None:
    clock, times = run_to_the_end([1000, 1040, 1080, 1120, 0, 40, 100])
    assert clock.source == "rebuilt"
    assert times == pytest.approx([0, 0.04, 0.08, 0.12, 0.16, 0.20, 0.26])


def test_a_missing_pts_among_good_ones_is_bridged() -> None:
    clock, times = run_to_the_end([0, 40, None, 120, 160])
    assert clock.source == "rebuilt"
    assert times == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])


def test_jumbled_times_are_spaced_evenly() -> None:
    clock, times = run_to_the_end([80, 40, 0, 120, 200, 160, 240, 320, 280, 360, 400, 380])
    assert clock.source == "rebuilt"
    assert times == pytest.approx([0.04 * n for n in range(12)])


def test_a_leap_of_hours_is_bridged_and_a_gap_of_minutes_is_true() -> None:
    clock, times = run_to_the_end([0, 40, 80, 36_000_080, 36_000_120])
    assert clock.source == "rebuilt"
    assert times == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])
    clock, times = run_to_the_end([0, 40, 80, 600_080, 600_120])
    assert clock.source == "pts"
    assert times[3] == pytest.approx(600.08)
    assert clock.longest_step == pytest.approx(600)


def test_one_frame_of_a_damaged_clock_costs_no_other_its_time() -> None:
    _, times = run_to_the_end([0, 40, 80, 1 << 40, 160, 200])
    assert times == pytest.approx([0.04 * n for n in range(6)])


def test_no_times_at_all_are_spaced_evenly() -> None:
    _, times = run_to_the_end([None, None, None])
    assert times == pytest.approx([0, 0.04, 0.08])


@given(st.lists(st.one_of(st.none(), st.integers(-(10**6), 10**6)), min_size=1, max_size=60))
def test_times_always_start_at_zero_and_rise(pts: list[int | None]) -> None:
    _, times = run_to_the_end(pts)
    assert times[0] == 0
    assert all(a < b for a, b in pairwise(times))


def test_rounded_milliseconds_are_a_constant_rate() -> None:
    clock, _ = run([round(n * 1000 / 29.97) for n in range(300)])
    assert not clock.vfr
    assert clock.fps == pytest.approx(29.97, abs=0.01)


def test_a_dropped_frame_is_a_variable_rate() -> None:
    clock, _ = run([40 * n for n in range(100) if n != 50])
    assert clock.vfr
    assert clock.fps == pytest.approx(25)


def test_a_slow_drift_is_a_variable_rate() -> None:
    times, now = [], 0.0
    for n in range(200):
        times.append(round(now))
        now += 40 if n < 100 else 48
    assert run(times)[0].vfr


def test_implausible_header_rates_are_passed_over() -> None:
    assert usual_rate(None, Fraction(1000), Fraction(30000, 1001)) == Fraction(30000, 1001)
    assert usual_rate(None, Fraction(0)) == 25
