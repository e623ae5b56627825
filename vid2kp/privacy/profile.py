"""What a conversion may hold back beside the picture: the face, the size, the place.

The steps work on keypoints alone, before anything is written. They are told by the footer and the
manifest, and `vid2kp verify` proves them from the values without this code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from vid2kp.errors import UsageError
from vid2kp.pose.skeleton import Skeleton
from vid2kp.tracks.footer import Step
from vid2kp.tracks.schema import INFANT
from vid2kp.tracks.store import Pose

PROFILE: Final = "pseudonymised"
PROFILE_VERSION: Final = "1"

_HIPS: Final = ("right_hip", "left_hip")
_NECK: Final = "neck"
_UNKNOWN: Final = np.full(2, np.nan)


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Which of the privacy options hold.

    Attributes:
        drop_face: eyes and ears are never given; their rows stay, as missing.
        normalise: positions are in torso lengths: the median distance from the infant's neck to
            its mid hip in the whole video. (0, 0) is the median of its mid hip, one point for the
            whole video, unless ``relative_only`` says otherwise.
        relative_only: (0, 0) is the infant's mid hip of the same frame. Without both hips a frame
            has no such point, and all its keypoints are missing.
    """

    drop_face: bool = False
    normalise: bool = False
    relative_only: bool = False

    @property
    def name(self) -> tuple[str, str]:
        """Name and version for footer and manifest: ``pseudonymised+drop-face``, ``1``."""
        return "+".join((PROFILE, *(name.replace("_", "-") for name in self._names))), (
            PROFILE_VERSION
        )

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps for the footer's ``processing``, in the order in which they are made."""
        return tuple(Step(name, {}) for name in self._names)

    @property
    def position_unit(self) -> str:
        """One of `footer.POSITION_UNITS`."""
        return "torso" if self.normalise else "px"

    @property
    def point_of_reference(self) -> str:
        """One of `footer.POINTS_OF_REFERENCE`."""
        if self.relative_only:
            return "mid_hip"
        return "median_mid_hip" if self.normalise else "top_left"

    @property
    def hides_place(self) -> bool:
        """Whether it must not be told where in the picture the infant lay."""
        return self.normalise or self.relative_only

    def check(self, skeleton: Skeleton) -> None:
        """Makes sure that the steps can be made with this keypoint set.

        Raises:
            UsageError: the set lacks hips or neck.
        """
        needed = [*(_HIPS if self.hides_place else ()), *((_NECK,) if self.normalise else ())]
        missing = [name for name in needed if name not in skeleton.keypoints]
        if missing:
            raise UsageError(
                f"The model does not find the {missing[0].replace('_', ' ')}, from which "
                "positions would be measured.",
                hint="Use another model, or leave --normalise and --relative-only out.",
            )

    @property
    def _names(self) -> tuple[str, ...]:
        options = ("drop_face", "normalise", "relative_only")
        return tuple(name for name in options if getattr(self, name))


@dataclass(frozen=True)
class Body:
    """What `Profile.normalise` measures by.

    Attributes:
        torso: median length from neck to mid hip, pixels; NaN if it was never seen whole.
        mid_hip: (2,) median of the middle between the hips, pixels.
    """

    torso: float
    mid_hip: np.ndarray

    @classmethod
    def of(cls, poses: Iterable[Pose], skeleton: Skeleton) -> Body:
        """The measures of the infant of a whole video.

        Args:
            poses: of every frame in which it was seen, pixels of pictures of one size.
            skeleton: the keypoint set.
        """
        neck = skeleton.index(_NECK)
        hips, torsos = [], []
        for pose in poses:
            hip = _mid_hip(pose.xy, skeleton)
            if not np.isnan(hip).any():
                hips.append(hip)
                torsos.append(float(np.hypot(*(hip - pose.xy[neck]))))
        known = [torso for torso in torsos if not np.isnan(torso)]
        if not known:
            return cls(float("nan"), _UNKNOWN)
        return cls(float(np.median(known)), np.median(hips, axis=0))


class Concealer:
    """Makes the steps of a profile, frame by frame.

    Args:
        profile: which steps.
        skeleton: the keypoint set.
        body: the infant's; needed to normalise, else not used.
    """

    def __init__(self, profile: Profile, skeleton: Skeleton, body: Body | None = None) -> None:
        profile.check(skeleton)
        if profile.normalise and body is None:
            raise ValueError("to normalise, the body must have been measured")
        self._profile = profile
        self._skeleton = skeleton
        self._body = body if profile.normalise else None
        self.kept = np.ones(len(skeleton), dtype=bool)
        """(K,) bool: the keypoints that may be given."""
        if profile.drop_face:
            self.kept[list(skeleton.face)] = False

    def apply(self, people: Mapping[str, Pose], *, scale: float = 1.0) -> dict[str, Pose]:
        """The poses of one frame as they may be given; what may not is missing.

        Args:
            people: pose by name of the individual, display pixels.
            scale: longest side of the video's first picture in parts of this one's, where the
                size of the picture changes within the video.

        Returns:
            the same individuals; positions in the unit and from the point of the profile.
        """
        origin, unit = self._frame_of_reference(people.get(INFANT), scale)
        return {name: self._moved(pose, origin, unit) for name, pose in people.items()}

    def kept_of(self, pose: Pose) -> Pose:
        """The keypoints that may be given, without the others."""
        return Pose(pose.xy[self.kept], pose.confidence[self.kept])

    def _frame_of_reference(self, infant: Pose | None, scale: float) -> tuple[np.ndarray, float]:
        """Where (0, 0) is, and how long 1 is, in pixels of the frame."""
        unit = 1.0 if self._body is None else self._body.torso / scale
        if self._profile.relative_only:
            return (_UNKNOWN if infant is None else _mid_hip(infant.xy, self._skeleton)), unit
        return (np.zeros(2) if self._body is None else self._body.mid_hip / scale), unit

    def _moved(self, pose: Pose, origin: np.ndarray, unit: float) -> Pose:
        xy = ((pose.xy.astype(np.float64) - origin) / unit).astype(np.float32)
        there = self.kept & np.isfinite(xy).all(axis=1)
        return Pose(
            np.where(there[:, None], xy, np.float32(np.nan)),
            np.where(there, pose.confidence, np.float32(np.nan)),
        )


class TicksFromZero:
    """Counts pts from the first frame of the video: those of some recorders are the time of day.

    Args:
        time_base: seconds per unit of pts.
        is_usable: whether times are pts × time base; pts that were of no use are not given.
    """

    def __init__(self, time_base: Fraction, *, is_usable: bool) -> None:
        self._time_base = time_base
        self._is_usable = is_usable
        self._zero: int | None = None

    def since_start(self, pts: int | None, time: float) -> int | None:
        """The pts of a frame less that of time 0; None where there is none.

        Args:
            pts: of the frame, as the file has it.
            time: seconds since the first frame of the file.
        """
        if pts is None or not self._is_usable:
            return None
        if self._zero is None:
            self._zero = pts - round(time / self._time_base)
        return pts - self._zero


def _mid_hip(xy: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(2,) float64 middle between the hips; NaN where one is missing.

    One hip does not stand for both: with every hip that comes or goes the whole body would jump.
    """
    hips = xy[[skeleton.index(name) for name in _HIPS]].astype(np.float64)
    return np.asarray(hips.mean(axis=0))
