"""Who is who through time: identities for the people of each frame.

People are matched to identities by object keypoint similarity to where each identity should be by
now (constant velocity, fading), the best assignment over all at once. An identity that is not seen
waits for a second and is picked up again where it was left. What is kept of each identity is its
last pose and running statistics, so memory does not grow with the length of a video.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from vid2kp.pose.identity import IdentityStatistics, Parts
from vid2kp.pose.oks import Floats, body_size, oks, without_copies
from vid2kp.pose.people import People
from vid2kp.pose.skeleton import Skeleton


@dataclass(frozen=True, kw_only=True)
class TrackOptions:
    """When somebody is the same person as before.

    Attributes:
        min_oks: least similarity of a person to where an identity is expected.
        bridge: seconds for which an identity that is not seen waits, or `bridge_frames` frames,
            whichever is longer.
        bridge_frames: see ``bridge``.
        place: without enough similarity, the middles of the trunks may be this far apart, in
            sizes of the body, if nobody else comes into question.
        size_ratio: a person and an identity differ in size by no more than this factor.
        fade: seconds over which an expected motion comes to rest.
        widen: growth of the tolerance per second of waiting.
        most: number of identities whose statistics are kept, those seen in most frames.
    """

    min_oks: float = 0.3
    bridge: float = 1.0
    bridge_frames: int = 3
    place: float = 0.4
    size_ratio: float = 1.6
    fade: float = 0.15
    widen: float = 1.0
    most: int = 256


@dataclass(frozen=True, eq=False)
class Tracked:
    """The people of one frame, each counted once, with the identity of each.

    Attributes:
        people: P people.
        identities: P different numbers.
    """

    people: People
    identities: tuple[int, ...]


class _Identity:
    """Where somebody is and moves to."""

    def __init__(self, statistics: IdentityStatistics, keypoints: Floats, time: float) -> None:
        self.statistics = statistics
        self.keypoints = keypoints.astype(np.float64)
        self.velocity = np.zeros_like(self.keypoints)
        self.seen = np.where(np.isnan(keypoints[:, 0]), -np.inf, time)
        self.size = float(body_size(keypoints))
        self.last_update = 0

    def expected(self, time: float, fade: float) -> Floats:
        """(K, 2) where the keypoints should be, each since it was last seen."""
        since = np.where(np.isfinite(self.seen), time - self.seen, 0.0)
        return self.keypoints + self.velocity * (fade * (1 - np.exp(-since / fade)))[:, None]

    def move(self, keypoints: Floats, time: float, bridge: float) -> None:
        """Takes the keypoints of a frame; those missing keep their place for a while."""
        found = ~np.isnan(keypoints[:, 0])
        since = time - self.seen
        known = found & (since > 0) & (since <= bridge) & ~np.isnan(self.keypoints[:, 0])
        motion = (keypoints[known] - self.keypoints[known]) / since[known, None]
        self.velocity[found & ~known] = 0.0
        self.velocity[known] += 0.5 * (motion - self.velocity[known])
        self.keypoints[found] = keypoints[found]
        self.seen[found] = time
        self.keypoints[time - self.seen > bridge] = np.nan
        # Parts of a body look small: they change the size less than a whole body does.
        weight = 0.2 * float(found.mean()) ** 2
        self.size += weight * (float(body_size(keypoints)) - self.size)


class Tracker:
    """Gives the people of each frame their identities; frames come in the order of time.

    Args:
        skeleton: the keypoint set.
        options: when somebody is the same person.
    """

    def __init__(self, skeleton: Skeleton, options: TrackOptions | None = None) -> None:
        self._skeleton = skeleton
        self._options = options or TrackOptions()
        self._sigmas = np.array(skeleton.sigmas)
        self._parts = Parts(skeleton)
        self._present: list[_Identity] = []
        self._past: list[IdentityStatistics] = []
        self._next = 0
        self._frames = 0

    @property
    def frames(self) -> int:
        """Number of frames so far."""
        return self._frames

    @property
    def statistics(self) -> list[IdentityStatistics]:
        """What is known of each identity, by number."""
        known = self._past + [identity.statistics for identity in self._present]
        return sorted(known, key=lambda s: s.identity)

    def update(self, frame: int, time: float, people: People) -> Tracked:
        """Numbers the people of the next frame.

        Args:
            frame: decoder ordinal.
            time: seconds, not before that of the last frame.
            people: in display pixels.

        Returns:
            The people without second copies of the same body, and their identities.
        """
        self._frames += 1
        people = people[without_copies(people, self._skeleton)]
        self._part_with(time)
        matched = self._match(time, people.keypoints)
        numbers = []
        for person, keypoints in enumerate(people.keypoints):
            identity = matched.get(person)
            if identity is None:
                identity = self._begin(frame, time, keypoints)
            else:
                identity.move(keypoints, time, self._options.bridge)
            identity.last_update = self._frames
            identity.statistics.add(frame, time, keypoints, people.confidence[person], self._parts)
            numbers.append(identity.statistics.identity)
        return Tracked(people, tuple(numbers))

    def _begin(self, frame: int, time: float, keypoints: Floats) -> _Identity:
        """A new identity."""
        statistics = IdentityStatistics(self._next, first_frame=frame, first_time=time)
        self._next += 1
        identity = _Identity(statistics, keypoints, time)
        self._present.append(identity)
        return identity

    def _part_with(self, time: float) -> None:
        """Stops waiting for identities not seen for long, and forgets the rarest of too many."""
        gone = [
            identity
            for identity in self._present
            if time - identity.statistics.last_time > self._options.bridge
            and self._frames - identity.last_update > self._options.bridge_frames
        ]
        self._present = [i for i in self._present if i not in gone]
        self._past += [i.statistics for i in gone]
        if len(self._past) > self._options.most:
            self._past = sorted(self._past, key=lambda s: -s.frames)[: self._options.most]

    def _match(self, time: float, keypoints: Floats) -> dict[int, _Identity]:
        """Person index to identity, for those who were there before."""
        identities = self._present
        if not identities or not len(keypoints):
            return {}
        alike = self._similarity(time, keypoints)
        pairs = [
            (person, which)
            for person, which in zip(*linear_sum_assignment(-alike), strict=True)
            if alike[person, which] >= self._options.min_oks
        ]
        matched = {int(person): identities[which] for person, which in pairs}
        left = [p for p in range(len(keypoints)) if p not in matched]
        waiting = [i for i in identities if i not in matched.values()]
        return matched | self._match_by_place(keypoints, left, waiting)

    def _similarity(self, time: float, keypoints: Floats) -> Floats:
        """(people, identities) similarity in [0, 1]; 0 where the sizes do not fit."""
        options = self._options
        expected = np.stack([i.expected(time, options.fade) for i in self._present])
        sizes = np.array([i.size for i in self._present])
        since = np.array([time - i.statistics.last_time for i in self._present])
        tolerance = sizes * (1 + options.widen * since)
        alike = oks(keypoints[:, None], expected, tolerance, self._sigmas)
        common = (~np.isnan(keypoints[:, None, :, 0]) & ~np.isnan(expected[..., 0])).sum(axis=-1)
        # Few common keypoints agree by chance.
        alike *= np.minimum(1.0, common / 4)
        return np.where(self._fits(keypoints, sizes), alike, 0.0)

    def _fits(self, keypoints: Floats, sizes: Floats) -> Floats:
        """(people, identities) bool: whether nobody is much larger; parts may be smaller."""
        ratio = body_size(keypoints)[:, None] / np.maximum(sizes, 1e-9)
        whole = (~np.isnan(keypoints[..., 0])).mean(axis=-1)[:, None] > 0.7
        limit = self._options.size_ratio
        return np.asarray((ratio <= limit) & (~whole | (ratio >= 1 / limit)))

    def _match_by_place(
        self, keypoints: Floats, left: list[int], waiting: list[_Identity]
    ) -> dict[int, _Identity]:
        """Somebody whose pose changed at a stroke, but who is alone in the place."""
        matched = {}
        for person in left:
            centre = self._parts.centre(keypoints[person])
            here = [
                identity
                for identity in waiting
                if np.hypot(*(identity.statistics.last_centre - centre))
                <= self._options.place * identity.size
                and self._fits(keypoints[person][None], np.array([identity.size]))[0, 0]
            ]
            if len(here) == 1:
                matched[person] = here[0]
                waiting.remove(here[0])
        return matched
