"""Whom a conversion followed, against the true tracks of a synthetic scene."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vid2kp.errors import TracksError
from vid2kp.tracks.load import Tracks
from vid2kp.tracks.schema import INFANT

_OTHER_PLACE = 0.5  # torsos from which on a pose is that of nobody
_GRACE = 0.5  # seconds in which to notice that the infant has left


@dataclass(frozen=True)
class Following:
    """How well somebody was followed; shares are of the frames in question, NaN without any.

    Attributes:
        seen: share of the frames with an infant in the picture in which the tracks are those of
            the person who is followed most.
        followed: the true name of the person who is followed most; empty for nobody.
        wrong: share of the frames with a pose in which it is somebody else's.
        switches: how often the person changed.
        ambiguous: share of the frames with a pose that are marked ambiguous.
        late: frames marked present half a second and more after the infant has left.
        pck: share of the visible keypoints of who is followed, in frames with a pose, that are
            within a twentieth, a tenth and a fifth of the torso.
    """

    seen: float
    followed: str
    wrong: float
    switches: int
    ambiguous: float
    late: int
    pck: tuple[float, float, float]


def measure_following(truth: Tracks, found: Tracks) -> Following:
    """Compares tracks with the truth, frame by frame.

    Raises:
        TracksError: they are not tracks of the same frames, or one has no frames table.
    """
    if len(truth.time) != len(found.time) or truth.frames is None or found.frames is None:
        raise TracksError("The tracks and their truth are not of the same frames.")
    true_places, certainty = truth.to_numpy()
    torsos = _torsos(true_places, truth)
    poses = found.to_numpy()[0][:, found.individuals.index(INFANT)]
    distance = np.hypot(*np.moveaxis(true_places - poses[:, None], -1, 0)) / torsos[..., None]
    names = [_whose(distance[i], truth.individuals) for i in range(len(poses))]
    known = [name for name in names if name]
    followed = max(dict.fromkeys(known), key=known.count, default="")
    has_pose = np.isfinite(poses[..., 0]).any(axis=1)
    there = np.isfinite(true_places[:, 0, :, 0]).any(axis=1)
    same = np.array([name == followed and bool(name) for name in names])
    subject = found.frames["subject"].to_numpy().astype(str)
    return Following(
        seen=_share(same, there),
        followed=followed,
        wrong=_share(~same, has_pose),
        switches=sum(a != b for a, b in pairwise(known)),
        ambiguous=_share(subject == "ambiguous", has_pose),
        late=int(((subject != "absent") & _long_gone(there, truth.time)).sum()),
        pck=_pck(distance, certainty, truth.individuals.index(followed)) if followed else (0,) * 3,
    )


def _torsos(places: NDArray[np.float32], truth: Tracks) -> NDArray[np.float64]:
    """(frames, individuals) from the neck to the middle of the hips; its median where hidden."""
    skeleton = truth.skeleton
    hips = [skeleton.index("right_hip"), skeleton.index("left_hip")]
    line = places[:, :, skeleton.index("neck")] - places[:, :, hips].mean(axis=2)
    lengths = np.hypot(line[..., 0], line[..., 1]).astype(np.float64)
    for one in lengths.T:
        known = one[np.isfinite(one)]
        one[np.isnan(one)] = np.median(known) if len(known) else np.nan
    return np.asarray(lengths)


def _whose(distance: NDArray[np.floating], names: tuple[str, ...]) -> str:
    """The true person of a pose, by (individuals, K) distances in torsos; empty for nobody's."""
    known = np.isfinite(distance).sum(axis=1) >= 3
    if not known.any():
        return ""
    medians = np.full(len(names), np.inf)
    medians[known] = np.nanmedian(distance[known], axis=1)
    return names[int(medians.argmin())] if medians.min() < _OTHER_PLACE else ""


def _long_gone(there: NDArray[np.bool_], time: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(frames,) whether the infant has been out of the picture for half a second."""
    gone = np.zeros(len(there), bool)
    left = np.nan
    for i, present in enumerate(there):
        left = np.nan if present else (time[i] if np.isnan(left) else left)
        gone[i] = not present and time[i] - left >= _GRACE
    return gone


def _pck(
    distance: NDArray[np.floating], certainty: NDArray[np.floating], place: int
) -> tuple[float, float, float]:
    mine = distance[:, place]
    asked = (certainty[:, place] > 0.75) & np.isfinite(mine).any(axis=1)[:, None]
    errors = np.where(np.isfinite(mine), mine, np.inf)[asked]
    near, nearer, nearest = (
        float((errors <= limit).mean()) if len(errors) else float("nan")
        for limit in (0.2, 0.1, 0.05)
    )
    return nearest, nearer, near


def _share(what: NDArray[np.bool_], among: NDArray[np.bool_]) -> float:
    return float(what[among].mean()) if among.any() else float("nan")
