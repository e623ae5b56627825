"""Keypoints that go on from where they were when the view changes.

A network sees the same keypoint a little elsewhere in another crop: by a hundredth of the torso or
two, as much as a fidgety movement. So at a change of view the last frame is looked at once more
through the new view; by how far each keypoint lies elsewhere is made up for, and let go so slowly
that nothing is seen to move. Where the new view sees another limb there, nobody knows which view is
right: the keypoint is missing for a while, for a leap would look like a kick.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vid2kp.pose.oks import Floats, body_size


@dataclass(frozen=True, kw_only=True)
class BlendOptions:
    """How differences between views are made up for.

    Attributes:
        most: larger differences, in sizes of the body, are another limb, not the same seen
            elsewhere: nothing is made up for …
        silence: … and for so many seconds the keypoint is missing.
        release: seconds after which a third of the difference is left. The largest difference
            then goes by less than half a hundredth of the torso a frame, at 25 frames a second.
    """

    most: float = 0.2
    silence: float = 1.0
    release: float = 4.0


class Blend:
    """Differences between the views before and after the latest change, of one person."""

    def __init__(self, options: BlendOptions | None = None) -> None:
        self._options = options or BlendOptions()
        self._identity: int | None = None
        self._offset: Floats = np.zeros((0, 2))
        self._silent_until: Floats = np.zeros(0)  # for each keypoint, seconds
        self._begin = 0.0

    def change(self, identity: int, shown: Floats, seen: Floats, time: float) -> None:
        """Takes note of a new view.

        Where most keypoints lie elsewhere, it is another body that is seen, and nothing follows.

        Args:
            identity: of the person.
            shown: (K, 2) its keypoints in the last frame, as they were given out.
            seen: (K, 2) the same frame through the new view; NaN where not found.
            time: of that frame, seconds.
        """
        offset = np.asarray(shown, np.float64) - seen
        common = np.isfinite(offset[:, 0])
        far = np.hypot(*offset.T) > self._options.most * float(body_size(shown))
        if 2 * far.sum() > common.sum():
            self.forget()
            return
        silent = np.where(far, time + self._options.silence, -np.inf)
        if identity == self._identity:  # what was silent before stays so for its time
            silent = np.maximum(silent, self._silent_until)
        self._offset = np.where(common[:, None] & ~far[:, None], offset, 0.0)
        self._identity, self._begin, self._silent_until = identity, time, silent

    def forget(self) -> None:
        """Nothing is to be made up for."""
        self._identity = None

    def __call__(self, identity: int, keypoints: Floats, time: float) -> Floats:
        """The keypoints (K, 2) of a person at a time, made up for the latest change of view."""
        if identity != self._identity:
            return keypoints
        left = np.exp(-(time - self._begin) / self._options.release)
        settled = np.asarray(keypoints + self._offset * left)
        settled[time < self._silent_until] = np.nan
        return settled
