"""When each frame was shown: pts x time base where the file says so, rebuilt where it does not."""

from __future__ import annotations

from array import array
from fractions import Fraction
from typing import Literal

import numpy as np
import numpy.typing as npt

TimeRule = Literal["pts", "bridged", "constant"]
"""How times are found.

- pts: pts x time base, as the file says.
- bridged: as pts, but where the pts is missing, runs backwards or leaps ahead by more than an hour
  (two recordings joined, a damaged clock) time goes on by one usual step.
- constant: so much is wrong (no pts at all, B-frames in AVI) that frames are spaced evenly, in
  decoder order, at the rate of the header.
"""

_DEFAULT_RATE = Fraction(25)  # FFmpeg's own for streams that say nothing
_FEW_BREAKS = 3
_BREAK_SHARE = 0.05
_LEAP_SECONDS = 3600  # no recording pauses for longer: its clock was set anew


class TimesBroken(Exception):
    """The file's times cannot be used by this rule; ``rule`` is the next to try."""

    def __init__(self, rule: TimeRule) -> None:
        super().__init__(rule)
        self.rule: TimeRule = rule


class Clock:
    """Gives every frame, in order of presentation, its time in seconds since the first.

    Times are strictly increasing: a frame with the pts of the one before comes one tick later.
    """

    def __init__(self, *, time_base: Fraction, rate: Fraction, rule: TimeRule = "pts") -> None:
        """Starts a clock.

        Args:
            time_base: seconds per unit of pts.
            rate: usual frames per second; see `usual_rate`.
            rule: how times are found.
        """
        self._rule = rule
        self._tick = time_base
        self._step = float(1 / rate)
        self._offset: int | None = None  # pts that counts as time 0
        self._last_pts: int | None = None
        self._breaks = 0
        self._times = array("d")

    def tick(self, pts: int | None) -> float:
        """The time of the next frame, seconds.

        Raises:
            TimesBroken: the pts is missing, runs backwards or leaps ahead.
        """
        time = self._next_time(pts)
        if self._times and time <= self._times[-1]:
            time = self._times[-1] + float(self._tick)
        self._times.append(time)
        if pts is not None:
            self._last_pts = pts
        return time

    def start_at(self, pts: int) -> None:
        """Says which pts is time 0, where reading does not begin with the first frame."""
        self._offset = pts

    def _next_time(self, pts: int | None) -> float:
        if self._rule == "constant":
            return len(self._times) * self._step
        if pts is None or self._is_broken_at(pts):
            return self._bridge(pts)
        if self._offset is None:
            self._offset = pts
        return self._since_start(pts)

    def _is_broken_at(self, pts: int) -> bool:
        if self._last_pts is None:
            return False
        return not 0 <= (pts - self._last_pts) * self._tick <= _LEAP_SECONDS

    def _bridge(self, pts: int | None) -> float:
        if not self._times:
            raise TimesBroken("constant")
        if self._rule == "pts":
            raise TimesBroken("bridged")
        self._breaks += 1
        if self._breaks > max(_FEW_BREAKS, _BREAK_SHARE * len(self._times)):
            raise TimesBroken("constant")
        time = self._times[-1] + self._usual_step()
        if pts is not None:
            self._offset = pts - round(time / self._tick)
        return time

    def _since_start(self, pts: int) -> float:
        # One division of integers: rounded once, however long the recording.
        units = pts - (self._offset or 0)
        return units * self._tick.numerator / self._tick.denominator

    def _usual_step(self) -> float:
        steps = self._steps()
        return float(np.median(steps)) if steps.size else self._step

    def _steps(self) -> npt.NDArray[np.float64]:
        return np.diff(np.frombuffer(self._times, np.float64).copy())

    @property
    def source(self) -> Literal["pts", "rebuilt"]:
        """Where the times come from."""
        return "pts" if self._rule == "pts" else "rebuilt"

    @property
    def end(self) -> float:
        """Time at which the last frame has been shown for one usual step, seconds."""
        return (self._times[-1] if self._times else 0.0) + self._usual_step()

    @property
    def step(self) -> float:
        """Median seconds from frame to frame."""
        return self._usual_step()

    @property
    def longest_step(self) -> float:
        """The longest time from frame to frame, seconds; 0 before the second."""
        return float(self._steps().max(initial=0.0))

    @property
    def vfr(self) -> bool:
        """Whether the frame rate varies: index / fps would be wrong by more than half a frame."""
        steps = self._steps()
        if steps.size < 2:
            return False
        usual = float(np.median(steps))
        if steps.max() > 1.5 * usual or steps.min() < 0.5 * usual:
            return True
        times = np.frombuffer(self._times, np.float64).copy()
        even = np.linspace(0.0, times[-1], times.size)
        return bool(np.abs(times - even).max() > usual / 2)

    @property
    def fps(self) -> float:
        """Frames per second: the mean where the rate is constant, else of the median step."""
        if len(self._times) < 2:
            return 1 / self._step
        if self.vfr:
            return 1 / self._usual_step()
        return (len(self._times) - 1) / self._times[-1]


def usual_rate(*candidates: Fraction | None) -> Fraction:
    """The first plausible frame rate of those that headers give, else 25.

    Headers of variable-rate recordings say 1000 or nothing; such values are passed over.
    """
    for rate in candidates:
        if rate is not None and Fraction(1, 10) <= rate <= 480:
            return rate
    return _DEFAULT_RATE
