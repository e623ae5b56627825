"""Proves from the values of tracks that the privacy options they name were kept.

Written from docs/privacy.md and without the code that makes the steps: it knows what must be true
of eyes, ears and hips afterwards.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from vid2kp.privacy.finding import NotAllowed
from vid2kp.tracks.footer import Footer

OPTIONS: Final = ("drop_face", "normalise", "relative_only")
"""The privacy options by the names of their steps, in the order in which they are made."""

PLACELESS: Final = {"normalise", "relative_only"}
"""Those that hold back where in the picture the infant lay."""

_FACE: Final = ("right_eye", "left_eye", "right_ear", "left_ear")
_ROUNDING: Final = 1e-5
"""Error of a float32 in parts of its size, with room for a mean of two."""


class ProfileCheck:
    """Looks at the values of a tracks file, row group by row group.

    Cleaned tracks have been smoothed, so of theirs only the face is looked at.

    Args:
        footer: of the file.

    Raises:
        NotAllowed: the footer contradicts itself about the options.
    """

    def __init__(self, footer: Footer) -> None:
        self.options = options_of(footer)
        self._is_exact = footer.product == "raw" and bool(self.options & PLACELESS)
        names = footer.skeleton.keypoints
        self._face = [names.index(name) for name in _FACE if name in names]
        self._trunk = [names.index(n) for n in ("right_hip", "left_hip", "neck") if n in names]
        if self._is_exact and len(self._trunk) < 3:
            raise NotAllowed("positions that are measured from keypoints that there are not")
        self._hips: list[np.ndarray] = []
        self._torsos: list[np.ndarray] = []

    def add(self, frame: np.ndarray, rank: np.ndarray, xy: np.ndarray) -> None:
        """Looks at B individuals of whole frames.

        Args:
            frame: (B,) their frames, ascending.
            rank: (B,) 0 = the infant, the first of each frame.
            xy: (B, K, 2) positions, NaN = missing.

        Raises:
            NotAllowed: a value that an option forbids.
        """
        if "drop_face" in self.options and not np.isnan(xy[:, self._face]).all():
            raise NotAllowed("a position of an eye or an ear, which were to be dropped")
        if not self._is_exact:
            return
        trunk = xy[rank == 0][:, self._trunk].astype(np.float64)
        hip = trunk[:, :2].mean(axis=1)
        if "relative_only" in self.options:
            _check_hip(frame, rank, xy, hip)
        self._hips.append(hip)
        self._torsos.append(np.hypot(*(trunk[:, 2] - hip).T))

    def end(self) -> None:
        """Looks at the file as a whole.

        Raises:
            NotAllowed: its positions are not in the unit, or not from the point, that it says.
        """
        if "normalise" not in self.options or not self._hips:
            return
        hip, torso = np.concatenate(self._hips), np.concatenate(self._torsos)
        seen = ~np.isnan(hip[:, 0])
        if not seen.any():
            return
        if np.isnan(torso).all() or abs(float(np.nanmedian(torso)) - 1) > 1e-3:
            raise NotAllowed("positions that are not in torso lengths")
        if (
            "relative_only" not in self.options
            and (np.abs(np.median(hip[seen], axis=0)) > 1e-3).any()
        ):
            raise NotAllowed("positions that are not measured from the median of the mid hip")


def options_of(footer: Footer) -> set[str]:
    """The privacy options that a footer names, in three ways that must agree.

    Raises:
        NotAllowed: they do not.
    """
    steps = [step for step in footer.processing if step.name in OPTIONS]
    names = [step.name for step in steps]
    name = "+".join(["pseudonymised", *(option.replace("_", "-") for option in names)])
    unit = "torso" if "normalise" in names else "px"
    point = "median_mid_hip" if "normalise" in names else "top_left"
    point = "mid_hip" if "relative_only" in names else point
    said = (footer.privacy_profile, footer.position_unit, footer.point_of_reference)
    if names != [option for option in OPTIONS if option in names] or any(
        step.parameters for step in steps
    ):
        raise NotAllowed("privacy options that no conversion writes so")
    if said != ((name, "1"), unit, point):
        raise NotAllowed("a footer that contradicts itself about the privacy options")
    return set(names)


def check_ticks(ticks: np.ndarray, times: np.ndarray, *, is_usable: bool) -> None:
    """Makes sure that pts are the times in another unit and say nothing of their own.

    A recorder's pts may be the time of day; counted from the first frame they are not.

    Args:
        ticks: (F,) float64, NaN = none.
        times: (F,) seconds since the first frame, ascending.
        is_usable: whether the footer says that times are from pts.

    Raises:
        NotAllowed: they say something else.
    """
    there = ~np.isnan(ticks)
    if not is_usable and there.any():
        raise NotAllowed("pts of a file whose own times were of no use")
    ticks, times = ticks[there], times[there]
    if not len(ticks):
        return
    rate = ticks[-1] / times[-1] if times[-1] > 0 else 0.0
    # Times that stood still were moved on by a tick each; of those nothing can be said.
    moved = np.append(True, np.diff(times) * abs(rate) > 1.5)
    if (np.abs(ticks - rate * times)[moved] > 1).any():
        raise NotAllowed("pts that are not counted from the first frame")


def _check_hip(frame: np.ndarray, rank: np.ndarray, xy: np.ndarray, hip: np.ndarray) -> None:
    """The infant's mid hip is (0, 0) in every frame, or nobody is anywhere."""
    infants = frame[rank == 0]
    unseen = np.isin(frame, infants[np.isnan(hip[:, 0])])
    if not np.isnan(xy[unseen]).all():
        raise NotAllowed("positions in a frame without the hips from which they are measured")
    size = np.nanmax(np.abs(xy), initial=1.0)
    if (np.abs(hip[~np.isnan(hip[:, 0])]) > _ROUNDING * size).any():
        raise NotAllowed("positions that are not measured from the mid hip of the frame")
