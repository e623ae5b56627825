"""Who else is in the picture: glances at the whole frame while the view is on the infant.

A crop to one person hides the others: a twin, or the infant itself while an adult is followed. So
now and then one whole frame is looked at, at two sizes in turn, and the people in it are followed
from glance to glance. Of them the infant is chosen by the same score as everywhere; who has nearly
the score of the person that is followed, is a rival while in view.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from vid2kp.pose.choose import Candidate, choose_infant
from vid2kp.pose.oks import Floats, body_size
from vid2kp.pose.people import People
from vid2kp.pose.skeleton import Skeleton
from vid2kp.pose.track import Tracker, TrackOptions


@dataclass(frozen=True, kw_only=True)
class CompanyOptions:
    """How the whole frame is glanced at.

    Attributes:
        every: chunks between glances.
        scales: sizes of the whole frame, in input sizes, in turn.
        forget: glances after which somebody not seen again has left.
        near: middles of the trunks of two sights of one person are no further apart than this
            share of the body's size.
        better: somebody else with a score this much higher, of the people of the glances, is
            more likely the infant than who is followed …
        glances: … if it was so in this many glances in a row.
    """

    every: int = 2
    scales: tuple[float, ...] = (1.0, 1.75)
    forget: int = 2
    near: float = 0.3
    better: float = 0.1
    glances: int = 2


class Company:
    """The people of the glances.

    Args:
        skeleton: the keypoint set.
        options: how the whole frame is glanced at.

    Attributes:
        present: numbers of those who are in view beside the one who is followed. They are
            negative, those of the people followed closely are not.
    """

    def __init__(self, skeleton: Skeleton, options: CompanyOptions | None = None) -> None:
        self.options = options or CompanyOptions()
        # Glances are seconds apart: who is still in the same place is the same.
        self._tracker = Tracker(
            skeleton,
            TrackOptions(bridge=0.0, bridge_frames=2 * self.options.forget, min_oks=0.15),
        )
        self._sights: Counter[int] = Counter()
        self._followed: Counter[int] = Counter()
        self._seen_at: dict[int, int] = {}
        self._better = 0
        self.present: tuple[int, ...] = ()

    @property
    def scale(self) -> float:
        """Of the whole frame at the next glance, in input sizes."""
        return self.options.scales[self._tracker.frames % len(self.options.scales)]

    def glance(self, frame: int, time: float, people: People, followed: Floats | None) -> bool:
        """Takes in who is in a whole frame.

        Args:
            frame: decoder ordinal.
            time: seconds.
            people: of the frame, in display pixels.
            followed: (K, 2) keypoints of who is followed, in the same frame; None for nobody.

        Returns:
            Whether somebody else has been more likely the infant for several glances.
        """
        tracked = self._tracker.update(frame, time, people)
        for identity, keypoints in zip(tracked.identities, tracked.people.keypoints, strict=True):
            self._seen_at[identity] = self._tracker.frames
            self._sights[identity] += 1
            if followed is not None and self._is_same(keypoints, followed):
                self._followed[identity] += 1
        recent = self._tracker.frames - self.options.forget
        self._seen_at = {i: seen for i, seen in self._seen_at.items() if seen > recent}
        self.present = tuple(
            -1 - i for i in self._seen_at if 2 * self._followed[i] <= self._sights[i]
        )
        self._better = self._better + 1 if self._is_better_one_there() else 0
        if self._better < self.options.glances:
            return False
        self._better = 0
        return True

    def rivals(self, infant: Candidate) -> frozenset[int]:
        """Numbers, as in ``present``, of those who might be the infant as well.

        Args:
            infant: who is followed, as seen closely.
        """
        people = self._people()
        # Scores are compared with what the infant's is from afar; its build is seen closely.
        scores = [person.score for person in people if self._is_followed(person)]
        own = replace(infant, score=max(scores, default=infant.score))
        return frozenset(
            -1 - identity
            for person in people
            if not self._is_followed(person) and person.rivals(own)
            for identity in person.identities
        )

    def _people(self) -> tuple[Candidate, ...]:
        """Everybody of the glances, the likeliest infant first."""
        return choose_infant(self._tracker.statistics, frames=self._tracker.frames).people

    def _is_better_one_there(self) -> bool:
        there = [p for p in self._people() if set(p.identities) & self._seen_at.keys()]
        if not there or self._is_followed(there[0]):
            return False
        own = [p.score for p in there if self._is_followed(p)]
        return there[0].score > max(own, default=0.0) + self.options.better

    def _is_followed(self, person: Candidate) -> bool:
        """Whether in most of the glances at somebody it was the one who is followed."""
        seen = sum(self._sights[identity] for identity in person.identities)
        return 2 * sum(self._followed[identity] for identity in person.identities) > seen

    def _is_same(self, one: Floats, other: Floats) -> bool:
        """Whether two poses of one frame are of the same person."""
        common = ~np.isnan(one[:, 0]) & ~np.isnan(other[:, 0])
        if common.sum() < 3:
            return False
        distance = float(np.median(np.hypot(*(one[common] - other[common]).T)))
        return distance < self.options.near * float(min(body_size(one), body_size(other)))
