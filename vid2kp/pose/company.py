"""Who else is in the picture: glances at the whole frame while the view is on the infant.

A crop to one person hides the others: a twin, or the infant itself while an adult is followed. So
now and then one whole frame is looked at, at two sizes in turn. From afar a sleeve can look like
somebody, and an adult like an infant, so whoever is found is looked at closely before it counts.
These people are followed from glance to glance; of them the infant is chosen by the same score as
everywhere, and who has nearly the score of the person that is followed, is a rival while in view.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from vid2kp.pose.choose import Candidate, choose_infant
from vid2kp.pose.find import Finder, Picture
from vid2kp.pose.oks import Floats, is_same, without_copies
from vid2kp.pose.people import People
from vid2kp.pose.skeleton import Skeleton
from vid2kp.pose.track import Tracker, TrackOptions
from vid2kp.pose.zoom import Zoom

_BRIDGED = 4
"""Somebody is the same after this many glances without a sight."""

_CLOSE_LOOKS = 3
"""So many of the others, the best, are looked at closely at a glance."""


@dataclass(frozen=True, kw_only=True)
class CompanyOptions:
    """How the whole frame is glanced at.

    Attributes:
        every: chunks between glances.
        scales: sizes of the whole frame, in input sizes, in turn.
        reach: frames for which somebody seen at a glance was there before, and is there after it.
        better: somebody else with a score this much higher, of the people of the glances, is
            more likely the infant than who is followed …
        glances: … if it was so in this many glances in a row.
    """

    every: int = 2
    scales: tuple[float, ...] = (1.0, 1.75)
    reach: int = 64
    better: float = 0.1
    glances: int = 2


class Glimpse(NamedTuple):
    """Somebody at a glance.

    Attributes:
        frame: decoder ordinal.
        person: a negative number; those of the people followed closely are not negative.
        in_view: whether the view shows that person as well.
    """

    frame: int
    person: int
    in_view: bool


@dataclass(frozen=True)
class Sightings:
    """When somebody else was in the picture.

    Attributes:
        glimpses: by rising frames.
        reach: frames for which somebody was there before and after a glance.
    """

    glimpses: Sequence[Glimpse]
    reach: int

    def at(self, frame: int) -> tuple[int, ...]:
        """Numbers of those who were there in a frame."""
        return tuple({glimpse.person: None for glimpse in self._around(frame)})

    def out_of_view(self, frame: int) -> int:
        """How many were there out of the view: the most of the glances around a frame."""
        glances = Counter(glimpse.frame for glimpse in self._around(frame) if not glimpse.in_view)
        return max(glances.values(), default=0)

    def _around(self, frame: int) -> Sequence[Glimpse]:
        begin = bisect_left(self.glimpses, frame - self.reach, key=lambda glimpse: glimpse.frame)
        end = bisect_right(self.glimpses, frame + self.reach, key=lambda glimpse: glimpse.frame)
        return self.glimpses[begin:end]


class Company:
    """The people of the glances.

    Args:
        skeleton: the keypoint set.
        options: how the whole frame is glanced at.
    """

    def __init__(self, skeleton: Skeleton, options: CompanyOptions | None = None) -> None:
        self.options = options or CompanyOptions()
        # Glances are seconds apart: who is still in the same place is the same.
        self._tracker = Tracker(
            skeleton,
            TrackOptions(bridge=0.0, bridge_frames=_BRIDGED, min_oks=0.15),
        )
        self._sights: Counter[int] = Counter()
        self._followed: Counter[int] = Counter()
        self._seen: list[Glimpse] = []
        self._last: dict[int, int] = {}  # frame in which somebody was seen
        self._better = 0

    @property
    def scale(self) -> float:
        """Of the whole frame at the next glance, in input sizes."""
        return self.options.scales[self._tracker.frames % len(self.options.scales)]

    def glance(
        self,
        frame: int,
        time: float,
        people: People,
        followed: Floats | None,
        in_view: Sequence[Floats] | Floats = (),
    ) -> bool:
        """Takes in who is in a whole frame.

        Args:
            frame: decoder ordinal.
            time: seconds.
            people: of the frame, in display pixels.
            followed: (K, 2) keypoints of who is followed, in the same frame; None for nobody.
            in_view: (P, K, 2) everybody whom the view shows in that frame.

        Returns:
            Whether somebody else has been more likely the infant for several glances.
        """
        tracked = self._tracker.update(frame, time, people)
        for identity, keypoints in zip(tracked.identities, tracked.people.keypoints, strict=True):
            shown = any(is_same(keypoints, pose) for pose in in_view)
            self._seen.append(Glimpse(frame, -1 - identity, shown))
            self._last[identity] = frame
            self._sights[identity] += 1
            if followed is not None and is_same(keypoints, followed):
                self._followed[identity] += 1
        self._better = self._better + 1 if self._is_better_one_there(frame) else 0
        if self._better < self.options.glances:
            return False
        self._better = 0
        return True

    def sightings(self) -> Sightings:
        """Everybody but the one who was followed."""
        others = {-1 - i for i in self._sights if 2 * self._followed[i] <= self._sights[i]}
        return Sightings([one for one in self._seen if one.person in others], self.options.reach)

    def rivals(self, infant: Candidate) -> frozenset[int]:
        """Numbers, as in `sightings`, of those who might be the infant as well.

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

    def _is_better_one_there(self, frame: int) -> bool:
        there = [
            person
            for person in self._people()
            if any(self._last[i] >= frame - self.options.reach for i in person.identities)
        ]
        if not there or self._is_followed(there[0]):
            return False
        own = [p.score for p in there if self._is_followed(p)]
        return there[0].score > max(own, default=0.0) + self.options.better

    def _is_followed(self, person: Candidate) -> bool:
        """Whether in most of the glances at somebody it was the one who is followed."""
        seen = sum(self._sights[identity] for identity in person.identities)
        return 2 * sum(self._followed[identity] for identity in person.identities) > seen


def look_closer(
    find: Finder[Picture], zoom: Zoom, picture: Picture, people: People, followed: People
) -> People:
    """The people of a whole frame, each as a view that it fills shows it.

    Args:
        find: the network.
        zoom: makes the views.
        picture: the frame.
        people: found in the whole of it, display pixels, the best first.
        followed: who is followed, as found in the same frame; nobody, or one.

    Returns:
        The followed one, and of the others those who are there in their own view as well;
        display pixels.
    """
    others = [p for p in people.keypoints if not any(is_same(p, own) for own in followed.keypoints)]
    aims = [(p, view) for p in others if (view := zoom.close_view(p)) is not None][:_CLOSE_LOOKS]
    found = find([picture] * len(aims), [view for _, view in aims]) if aims else []
    there = [followed]
    for (aim, _), closer in zip(aims, found, strict=True):
        near = [i for i, p in enumerate(closer.keypoints) if is_same(p, aim)]
        there.append(closer[near[:1]])
    together = People(
        np.concatenate([one.keypoints for one in there]),
        np.concatenate([one.confidence for one in there]),
        np.concatenate([one.score for one in there]),
    )
    return together[without_copies(together, find.skeleton)]
